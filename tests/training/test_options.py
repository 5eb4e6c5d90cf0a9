"""Options of a training run: one description for the library and the command line."""

import dataclasses
from pathlib import Path

import click
import pytest

from recordkit.cli.commands.train import command
from recordkit.errors import PlanError
from recordkit.training.augment import AUGMENTS, Augment
from recordkit.training.data.normalization import Normalization
from recordkit.training.optimizer import Optimizer
from recordkit.training.options import options_of
from recordkit.training.plan import TrainPlan
from recordkit.training.recipes import find_recipe

SETTINGS = (TrainPlan, Optimizer, Augment, Normalization)
# Names that scripts written for MXNet's example scripts, or for earlier versions of the command, rely on.
NAMES = [
    "val",
    "model-prefix",
    "recipe",
    "resume",
    "min-accuracy",
    "network",
    "api",
    "loss",
    "num-epochs",
    "batch-size",
    "optimizer",
    "lr",
    "momentum",
    "wd",
    "schedule",
    "lr-factor",
    "lr-factor-updates",
    "lr-step-epochs",
    "augment",
    "random-crop",
    "random-mirror",
    "max-random-h",
    "max-random-s",
    "max-random-l",
    "max-random-aspect-ratio",
    "max-random-rotate-angle",
    "max-random-shear-ratio",
    "max-random-scale",
    "min-random-scale",
    "min-crop-size",
    "max-crop-size",
    "shift",
    "fill",
    "mean",
    "std",
    "scale",
    "seed",
    "device",
    "gpus",
    "threads",
    "iterator",
    "data-shape",
    "num-classes",
    "checkpoint-every",
    "disp-batches",
    "pictures",
    "log",
    "json",
    "quiet",
]


def options_plan(**options):
    return TrainPlan.from_options(Path("a.rec"), Path("m/a"), **options)


def test_the_command_has_the_options_of_mxnets_scripts():
    names = [max(option.opts, key=len) for option in command.params if isinstance(option, click.Option)]
    assert sorted(names) == sorted(f"--{name}" for name in NAMES)


def test_every_parameter_of_the_command_has_the_name_of_its_argument():
    names = {option.name for option in command.params}
    for settings in SETTINGS:
        assert {option.argument for option in options_of(settings).values()} <= names


def test_every_field_but_the_nested_ones_is_described():
    bare = {
        field.name for settings in SETTINGS for field in dataclasses.fields(settings) if "option" not in field.metadata
    }
    assert bare == {"path", "optimizer", "augment", "normalization", "recipe"}


@pytest.mark.parametrize(
    ("options", "argument", "message"),
    [
        ({"epochs": 10_000}, "epochs", "epochs: expected a whole number from 1 to 9999, got 10000"),
        ({"batch_size": 1.5}, "batch_size", "batch_size: expected a whole number from 1 on, got 1.5"),
        ({"threads": -1}, "threads", "threads: expected a whole number from 0 to 1024, got -1"),
        ({"device": "tpu"}, "device", "device: expected one of cpu, gpu, got 'tpu'"),
        ({"momentum": 1.0}, "momentum", "momentum: expected a number from 0 to below 1, got 1.0"),
        ({"optimizer": "sdg"}, "optimizer", "optimizer: expected one of sgd, adam, got 'sdg'"),
        ({"shift": 17}, "shift", "shift: expected a whole number from 0 to 16, got 17"),
        ({"fill": 256}, "fill", "fill: expected a whole number from 0 to 255, got 256"),
        ({"recipe": "minst"}, "recipe", "recipe: expected one of mnist, fashion-mnist, book, article, cifar-tree, got"),
        ({"augment": "all"}, "augment", "augment: expected one of none, shift, book, photo, got 'all'"),
        ({"learning_rate": 1}, "learning_rate", "learning_rate: expected an option of a training run"),
    ],
)
def test_the_library_checks_every_range(options, argument, message):
    with pytest.raises(PlanError, match=message) as caught:
        options_plan(**options)
    assert caught.value.argument == argument


def test_explicit_options_override_the_preset_which_overrides_the_recipe():
    recipe = find_recipe("book").options
    assert options_plan(recipe="book").augment == recipe["augment"]
    assert options_plan(recipe="book", augment="photo").augment == AUGMENTS["photo"]
    plan = options_plan(recipe="book", augment="photo", shift=1, lr=0.5, batch_size=32)
    assert plan.augment == dataclasses.replace(AUGMENTS["photo"], shift=1)
    assert plan.optimizer == dataclasses.replace(recipe["optimizer"], lr=0.5)
    assert (plan.batch_size, plan.epochs, plan.recipe) == (32, recipe["epochs"], "book, version 2")


def test_another_schedule_leaves_the_recipes_number_of_updates():
    assert options_plan(recipe="book", schedule="cosine").optimizer.factor_updates is None
    assert options_plan(factor_updates=10).optimizer.schedule == "factor"
    with pytest.raises(PlanError, match="factor_updates: expected the schedule factor with it, got step"):
        options_plan(schedule="step", step_epochs=(2,), factor_updates=10)


def test_normalization_is_an_option_of_a_run():
    assert options_plan(recipe="article").normalization.facts() == {"mean": [33.15], "std": [79.05], "scale": 1.0}
    assert options_plan(recipe="article", mean=(0.0,)).normalization.facts()["mean"] == [0]


def test_adam_has_a_learning_rate_of_its_own():
    assert options_plan(optimizer="adam").optimizer.lr == 0.001
    assert options_plan(optimizer="adam", lr=0.01).optimizer.lr == 0.01
    assert options_plan().optimizer == Optimizer()


def test_an_option_that_is_none_was_not_given():
    assert options_plan(recipe="mnist", epochs=None, lr=None) == options_plan(recipe="mnist")
