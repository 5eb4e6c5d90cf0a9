"""``recordkit train``: options, log, progress bar and exit code of the trainer in `recordkit.training`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from recordkit.cli.program import examples, parse_shape, threads_option
from recordkit.cli.progress import progress_bar
from recordkit.cli.train_display import Log
from recordkit.errors import PlanError
from recordkit.training import recipes
from recordkit.training.augment import AUGMENTS, Augment
from recordkit.training.checkpoint import Checkpoints
from recordkit.training.data.feed import ITERATORS
from recordkit.training.data.folder import packed
from recordkit.training.data.target import LOSSES
from recordkit.training.evaluation import gate
from recordkit.training.fit import train
from recordkit.training.learner import APIS
from recordkit.training.networks import NETWORKS
from recordkit.training.optimizer import OPTIMIZERS, SCHEDULES, Optimizer
from recordkit.training.plan import TrainPlan, TrainReport
from recordkit.training.results.artefacts import Artefacts

_POSITIVE = click.IntRange(min=1)
_NOT_NEGATIVE = click.FloatRange(min=0)
# What the options of an optimiser and of augmentation are called in the plan.
_OPTIMIZER = {
    "optimizer": "name", "lr": "lr", "momentum": "momentum", "wd": "wd", "schedule": "schedule",
    "lr_factor": "factor", "lr_step_epochs": "step_epochs",
}  # fmt: skip
_AUGMENT = (*Augment.__dataclass_fields__,)
_ADAM_LR = 0.001


# Of MXNet's example scripts, and what is done here instead.
_ELSEWHERE = {
    "--load-epoch": "--resume goes on from the last checkpoint",
    "--image-shape": "it is --data-shape C,H,W here",
    "--data-train": "the .rec file is the first argument",
    "--data-val": "it is --val here",
    "--num-examples": "all images of the file are learnt from, and counted",
    "--num-layers": "--network FILE.py takes a network of your own",
    "--kv-store": "a run has one machine and one device",
    "--mom": "it is --momentum here",
    "--rgb-mean": "levels are normalised alike for all models",
}


class _Command(click.Command):
    """Says of options of MXNet's example scripts what they are called here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if hint := _ELSEWHERE.get(error.option_name):
                raise click.UsageError(f"No such option: {error.option_name}; {hint}", ctx) from None
            raise


