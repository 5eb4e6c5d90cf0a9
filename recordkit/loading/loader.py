"""From a .rec file to batches: threads and prefetch around dataset, sampler and engine."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from weakref import ref

import numpy as np

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError
from recordkit.loading.batch import Batch
from recordkit.loading.choice import choose
from recordkit.loading.engine import Request, Room, locate, name
from recordkit.loading.plan import LoadPlan, fixed_size
from recordkit.loading.python import first_n_labels, first_size
from recordkit.loading.slots import Slots
from recordkit.loading.timing import Timing
from recordkit.sampling.order import Order, Sequential, Shuffled
from recordkit.sampling.sampler import Picks, Sampler
from recordkit.sampling.state import LoaderState
from recordkit.threads import ThreadedMap, count_threads
from recordkit.transforms import Normalize, Transform

ON_ERROR = ("raise", "skip", "replace")

# A thread's turn is a batch, or as many as make this much: handing out a turn costs as much as loading 50 digits, and
# the threads do it one at a time.
_TURN_BYTES = 1 << 22
_MOST_BATCHES = 64
# How many samples in a row may be replaced by the next one.
_MOST_REPLACED = 100


class Bad(NamedTuple):
    """A sample that could not be loaded.

    Attributes
    ----------
    key : int
    file : Path
    reason : str
    """

    key: int
    file: Path
    reason: str


class _Turn(NamedTuple):
    """What a thread has loaded: batches, and the error of the sample behind them, if there is one."""

    batches: list[Batch]
    error: Exception | None


class Loader:
    """Batches of the images in .rec files, epoch after epoch.

    Iterating gives one epoch. What it gives depends on the files and on these arguments alone, never on `threads`, and
    an order and its random draws neither on `batch_size` nor `rank`. An epoch that is left early is over: the next
    iteration begins the next one, but after `load_state_dict`, where it goes on exactly there.

    Parameters
    ----------
    path : str, Path, sequence of them, or RecordDataset
        As for `recordkit.RecordDataset`; or a dataset, such as a part of one, which `close` closes too.
    batch_size : int
        Samples in a batch of one rank.
    transforms : sequence of Transform, default ()
        Applied in this order; together they must make all images one size. A `Normalize` only at the end.
    shuffle : bool or Order, default False
        In the order of the file, in a new random one each epoch, or in one of `recordkit.sampling.order`.
    seed : int, 0 to 2**64 - 1, default 0
        Of the order and of all random draws.
    threads : int, default 0
        That load; 0: as many as CPUs this process may use.
    engine : {"auto", "native", "python"}, default "auto"
        "auto" takes the native one if it is built.
    dtype : {"uint8", "float16", "float32"}, default "uint8"
    layout : {"NHWC", "NCHW"}, default "NHWC"
    channels : {3, 1, 4}, default 3
        RGB, gray repeated and alpha dropped; gray; or RGB and alpha, 255 where an image has none.
    last_batch : {"pad", "keep", "drop"}, default "keep"
        What becomes of samples that do not fill a batch; see `recordkit.sampling.sampler.Sampler`.
    rank : (int, int), default (0, 1)
        Which of how many loaders that share the epoch this one is.
    on_error : {"raise", "skip", "replace"}, default "raise"
        A sample that cannot be loaded ends the epoch, is left out of its batch, or the next one in the file takes its
        place. `bad` names them.
    exact : bool, default False
        Decode JPEGs in full before they are resized; see `recordkit.loading.plan.LoadPlan`.

    Attributes
    ----------
    dataset : RecordDataset
    engine : str
        The one that loads.
    threads : int
        How many do.
    epoch : int
        The one that is under way, or the next.
    bad : list of Bad
        Samples that could not be loaded so far, each once.
    timing : Timing
        Of the last epoch.

    Raises
    ------
    PlanError
        Arguments are out of range or contradict each other.
    FormatError, FileNotFoundError
        The dataset cannot be opened.
    MissingError
        The engine is not there.

    Examples
    --------
    >>> import recordkit as rk, tempfile
    >>> from recordkit.formats import ubyte
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((6, 28, 28), np.uint8)))
    >>> _ = (folder / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.arange(6, dtype=np.uint8)))
    >>> _ = rk.pack(folder, folder / "digits", plan=rk.PackPlan(encoding="raw"))
    >>> loader = rk.Loader(folder / "digits_train.rec", batch_size=4, channels=1)
    >>> [(batch.data.shape, batch.label.tolist()) for batch in loader]
    [((4, 28, 28, 1), [0.0, 1.0, 2.0, 3.0]), ((2, 28, 28, 1), [4.0, 5.0])]
    """

    def __init__(  # noqa: PLR0913 (the one door to all of it; keyword-only)
        self,
        path: str | Path | Sequence[str | Path] | RecordDataset,
        *,
        batch_size: int,
        transforms: Sequence[Transform | Normalize] = (),
        shuffle: bool | Order = False,
        seed: int = 0,
        threads: int = 0,
        engine: str = "auto",
        dtype: str = "uint8",
        layout: str = "NHWC",
        channels: int = 3,
        last_batch: str = "keep",
        rank: tuple[int, int] = (0, 1),
        on_error: str = "raise",
        exact: bool = False,
    ) -> None:
        if on_error not in ON_ERROR:
            raise PlanError(f"on_error: expected one of {', '.join(ON_ERROR)}, got {on_error!r}")
        if not isinstance(shuffle, bool | Order):
            raise PlanError(f"shuffle: expected True, False or an order such as Pages(n), got {shuffle!r}")
        if not (isinstance(rank, Sequence) and len(rank) == 2):
            raise PlanError(f"rank: expected (which, of how many), got {rank!r}")
        plan = LoadPlan(transforms, dtype, layout, channels, seed, exact)
        worker = choose(engine)
        self.threads = count_threads(threads)
        self.dataset = path if isinstance(path, RecordDataset) else RecordDataset(path)
        n = len(self.dataset)
        if not n:
            raise FormatError("expected samples, got none", path=str(self.dataset.files[0]))
        order = shuffle if isinstance(shuffle, Order) else Shuffled(n, plan.seed) if shuffle else Sequential(n)
        if order.n_samples != n:
            raise PlanError(f"shuffle: expected an order of {n} samples, got one of {order.n_samples}")
        self._sampler = Sampler(
            order=order,
            batch_size=batch_size,
            rank=rank[0],
            n_ranks=rank[1],
            last_batch=last_batch,  # type: ignore[arg-type]
        )
        if not len(self):
            raise PlanError(
                f"last_batch: expected enough samples for a batch of {batch_size} for each of {rank[1]} ranks with "
                f"'drop', got {order.n}; make batch_size smaller, or keep or pad the last batch"
            )
        self.engine = worker.name
        self.bad: list[Bad] = []
        self.timing = Timing()
        self._bad_indices: set[int] = set()
        self._on_error = on_error
        size = fixed_size(plan.steps, plan.channels) or first_size(self.dataset, plan)
        self._item_shape = plan.item_shape(size)
        self._n_labels = first_n_labels(self.dataset)
        self._engine = worker(self.dataset, plan, size)
        self._slots = Slots(plan.dtype, n_kept=2 * self.threads + 2)
        self._state = LoaderState(fingerprint=self.dataset.fingerprint, n_samples=n, order=repr(order), seed=plan.seed)
        # Batches of the epoch that were given since it was begun, or restored, at the state.
        self._given = 0
        self._left_early = False
        self._running: Generator[Batch, None, None] | None = None
        self._loaded: Callable[[], ThreadedMap[_Turn] | None] = lambda: None

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._sampler.n_batches()

    @property
    def epoch(self) -> int:
        """The epoch that is under way, or the next."""
        return self._state.epoch

    def state_dict(self) -> dict[str, int | str]:
        """Return where the loader is, for JSON: behind the last batch that it gave."""
        position = self._sampler.position(self._given, start=self._state.position)
        return self._state.at(epoch=self.epoch, position=position).to_dict()

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from where another loader was, of any batch size, rank, or number of ranks.

        Raises
        ------
        FormatError, PlanError
            The state is none, or was saved for other data or another order.
        """
        new = LoaderState.from_dict(state, own=self._state)
        self._sampler.n_batches(start=new.position)  # refuses one that the epoch does not have
        self._stop()
        self._state = new
        self._given = 0
        self._left_early = False

    def close(self) -> None:
        """End an epoch that is under way, and close the files. A second call does nothing."""
        self._stop()
        self.dataset.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_about: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches of one epoch, or of the rest of the one that was restored."""
        self._stop()
        if self._left_early:
            self._state = self._state.at(epoch=self.epoch + 1, position=0)
            self._given = 0
        self._running = self._epoch()
        return self._running

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            loaded = self._loaded()
            running.close()
            if loaded is not None:
                loaded.close()

    def _epoch(self) -> Generator[Batch, None, None]:
        self._left_early = True
        epoch, start, process = self.epoch, self._state.position, os.getpid()
        n_batches = self._sampler.n_batches(start=start)
        item_bytes = int(np.prod(self._item_shape)) * self._slots.dtype.itemsize
        turn = max(1, min(_MOST_BATCHES, _TURN_BYTES // (item_bytes * self._sampler.batch_size)))
        turns = (range(first, min(first + turn, n_batches)) for first in range(0, n_batches, turn))
        self.timing = timing = Timing()
        loaded = ThreadedMap(lambda numbers: self._load(epoch, start, numbers, timing), turns, self.threads, ahead=True)
        self._loaded = ref(loaded)
        number, n_reads = 0, resource.getrusage(resource.RUSAGE_SELF).ru_inblock
        begin_s = time.perf_counter()
        try:
            while True:
                if os.getpid() != process:
                    raise RuntimeError("the loader's threads did not come along into this process; iterate anew here")
                turn_loaded = next(loaded, None)
                if turn_loaded is None:
                    break
                timing.waited_s += time.perf_counter() - begin_s
                for batch in turn_loaded.batches:
                    number += 1
                    self._given = number
                    given_s = time.perf_counter()
                    yield batch
                    timing.used_s += time.perf_counter() - given_s
                if turn_loaded.error is not None:
                    raise turn_loaded.error
                begin_s = time.perf_counter()
        except Exception:
            loaded.close()
            raise
        finally:
            timing.n_disk_reads = resource.getrusage(resource.RUSAGE_SELF).ru_inblock - n_reads
        self._state = self._state.at(epoch=epoch + 1, position=0)
        self._given = 0
        self._left_early = False

    def _load(self, epoch: int, start: int, numbers: range, timing: Timing) -> _Turn:
        """Load batches that follow each other, up to the first sample that is an error."""
        begin_s, begin_cpu_s = time.perf_counter(), time.thread_time()
        picks = self._sampler.batches(epoch, numbers[0], len(numbers), start=start)
        positions = np.concatenate([each.positions for each in picks])
        indices = np.concatenate([each.indices for each in picks])
        n = len(indices)
        data = self._slots.take((n, *self._item_shape))
        labels = np.empty((n, self._n_labels), np.float32)
        request = Request(epoch, positions, indices)
        failed = self._engine.load(request, Room(data, labels))
        error = None
        if failed and self._on_error == "raise":
            place = min(failed)
            error = locate(self.dataset, int(indices[place]), failed[place])
            error.__cause__ = failed[place] if error is not failed[place] else None
            ends = np.cumsum([len(each.indices) for each in picks])
            picks = picks[: int(np.searchsorted(ends, place, side="right"))]
        elif failed:
            indices = indices.copy()
            self._deal_with(failed, request._replace(indices=indices), Room(data, labels))
        exact = self.dataset.exact_labels(indices)
        label = labels if exact is None else exact.reshape(n, -1)
        label = label[:, 0] if label.shape[1] == 1 else label
        keys = self.dataset.keys_at(indices)
        batches = []
        begin = 0
        for each in picks:
            rows = self._rows(begin, each, failed)
            n_valid = each.n_valid
            if isinstance(rows, list):
                n_valid = sum(row - begin < n_valid for row in rows)
            batches.append(Batch(data[rows], label[rows], keys[rows], indices[rows], n_valid))
            begin += len(each.indices)
        timing.worked_s += time.perf_counter() - begin_s
        timing.computed_s += time.thread_time() - begin_cpu_s
        return _Turn(batches, error)

    def _rows(self, begin: int, picks: Picks, failed: Mapping[int, Exception]) -> slice | list[int]:
        """Return which of the loaded samples are one batch's, from `begin` on."""
        end = begin + len(picks.indices)
        if not failed or self._on_error != "skip":
            return slice(begin, end)
        return [row for row in range(begin, end) if row not in failed]

    def _deal_with(self, failed: Mapping[int, Exception], request: Request, room: Room) -> None:
        """Count or replace what could not be loaded; a replaced sample's index is changed in `request`."""
        for place, error in failed.items():
            index = int(request.indices[place])
            if index not in self._bad_indices:
                self._bad_indices.add(index)
                self.bad.append(Bad(*name(self.dataset, index), str(error)))
            if self._on_error == "replace":
                self._replace(place, request, room, locate(self.dataset, index, error))

    def _replace(self, place: int, request: Request, room: Room, error: Exception) -> None:
        one = slice(place, place + 1)
        for _ in range(_MOST_REPLACED):
            request.indices[place] = (request.indices[place] + 1) % len(self.dataset)
            part = Request(request.epoch, request.positions[one], request.indices[one])
            if not self._engine.load(part, Room(room.data[one], room.labels[one])):
                return
        raise error
