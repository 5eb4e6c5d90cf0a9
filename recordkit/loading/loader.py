"""The loader: threads read ahead in a dataset, epoch after epoch, and its caller iterates over batches."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import DTypeLike

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError, enumerate_some, plural, quoted, with_places
from recordkit.loading.assembler import BadSample, BatchAssembler
from recordkit.loading.batch import Batch
from recordkit.loading.epoch import EpochBatches, EpochParts, EpochProgress
from recordkit.loading.options import LoaderOptions, check_names
from recordkit.loading.probe import BatchFormat, find_batch_format
from recordkit.loading.remote.fetching import plan_uses
from recordkit.loading.timing import Timing
from recordkit.sampling.order import Order, Sequential
from recordkit.sampling.state import LoaderState, check_epoch
from recordkit.threads import ProcessLock, count_threads


class Loader:
    """Batches of the images in .rec files, epoch after epoch.

    Each iteration yields the batches of one epoch. They depend on the files and on these arguments, but never on
    `threads`; the order and the random draws depend neither on `batch_size` nor on `rank`. If the caller leaves an
    epoch early, the next iteration begins the next epoch; after `load_state_dict` it resumes the epoch instead.

    Several threads may share one iteration, ``batches = iter(loader)``: each batch goes to one of them. A loader has
    one iteration at a time: after the next one has begun, the one before it raises a PlanError.

    A pickled loader opens its files again where it is unpickled, and goes on at the same position.

    Parameters
    ----------
    path : str, Path, sequence of them, or RecordDataset
        Path or URL as for `recordkit.RecordDataset`, or a dataset, for example a slice of one; `close` closes it too.
    batch_size : int
        Samples per batch of one rank.
    transforms : sequence of Transform, Normalize or callable, default ()
        Steps in the order of their application; together they must make all images one size. A `Normalize` may stand at
        the end only. A callable with one parameter gets the image, uint8 of shape (H, W, C), and the last one may
        return an array of any shape and dtype; see `recordkit.loading.plan.LoadPlan`.
    shuffle : bool or Order, default False
        False: the order of the file. True: a new random order each epoch. Or an order of `recordkit.sampling.order`, or
        `recordkit.sampling.mix.Mix` for several datasets with weights.
    seed : int, 0 to 2**64 - 1, default 0
        Seed of the order and of all random draws.
    threads : int, default 0
        Number of loading threads; 0: the number of CPUs this process may use.
    engine : {"auto", "native", "python"}, default "auto"
        "auto" is the native engine if it is built.
    dtype : {"uint8", "float16", "float32"} or a type of NumPy, optional
        By default uint8, float32 after a `Normalize`, or the dtype that the last callable returns.
    layout : {"NHWC", "NCHW"}, default "NHWC"
    channels : {3, 1, 4, "keep"}, default 3
        3: RGB, where gray is repeated and alpha dropped. 1: gray. 4: RGB and alpha, which is 255 if an image has none.
        "keep": as many as a `Normalize` has numbers for; without them 1 if the first images, and some from all over the
        files, are gray, and otherwise 3. After 1, an image with colours is a sample that cannot be loaded. Give 1 for
        gray files such as digits, or "keep" for files of either kind.
    label : {"array", "pad", "list"}, default "array"
        Labels of a batch. "array": all samples have as many labels as the first one. "pad": any number, in an array as
        wide as the widest sample of the batch, filled up with -1. "list": an array for each sample.
    label_dtype : {"stored", "auto", "int64", "float32"} or a type of NumPy, default "stored"
        "stored": float32, or int64 if the dataset has exact labels. "auto": int64 also if the labels of the first
        samples, and of some from all over the files, are whole numbers. Where int64 meets a fraction, the epoch ends
        with an error. Give "int64" for numbers of classes, with which NumPy and JAX can index.
    last_batch : {"pad", "keep", "drop"}, default "keep"
        Treatment of samples that do not fill a batch; see `recordkit.sampling.sampler.Sampler`.
    rank : (int, int), default (0, 1)
        Index of this loader, from 0, and number of loaders that share the epoch.
    on_error : {"raise", "skip", "replace"}, default "raise"
        A sample that cannot be loaded ends the epoch, is left out of its batch, or is replaced by the next one in the
        file. `bad_samples` lists skipped and replaced samples. With the last two, damage between the records of a file
        without a matching index is left out too, and ``dataset.lost`` lists it.
    check : bool, default False
        Compare each record with its CRC-32 in PREFIX.crc; a damaged one is a sample that cannot be loaded.
    exact : bool, default False
        Decode JPEGs in full before a resize; see `recordkit.loading.plan.LoadPlan`.
    memory : int or str, optional
        A number of bytes, or a text such as "512M" or "2G".
        Most memory that the batches read ahead and the images under way may take together; by default a
        quarter of the memory of the machine or its control group. An image that needs more is a bad sample.
    cache_dir, cache_bytes
        Arguments of `recordkit.RecordDataset`, for a path in a store.

    Attributes
    ----------
    dataset : RecordDataset
    engine : str
        Name of the engine in use.
    channels : int
        Number of channels of the images.
    label_dtype : {"float32", "int64"}
        Type of the labels.
    threads : int
        Number of loading threads.
    memory : int
        The budget in use, in bytes.
    epoch : int
        Number of the epoch that is under way, or of the next one.
    bad_samples : list of BadSample
        Samples that could not be loaded so far, each once.
    timing : Timing
        Times of the last epoch.

    Raises
    ------
    PlanError
        Arguments are out of range or contradict each other.
    FormatError, NotFoundError
        The dataset cannot be opened, or its files have different class names.
    ImageError
        The transforms do not fix the size of the images, and the first samples cannot be decoded.
    MissingError
        The engine is not built.

    Warns
    -----
    UserWarning
        Some files have class names and others have none.

    Examples
    --------
    >>> import numpy as np, recordkit as rk, tempfile
    >>> prefix = tempfile.mkdtemp() + "/digits"
    >>> _ = rk.pack((np.zeros((6, 28, 28), np.uint8), np.arange(6)), prefix)
    >>> loader = rk.Loader(prefix, batch_size=4, channels=1)
    >>> for batch in loader:
    ...     print(batch.data.shape, batch.label)
    (4, 28, 28, 1) [0. 1. 2. 3.]
    (2, 28, 28, 1) [4. 5.]
    >>> for batch in loader:  # the next epoch
    ...     images, labels = batch.data, batch.label
    """

    def __init__(  # noqa: PLR0913 (the one entrance to all of loading; keyword-only)
        self,
        path: str | Path | Sequence[str | Path] | RecordDataset,
        *,
        batch_size: int,
        transforms: Sequence[object] = (),
        shuffle: bool | Order = False,
        seed: int = 0,
        threads: int = 0,
        engine: str = "auto",
        dtype: DTypeLike | None = None,
        layout: str = "NHWC",
        channels: int | str = 3,
        label: str = "array",
        label_dtype: DTypeLike = "stored",
        last_batch: str = "keep",
        rank: tuple[int, int] = (0, 1),
        on_error: str = "raise",
        check: bool = False,
        exact: bool = False,
        memory: int | str | None = None,
        cache_dir: str | Path | None = None,
        cache_bytes: int | str | None = None,
        **_others: NoReturn,  # a type checker refuses them too
    ) -> None:
        check_names(_others, "recordkit.Loader")
        options = LoaderOptions(
            batch_size=batch_size,
            transforms=transforms,
            shuffle=shuffle,
            seed=seed,
            threads=threads,
            engine=engine,
            dtype=dtype,
            layout=layout,
            channels=channels,
            label=label,
            label_dtype=label_dtype,
            last_batch=last_batch,
            rank=rank,
            on_error=on_error,
            check=check,
            exact=exact,
            memory=memory,
            cache_dir=cache_dir,
            cache_bytes=cache_bytes,
        )
        self._open(path, options)

    def _open(
        self,
        path: str | Path | Sequence[str | Path] | RecordDataset,
        options: LoaderOptions,
        batch_format: BatchFormat | None = None,
    ) -> None:
        """Open the dataset and prepare the epochs. Samples are probed unless the format is known and the dataset's."""
        self._options = options
        self.threads = count_threads(options.threads)
        self.dataset = options.open_dataset(path)
        is_known = batch_format is not None and batch_format.fingerprint == self.dataset.fingerprint
        if not is_known:
            _check_classes(self.dataset)
        if not len(self.dataset):
            raise FormatError(path=str(self.dataset.files[0]), expected="samples", got="none")
        self._sampler = sampler = options.make_sampler(len(self.dataset))
        if batch_format is None or not is_known:
            batch_format = find_batch_format(
                self.dataset, options.plan, label=options.label, label_dtype=options.label_dtype
            )
        self._format = batch_format
        self.channels: int = batch_format.plan.channels
        self.label_dtype = batch_format.labels.dtype
        uses = plan_uses(self.dataset, sampler.order)
        assembler = BatchAssembler(self.dataset, sampler, options, batch_format, n_threads=self.threads)
        self.memory = assembler.memory
        self.engine = assembler.engine.name
        self.bad_samples: list[BadSample] = assembler.bad_samples
        self.timing = Timing()
        self._parts = EpochParts(self.dataset, sampler, assembler, uses, self.threads)
        self._start = LoaderState(  # and what every position of this loader has in common
            fingerprint=batch_format.fingerprint,
            n_samples=len(self.dataset),
            order=repr(sampler.order),
            seed=options.plan.seed,
        )
        self._progress = EpochProgress()
        self._batches: EpochBatches | None = None
        self._lock = ProcessLock()

    def __repr__(self) -> str:
        return describe_loader(self, len(self))

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._sampler.n_batches()

    @property
    def epoch(self) -> int:
        """Number of the epoch that is under way, or of the next one."""
        return self._progress.epoch + self._progress.is_finished

    def state_dict(self) -> dict[str, int | str]:
        """Return the position after the last batch that was yielded, as a dict for JSON."""
        progress = self._progress
        position = self._sampler.position(progress.n_yielded, start=progress.start)
        return self._start.at(epoch=self.epoch, position=0 if progress.is_finished else position).to_dict()

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Resume at the position of another loader, whose batch size, rank and number of ranks may differ.

        Raises
        ------
        FormatError, PlanError
            `state` is not a state, or was saved for other data or another order.
        """
        new_state = LoaderState.from_dict(state, current=self._start)
        self._sampler.n_batches(start=new_state.position)  # raises if the epoch does not have that position
        self._stop(is_replaced=True)
        self._progress = EpochProgress(new_state.epoch, new_state.position)

    def set_epoch(self, epoch: int) -> None:
        """Begin the next iteration with this epoch. Without a call the epochs follow each other.

        Raises
        ------
        PlanError
            `epoch` is not 0 to 2**32 - 1.
        """
        check_epoch(epoch)
        self.load_state_dict(self.state_dict() | {"epoch": int(epoch), "position": 0})

    def __getstate__(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "options": self._options,
            "format": self._format,
            "state": self.state_dict(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open(state["dataset"], replace(state["options"], cache_dir=None, cache_bytes=None), state["format"])
        self.load_state_dict(state["state"])

    def __getitem__(self, index: object) -> NoReturn:
        """Refuse an index, as torch's DataLoader gives one to an object that is no loader of its own.

        Raises
        ------
        PlanError
            Always.
        """
        raise PlanError(
            expected="an iteration, as in 'for batch in loader'",
            got=f"the index {index!r}",
            advice="a DataLoader of torch takes recordkit.interop.torch.Loader; loader.dataset[i] is a sample",
        )

    def close(self) -> None:
        """End the epoch that is under way, and close the files. A second call does nothing."""
        self._stop()
        self.dataset.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_about: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over the batches of one epoch, or over the rest of the epoch that `load_state_dict` resumed."""
        with self._lock.get():
            self._stop(is_replaced=True)
            if self._progress.is_begun:
                self._progress = EpochProgress(self._progress.epoch + 1)
            self.timing = Timing()
            self._batches = EpochBatches(self._parts, self._progress, self.timing, self._lock)
            return self._batches

    def _stop(self, *, is_replaced: bool = False) -> None:
        """End the iteration that is under way, and wait for its threads. If it is replaced, it becomes an error."""
        with self._lock.get():
            batches, self._batches = self._batches, None
            if batches is not None:
                batches.close(is_replaced=is_replaced)


