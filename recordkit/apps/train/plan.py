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

Source for the schedule: Loshchilov and Hutter, SGDR, 2017. The loop itself is `recordkit.apps.train.fit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.apps.train.lenet import MIN_SIDE
from recordkit.apps.train.measure import Score
from recordkit.apps.train.survey import Survey
from recordkit.errors import PlanError

SCHEDULES = ("cosine", "constant")
_MIN_UPDATES = 600
_MIN_EPOCHS = 5
_MAX_EPOCHS = 100
_N_CHECKPOINTS = 10
# The net's input where the images are smaller, as MNIST's are.
_SIDE = 28


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
    epochs, batch_size : int, optional
        Default by the number of images; see above.
    checkpoint_every : int, optional
        Epochs from one checkpoint to the next, default such that about 10 are made.
        The last epoch always has one.
    lr : float, default 0.05
        The highest learning rate.
    momentum, wd : float
        Of SGD; the weight decay is not applied to biases.
    schedule : {"cosine", "constant"}
    shift : int, default 2
        Pixels by which an image is moved at most, each way; 0 not at all. Of an image larger than the input any
        part may be cut out, and not only the centre. A smaller one is not moved.
    seed : int
        Of the parameters, the order and the shifts.
    shape : tuple of int, optional
        (C, H, W); default as the first image, at least 28 x 28.
    n_classes : int, optional
        Default the highest label + 1.
    device : {"cpu", "gpu"}
    threads : int, default 0
        For decoding, 0 for the CPUs this process may use; MXNet takes at most half of the CPUs. Its computing
        threads are set by OMP_NUM_THREADS alone.
    iterator : {"auto", "recordkit", "mxnet"}, default "auto"
        What makes batches of the file: recordkit's ImageRecordIter or MXNet's; "auto" takes recordkit's where the
        native engine is built.
    resume : bool
        Go on from the last checkpoint at `output`.
    """

    records: Path
    output: Path
    val: Path | None = None
    epochs: int | None = None
    batch_size: int | None = None
    checkpoint_every: int | None = None
    lr: float = 0.05
    momentum: float = 0.9
    wd: float = 0.0005
    schedule: str = "cosine"
    shift: int = 2
    seed: int = 0
    shape: tuple[int, int, int] | None = None
    n_classes: int | None = None
    device: str = "cpu"
    threads: int = 0
    iterator: str = "auto"
    resume: bool = False

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
        channels, height, width = data.image_shape
        shape = self.shape or (channels, max(height, _SIDE), max(width, _SIDE))
        batch_size = min(self.batch_size or _batch_size(len(data)), len(data))
        n_updates = -(-len(data) // batch_size)
        epochs = self.epochs or min(max(_MIN_EPOCHS, -(-_MIN_UPDATES // n_updates)), _MAX_EPOCHS)
        if self.n_classes is not None and data.max_label >= self.n_classes:
            raise PlanError(
                f"{data.path}: expected labels below {self.n_classes}, got {data.max_label}; "
                f"give --num-classes {data.max_label + 1} or leave it out"
            )
        if shape[0] not in (1, 3) or min(shape[1:]) < MIN_SIDE:
            raise PlanError(
                f"expected 1 or 3 channels and sides of at least {MIN_SIDE}, got {','.join(map(str, shape))}; "
                "give another --data-shape"
            )
        if self.schedule not in SCHEDULES:
            raise PlanError(f"expected a schedule of {' or '.join(SCHEDULES)}, got {self.schedule!r}")
        return FittedPlan(
            **{name: getattr(self, name) for name in _KEPT},
            shape=shape,
            batch_size=batch_size,
            epochs=epochs,
            checkpoint_every=self.checkpoint_every or -(-epochs // _N_CHECKPOINTS),
            n_classes=self.n_classes or max(data.max_label + 1, 2),
            # A smaller image is scaled up after it is moved, so that moving it would also shrink it.
            shift=self.shift if shape[1] <= height and shape[2] <= width else 0,
        )


_KEPT = (
    "records",
    "output",
    "val",
    "lr",
    "momentum",
    "wd",
    "schedule",
    "seed",
    "device",
    "threads",
    "iterator",
    "resume",
)


@dataclass(frozen=True, slots=True)
class FittedPlan:
    """A `TrainPlan` with every default filled in for one file; its fields mean the same."""

    records: Path
    output: Path
    val: Path | None
    epochs: int
    batch_size: int
    checkpoint_every: int
    lr: float
    momentum: float
    wd: float
    schedule: str
    shift: int
    seed: int
    shape: tuple[int, int, int]
    n_classes: int
    device: str
    threads: int
    iterator: str
    resume: bool

    def identity(self, n_images: int) -> dict[str, Any]:
        """Return what two runs must share to be one run, as JSON.

        Epochs are not among it: a run may be resumed with more of them, on the longer schedule.
        """
        names = ("batch_size", "lr", "momentum", "wd", "schedule", "shift", "seed", "n_classes", "iterator")
        facts: dict[str, Any] = {name: getattr(self, name) for name in names}
        return {**facts, "shape": list(self.shape), "n_images": n_images}


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
        Of the images as they were learnt from: shifted, and before the update by their batch.
    val : Score, optional
    """

    epoch: int
    lr: float
    train: Score
    val: Score | None

    def __str__(self) -> str:
        line = f"epoch {self.epoch}: train {self.train}"
        return f"{line}, val accuracy {self.val.accuracy:.4f} loss {self.val.loss:.4f}" if self.val else line


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What came of a run.

    Attributes
    ----------
    plan : FittedPlan
        What was carried out.
    epochs : tuple of EpochReport
        Those of this run; a resumed one has only its own.
    checkpoint : int
        Epoch of the last checkpoint.
    final : Score, optional
        Of the last checkpoint, read back from disk, on `plan.val`.
    seconds : float
        From the first epoch to the end.
    """

    plan: FittedPlan
    epochs: tuple[EpochReport, ...]
    checkpoint: int
    final: Score | None
    seconds: float
