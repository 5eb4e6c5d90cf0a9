"""What a training run is asked to do, and what it reports.

The defaults were chosen on MNIST's first 50,000 training images against its last 10,000, and on 1,100 of
scikit-learn's digits against 300 others; no test image took part.

- A batch is about a hundredth of the images, a power of 2 from 32 to 128: small sets need the updates, large
  ones the speed.
- The epochs make at least 600 updates, and are at least 5: MNIST gets 5 (2,345 updates), 1,400 digits 14.
- Each image is shifted by up to 2 pixels, another way in each epoch. This is worth more than anything else
  (digits held out, 40 epochs: 98.0% without, 99.7% with; MNIST, 6 epochs: 99.16%
  and 99.32%) and changes no image's class.
- The learning rate falls to 0 along a cosine, after 5% of the updates in which it rises.

The loop itself is `recordkit.training.fit`; sets of options with a name are `recordkit.training.recipes`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError
from recordkit.formats.fileset import fingerprint
from recordkit.training.augment import AUGMENTS, Augment
from recordkit.training.data.survey import Survey
from recordkit.training.data.target import LOSSES, Target
from recordkit.training.evaluation import Measured, Score
from recordkit.training.learner import APIS
from recordkit.training.networks import Network, find
from recordkit.training.optimizer import Optimizer

_MIN_UPDATES = 600
_MIN_EPOCHS = 5
_MAX_EPOCHS = 100
_N_CHECKPOINTS = 10
# The net's input where the images are smaller, as MNIST's are.
_SIDE = 28
# More than images, and so many: the labels are something else than classes, and a network for them fills the memory.
_SURELY_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """One training run.

    Attributes
    ----------
    records : Path
        The .rec file to learn from.
    output : Path
        Prefix of the checkpoints.
    val : Path, optional
        A .rec file that is measured after each epoch, and decides nothing.
    network : str, default "book"
        See `recordkit.training.networks`.
    api : {"module", "gluon"}
        What makes the updates.
    epochs, batch_size : int, optional
        Default by the number of images; see above. A resumed run keeps the number of epochs it was begun with.
    checkpoint_every : int, optional
        Epochs from one checkpoint to the next, default such that about 10 are made.
        The last epoch always has one.
    optimizer : Optimizer
    augment : Augment
        An image that is smaller than the input is not shifted.
    loss : {"softmax", "sigmoid"}
        See `recordkit.training.data.target`.
    seed : int
        Of the parameters, the order and the changes of images.
    shape : tuple of int, optional
        (C, H, W); default as the first image, at least 28 x 28.
    n_classes : int, optional
        Of each label; default its highest value + 1, or that of the classes that have names.
    device : {"cpu", "gpu"}
    gpu : int, default 0
        Which one.
    threads : int, default 0
        For decoding, and for computing unless OMP_NUM_THREADS says otherwise; 0 for the CPUs this process may use.
        MXNet's iterator takes at most half of the CPUs.
    iterator : {"auto", "recordkit", "mxnet", "gluon"}, default "auto"
        What makes batches of the file: recordkit's ImageRecordIter, MXNet's, or Gluon's ImageRecordDataset and
        DataLoader; "auto" takes recordkit's where the native engine is built.
    resume : bool
        Go on from the last checkpoint at `output`.
    pictures : bool
        Draw them, where matplotlib is there.
    recipe : str
        Name and version of the set of options this is, for the summary.
    """

    records: Path
    output: Path
    val: Path | None = None
    network: str = "book"
    api: str = "module"
    epochs: int | None = None
    batch_size: int | None = None
    checkpoint_every: int | None = None
    optimizer: Optimizer = field(default_factory=Optimizer)
    augment: Augment = AUGMENTS["shift"]
    loss: str = "softmax"
    seed: int = 0
    shape: tuple[int, int, int] | None = None
    n_classes: int | None = None
    device: str = "cpu"
    gpu: int = 0
    threads: int = 0
    iterator: str = "auto"
    resume: bool = False
    pictures: bool = True
    recipe: str = ""

    def __post_init__(self) -> None:
        for what, value, choices in (("api", self.api, APIS), ("loss", self.loss, LOSSES)):
            if value not in choices:
                raise PlanError(f"{what}: expected one of {', '.join(choices)}, got {value!r}")

    def fitted(self, data: Survey) -> FittedPlan:
        """Fill in what depends on the images.

        Parameters
        ----------
        data : Survey
            Of `records`.

        Returns
        -------
        plan : FittedPlan

        Raises
        ------
        PlanError
            The options do not fit each other or the images.
        """
        network = find(self.network)
        channels, height, width = data.image_shape
        if self.shape is None and len(data.sizes) > 1:
            raise PlanError(
                f"{data.path}: expected images of one size, got {height} x {width} and "
                f"{' x '.join(map(str, data.sizes[1]))} among the first; give --data-shape C,H,W"
            )
        shape = self.shape or (channels, max(height, _SIDE), max(width, _SIDE))
        batch_size = min(self.batch_size or _batch_size(len(data)), len(data))
        n_updates = -(-len(data) // batch_size)
        epochs = self.epochs or min(max(_MIN_EPOCHS, -(-_MIN_UPDATES // n_updates)), _MAX_EPOCHS)
        if shape[0] not in (1, 3) or min(shape[1:]) < network.min_side:
            raise PlanError(
                f"expected 1 or 3 channels and sides of at least {network.min_side}, got {','.join(map(str, shape))}; "
                "give another --data-shape"
            )
        # A smaller image is scaled up after it is moved, so that moving it would also shrink it.
        shift = self.augment.shift if shape[1] <= height and shape[2] <= width else 0
        return FittedPlan(
            plan=self,
            network=network,
            target=self._target(data),
            shape=shape,
            batch_size=batch_size,
            epochs=epochs,
            checkpoint_every=self.checkpoint_every or -(-epochs // _N_CHECKPOINTS),
            augment=replace(self.augment, shift=shift),
        )

    def _target(self, data: Survey) -> Target:
        if self.loss == "sigmoid":
            if self.n_classes is not None:
                raise PlanError("--num-classes: expected none with the loss sigmoid, where each label is 0 or 1")
            if max(data.max_labels) > 1:
                raise PlanError(f"loss sigmoid: expected labels of 0 or 1, got {max(data.max_labels)}; use softmax")
            return Target("sigmoid", (1,) * len(data.max_labels))
        for largest in data.max_labels:
            if self.n_classes is not None and largest >= self.n_classes:
                raise PlanError(
                    f"expected labels below {self.n_classes}, got {largest}; give --num-classes {largest + 1}"
                )
            if self.n_classes is None and largest >= max(len(data), _SURELY_CLASSES):
                raise PlanError(
                    f"expected labels that number classes from 0 on, got {largest} among {len(data)} images; "
                    f"number them anew, or give --num-classes {largest + 1}"
                )
        named = max((data.classes or {}).values(), default=0) if len(data.max_labels) == 1 else 0
        if self.n_classes is None and not any(data.max_labels) and not named:
            raise PlanError(
                f"{data.path}: expected two classes or more, got the label 0 alone; there is nothing to learn"
            )
        return Target("softmax", tuple(self.n_classes or max(largest, named, 1) + 1 for largest in data.max_labels))


@dataclass(frozen=True, slots=True)
class FittedPlan:
    """A `TrainPlan`, and what its defaults are for one file.

    Attributes
    ----------
    plan : TrainPlan
    network : Network
    target : Target
    shape, batch_size, epochs, checkpoint_every, augment
        As in `TrainPlan`.
    """

    plan: TrainPlan
    network: Network
    target: Target
    shape: tuple[int, int, int]
    batch_size: int
    epochs: int
    checkpoint_every: int
    augment: Augment

    def identity(self, n_images: int) -> dict[str, Any]:
        """Return what two runs must share to be one run, as JSON.

        Epochs are not among it: a run may be resumed with more of them, on the longer schedule.
        """
        facts: dict[str, Any] = {
            name: getattr(self.plan, name) for name in ("network", "api", "loss", "seed", "iterator")
        }
        facts |= {"optimizer": asdict(self.plan.optimizer), "augment": asdict(self.augment)}
        facts["optimizer"]["step_epochs"] = list(self.plan.optimizer.step_epochs)  # as JSON has it
        facts |= {"n_classes": list(self.target.sizes), "batch_size": self.batch_size, "shape": list(self.shape)}
        if self.plan.network.endswith(".py"):
            facts["network"] = fingerprint(Path(self.plan.network))  # another file of that name is another network
        return facts | {"n_images": n_images, "bytes": self.plan.records.stat().st_size}


def _batch_size(n_images: int) -> int:
    """Return a power of 2 from 32 to 128, about a hundredth of the images.

    Examples
    --------
    >>> _batch_size(1400), _batch_size(6400), _batch_size(60000)
    (32, 64, 128)
    """
    return min(128, max(32, 1 << (n_images // 100).bit_length() - 1 if n_images >= 100 else 0))


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What came of one epoch.

    Attributes
    ----------
    epoch : int, from 1
    lr : float
        The learning rate of its last update.
    train : Score
        Of the images as they were learnt from: changed, and before the update by their batch.
    val : Score, optional
    seconds : float
        Of learning, without measuring.
    wait_share : float
        The part of them in which no batch was there.
    """

    epoch: int
    lr: float
    train: Score
    val: Score | None
    seconds: float
    wait_share: float

    def __str__(self) -> str:
        line = f"epoch {self.epoch}: train {self.train}"
        return f"{line}, val accuracy {self.val.accuracy:.4f} loss {self.val.loss:.4f}" if self.val else line


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What came of a run.

    Attributes
    ----------
    fitted : FittedPlan
        What was carried out.
    epochs : tuple of EpochReport
        Those of this run; a resumed one has only its own.
    checkpoint : int
        Epoch of the last checkpoint.
    final : Measured, optional
        Of the last checkpoint, read back from disk, on `fitted.plan.val`.
    seconds : float
        From before the first epoch to the measurement of the last checkpoint.
    """

    fitted: FittedPlan
    epochs: tuple[EpochReport, ...]
    checkpoint: int
    final: Measured | None
    seconds: float
