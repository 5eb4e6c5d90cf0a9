"""The loader: threads read ahead in a dataset, epoch after epoch, and its caller iterates over batches."""

from __future__ import annotations

import inspect
import os
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import RLock
from typing import Any, NoReturn
from weakref import ref

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError, enumerate_some, plural, quoted, with_places
from recordkit.loading.assembler import BadSample, BatchAssembler, LoadedBatches
from recordkit.loading.batch import Batch
from recordkit.loading.fetching import plan_uses
from recordkit.loading.labels import LabelReader
from recordkit.loading.native import choose_engine
from recordkit.loading.plan import LoadPlan
from recordkit.loading.probe import find_channels
from recordkit.loading.read_ahead import ReadAhead
from recordkit.loading.timing import Timing, count_disk_reads
from recordkit.sampling.order import Order, Sequential, Shuffled
from recordkit.sampling.sampler import Sampler
from recordkit.sampling.state import LoaderState, check_epoch
from recordkit.threads import ThreadedMap, count_threads

ON_ERROR = ("raise", "skip", "replace")


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
    dtype : {"uint8", "float16", "float32"}, optional
        By default uint8, float32 after a `Normalize`, or the dtype that the last callable returns.
    layout : {"NHWC", "NCHW"}, default "NHWC"
    channels : {3, 1, 4, "keep"}, default 3
        3: RGB, where gray is repeated and alpha dropped. 1: gray. 4: RGB and alpha, which is 255 if an image has none.
        "keep": as many as a `Normalize` has numbers for; without them 1 if the first images, and some from all over the
        files, are gray, and otherwise 3. After 1, an image with colours is a sample that cannot be loaded.
    label : {"array", "pad", "list"}, default "array"
        Labels of a batch. "array": all samples have as many labels as the first one. "pad": any number, in an array as
        wide as the widest sample of the batch, filled up with -1. "list": an array for each sample.
    label_dtype : {"stored", "auto", "int64", "float32"}, default "stored"
        "stored": float32, or int64 if the dataset has exact labels. "auto": int64 also if the labels of the first
        samples, and of some from all over the files, are whole numbers. Where int64 meets a fraction, the epoch ends
        with an error.
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
        dtype: str | None = None,
        layout: str = "NHWC",
        channels: int | str = 3,
        label: str = "array",
        label_dtype: str = "stored",
        last_batch: str = "keep",
        rank: tuple[int, int] = (0, 1),
        on_error: str = "raise",
        check: bool = False,
        exact: bool = False,
        memory: int | str | None = None,
        cache_dir: str | Path | None = None,
        cache_bytes: int | str | None = None,
    ) -> None:
        self._arguments: dict[str, Any] = {  # for a copy of this loader
            "batch_size": batch_size,
            "transforms": transforms,
            "shuffle": shuffle,
            "seed": seed,
            "threads": threads,
            "engine": engine,
            "dtype": dtype,
            "layout": layout,
            "channels": channels,
            "label": label,
            "label_dtype": label_dtype,
            "last_batch": last_batch,
            "rank": rank,
            "on_error": on_error,
            "check": check,
            "exact": exact,
            "memory": memory,
        }
        if on_error not in ON_ERROR:
            raise PlanError(argument="on_error", expected=f"one of {', '.join(ON_ERROR)}", got=repr(on_error))
        if not (isinstance(rank, Sequence) and len(rank) == 2):
            raise PlanError(argument="rank", expected="(number of this loader, number of loaders)", got=repr(rank))
        if not isinstance(shuffle, bool | Order):
            raise PlanError(argument="shuffle", expected="True, False or an order such as Pages(n)", got=repr(shuffle))
        # The arguments are checked before files are opened, as far as they do not depend on them.
        plan = LoadPlan(transforms, dtype, layout, channels, seed, exact)
        engine_type = choose_engine(engine)
        self.threads = count_threads(threads)
        self.dataset = _open_dataset(path, check, on_error, cache_dir, cache_bytes)
        n_samples = len(self.dataset)
        if len(self.dataset.files) > 1:
            _ = self.dataset.classes  # raises if a label means one class in one file and another one in the next
            if unnamed := self.dataset.unnamed_files:
                advice = f"name them with 'recordkit relabel {quoted(unnamed[0])} NEW --classes FILE', and use NEW"
                got = f"none in {plural(len(unnamed), 'file')}, so that one label may mean two classes"
                text = f"{unnamed[0]}: expected class names, as other files have, got {got}; {advice}"
                warnings.warn(text, UserWarning, stacklevel=2)
        if not n_samples:
            raise FormatError(path=str(self.dataset.files[0]), expected="samples", got="none")
        plan = find_channels(self.dataset, plan)
        order = _make_order(n_samples, plan.seed, shuffle=shuffle)
        self._sampler = Sampler(
            order=order,
            batch_size=batch_size,
            rank=rank[0],
            n_ranks=rank[1],
            last_batch=last_batch,  # type: ignore[arg-type]  # any str, which Sampler checks
        )
        if not len(self):
            raise PlanError(
                argument="last_batch",
                expected=f"enough samples for a batch of {batch_size} for each of {rank[1]} ranks with 'drop'",
                got=order.n,
                advice="make `batch_size` smaller, or keep or pad the last batch",
            )
        self._uses = plan_uses(self.dataset, order)
        labels = LabelReader(self.dataset, form=label, dtype=label_dtype)
        self._assembler = BatchAssembler(
            self.dataset,
            self._sampler,
            plan,
            engine_type,
            labels=labels,
            on_error=on_error,
            n_threads=self.threads,
            memory=memory,
        )
        self.memory = self._assembler.memory
        self.engine = engine_type.name
        self.channels: int = plan.channels
        self.label_dtype = labels.dtype
        self.bad_samples: list[BadSample] = self._assembler.bad_samples
        self.timing = Timing()
        self._state = LoaderState(
            fingerprint=self.dataset.fingerprint, n_samples=n_samples, order=repr(order), seed=plan.seed
        )
        # Number of batches yielded since the position of `_state`, where the epoch was begun or resumed.
        self._n_yielded = 0
        self._was_left_early = False
        self._epoch_batches: _SharedBatches | None = None
        self._lock, self._process = RLock(), os.getpid()
        self._loaded_ref: Callable[[], ThreadedMap[LoadedBatches] | None] = lambda: None

    def __repr__(self) -> str:
        return self.describe(len(self))

    def describe(self, n_batches: int) -> str:
        """Return samples, batches, their format, order, engine and files in one line.

        Parameters
        ----------
        n_batches : int
            Number of batches of an epoch, which `recordkit.interop.torch.Loader` divides among workers.
        """
        item = self._assembler.item
        shuffled = "" if isinstance(self._sampler.order, Sequential) else ", shuffled"
        threads = plural(self.threads, "thread")
        return with_places(
            f"<Loader of {plural(len(self.dataset), 'sample')}{shuffled} in {plural(n_batches, 'batch')} of "
            f"{item.dtype} {(self._sampler.batch_size, *item.shape)}, labels {self.label_dtype}: "
            f"epoch {self.epoch}, {threads} of the {self.engine} engine: {enumerate_some(self.dataset.files, limit=3)}>"
        )

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._sampler.n_batches()

    @property
    def epoch(self) -> int:
        """Number of the epoch that is under way, or of the next one."""
        return self._state.epoch

    def state_dict(self) -> dict[str, int | str]:
        """Return the position after the last batch that was yielded, as a dict for JSON."""
        position = self._sampler.position(self._n_yielded, start=self._state.position)
        return self._state.at(epoch=self.epoch, position=position).to_dict()

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Resume at the position of another loader, whose batch size, rank and number of ranks may differ.

        Raises
        ------
        FormatError, PlanError
            `state` is not a state, or was saved for other data or another order.
        """
        new_state = LoaderState.from_dict(state, current=self._state)
        self._sampler.n_batches(start=new_state.position)  # raises if the epoch does not have that position
        self._stop(is_replaced=True)
        self._state = new_state
        self._n_yielded = 0
        self._was_left_early = False

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
        return {"arguments": self._arguments, "dataset": self.dataset, "state": self.state_dict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["dataset"], **state["arguments"])  # type: ignore[misc]  # a new object of this class
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
        with self._locked():
            self._stop(is_replaced=True)
            if self._was_left_early:
                self._state = self._state.at(epoch=self.epoch + 1, position=0)
                self._n_yielded = 0
            self._epoch_batches = _SharedBatches(self._run_epoch(), self._locked)
            return self._epoch_batches

    def _stop(self, *, is_replaced: bool = False) -> None:
        """End the iteration that is under way, and wait for its threads. If it is replaced, it becomes an error."""
        with self._locked():
            batches, self._epoch_batches = self._epoch_batches, None
            if batches is not None:
                loaded = self._loaded_ref()
                batches.close(is_replaced=is_replaced)
                if loaded is not None:
                    loaded.close()

    def _locked(self) -> AbstractContextManager[bool]:
        """Return the lock of the iteration. A forked process gets its own: the other one's may be held forever."""
        if self._process != os.getpid():
            self._lock, self._process = RLock(), os.getpid()
        return self._lock

    def _run_epoch(self) -> Generator[Batch, None, None]:
        self._was_left_early = True
        epoch, start, process = self.epoch, self._state.position, os.getpid()
        n_batches, step = self._sampler.n_batches(start=start), self._assembler.batches_per_item
        items = (range(first, min(first + step, n_batches)) for first in range(0, n_batches, step))
        self.timing = timing = Timing()
        ahead = ReadAhead(self.dataset, self._uses, self._sampler, (epoch, start), timing)
        assembler, stopped = self._assembler, bytearray(1)

        def load(numbers: range) -> LoadedBatches:
            with ahead.fetched(numbers):
                return assembler.load(epoch, start, numbers, timing, stopped)

        loaded = ThreadedMap(
            load,
            ahead.items(items),
            self.threads,
            ahead=True,
            n_ahead=self._assembler.n_items_ahead,
            stopped=stopped,
        )
        self._loaded_ref = ref(loaded)  # only this generator owns the threads, so that they end when it is dropped
        n_reads = count_disk_reads()
        n_yielded = 0
        begin_s = time.perf_counter()
        try:
            while True:
                if os.getpid() != process:
                    raise RuntimeError("a forked process has no threads of the loader; start a new iteration in it")
                result = next(loaded, None)
                if result is None:
                    break
                timing.wait_s += time.perf_counter() - begin_s
                for batch in result.batches:
                    n_yielded += 1
                    self._n_yielded = n_yielded
                    yield_s = time.perf_counter()
                    yield batch
                    timing.consumer_s += time.perf_counter() - yield_s
                if result.error is not None:
                    raise result.error
                begin_s = time.perf_counter()
        except Exception:
            ahead.close()
            loaded.close()
            raise
        finally:
            ahead.close()
            timing.n_disk_reads = count_disk_reads() - n_reads
        self._state = self._state.at(epoch=epoch + 1, position=0)
        self._n_yielded = 0
        self._was_left_early = False


