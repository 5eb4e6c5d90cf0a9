"""A report as text: a table for the terminal, CSV, and the verdicts of a comparison of two reports."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Sequence

from recordkit.bench.machine import NOISY_SHARE
from recordkit.bench.report import WIDE, Case, Report
from recordkit.bench.statistics import Ratio, Verdict, ratio
from recordkit.errors import plural

# An interval whose half is wider than the ratio says nothing; it appears as words.
_UNKNOWN = 1.0
# Headings of the columns and their widths in characters.
_COLUMNS = {
    "img/s": 9,
    "lowest to highest": 19,
    "ratio": 6,
    "95% interval": 15,
    "known to": 8,
    "cores": 5,
    "MB": 6,
    "first batch": 11,
}
_REPORT_COLUMNS = tuple(name for name in _COLUMNS if name != "known to")
_INTERIM_COLUMNS = ("img/s", "ratio", "95% interval", "known to")


def report_lines(report: Report) -> list[str]:
    """Return the table, with the measured file, machine and protocol above it and remarks below it."""
    table = _table(report, [(case.label, case) for case in report.by_rate()], _REPORT_COLUMNS)
    return [*about(report), "", *table, "", *remarks(report), *warnings(report)]


def interim_lines(report: Report) -> list[str]:
    """Return the table of a comparison that goes on, in 80 columns: rates, ratios, and how far these are known."""
    cases = [case for case in report.by_rate() if case.measured or case.status == "failed"]
    table = _table(report, [(_short_label(report, case), case) for case in cases], _INTERIM_COLUMNS)
    return [f"After {plural(report.protocol['rounds'], 'round')}:", *table]


def round_line(report: Report) -> str:
    """Return the ratios after a round in one line, or the rates if there are no ratios.

    Examples
    --------
    A line of two loaders: ``round 3: recordkit native x9.98 ±1.2%; MXNet ImageRecordIter x2.83 ±2.0%``.
    """
    facts = []
    for case in report.by_rate():
        name, to_reference = _short_label(report, case), report.ratio(case)
        if to_reference is None or case is report.reference_case():
            facts += [f"{name} {case.median_img_s:,.0f} img/s"] if case.measured else []
        else:
            facts.append(f"{name} x{to_reference.value:.2f} {_precision(to_reference)}".rstrip())
    return f"round {report.protocol['rounds']}: {'; '.join(facts) or 'nothing was measured'}"


def _short_label(report: Report, case: Case) -> str:
    """Return the label of a case, without the number of threads if that is the same for all."""
    return case.title if len({case.threads for case in report.cases}) == 1 else case.label


def _table(report: Report, cases: Sequence[tuple[str, Case]], columns: Sequence[str]) -> list[str]:
    """Return a line of headings, and one for each case, which begins with its label."""
    width = max((len(label) for label, _ in cases), default=0)
    lines = [f"{'':{width}}  " + "  ".join(f"{name:>{_COLUMNS[name]}}" for name in columns)]
    for label, case in cases:
        values = _values(case, report.ratio(case))
        text = "  ".join(f"{values[name]:>{_COLUMNS[name]}}" for name in columns if values)
        lines.append(f"{label:{width}}  {text or f'{case.status}: {case.note}'}".rstrip())
    return lines


def about(report: Report) -> list[str]:
    """Return three lines: the file and workload, the machine and date, the protocol."""
    machine, file, protocol = report.machine, report.file, report.protocol
    return [
        f"{file['name']}: {file['records']:,} records, {file['bytes'] / 1e6:.1f} MB; {report.title}",
        f"{machine['cpu']}, {plural(machine['cpus'], 'CPU')}; {report.date}",
        f"{plural(protocol['rounds'], 'round')} of {_epochs(report)}; cache {protocol['cache']}",
    ]


def remarks(report: Report) -> list[str]:
    """Return the reference of the ratios, and the note of each case that was measured."""
    reference = report.reference_case()
    first = f"No ratios: {report.reference} was not measured."
    if reference is not None:
        first = f"Ratios are to {reference.label}, in the same rounds."
    notes = (f"{case.title}: {case.note}." for case in report.cases if case.measured and case.note)
    return [first, *dict.fromkeys(notes)]  # a note appears once, though each number of threads is a case


def warnings(report: Report) -> list[str]:
    """Return why the figures are less certain than they should be; usually nothing."""
    lines = []
    if report.noise is not None and report.noise > NOISY_SHARE:
        lines.append(f"NOISY: other processes had {report.noise:.0%} of the processors; close them and measure again.")
    if labels := [case.label for case in report.uncertain_cases()]:
        wide = f"Wider than {WIDE:.0%} to each side: {'; '.join(labels)}"
        lines.append(f"{wide}; measure more or longer rounds, with a larger budget.")
    if report.protocol.get("interrupted"):
        lines.append(f"Interrupted: the figures are of {plural(report.protocol['rounds'], 'complete round')}.")
    return lines


def _epochs(report: Report) -> str:
    n, round_s, turns = (report.protocol[name] for name in ("epochs", "round_s", "turns"))
    text = plural(n, "epoch")
    text = f"{text}, or {round_s:g} s if that is more," if round_s and turns > 1 else text
    return f"{text} in {turns} turns each" if turns > 1 else text


def _values(case: Case, to_reference: Ratio | None) -> dict[str, str]:
    """Return the text of each column for a case; empty if it was not measured."""
    if not case.measured:
        return {}
    first_batch_s = case.median_first_batch_s
    return {
        "img/s": f"{case.median_img_s:,.0f}",
        "lowest to highest": f"{min(case.img_s):,.0f} to {max(case.img_s):,.0f}",
        "ratio": "" if to_reference is None else f"x{to_reference.value:.2f}",
        "95% interval": interval_text(to_reference),
        "known to": _precision(to_reference),
        "cores": "" if case.cores is None else f"{case.cores:.1f}",
        "MB": "" if case.median_peak_rss_mb is None else f"{case.median_peak_rss_mb:,.0f}",
        "first batch": "" if first_batch_s is None else f"{first_batch_s * 1000:,.0f} ms",
    }


def _precision(to_reference: Ratio | None) -> str:
    """Return half of the interval of a ratio as a share of it; "" if it is unknown or has no width."""
    is_known = to_reference is not None and 0 < to_reference.half_width <= _UNKNOWN
    return f"±{to_reference.half_width:.1%}" if to_reference is not None and is_known else ""


def interval_text(to_reference: Ratio | None) -> str:
    """Return the interval of a ratio; "" if it has no width or there is none; words if it is wider than the ratio."""
    if to_reference is None or not to_reference.is_bounded or to_reference.low == to_reference.high:
        return ""
    if to_reference.half_width > _UNKNOWN:
        return "not yet known"
    return f"{to_reference.low:.2f} to {to_reference.high:.2f}"


def rate_lines(cases: Sequence[Case], unit: str) -> list[str]:
    """Return a line for each case with its rate and its ratio to the first measured case.

    Parameters
    ----------
    cases : sequence of Case
        Cases of `recordkit.bench.commands.time_commands`, which have rates only.
    unit : str
        Unit of the rates, such as "rec/s".
    """
    width = max(len(case.title) for case in cases)
    base = next((case.img_s for case in cases if case.measured), [])
    lines = []
    for case in cases:
        if not case.measured:
            lines.append(f"{case.title:{width}}  {case.status}: {case.note}")
            continue
        to_base = ratio(case.img_s, base)
        spread = f"({min(case.img_s):,.0f} to {max(case.img_s):,.0f})"
        interval = interval_text(to_base)
        lines.append(
            f"{case.title:{width}}  {case.median_img_s:14,.0f} {unit} {spread}  x{to_base.value:.2f}"
            + (f"  ({interval})" if interval else "")
        )
    return lines


def as_csv(report: Report) -> str:
    """Return the cases as CSV, those that were not measured included."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["name", "threads", "status", "median_img_s", "ratio", "low", "high", "cpu_s_per_1000", "peak_rss_mb"]
        + ["first_batch_s", "note"]
    )
    for case in report.by_rate():
        to_reference = report.ratio(case)
        numbers: list[float | str | None] = [""] * 7
        if case.measured:
            ratios = [to_reference.value, to_reference.low, to_reference.high] if to_reference else [""] * 3
            cpu_s = statistics.median(case.cpu_s_per_1000) if case.cpu_s_per_1000 else ""
            numbers = [case.median_img_s, *ratios, cpu_s, case.median_peak_rss_mb, case.median_first_batch_s]
        writer.writerow([case.name, case.threads, case.status, *numbers, case.note])
    return text.getvalue()


