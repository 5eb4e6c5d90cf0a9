"""``recordkit train``: options, log, progress bar and exit code of the trainer in `recordkit.training`."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from recordkit.cli.console import Console
from recordkit.cli.options import AdvisingCommand, examples, output_options
from recordkit.cli.pack_options import in_words_of_pack
from recordkit.cli.program import TerminationSignal
from recordkit.cli.training.display import Display
from recordkit.cli.training.options import PERFORMANCE, training_options
from recordkit.errors import InUseError, NotFoundError, PlanError, RecordkitError, quoted
from recordkit.storage.fileset import Fileset
from recordkit.storage.published_sets import published_sets
from recordkit.storage.remote.urls import is_url
from recordkit.training.augment import AUGMENTS, Augment
from recordkit.training.compatibility import check_prerequisites
from recordkit.training.data.folder import pack_if_changed
from recordkit.training.data.normalization import Normalization
from recordkit.training.fit import train
from recordkit.training.optimizer import Optimizer
from recordkit.training.plan import TrainPlan
from recordkit.training.recipes import RECIPES
from recordkit.training.results.report import TrainReport
from recordkit.training.results.run_files import RunFiles
from recordkit.training.results.score import require_accuracy
from recordkit.training.run.begin import open_run, without_number
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.names import MODEL_FOLDER
from recordkit.training.run.writer import RunWriter

# Options of MXNet's example scripts that have another name here, or none.
_ADVICE = {
    "--load-epoch": "--resume continues from the last checkpoint",
    "--image-shape": "it is --data-shape C,H,W here",
    "--data-train": "the .rec file is the first argument",
    "--data-val": "it is --val here",
    "--num-examples": "a run trains on all images of the file, and counts them",
    "--num-layers": "--network FILE.py takes a network of your own",
    "--kv-store": "a run has one machine and one device",
    "--mom": "it is --momentum here",
    "--rgb-mean": "it is --mean here",
}


class _Command(AdvisingCommand):
    advice = _ADVICE


@click.command(
    cls=_Command,
    epilog=examples(
        "recordkit train out/mnist_train.rec --val out/mnist_test.rec --recipe mnist --min-accuracy 0.99",
        "recordkit train photos/ --network six-conv --data-shape 3,64,64 --random-mirror",
        "recordkit train out/mnist_train.rec --network my_net.py --num-epochs 20 --lr 0.1 --lr-step-epochs 10,15",
        "recordkit train --resume --model-prefix mnist_train-model/mnist",
    ),
)
@click.argument("path", metavar="REC|FOLDER", required=False, type=click.Path(path_type=Path))
@click.option("--recipe", type=click.Choice([*RECIPES]), help="Set of options; explicit options override it.")
@click.option(
    "--min-accuracy",
    type=click.FloatRange(0, 1),
    help="Exit 1 if the final checkpoint, reloaded from disk, is less accurate on --val.",
)
@training_options(TrainPlan, leave_out=PERFORMANCE)
@training_options(Optimizer)
@click.option("--augment", type=click.Choice([*AUGMENTS]), help="Preset of the options that follow.  [default: shift]")
@training_options(Augment)
@training_options(Normalization)
@training_options(TrainPlan, only=PERFORMANCE)
@click.option(
    "--disp-batches", type=click.IntRange(1), help="Batches between lines in the log.  [default: no such lines]"
)
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Log file.  [default: MODEL_PREFIX.log]")
@output_options
def command(
    path: Path | None,
    model_prefix: Path | None,
    min_accuracy: float | None,
    disp_batches: int | None,
    log: Path | None,
    console: Console,
    **options: Any,
) -> None:
    """Train a LeNet, or a network of your own, on images.

    REC is a .rec file with one label per image, or the same number of labels for each. FOLDER, with a folder per class
    or ubyte files, is packed first, into PREFIX-data or PREFIX-data-SIDE. Without --val its val set, or else its test
    set, is for validation; if it has neither, a fifth of it is held out. Validation never influences training.
    --min-accuracy tests the final checkpoint, reloaded from disk. --resume needs --model-prefix alone: the run has
    recorded the rest.
    """
    is_numbered = model_prefix is None
    if path is not None:
        model_prefix = model_prefix or _default_prefix(path, options)
    if model_prefix is None or (path is None and not options["resume"]):
        raise click.UsageError("expected REC or FOLDER; only --resume with --model-prefix goes without")
    source = click.get_current_context().get_parameter_source
    given = {name: value for name, value in options.items() if source(name) is not ParameterSource.DEFAULT}
    own = {"--min-accuracy": min_accuracy, "--disp-batches": disp_batches, "--log": log}
    # The sets that are published here are no results: packed images, which the next run finds, and checkpoints, which
    # `_train` names.
    with (
        published_sets(),
        _naming_folders(path),
        open_run(path, model_prefix, is_numbered=is_numbered, **given) as (plan, writer),
        contextlib.ExitStack() as stack,
    ):
        if path is not None and path.is_dir():
            plan, new_folder = _pack_folder(plan, console)
            stack.enter_context(_removing_unless_begun(new_folder, path, writer))
        if min_accuracy is not None and plan.val is None:
            raise PlanError(argument="min_accuracy", expected="a file to evaluate on", got="none", advice="give `val`")
        log = log or plan.model_prefix.with_name(f"{plan.model_prefix.name}.log")
        with Display(log, console, disp_batches=disp_batches) as display:
            report = _train(plan, writer, display, own)
            _finish(report, min_accuracy, display, console)


@contextlib.contextmanager
def _naming_folders(path: Path | None) -> Iterator[None]:
    """Let the error about a path that does not exist say that a folder is possible too."""
    try:
        yield
    except NotFoundError as error:
        if path is None or is_url(path) or error.path not in (str(path), f"{path}.rec"):
            raise
        expected = "a .rec file or a folder of images"
        raise NotFoundError(path=str(path), expected=expected, got=error.got, advice=error.advice) from None


@contextlib.contextmanager
def _removing_unless_begun(packed: Path | None, images: Path, writer: RunWriter) -> Iterator[None]:
    """Remove newly packed images if they are unsuitable for the run, and name their folder in the error instead."""
    try:
        yield
    except RecordkitError as error:
        if packed is not None and not writer.has_begun:
            shutil.rmtree(packed, ignore_errors=True)
            if Path(error.path or "").parent == packed:
                error.path = str(images)
        raise


def _default_prefix(path: Path, options: dict[str, Any]) -> Path:
    """Return the prefix after data and recipe, to which a second run adds a number."""
    name = options["recipe"] or Path(options["network"] or "book").stem
    data = path.resolve() if path.is_dir() else Fileset(path if is_url(path) else path.resolve()).prefix
    return Path(f"{data.name}{MODEL_FOLDER}") / name


def _train(plan: TrainPlan, writer: RunWriter, display: Display, own: dict[str, Any]) -> TrainReport:
    """Train; a run that is interrupted logs what it leaves. `own` is as in `_how_to_continue`."""
    try:
        return train(plan, display, writer=writer)
    except (KeyboardInterrupt, TerminationSignal) as error:
        writer.close()  # completes a checkpoint that is being published
        for line in _how_to_continue(plan, writer, own):
            display.log(line)
        if isinstance(error, TerminationSignal):
            raise
        raise click.Abort from None


def _how_to_continue(plan: TrainPlan, writer: RunWriter, own: dict[str, Any]) -> list[str]:
    """Return what a run that is interrupted leaves, and the command that continues it.

    Parameters
    ----------
    plan : TrainPlan
    writer : RunWriter
    own : dict
        Options of the command alone, which the run does not record, and their values.
    """
    prefix = plan.model_prefix
    if not writer.has_checkpoint:
        earlier = f"; the earlier run at {prefix} is unchanged" if Checkpoints(prefix).epochs() else ""
        return [f"interrupted before the first checkpoint{earlier}"]
    words = [f"{name} {quoted(str(value))}" for name, value in own.items() if value is not None]
    command = " ".join(["recordkit train --resume --model-prefix", quoted(prefix), *words])
    return [f"interrupted; the checkpoints at {prefix} are complete, continue with", f"  {command}"]


def _pack_folder(plan: TrainPlan, console: Console) -> tuple[TrainPlan, Path | None]:
    """Pack the folder of a plan if it has changed; return the plan for the packed files, and their folder if new."""
    folder, prefix = plan.path, plan.model_prefix
    if prefix.resolve().is_relative_to(folder.resolve()):
        raise PlanError(argument="model_prefix", expected=f"a path outside the images' folder {folder}", got=prefix)
    check_prerequisites(plan)
    side = min(plan.shape[1:]) if plan.shape else None
    # The runs with numbers share the packed images with the first one, if they need the same ones. A run that begins
    # while another one packs them has its own.
    names = [f"{each.name}-data{f'-{side}' if side else ''}" for each in (without_number(prefix), prefix)]
    caches = [prefix.with_name(name) for name in names]
    if plan.resume and plan.val and any(plan.val.resolve().is_relative_to(cache.resolve()) for cache in caches):
        plan = replace(plan, val=None)  # it was held out, and is again
    if plan.val is not None:
        caches = [prefix.with_name(f"{name}-all") for name in names]  # nothing is held out
    hold_out = plan.val is None
    existing = [cache for cache in caches if cache.exists()]
    with console.progress(None, f"pack {folder}") as progress, in_words_of_pack():
        try:
            packed = pack_if_changed(folder, caches[0], side=side, hold_out=hold_out, progress=progress)
        except InUseError:
            packed = pack_if_changed(folder, caches[1], side=side, hold_out=hold_out, progress=progress)
    train_rec, val_rec = packed
    new_folder = None if train_rec.parent in existing else train_rec.parent
    return replace(plan, path=train_rec, val=plan.val or val_rec), new_folder


def _what_next(plan: TrainPlan, log: Path) -> list[str]:
    """Return lines with the files that show how a run went, and the command that predicts with its model."""
    shown = RunFiles(plan.model_prefix).pictures() if plan.pictures else {}
    files = {**shown, log: "the log"}
    width = max(len(str(path)) for path in files)
    data = plan.val or plan.path
    record = data if is_url(data) else Fileset(data).path(".rec")  # a folder may have the name of the prefix
    command = f"recordkit predict {quoted(plan.model_prefix)} {quoted(record)}"
    return [
        "look at",
        *(f"  {path!s:{width}}  {text}" for path, text in files.items()),
        "predict with this model, here or on images and folders of your own:",
        f"  {command}",
    ]


def _finish(report: TrainReport, min_accuracy: float | None, display: Display, console: Console) -> None:
    plan = report.resolved.plan
    checkpoint = f"{plan.model_prefix}-{report.checkpoint:04d}.params"
    score = report.final.score if report.final else None
    if score:
        display.log(f"{checkpoint} on {plan.val}: {score}")
    display.log(f"done in {report.duration_s:.1f} s: {checkpoint}")
    for line in _what_next(plan, display.path):
        display.log(line)
    if console.as_json:
        accuracy = score.accuracy if score else None
        passed = None if min_accuracy is None or accuracy is None else accuracy >= min_accuracy
        console.report(RunFiles(plan.model_prefix).summary() | {"min_accuracy": min_accuracy, "passed": passed})
    if min_accuracy is not None and score:
        require_accuracy(score, min_accuracy, f"{checkpoint} on {plan.val}")
