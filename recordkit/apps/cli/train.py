"""``recordkit train``: options, log, progress bar and exit code of the trainer in `recordkit.apps.train`."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import click

from recordkit.apps.program import examples, parse_shape, threads_option
from recordkit.apps.progress import progress_bar
from recordkit.apps.train.feed import ITERATORS
from recordkit.apps.train.fit import train
from recordkit.apps.train.measure import Score, gate
from recordkit.apps.train.plan import SCHEDULES, TrainPlan, TrainReport
from recordkit.errors import PlanError

_POSITIVE = click.IntRange(min=1)
_RATE = click.FloatRange(min=0)
_SHARE = click.FloatRange(0, 1)


@click.command(epilog=examples("recordkit train out/mnist_train.rec --val out/mnist_test.rec --min-accuracy 0.99"))
@click.argument("rec", type=click.Path(path_type=Path))
@click.option("--val", type=click.Path(path_type=Path), help="A .rec file to measure on; it decides nothing.")
@click.option("--output", type=click.Path(path_type=Path), help="Prefix of the checkpoints.  [./NAME-model/lenet]")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint at --output.")
@click.option("--min-accuracy", type=_SHARE, help="Exit 1 if the last checkpoint is below this on --val.")
@click.option("--epochs", type=click.IntRange(1, 9999), help="[5; more for few images]")
@click.option("--batch-size", type=_POSITIVE, help="[32 to 128, by the number of images]")
@click.option("--lr", type=_RATE, default=0.05, show_default=True, help="The highest learning rate.")
@click.option("--momentum", type=click.FloatRange(0, 1, max_open=True), default=0.9, show_default=True)
@click.option("--wd", type=_RATE, default=0.0005, show_default=True, help="Weight decay.")
@click.option("--schedule", type=click.Choice(SCHEDULES), default="cosine", show_default=True)
@click.option(
    "--shift",
    type=click.IntRange(0, 16),
    default=2,
    show_default=True,
    help="Move images by up to so many pixels.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@threads_option
@click.option(
    "--iterator",
    type=click.Choice(ITERATORS),
    default="auto",
    show_default=True,
    help="Whose ImageRecordIter reads; auto: recordkit's where its native engine is built.",
)
@click.option(
    "--data-shape",
    callback=lambda _ctx, _option, text: parse_shape(text),
    help="C,H,W, as in 1,28,28.  [as the images]",
)
@click.option("--num-classes", "n_classes", type=_POSITIVE, help="[the highest label + 1]")
@click.option("--checkpoint-every", type=_POSITIVE, help="In epochs.  [about 10 a run]")
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Log file.  [PREFIX.log]")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON; the log goes to stderr.")
def command(rec: Path, min_accuracy: float | None, log: Path | None, as_json: bool, **options: Any) -> None:
    """Train the book's LeNet on a packed file of labelled images.

    REC is a .rec file with one label per image. After the last epoch, its checkpoint is read back from disk and
    measured on --val.
    """
    if min_accuracy is not None and options["val"] is None:
        raise PlanError("--min-accuracy: expected a file to measure on, got none; give --val")
    options["shape"] = options.pop("data_shape")
    options["output"] = output = options["output"] or Path(f"{rec.name.removesuffix('.rec')}-model") / "lenet"
    plan = TrainPlan(rec, **options)
    with Log(log or output.with_name(f"{output.name}.log"), terminal=sys.stderr if as_json else sys.stdout) as lines:
        try:
            report = train(plan, lines)
        except KeyboardInterrupt:
            lines.say(f"interrupted; the checkpoints at {output} are complete, go on with --resume")
            raise click.Abort from None
        _finish(report, min_accuracy, lines, as_json=as_json)


def _finish(report: TrainReport, min_accuracy: float | None, lines: Log, *, as_json: bool) -> None:
    checkpoint = f"{report.plan.output}-{report.checkpoint:04d}.params"
    if report.final:
        lines.say(f"{checkpoint} on {report.plan.val}: {report.final}")
    lines.say(f"done in {report.seconds:.1f} s: {checkpoint}")
    if as_json:
        click.echo(json.dumps(_summary(report, checkpoint, min_accuracy)))
    if min_accuracy is not None and report.final:
        gate(report.final, min_accuracy, f"{checkpoint} on {report.plan.val}")


def _summary(report: TrainReport, checkpoint: str, min_accuracy: float | None) -> dict[str, Any]:
    plan = report.plan
    return {
        "checkpoint": checkpoint,
        "epoch": report.checkpoint,
        "n_classes": plan.n_classes,
        "data_shape": plan.shape,
        "batch_size": plan.batch_size,
        "seed": plan.seed,
        "device": plan.device,
        "threads": plan.threads,
        "iterator": plan.iterator,
        "seconds": round(report.seconds, 3),
        "epochs": [
            {"epoch": each.epoch, "lr": each.lr, "train": as_dict(each.train), "val": as_dict(each.val)}
            for each in report.epochs
        ],
        "final": as_dict(report.final),
        "min_accuracy": min_accuracy,
        "passed": None if min_accuracy is None or not report.final else report.final.accuracy >= min_accuracy,
    }


def as_dict(score: Score | None) -> dict[str, float] | None:
    """Return a score as JSON has it."""
    if score is None:
        return None
    return {
        "accuracy": score.accuracy,
        "loss": score.loss,
        "n": score.n,
        "rate_img_s": round(score.rate_img_s, 1),
    }


def _ignore(_n: int) -> None:
    """Be the progress of nothing."""


class Log:
    """The watcher of a run: lines to a file and a terminal, and the progress of each epoch.

    Parameters
    ----------
    path : Path
        Lines are added to it, with date and time. Its folder is made if need be.
    terminal : text file
        Where the lines go as well.
    """

    def __init__(self, path: Path, *, terminal: TextIO) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 (closed by __exit__)
        self._terminal = terminal
        self._bar = contextlib.ExitStack()
        self._advance: Callable[[int], None] = _ignore

    def __enter__(self) -> Log:
        return self

    def __exit__(self, _kind: type | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        with contextlib.closing(self._file):
            if isinstance(error, Exception):
                self._write(f"failed: {error}")

    def _write(self, line: str) -> None:
        self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def say(self, line: str) -> None:
        """Log one line."""
        self._write(line)
        click.echo(line, file=self._terminal)

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Show a bar, or a line now and then where there is no terminal."""
        self._advance = self._bar.enter_context(progress_bar(n_images, f"epoch {epoch}"))

    def advance(self, n_images: int) -> None:
        """Move the bar."""
        self._advance(n_images)

    def end_epoch(self) -> None:
        """Take the bar away."""
        self._bar.close()
