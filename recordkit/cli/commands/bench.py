"""``recordkit bench``: throughput of recordkit, MXNet and other loaders on the user's own file."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from recordkit.bench.page import check_page, render_page
from recordkit.bench.peers.registry import PEERS
from recordkit.bench.plan import MIN_ROUNDS, BenchPlan
from recordkit.bench.plot import check_plot_path, save_plot
from recordkit.bench.protocol import run_comparison
from recordkit.bench.report import WIDE, Report, compare_reports, read_report
from recordkit.bench.subset import single_file
from recordkit.bench.table import (
    as_csv,
    comparison_remarks,
    interim_lines,
    report_lines,
    round_line,
    verdict_lines,
    verdicts_as_csv,
)
from recordkit.bench.workload import DTYPES, PRESETS, resolve_workload
from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options, parse_duration, parse_shape
from recordkit.cli.pack_options import root_option
from recordkit.cli.program import TerminationSignal
from recordkit.errors import PlanError
from recordkit.storage.published_sets import published_sets
from recordkit.storage.replacement import write_atomically
from recordkit.storage.staging import check_folder
from recordkit.upkeep.look.destination import PAGE_SUFFIXES

_POSITIVE = click.IntRange(min=1)
_OUTPUT = click.Path(path_type=Path, dir_okay=False)
# Defaults that --quick changes, and the default of --budget if the number of rounds is not given.
_QUICK = {"n_records": 200, "rounds": MIN_ROUNDS, "epochs": 1, "round_s": 0.3}
_BUDGET_S = 180.0
_OUTPUTS = ("report_path", "csv_path", "plot_path", "html_path")
_WITH_COMPARE = ("compare", "fail_on", "csv_path")


def _parse_threads(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    numbers = text.split(",")
    if not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter(f"expected numbers as in 1,2,4, got {text!r}")
    return tuple(map(int, numbers))


@click.command(
    epilog=examples(
        "recordkit bench out/photos.rec",
        "recordkit bench out/photos.rec --threads 1,2,4 --html report.html --report new.json",
        "recordkit bench out/photos.rec --budget 10m",
        "recordkit bench --compare old.json new.json",
    )
)
@click.argument("rec", required=False, type=click.Path(path_type=Path))
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="OLD NEW",
    help="Compare the ratios of two reports, without a measurement.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["slower", "never"]),
    default="slower",
    show_default=True,
    help="With --compare: the verdict that makes the exit code 1.",
)
@click.option(
    "--peers",
    metavar="NAMES",
    default=",".join(PEERS),
    show_default=True,
    help="Loaders to measure. FILE.py:NAME is an object of your own that implements recordkit.bench.peers.peer.Peer.",
)
@click.option(
    "--shape",
    metavar="C,H,W",
    callback=lambda _context, _option, text: parse_shape(text),
    help="Channels, height and width of a sample.  [default: from the first image, at most 224 x 224]",
)
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    help="Augmentation.  [default: none if the images have the shape, otherwise crop]",
)
@click.option("--resize", type=_POSITIVE, help="Resize the short side to this length before the crop, bilinear.")
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default=DTYPES[0],
    show_default=True,
    help="Type of the batches: normalised float32 NCHW, or uint8 NHWC.",
)
@root_option
@click.option("--batch-size", type=_POSITIVE, default=64, show_default=True, help="Samples in a batch.")
@click.option(
    "--records",
    "n_records",
    type=_POSITIVE,
    help="Measure on a copy of this many evenly spaced records.  [default: all]",
)
@click.option(
    "--rounds",
    type=_POSITIVE,
    default=12,
    help=f"Number of rounds.  [default: 12, and more while a ratio is not known to within {WIDE:.0%}]",
)
@click.option(
    "--budget",
    "budget_s",
    metavar="TIME",
    callback=parse_duration,
    help=f"Time for all rounds, as 90s, 3m or 1h; {MIN_ROUNDS} are always measured.  "
    "[default: 3m; with --rounds or --quick, as long as these take]",
)
@click.option("--epochs", type=_POSITIVE, default=2, show_default=True, help="Minimum number of epochs in a round.")
@click.option(
    "--seconds",
    "round_s",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Minimum time of a round; it is filled with whole epochs.",
)
@click.option("--quick", is_flag=True, help="Change defaults for a first look: 3 rounds of 1 epoch of 200 records.")
@click.option(
    "--cache",
    type=click.Choice(["warm", "cold"]),
    default="warm",
    show_default=True,
    help="cold: drop the file from the page cache and time the first epoch.",
)
@click.option(
    "--threads",
    metavar="N,N,...",
    callback=_parse_threads,
    default="0",
    show_default=True,
    help="Numbers of threads to measure; 0: one for each CPU that this process may use.",
)
@click.option("--report", "report_path", type=_OUTPUT, help="Write the report as JSON, for --compare.")
@click.option("--csv", "csv_path", type=_OUTPUT, help="Write the table as CSV.")
@click.option("--plot", "plot_path", type=_OUTPUT, help="Write a chart as .png or .svg.")
@click.option("--html", "html_path", type=_OUTPUT, help="Write a page with the table, the chart and the JSON.")
@output_options
def command(rec: Path | None, compare: tuple[Path, Path] | None, console: Console, **options: Any) -> None:
    """Measure how fast REC is loaded by recordkit and by the other loaders that are installed.

    All loaders do the same work, which is checked first. Ratios are to MXNet's ImageIter if it is installed. Ctrl-C
    and SIGTERM end the comparison with the rounds that are complete. The exit code is 1 if a loader did different work
    or failed, or if --compare finds a loader that is slower for certain.
    """
    outputs = {name: options.pop(name) for name in _OUTPUTS}
    fail_on = options.pop("fail_on")
    _check_combination(rec, compare)
    if compare is not None:
        _check_outputs(outputs, compare)
        _compare(*compare, outputs["csv_path"], console, fail_on=fail_on)
    elif rec is not None:
        _check_outputs(outputs, [rec.with_suffix(suffix) for suffix in (".rec", ".idx", ".lst", ".json")])
        report, signal = _measure(rec, options, console)
        # It is shown first: a file that cannot be written must not cost minutes of work.
        console.report(report.as_json(), *report_lines(report))
        _write(report, outputs)
        if signal is not None:
            raise click.Abort if isinstance(signal, KeyboardInterrupt) else signal
        if any(case.status in ("differs", "failed") for case in report.cases):
            raise click.exceptions.Exit(1)


def _check_combination(rec: Path | None, compare: tuple[Path, Path] | None) -> None:
    """Refuse a command line that measures and compares, or does neither, instead of leaving options without effect."""
    if compare is None and rec is None:
        raise PlanError(
            argument="rec",
            expected="a .rec file to measure",
            got="none",
            advice="give it, or two reports with `compare`",
        )
    given = _given_options()
    if compare is None and "fail_on" in given:
        raise PlanError(argument="fail_on", expected="two reports with `compare`", got="a measurement")
    if compare is not None and rec is not None:
        raise PlanError(argument="compare", expected="two files and no REC", got=rec)
    if compare is not None and (others := [name for name in given if name not in _WITH_COMPARE]):
        raise PlanError(argument=others[0], expected="a measurement, without `compare`", got="two reports")


def _given_options() -> list[str]:
    """Return the names of the options of this command that stand on the command line; `output_options` has its own."""
    context = click.get_current_context()
    names = [name for name in context.params if name not in ("rec", "as_json", "quiet")]
    return [name for name in names if context.get_parameter_source(name) is not ParameterSource.DEFAULT]


def _compare(old_path: Path, new_path: Path, csv_path: Path | None, console: Console, *, fail_on: str) -> None:
    old, new = read_report(old_path), read_report(new_path)
    verdicts, remarks = compare_reports(old, new), comparison_remarks(old, new)
    cases = [
        {
            "name": case.name,
            "threads": case.threads,
            "verdict": verdict.word,
            "change": verdict.change,
            "interval": None if math.isinf(verdict.high) else [verdict.low, verdict.high],
        }
        for case, verdict in verdicts
    ]
    console.report({"cases": cases, "remarks": remarks}, *verdict_lines(verdicts), "", *remarks)
    if csv_path is not None:
        _write_text(csv_path, verdicts_as_csv(verdicts))
    if any(verdict.word == fail_on for _, verdict in verdicts):
        raise click.exceptions.Exit(1)


def _measure(rec: Path, options: dict[str, Any], console: Console) -> tuple[Report, BaseException | None]:
    """Measure with the options of the command; see `_run`."""
    workload_options = {
        name: options.pop(name) for name in ("shape", "preset", "resize", "dtype", "root", "batch_size")
    }
    peers, quick = options.pop("peers"), options.pop("quick")
    given = _given_options()
    if options["budget_s"] is None and "rounds" not in given and not quick:
        options["budget_s"] = _BUDGET_S
    if quick:
        options |= {name: value for name, value in _QUICK.items() if name not in given}
    n_records = options.pop("n_records")
    with tempfile.TemporaryDirectory(prefix="recordkit-bench-") as folder:
        with published_sets():  # a copy is temporary, so an interrupted comparison does not name it as written
            path = single_file(rec, n_records, Path(folder))
        workload = resolve_workload(path, **workload_options)
        plan = BenchPlan(workload, tuple(name.strip() for name in peers.split(",")), **options)
        return _run(plan, f"bench {rec.name}", console)


def _run(plan: BenchPlan, label: str, console: Console) -> tuple[Report, BaseException | None]:
    """Show the table after each round while the comparison runs; return the report and the signal that ended it.

    A signal before the first round is complete is raised.
    """
    last: Report | None = None
    with contextlib.closing(console.open_bar(plan.n_steps, label, unit="turn")) as bar:

        def show(report: Report, n_rounds: int) -> None:
            nonlocal last
            last = report
            bar.total = n_rounds * plan.n_steps_per_round
            notes = []
            if plan.budget_s is not None and n_rounds == MIN_ROUNDS < plan.rounds:
                notes = [f"The budget is enough for {MIN_ROUNDS} rounds, the fewest; --records makes rounds shorter."]
            bar.show([*interim_lines(report), *notes], ". ".join([round_line(report), *notes]))

        command = shlex.join(["recordkit", *sys.argv[1:]])
        try:
            return run_comparison(plan, command=command, progress=bar.update, on_round=show), None
        except (KeyboardInterrupt, TerminationSignal) as signal:
            if last is None:
                raise
            last.protocol["interrupted"] = True
            return last, signal


def _check_outputs(outputs: dict[str, Path | None], inputs: Sequence[Path]) -> None:
    """Refuse outputs that cannot be written or would replace an input or each other, before minutes of work."""
    if outputs["plot_path"] is not None:
        check_plot_path(outputs["plot_path"])
    if outputs["html_path"] is not None:
        check_page()
        if outputs["html_path"].suffix.lower() not in PAGE_SUFFIXES:
            expected = f"a name that ends in {' or '.join(PAGE_SUFFIXES)}"
            raise PlanError(argument="html_path", expected=expected, got=outputs["html_path"])
    taken = {path.resolve() for path in inputs}
    for name, path in outputs.items():
        if path is None:
            continue
        check_folder(path.parent)
        if path.resolve() in taken:
            raise PlanError(
                argument=name, expected="a file of its own", got=f"{path}, which is taken", advice="give another name"
            )
        taken.add(path.resolve())


def _write(report: Report, outputs: dict[str, Path | None]) -> None:
    if outputs["report_path"] is not None:
        _write_text(outputs["report_path"], json.dumps(report.as_json(), indent=1) + "\n")
    if outputs["csv_path"] is not None:
        _write_text(outputs["csv_path"], as_csv(report))
    if outputs["html_path"] is not None:
        _write_text(outputs["html_path"], render_page(report))
    if outputs["plot_path"] is not None:
        save_plot(report, outputs["plot_path"])


def _write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))