def _open_dataset(
    path: str | Path | Sequence[str | Path] | RecordDataset,
    check: bool,  # noqa: FBT001 (all are required)
    on_error: str,
    cache_dir: str | Path | None,
    cache_bytes: int | str | None,
) -> RecordDataset:
    if not isinstance(path, RecordDataset):
        return RecordDataset(
            path,
            check=check,
            on_error="raise" if on_error == "raise" else "skip",
            cache_dir=cache_dir,
            cache_bytes=cache_bytes,
        )
    for name, value in (("cache_dir", cache_dir), ("cache_bytes", cache_bytes)):
        if value is not None:
            raise PlanError(argument=name, expected="a path", got="a dataset", advice="open the dataset with it")
    if check and not path.is_checked:
        raise PlanError(argument="check", expected="a dataset with checksums", got=path, advice="open it with `check`")
    return path


class _SharedBatches(Iterator[Batch]):
    """The batches of an epoch, for one or more threads: a generator cannot be called by two at a time."""

    def __init__(
        self, batches: Generator[Batch, None, None], locked: Callable[[], AbstractContextManager[bool]]
    ) -> None:
        self._batches = batches
        self._locked = locked
        self._is_replaced = False

    def __next__(self) -> Batch:
        with self._locked():
            if self._is_replaced:
                raise PlanError(
                    expected="one iteration of a loader at a time",
                    got="a newer one, or another position, since this one began",
                    advice="make a Loader for each iteration",
                )
            return next(self._batches)

    def close(self, *, is_replaced: bool) -> None:
        """End the iteration before its end or after it. If it is replaced before, the next call is an error."""
        with self._locked():
            self._is_replaced = is_replaced and inspect.getgeneratorstate(self._batches) != inspect.GEN_CLOSED
            self._batches.close()


def _make_order(n_samples: int, seed: int, *, shuffle: bool | Order) -> Order:
    """Return the order that the argument `shuffle` asks for."""
    if isinstance(shuffle, bool):
        return Shuffled(n_samples, seed) if shuffle else Sequential(n_samples)
    if shuffle.n_samples != n_samples:
        raise PlanError(
            argument="shuffle", expected=f"an order of {plural(n_samples, 'sample')}", got=f"one of {shuffle.n_samples}"
        )
    return shuffle
