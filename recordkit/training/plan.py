"""The plan of a training run: what the user asks for.

Options that are None have defaults that depend on the images; `recordkit.training.resolve` fills them in. The command
line makes its options from the metadata of the fields here, see `recordkit.training.options`.

The loop itself is `recordkit.training.fit`; named sets of options are `recordkit.training.recipes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError
from recordkit.threads import MAX_THREADS
from recordkit.training.augment import AUGMENTS, Augment
from recordkit.training.data.iterators import ITERATORS
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.target import LOSSES
from recordkit.training.model.networks import NETWORKS
from recordkit.training.optimizer import Optimizer
from recordkit.training.options import check, option, options_of
from recordkit.training.recipes import find_recipe
from recordkit.training.run.record import RunRecord
from recordkit.training.trainer import APIS

_ADAM_LR = 0.001


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """One training run, as the user asks for it.

    Attributes
    ----------
    path : Path
        The .rec file with the training images.
    model_prefix : Path
        Prefix of the checkpoints.
    val : Path, optional
        A .rec file that the model is evaluated on after each epoch. It never influences training.
    resume : bool
        Continue from the last checkpoint at `model_prefix`.
    network : str, default "book"
        See `recordkit.training.model.networks`.
    api : {"module", "gluon"}
        The API of MXNet that makes the updates.
    loss : {"softmax", "sigmoid"}
        See `recordkit.training.data.target`.
    epochs : int, optional, 1 to 9999
        Default by the number of images; a resumed run keeps its number.
    batch_size : int, optional
        Default by the number of images.
    optimizer : Optimizer
    augment : Augment
        Images that are smaller than the input are not shifted.
    normalization : Normalization
    seed : int
        Seed of the parameters, of the order and of the augmentation.
    device : {"cpu", "gpu"}
    gpu : int, default 0
        Number of the GPU.
    threads : int, default 0
        Decoding threads, and computing threads unless OMP_NUM_THREADS is set; 0 for the CPUs this process may use.
        MXNet's iterator uses at most half of the CPUs.
    iterator : {"auto", "recordkit", "mxnet", "gluon"}, default "auto"
        Reader of the file: recordkit's ImageRecordIter, MXNet's, or Gluon's ImageRecordDataset with DataLoader. "auto"
        is recordkit's if the native engine is built, otherwise MXNet's.
    shape : tuple of int, optional
        (C, H, W) of the input; default from the first image, at least 28 x 28.
    n_classes : int, optional
        Classes of each label; default is the highest label + 1, or the number of named classes.
    checkpoint_every : int, optional
        Epochs between checkpoints; default such that a run has about 10. The last epoch always has one, and so has the
        last complete one of a run that is interrupted.
    pictures : bool
        Draw pictures, if matplotlib is installed.
    recipe : str
        Name and version of the recipe, for the summary.

    Raises
    ------
    PlanError
        A value is out of range, or `n_classes` is given with the loss sigmoid.
    """

    path: Path
    model_prefix: Path = field(
        metadata=option(
            "Prefix of the checkpoints.  [default: ./NAME-model/RECIPE or NETWORK, with -run02 for a second run]"
        )
    )
    val: Path | None = field(default=None, metadata=option("A .rec file to evaluate on; it never influences training."))
    resume: bool = field(
        default=False, metadata=option("Continue from the last checkpoint at `model_prefix`.", negatable=False)
    )
    network: str = field(
        default="book",
        metadata=option(
            f"Network: {', '.join(NETWORKS)}, or FILE.py with get_symbol(num_classes, **kwargs).  [default: book]"
        ),
    )
    api: str = field(
        default="module", metadata=option("API of MXNet that makes the updates.  [default: module]", choices=APIS)
    )
    loss: str = field(
        default="softmax",
        metadata=option(
            "softmax: one class of several; sigmoid: several labels, each 0 or 1.  [default: softmax]", choices=LOSSES
        ),
    )
    epochs: int | None = field(
        default=None,
        metadata=option(
            "Number of epochs.  [default: 5, more for few images; a resumed run keeps its number]",
            name="num-epochs",
            low=1,
            high=9999,
        ),
    )
    batch_size: int | None = field(
        default=None, metadata=option("Samples in a batch.  [default: 32 to 128, by the number of images]", low=1)
    )
    optimizer: Optimizer = field(default_factory=Optimizer)
    augment: Augment = AUGMENTS["shift"]
    normalization: Normalization = field(default_factory=Normalization)
    seed: int = field(
        default=0,
        metadata=option("Seed of parameters, order and augmentation.", low=0, high=2**31 - 1, show_default=True),
    )
    device: str = field(
        default="cpu", metadata=option("Processor that computes.", choices=("cpu", "gpu"), show_default=True)
    )
    gpu: int = field(
        default=0,
        metadata=option("Number of the GPU; selects the device gpu.", name="gpus", low=0, metavar="NUMBER"),
    )
    threads: int = field(
        default=0,
        metadata=option(
            "Number of threads; 0: one for each CPU that this process may use.",
            low=0,
            high=MAX_THREADS,
            show_default=True,
        ),
    )
    iterator: str = field(
        default="auto",
        metadata=option(
            "Reader of the file; auto: recordkit's if its native engine is built.", choices=ITERATORS, show_default=True
        ),
    )
    shape: tuple[int, int, int] | None = field(
        default=None,
        metadata=option(
            "Channels, height and width of the input.  [default: as the images]", name="data-shape", metavar="C,H,W"
        ),
    )
    n_classes: int | None = field(
        default=None, metadata=option("Number of classes.  [default: highest label + 1]", name="num-classes", low=1)
    )
    checkpoint_every: int | None = field(
        default=None, metadata=option("Epochs between checkpoints; Ctrl-C makes one.  [default: about 10 a run]", low=1)
    )
    pictures: bool = field(
        default=True, metadata=option("Draw samples, curves, confusion and predictions.", show_default=True)
    )
    recipe: str = ""

    def __post_init__(self) -> None:
        check(self)
        if self.loss == "sigmoid" and self.n_classes is not None:
            raise PlanError(
                argument="n_classes",
                expected="none with the loss sigmoid, where each label is 0 or 1",
                got=self.n_classes,
            )

    @classmethod
    def from_options(
        cls,
        path: Path | None,
        model_prefix: Path,
        *,
        recipe: str | None = None,
        augment: str | None = None,
        **options: Any,
    ) -> TrainPlan:
        """Merge a recipe, a preset of the augmentation, and explicit options, which override both.

        Parameters
        ----------
        path : Path, optional
            None is an error.
        model_prefix : Path
        recipe : str, optional
            A name in `recordkit.training.recipes.RECIPES`.
        augment : str, optional
            A name in `recordkit.training.augment.AUGMENTS`; replaces the augmentation of the recipe.
        **options
            Fields of `TrainPlan`, `Optimizer`, `Augment` and `Normalization`. `optimizer` is here the name of the
            optimizer, not an `Optimizer`. None means not given. ``optimizer="adam"`` has a learning rate of 0.001 by
            default, `step_epochs` selects the schedule "step", `factor_updates` selects "factor", and `gpu` selects the
            device "gpu", whatever `device` is.

        Raises
        ------
        PlanError
            There is no such recipe, preset or option, or a value is out of range.

        Examples
        --------
        >>> plan = TrainPlan.from_options(Path("a.rec"), Path("m/book"), recipe="book", lr=0.02, max_crop_size=30)
        >>> plan.epochs, plan.optimizer.lr, plan.optimizer.wd, plan.augment.max_crop_size
        (36, 0.02, 0.0005, 30)
        """
        explicit = {name: value for name, value in options.items() if value is not None}
        if path is None:
            raise PlanError(argument="path", expected="the .rec file to train on", got="none")
        values: dict[str, Any] = {}
        if recipe is not None:
            chosen = find_recipe(recipe)
            values = {**chosen.options, "recipe": str(chosen)}
        if augment is not None:
            values["augment"] = _preset(augment)
        _add_implied(explicit)
        settings = {
            "optimizer": _override(values.pop("optimizer", Optimizer()), explicit),
            "augment": _override(values.pop("augment", AUGMENTS["shift"]), explicit),
            "normalization": _override(values.pop("normalization", Normalization()), explicit),
        }
        if unknown := explicit.keys() - cls.__dataclass_fields__.keys():
            raise PlanError(argument=min(unknown), expected="an option of a training run", got="another name")
        return cls(path, model_prefix, **values | explicit | settings)

    @classmethod
    def from_record(
        cls,
        record: RunRecord,
        path: Path | None,
        model_prefix: Path,
        *,
        recipe: str | None = None,
        augment: str | None = None,
        **options: Any,
    ) -> TrainPlan:
        """Return the plan that continues a run; all that is not given is as the run has it.

        Parameters
        ----------
        record : RunRecord
        path : Path, optional
        model_prefix : Path
        recipe, augment : str, optional
        **options
            See `from_options`.

        Raises
        ------
        PlanError
            The run has another value of an option that cannot change; or see `from_options`.
        TrainError
            The record is empty, or it has no such options.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if path is not None:
            given["path"] = path
        if augment is not None:
            given = _options_of(_preset(augment)) | given
        if recipe is not None:
            given["recipe"] = str(find_recipe(recipe))
        if "gpu" in given:
            given["device"] = "gpu"
        values = record.continue_with(given)
        name = values.pop("recipe")
        return replace(cls.from_options(values.pop("path"), model_prefix, **values), resume=True, recipe=name)

    def options(self) -> dict[str, Any]:
        """Return all options but `model_prefix` and `resume` by their arguments, as `from_options` takes them.

        Examples
        --------
        >>> options = TrainPlan(Path("a.rec"), Path("m/a"), batch_size=32).options()
        >>> options["batch_size"], options["optimizer"], options["lr"], options["shift"]
        (32, 'sgd', 0.05, 2)
        """
        settings = (self, self.optimizer, self.augment, self.normalization)
        options = {"path": self.path, "recipe": self.recipe}
        for one in settings:
            options |= _options_of(one)
        return {name: value for name, value in options.items() if name not in ("model_prefix", "resume")}