def open_loader(
    path: str | Path | Sequence[str | Path] | RecordDataset,
    options: LoaderOptions,
    batch_format: BatchFormat | None = None,
) -> tuple[Loader, BatchFormat]:
    """Return a loader and the format of its batches, with which another one of the same data opens at once.

    Parameters
    ----------
    path, options
        Arguments of `Loader`.
    batch_format : BatchFormat, optional
        The format from another loader with the same arguments. If the path has other data now, it is found again.
    """
    loader = Loader.__new__(Loader)
    loader._open(path, options, batch_format)
    return loader, loader._format


def describe_loader(loader: Loader, n_batches: int) -> str:
    """Return samples, batches, their format, order, engine and files of a loader in one line.

    Parameters
    ----------
    loader : Loader
    n_batches : int
        Number of batches of an epoch, which `recordkit.interop.torch.Loader` divides among workers.
    """
    item, sampler = loader._format.item, loader._sampler
    shuffled = "" if isinstance(sampler.order, Sequential) else ", shuffled"
    threads = f"{plural(loader.threads, 'thread')} of the {loader.engine} engine"
    files = enumerate_some(loader.dataset.files, limit=3)
    return with_places(
        f"<Loader of {plural(len(loader.dataset), 'sample')}{shuffled} in {plural(n_batches, 'batch')} of "
        f"{item.dtype} {(sampler.batch_size, *item.shape)}, labels {loader.label_dtype}: "
        f"epoch {loader.epoch}, {threads}: {files}>"
    )


def _check_classes(dataset: RecordDataset) -> None:
    """Refuse files in which a label means different classes, and warn if only some files have class names."""
    if len(dataset.files) == 1:
        return
    _ = dataset.classes  # raises if a label means one class in one file and another one in the next
    if unnamed := dataset.unnamed_files:
        advice = f"name them with 'recordkit relabel {quoted(unnamed[0])} NEW --classes FILE', and use NEW"
        got = f"none in {plural(len(unnamed), 'file')}, so that one label may mean two classes"
        text = f"{unnamed[0]}: expected class names, as other files have, got {got}; {advice}"
        warnings.warn(text, UserWarning, stacklevel=4)