def _gpu(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    if "," in text:
        raise click.BadParameter(f"expected one GPU, which is what a run uses, got {text}")
    if not text.isdecimal():
        raise click.BadParameter(f"expected the number of a GPU, from 0, got {text!r}")
    return int(text)


def _epochs(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"expected numbers as in 30,60, got {text!r}")
    return tuple(map(int, parts))


@click.command(
    cls=_Command,
    epilog=examples(
        "recordkit train out/mnist_train.rec --val out/mnist_test.rec --recipe mnist --min-accuracy 0.99",
        "recordkit train photos/ --network six-conv --data-shape 3,64,64 --random-mirror",
        "recordkit train out/mnist_train.rec --network my_net.py --num-epochs 20 --lr 0.1 --lr-step-epochs 10,15",
    ),
)
@click.argument("records", metavar="REC|FOLDER", type=click.Path(path_type=Path))
@click.option("--val", type=click.Path(path_type=Path), help="A .rec file to measure on; it decides nothing.")
@click.option(
    "--model-prefix", type=click.Path(path_type=Path), help="Of the checkpoints.  [./NAME-model/RECIPE or NETWORK]"
)
@click.option(
    "--recipe", type=click.Choice([*recipes.RECIPES]), help="A set of options; those given here go before it."
)
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint at --model-prefix.")
@click.option(
    "--min-accuracy", type=click.FloatRange(0, 1), help="Exit 1 if the last checkpoint is below this on --val."
)
@click.option("--network", help=f"{', '.join(NETWORKS)}, or FILE.py with get_symbol(num_classes, **kwargs).  [book]")
@click.option("--api", type=click.Choice(APIS), help="Of MXNet's, which makes the updates.  [module]")
@click.option("--loss", type=click.Choice(LOSSES), help="sigmoid: several labels, each 0 or 1.  [softmax]")
@click.option(
    "--num-epochs", "epochs", type=click.IntRange(1, 9999), help="[5, more for few images; a resumed run's own]"
)
@click.option("--batch-size", type=_POSITIVE, help="[32 to 128, by the number of images]")
@click.option("--optimizer", type=click.Choice(OPTIMIZERS), help="[sgd]")
@click.option("--lr", type=_NOT_NEGATIVE, help="The highest learning rate.  [0.05; 0.001 with adam]")
@click.option("--momentum", type=click.FloatRange(0, 1, max_open=True), help="[0.9]")
@click.option("--wd", type=_NOT_NEGATIVE, help="Weight decay.  [0.0005]")
@click.option("--schedule", type=click.Choice(SCHEDULES), help="[cosine; step with --lr-step-epochs]")
@click.option("--lr-factor", type=_NOT_NEGATIVE, help="Of the schedules step and factor.  [0.1]")
@click.option("--lr-step-epochs", callback=_epochs, help="Epochs behind which the rate falls, as in 30,60.")
@click.option("--augment", type=click.Choice([*AUGMENTS]), help="A set of the changes below.  [shift]")
@click.option("--random-crop/--no-random-crop", default=None, help="Crop anywhere, not in the middle.")
@click.option("--random-mirror/--no-random-mirror", default=None, help="Mirror half of the images.")
@click.option("--max-random-h", type=click.IntRange(0, 180), help="Change of hue.")
@click.option("--max-random-s", type=click.IntRange(0, 255), help="Change of saturation.")
@click.option("--max-random-l", type=click.IntRange(0, 255), help="Change of lightness.")
@click.option("--max-random-aspect-ratio", type=_NOT_NEGATIVE, help="Change of aspect ratio.")
@click.option("--max-random-rotate-angle", type=click.IntRange(0, 180), help="Degrees, each way.")
@click.option("--max-random-shear-ratio", type=_NOT_NEGATIVE, help="Columns a row, each way.")
@click.option("--max-random-scale", type=_NOT_NEGATIVE, help="Largest factor.")
@click.option("--min-random-scale", type=_NOT_NEGATIVE, help="Smallest factor.")
@click.option("--min-crop-size", type=_POSITIVE, help="Smallest square to be cut out and scaled.")
@click.option("--max-crop-size", type=_POSITIVE, help="Largest square.")
@click.option("--shift", type=click.IntRange(0, 16), help="Move images by up to so many pixels.")
@click.option("--fill", type=click.IntRange(0, 255), help="Gray level of what lies outside.  [as the images' edges]")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@click.option("--gpus", "gpu", callback=_gpu, metavar="NUMBER", help="Number of the GPU to use, as --device gpu.")
@threads_option
@click.option(
    "--iterator",
    type=click.Choice(ITERATORS),
    default="auto",
    show_default=True,
    help="Whose iterator reads; auto: recordkit's where its native engine is built.",
)
@click.option(
    "--data-shape",
    "shape",
    callback=lambda _ctx, _option, text: parse_shape(text),
    help="C,H,W, as in 1,28,28.  [as the images]",
)
@click.option("--num-classes", "n_classes", type=_POSITIVE, help="[the highest label + 1]")
@click.option("--checkpoint-every", type=_POSITIVE, help="In epochs.  [about 10 a run]")
@click.option("--disp-batches", type=_POSITIVE, help="A line in the log every so many batches.")
@click.option(
    "--pictures/--no-pictures", default=True, show_default=True, help="Samples, curves, confusion, predictions."
)
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Log file.  [PREFIX.log]")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON; the log goes to stderr.")
def command(records: Path, min_accuracy: float | None, log: Path | None, as_json: bool, **options: Any) -> None:
    """Train a LeNet, or a network of your own, on images.

    REC is a .rec file with one label per image, or as many for each. FOLDER, a folder per class or ubyte files, is
    packed first, into PREFIX-data, and without --val a fifth of it held out. After the last epoch, its checkpoint is
    read back from disk and measured on --val.
    """
    disp_batches = options.pop("disp_batches")
    output = options.pop("model_prefix")
    plan = _plan(records, options)
    name = options["recipe"] or Path(plan.network).stem
    default = Path(f"{records.resolve().name.removesuffix('.rec')}-model") / name
    output = Checkpoints(default if output is None else output).prefix
    if records.is_dir():
        plan = _of_folder(records, output, plan)
    if min_accuracy is not None and plan.val is None:
        raise PlanError("--min-accuracy: expected a file to measure on, got none; give --val")
    plan = replace(plan, output=output)
    terminal = sys.stderr if as_json else sys.stdout
    with Log(log or output.with_name(f"{output.name}.log"), terminal=terminal, disp_batches=disp_batches) as lines:
        try:
            report = train(plan, lines)
        except KeyboardInterrupt:
            there = Checkpoints(output).epochs()
            lines.say(
                f"interrupted; the checkpoints at {output} are complete, go on with --resume"
                if there
                else "interrupted before the first checkpoint"
            )
            raise click.Abort from None
        _finish(report, min_accuracy, lines, as_json=as_json)