def _add_implied(explicit: dict[str, Any]) -> None:
    """Add to explicit options those that follow from them."""
    if explicit.get("optimizer") == "adam":
        explicit.setdefault("lr", _ADAM_LR)
    if "step_epochs" in explicit:
        explicit.setdefault("schedule", "step")
    if "factor_updates" in explicit:
        explicit.setdefault("schedule", "factor")
    elif "schedule" in explicit:
        explicit["factor_updates"] = None  # a recipe's number belongs to the recipe's schedule
    if "gpu" in explicit:
        explicit["device"] = "gpu"


def _options_of(settings: Any) -> dict[str, Any]:
    return {each.argument: getattr(settings, name) for name, each in options_of(type(settings)).items()}


def _preset(name: str) -> Augment:
    if name not in AUGMENTS:
        raise PlanError(argument="augment", expected=f"one of {', '.join(AUGMENTS)}", got=repr(name))
    return AUGMENTS[name]


def _override(settings: Any, explicit: dict[str, Any]) -> Any:
    """Return some settings with their explicit options, which are removed from `explicit`."""
    arguments = {name: field_option.argument for name, field_option in options_of(type(settings)).items()}
    values = {name: explicit.pop(argument) for name, argument in arguments.items() if argument in explicit}
    return replace(settings, **values)
