"""A report as text: a table for the terminal, CSV, and the verdicts of a comparison."""

from __future__ import annotations

import csv
import io
import math
import statistics

from recordkit.bench.machine import NOISY_SHARE
from recordkit.bench.report import WIDE, Case, Report
from recordkit.bench.statistics import Ratio, Verdict

_COLUMNS = ("img/s", "lowest to highest", "ratio", "95% interval", "cores", "MB", "first batch")


def lines(report: Report) -> list[str]:
    """Return the table, with what is measured above it and what to know of it below."""
    machine, file, protocol = report.machine, report.file, report.protocol
    found = [
        f"{file['name']}: {file['records']:,} records, {file['bytes'] / 1e6:.1f} MB; {report.title}",
        f"{machine['cpu']}, {machine['cpus']} CPUs; {report.date}",
        f"{protocol['rounds']} round{'s' * (protocol['rounds'] != 1)} of {_epochs(report)}; cache {protocol['cache']}",
        "",
    ]
    cases = report.by_rate()
    width = max(len(case.label) for case in cases)
    found.append(f"{'':{width}}  " + "  ".join(f"{name:>{_WIDTHS[name]}}" for name in _COLUMNS))
    for case in cases:
        if case.measured:
            found.append(f"{case.label:{width}}  {_row(case, report.ratio(case))}")
        else:
            found.append(f"{case.label:{width}}  {case.status}: {case.note}")
    return found + _remarks(report)


_WIDTHS = dict(zip(_COLUMNS, (9, 19, 6, 15, 5, 6, 11), strict=True))


def _epochs(report: Report) -> str:
    n, seconds, turns = (report.protocol[name] for name in ("epochs", "seconds", "turns"))
    text = f"{n} epoch{'s' * (n != 1)}"
    text = f"{text}, or {seconds:g} s if that is more," if seconds and turns > 1 else text
    return f"{text} in {turns} turns each" if turns > 1 else text


def _row(case: Case, ratio: Ratio | None) -> str:
    values = (
        f"{case.median_img_s:,.0f}",
        f"{min(case.img_s):,.0f} to {max(case.img_s):,.0f}",
        "" if ratio is None else f"x{ratio.value:.2f}",
        interval_text(ratio),
        f"{case.cores:.1f}",
        f"{statistics.median(case.peak_rss_mb):,.0f}",
        f"{statistics.median(case.first_batch_s) * 1000:,.0f} ms",
    )
    return "  ".join(f"{value:>{_WIDTHS[name]}}" for name, value in zip(_COLUMNS, values, strict=True))


def interval_text(ratio: Ratio | None) -> str:
    """Return the interval of a ratio in words; nothing where there is none."""
    if ratio is None or math.isinf(ratio.high) or ratio.low == ratio.high:
        return ""
    return f"{ratio.low:.2f} to {ratio.high:.2f}"


def _remarks(report: Report) -> list[str]:
    reference = report.reference_case()
    found = [""]
    if reference is None:
        found.append(f"No ratios: {report.reference} was not measured.")
    else:
        found.append(f"Ratios are to {reference.label}, in the same rounds.")
    found += [f"{case.title}: {case.note}." for case in report.cases if case.measured and case.note]
    if report.noise is not None and report.noise > NOISY_SHARE:
        found.append(f"NOISY: other processes had {report.noise:.0%} of the processors; close them and measure again.")
    if wide := [case.label for case in report.wide()]:
        found.append(f"Wider than {WIDE:.0%} to each side: {'; '.join(wide)}; give more --most-rounds, or --seconds.")
    return list(dict.fromkeys(found))


def as_csv(report: Report) -> str:
    """Return a line a case, those that were not measured too."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["name", "threads", "status", "median_img_s", "ratio", "low", "high", "cpu_s_per_1000", "peak_rss_mb"]
        + ["first_batch_s", "note"]
    )
    for case in report.by_rate():
        ratio = report.ratio(case)
        numbers: list[float | str] = [""] * 7
        if case.measured:
            medians = [statistics.median(values) for values in (case.cpu_s, case.peak_rss_mb, case.first_batch_s)]
            ratios: list[float | str] = ["", "", ""] if ratio is None else [ratio.value, ratio.low, ratio.high]
            numbers = [case.median_img_s, *ratios, *medians]
        writer.writerow([case.name, case.threads, case.status, *numbers, case.note])
    return text.getvalue()


def compared_lines(found: list[tuple[Case, Verdict]]) -> list[str]:
    """Return a line a case of a comparison."""
    width = max((len(case.label) for case, _ in found), default=0)
    return [
        f"{case.label:{width}}  {verdict.word:11}  {verdict.change:+.1%}"
        + ("" if math.isinf(verdict.high) else f"  ({verdict.low:+.1%} to {verdict.high:+.1%})")
        for case, verdict in found
    ]


def comparison_remarks(old: Report, new: Report) -> list[str]:
    """Return what to know of a comparison: what was compared, and what else is not as it was."""
    reference = new.reference_case()
    found = [] if reference is None else [f"Compared are ratios to {reference.label}, not rates."]
    machines = [f"{report.machine['cpu']}, {report.machine['cpus']} CPUs" for report in (old, new)]
    if machines[0] != machines[1]:
        found.append(f"Other machines: {machines[0]}; now {machines[1]}.")
    for name in sorted(old.versions.keys() & new.versions.keys()):
        if old.versions[name] != new.versions[name]:
            found.append(f"Other versions: {name} {old.versions[name]}, now {new.versions[name]}.")
    return found
