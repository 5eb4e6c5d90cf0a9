"""A report as a picture: bars by rate, and curves over threads if there are several numbers of threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recordkit.bench.machine import NOISY_SHARE
from recordkit.bench.report import WIDE, Case, Report
from recordkit.errors import MissingError, PlanError, plural
from recordkit.storage.replacement import write_atomically

# Colours of Okabe and Ito's palette, which people with colour blindness can tell apart.
_RECORDKIT, _OTHERS, _REFERENCE, _WARNING, _UNCERTAIN = "#0072B2", "#999999", "#E69F00", "#D55E00", "#6B6B6B"
_LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_MARKERS = "osD^vPX*"
SUFFIXES = (".png", ".svg")


def check_plot_path(plot_path: Path) -> None:
    """Check before a measurement that a picture can be saved after it.

    Raises
    ------
    MissingError
        matplotlib is not installed.
    PlanError
        The name of the file ends in neither .png nor .svg.
    """
    if plot_path.suffix not in SUFFIXES:
        raise PlanError(
            argument="plot_path", expected=f"a name that ends in {' or '.join(SUFFIXES)}", got=plot_path.name
        )
    try:
        import matplotlib  # noqa: F401 (only whether it can be imported matters)
    except ImportError:
        raise MissingError("matplotlib is not installed", advice="pip install 'recordkit[plot]'") from None


def draw_report(report: Report) -> Any:
    """Return the matplotlib figure.

    Raises
    ------
    PlanError
        No case was measured.
    """
    from matplotlib.figure import Figure

    cases = [case for case in report.by_rate() if case.measured]
    if not cases:
        raise PlanError(expected="measured cases", got="none")
    counts = sorted({case.threads for case in cases})
    figure = Figure(figsize=(10, 1.6 + 0.5 * len(cases) + (3.6 if len(counts) > 1 else 0)), layout="constrained")
    if len(counts) > 1:
        bars, curves = figure.subplots(2, 1, height_ratios=(0.5 * len(cases) + 0.6, 3.2))
        _draw_curves(curves, cases, counts)
    else:
        bars = figure.subplots()
    _draw_bars(bars, report, cases)
    figure.suptitle(f"{report.file['name']}: {report.title}", fontsize=10, x=0.01, ha="left", parse_math=False)
    if report.noise is not None and report.noise > NOISY_SHARE:
        title = f"NOISY: other processes had {report.noise:.0%} of the processors"
        bars.set_title(title, fontsize=10, loc="left", color=_WARNING)
    protocol, machine = report.protocol, report.machine
    figure.supxlabel(
        f"{machine['cpu']}, {machine['cpus']} CPUs, {report.date[:10]}; median of "
        f"{plural(protocol['rounds'], 'round')}, whiskers from the lowest to the highest",
        fontsize=8,
        x=0.01,
        ha="left",
    )
    return figure


def save_plot(report: Report, plot_path: Path) -> None:
    """Write the picture as PNG or SVG, by the suffix, with the command and date in its metadata."""
    check_plot_path(plot_path)
    options = {"dpi": 150, "metadata": {"Description": f"{report.command}; {report.date}"}}
    figure = draw_report(report)
    write_atomically(plot_path, lambda file: figure.savefig(file, format=plot_path.suffix[1:], **options))


def _draw_bars(axes: Any, report: Report, cases: list[Case]) -> None:
    from matplotlib.patches import Patch

    reference = report.reference_case()
    colours = [_REFERENCE if case is reference else _RECORDKIT if case.is_recordkit else _OTHERS for case in cases]
    axes.barh(
        range(len(cases)),
        [case.median_img_s for case in cases],
        color=colours,
        xerr=_spread(cases),
        ecolor="black",
        capsize=3,
    )
    axes.set_yticks(range(len(cases)), [case.label for case in cases])
    axes.invert_yaxis()
    axes.set_xlim(0, max(max(case.img_s) for case in cases) * 1.3)
    for number, case in enumerate(cases):
        _write_rate(axes, report, case, number)
    axes.set_xlabel("images per second (times as fast as the reference)")
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    groups = [(_RECORDKIT, "recordkit"), (_REFERENCE, "reference"), (_OTHERS, "others")]
    handles = [Patch(color=colour, label=label) for colour, label in groups if colour in colours]
    if any(text.get_color() == _UNCERTAIN for text in axes.texts):
        handles.append(Patch(color="none", label=f"gray ratio: not known to within {WIDE:.0%}"))
    axes.legend(
        handles=handles,
        loc="lower right",
        frameon=False,
        fontsize=9,
    )


def _write_rate(axes: Any, report: Report, case: Case, number: int) -> None:
    """Write the rate and the ratio to the right of a bar; an uncertain ratio is gray, an unknown one is left out."""
    to_reference = None if case is report.reference_case() else report.ratio(case)
    rate = axes.annotate(
        f"{case.median_img_s:,.0f}",
        (max(case.img_s), number),
        (8, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )
    if to_reference is not None and to_reference.is_bounded:
        colour = _UNCERTAIN if report.is_uncertain(case) else "black"
        text = f"(x{to_reference.value:.2f})"
        axes.annotate(
            text, (1, 0.5), (5, 0), xycoords=rate, textcoords="offset points", color=colour, va="center", fontsize=9
        )


def _spread(cases: Sequence[Case]) -> list[list[float]]:
    """Return how far the lowest and the highest rate of each case are from its median."""
    return [
        [case.median_img_s - min(case.img_s) for case in cases],
        [max(case.img_s) - case.median_img_s for case in cases],
    ]


def _draw_curves(axes: Any, cases: list[Case], counts: list[int]) -> None:
    titles = list(dict.fromkeys(case.title for case in cases))
    for number, title in enumerate(titles):
        points = sorted((case for case in cases if case.title == title), key=lambda case: case.threads)
        axes.errorbar(
            [case.threads for case in points],
            [case.median_img_s for case in points],
            _spread(points),
            color=_LINES[number % len(_LINES)],
            marker=_MARKERS[number % len(_MARKERS)],
            label=title,
            capsize=3,
        )
    axes.set_xticks(counts)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("threads")
    axes.set_ylabel("images per second")
    axes.yaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")
    axes.legend(frameon=False, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
