"""``recordkit bench``: throughput of ImageRecordIter, ImageIter, recordkit and others on a file of the user's own."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from recordkit.bench import page, plot, report, table
from recordkit.bench.peers.registry import PEERS
from recordkit.bench.protocol import BenchPlan, bench
from recordkit.bench.subset import copy_part
from recordkit.bench.workload import PRESETS, fitted
from recordkit.cli.program import examples, parse_shape
from recordkit.cli.progress import progress_bar
from recordkit.errors import PlanError
from recordkit.formats.files import write_atomically

_POSITIVE = click.IntRange(min=1)
_OUT = click.Path(path_type=Path, dir_okay=False)
# What --quick stands for, and how far rounds are added where nobody says how many.
_QUICK = {"records": 200, "rounds": 3, "epochs": 1, "seconds": 0.3}
_MOST_ROUNDS = 30


def _numbers(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"expected numbers as in 1,2,4, got {text!r}")
    return tuple(map(int, parts))


@click.command(
    epilog=examples(
        "recordkit bench out/photos.rec",
        "recordkit bench out/photos.rec --threads 1,2,4 --html report.html --json new.json",
        "recordkit bench --compare old.json new.json",
    )
)
@click.argument("rec", required=False, type=click.Path(path_type=Path))
@click.option(
    "--compare", nargs=2, type=click.Path(path_type=Path), metavar="OLD NEW", help="Compare two --json files."
)
@click.option(
    "--peers",
    default=",".join(PEERS),
    show_default=True,
    help="Names, or FILE.py:NAME, an object of your own as recordkit.bench.peers.peer says.",
)
@click.option(
    "--shape", callback=lambda _context, _option, text: parse_shape(text), help="C,H,W.  [as the images, at most 224]"
)
@click.option("--preset", type=click.Choice(PRESETS), help="Augmentation.  [crop; none if the images have the shape]")
@click.option("--resize", type=_POSITIVE, help="Short side before the crop, bilinear.")
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), help="Folder of the images that REC's .lst names."
)
@click.option("--batch-size", type=_POSITIVE, default=64, show_default=True)
@click.option(
    "--threads", callback=_numbers, default="0", show_default=True, help="One or more, as in 1,2,4; 0: all CPUs."
)
@click.option("--records", type=_POSITIVE, help="Measure on a copy of so many, from all over a large file.  [all]")
@click.option("--rounds", type=_POSITIVE, default=12, show_default=True, help="At least.")
@click.option(
    "--most-rounds",
    type=_POSITIVE,
    help=f"As long as a ratio is not known to {report.WIDE:.0%}.  [{_MOST_ROUNDS}, or --rounds if that is given]",
)
@click.option("--epochs", type=_POSITIVE, default=2, show_default=True, help="One after the other, in a round.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="And as many epochs as fill so much time.",
)
@click.option("--quick", is_flag=True, help="3 rounds of 1 epoch of 200 records, unless given: a first look.")
@click.option(
    "--cache",
    type=click.Choice(["warm", "cold"]),
    default="warm",
    show_default=True,
    help="cold: the first epoch, with the file out of the page cache.",
)
@click.option(
    "--json", "json_path", type=_OUT, help="Write all figures; - is the terminal, which then has nothing else."
)
@click.option("--csv", "csv_path", type=_OUT, help="Write a line a case.")
@click.option("--plot", "plot_path", type=_OUT, help="Draw the bars, .png or .svg.")
@click.option("--html", "html_path", type=_OUT, help="Write a page with all of it.")
def command(rec: Path | None, compare: tuple[Path, Path] | None, **options: Any) -> None:
    """Measure how fast REC is loaded, by recordkit and by whatever else is installed.

    All do the same work, float32 NCHW, which is checked before. Ratios are to MXNet's ImageIter. Exit 1 if a
    peer did something else or failed.
    """
    if compare is not None:
        if rec is not None:
            raise PlanError("--compare: expected two files and no REC, got one")
        old, new = map(report.read, compare)
        found = report.compare(old, new)
        click.echo("\n".join([*table.compared_lines(found), "", *table.comparison_remarks(old, new)]))
        return
    if rec is None:
        raise PlanError("expected a REC to measure, got none; or give --compare OLD NEW")
    _measure(rec, options)


def _measure(rec: Path, options: dict[str, Any]) -> None:
    outputs = {name: options.pop(f"{name}_path") for name in ("json", "csv", "plot", "html")}
    _check_outputs(outputs, rec)
    peers, threads, quick, cache = (options.pop(name) for name in ("peers", "threads", "quick", "cache"))
    length = {name: options.pop(name) for name in ("records", "rounds", "most_rounds", "epochs", "seconds")}
    given = click.get_current_context().get_parameter_source
    free = [name for name in length if given(name) is ParameterSource.DEFAULT]
    if "most_rounds" in free:
        length["most_rounds"] = _MOST_ROUNDS if "rounds" in free and not quick else 0
    if quick:
        length |= {name: value for name, value in _QUICK.items() if name in free}
    n_records = length.pop("records")
    alone = str(outputs["json"]) == "-"
    with tempfile.TemporaryDirectory(prefix="recordkit-bench-") as folder:
        work = fitted(rec if n_records is None else copy_part(rec, n_records, Path(folder)), **options)
        plan = BenchPlan(
            work, tuple(name.strip() for name in peers.split(",")), threads, **length, cold=cache == "cold"
        )
        with progress_bar(plan.n_steps, f"bench {rec.name}", unit="turn", quiet=alone) as progress:
            found = bench(plan, command=shlex.join(["recordkit", *sys.argv[1:]]), progress=progress)
    if not alone:
        click.echo("\n".join(table.lines(found)))
    _write(found, outputs)
    if any(case.status in ("differs", "failed") for case in found.cases):
        raise click.exceptions.Exit(1)


def _check_outputs(outputs: dict[str, Path | None], rec: Path) -> None:
    """Refuse before minutes of work what would fail behind them, or write over the dataset or over each other."""
    if outputs["plot"] is not None:
        plot.check(outputs["plot"])
    taken = {rec.with_suffix(ending).resolve() for ending in (".rec", ".idx", ".lst", ".json")}
    for name, path in outputs.items():
        if path is None or (name == "json" and str(path) == "-"):
            continue
        if not path.parent.is_dir():
            raise PlanError(f"--{name}: expected a file in a folder that is there, got {path}; make the folder")
        if path.resolve() in taken:
            raise PlanError(f"--{name}: expected a file of its own, got {path}, which is taken; give another name")
        taken.add(path.resolve())


def _write(found: report.Report, outputs: dict[str, Path | None]) -> None:
    text = json.dumps(found.as_json(), indent=1) + "\n"
    if str(outputs["json"]) == "-":
        click.echo(text, nl=False)
    elif outputs["json"] is not None:
        write_atomically(outputs["json"], lambda path: path.write_text(text))
    if outputs["csv"] is not None:
        write_atomically(outputs["csv"], lambda path: path.write_text(table.as_csv(found)))
    if outputs["html"] is not None:
        write_atomically(outputs["html"], lambda path: path.write_text(page.page(found), encoding="utf-8"))
    if outputs["plot"] is not None:
        plot.save(found, outputs["plot"])