def verdict_lines(verdicts: Sequence[tuple[Case, Verdict]]) -> list[str]:
    """Return a line for each case of `recordkit.bench.report.compare_reports`."""
    width = max((len(case.label) for case, _ in verdicts), default=0)
    return [
        f"{case.label:{width}}  {verdict.word:11}  {verdict.change:+.1%}"
        + ("" if math.isinf(verdict.high) else f"  ({verdict.low:+.1%} to {verdict.high:+.1%})")
        for case, verdict in verdicts
    ]


def verdicts_as_csv(verdicts: Sequence[tuple[Case, Verdict]]) -> str:
    """Return the cases of `recordkit.bench.report.compare_reports` as CSV; an unknown interval is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["name", "threads", "verdict", "change", "low", "high"])
    for case, verdict in verdicts:
        interval = ["", ""] if math.isinf(verdict.high) else [verdict.low, verdict.high]
        writer.writerow([case.name, case.threads, verdict.word, verdict.change, *interval])
    return text.getvalue()


def comparison_remarks(old: Report, new: Report) -> list[str]:
    """Return the reference of a comparison of two reports, and the differences of machine and versions."""
    reference = new.reference_case()
    lines = [] if reference is None else [f"Compared are ratios to {reference.label}, not rates."]
    machines = [f"{report.machine['cpu']}, {report.machine['cpus']} CPUs" for report in (old, new)]
    if machines[0] != machines[1]:
        lines.append(f"Different machines: {machines[0]}; now {machines[1]}.")
    for name in sorted(old.versions.keys() & new.versions.keys()):
        if old.versions[name] != new.versions[name]:
            lines.append(f"Different versions: {name} {old.versions[name]}, now {new.versions[name]}.")
    return lines