def _plan(records: Path, options: dict[str, Any]) -> TrainPlan:
    """Return what is asked for: a recipe, and what was given before it."""
    given = {name: value for name, value in options.items() if value is not None}
    if "gpu" in given:
        given["device"] = "gpu"
    values: dict[str, Any] = {}
    if name := given.pop("recipe", None):
        recipe = recipes.find(name)
        values = {**recipe.options, "recipe": f"{recipe.name}, version {recipe.version}"}
        if given.get("resume"):
            del values["epochs"]  # the run has its own number, which may be another than the recipe's
    optimizer, augment = values.pop("optimizer", Optimizer()), values.pop("augment", AUGMENTS["shift"])
    if given.get("optimizer") == "adam":
        given.setdefault("lr", _ADAM_LR)
    if preset := given.pop("augment", None):
        augment = AUGMENTS[preset]
    if "lr_step_epochs" in given:
        given.setdefault("schedule", "step")
    optimizer = replace(optimizer, **{_OPTIMIZER[name]: given.pop(name) for name in _OPTIMIZER if name in given})
    augment = replace(augment, **{name: given.pop(name) for name in _AUGMENT if name in given})
    return TrainPlan(records, records, **values | given, optimizer=optimizer, augment=augment)


def _of_folder(folder: Path, output: Path, plan: TrainPlan) -> TrainPlan:
    """Pack a folder, if it has changed since; return the plan for the packed files."""
    if output.resolve().is_relative_to(folder.resolve()):
        raise PlanError(f"--model-prefix: expected a place outside {folder}, where the images are, got {output}")
    cache = output.with_name(f"{output.name}-data")
    side = min(plan.shape[1:]) if plan.shape else None
    n = sum(1 for path in folder.rglob("*") if path.is_file())
    with progress_bar(n, f"pack {folder}") as progress:
        train_rec, val_rec = packed(folder, cache, side=side, hold_out=plan.val is None, progress=progress)
    return replace(plan, records=train_rec, val=plan.val or val_rec)


def _finish(report: TrainReport, min_accuracy: float | None, lines: Log, *, as_json: bool) -> None:
    plan = report.fitted.plan
    checkpoint = f"{plan.output}-{report.checkpoint:04d}.params"
    score = report.final.score if report.final else None
    if score:
        lines.say(f"{checkpoint} on {plan.val}: {score}")
    lines.say(f"done in {report.seconds:.1f} s: {checkpoint}")
    if as_json:
        passed = None if min_accuracy is None or score is None else score.accuracy >= min_accuracy
        click.echo(json.dumps(Artefacts(plan.output).summary() | {"min_accuracy": min_accuracy, "passed": passed}))
    if min_accuracy is not None and score:
        gate(score, min_accuracy, f"{checkpoint} on {plan.val}")
