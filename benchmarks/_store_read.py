"""Reads a dataset in an object store in one way, for some epochs, and prints the figures of each epoch.

Usage: python benchmarks/_store_read.py REQUEST

REQUEST is a JSON object; see `Request`. The last line of the output is a JSON object with "epochs", a list of the
figures of each; see `measure`. `compare_object_store.py` runs this program.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _store_counts import read_counts
from numpy.typing import NDArray

import recordkit as rk
from recordkit import native
from recordkit.loading.plan import LoadPlan
from recordkit.memory import MemoryBudget
from recordkit.sampling.order import Pages

N_THREADS = 2
N_REQUESTS = 32
BATCH_SIZE = 64
SIDE = 224
BUCKET = "bench"
# Draws of the transforms depend on the seed; the work does not.
TRANSFORMS = (rk.RandomResizedCrop(SIDE), rk.RandomFlip())

StartEpoch = Callable[[], Iterator[int]]
"""Starts an epoch, whose iterator yields the number of samples of each batch."""


@dataclass(frozen=True)
class Request:
    """A dataset to read, and how.

    Attributes
    ----------
    reader : str
        Name of a reader in `READERS` here or in `_store_peers`.
    url : str
        Where the reader's own form of the data begins: a .rec file, or a prefix or folder.
    index : str
        A local .npz file with the begin and end of each encoded image; for readers that know no index.
    cache : str
        Folder of the reader's local cache.
    cache_bytes : int
    metrics : str
        URL of the server's counters.
    n_samples : int
        Samples to read in an epoch; readers that read one range for each record may read fewer than there are.
    order : {"sequential", "pages", "shuffle"}, default "sequential"
    decode : bool, default True
        Decode the images, crop, resize to `SIDE` and flip; otherwise only get their bytes.
    channels : int, default 3
    epochs : int, default 2
    """

    reader: str
    url: str
    index: str
    cache: str
    cache_bytes: int
    metrics: str
    n_samples: int
    order: str = "sequential"
    decode: bool = True
    channels: int = 3
    epochs: int = 2


class BatchDecoder:
    """Decodes and transforms encoded images by the native engine, as the Loader does.

    Every peer decodes with it, so that the figures differ by how the bytes come and not by the decoder.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int = 3) -> None:
        self._channels = channels
        self._loader: Any = None
        self._budget: MemoryBudget | None = None
        self._n_decoded = 0

    def __call__(self, payloads: Sequence[bytes]) -> NDArray[np.uint8]:
        """Return the images, shape (n, SIDE, SIDE, channels)."""
        core = native.load()
        if self._loader is None:  # made in the process that decodes, because a worker gets this object pickled
            self._loader, self._budget = self._make_loader(), MemoryBudget(1 << 30, 1)
        n = len(payloads)
        keys, bounds = np.arange(n, dtype=np.uint64), np.arange(n + 1, dtype=np.uint64)
        labels = np.zeros(n, np.float32)
        frames, sizes, _ = core.frame_records(
            keys, labels, bounds, list(map(bytes, payloads)), first_label=False, checksums=False
        )
        ends = np.cumsum(np.array(sizes, np.uint64), dtype=np.uint64)
        extents = core.Extents(len(frames), _fetch_nothing)
        extents.add_bytes(0, frames)
        file = core.RecordFile("batch", extents)
        positions = np.arange(self._n_decoded, self._n_decoded + n)
        self._n_decoded += n
        no_checksums = np.empty(0, np.uint32)
        begins = ends - np.array(sizes, np.uint64)
        records = core.Records([file], np.zeros(n, np.int64), begins, ends, no_checksums, positions, 0)
        images = np.empty((n, SIDE, SIDE, self._channels), np.uint8)
        failed = self._loader.load(records, images, labels.reshape(n, 1), self._budget, bytearray(1))
        if len(failed):
            raise ValueError(f"expected images that the native engine decodes, got {len(failed)} others")
        return images

    def _make_loader(self) -> Any:
        from recordkit.loading.native import _native_specs

        plan = LoadPlan(TRANSFORMS, channels=self._channels)
        return native.load().BatchLoader(
            steps=_native_specs(plan.steps),
            channels=plan.channels,
            gray_only=False,
            scale_in_dct=True,
            seed=0,
            dtype="uint8",
            planar=False,
            height=SIDE,
            width=SIDE,
            mean=np.zeros(plan.channels, np.float32),
            factor=np.ones(plan.channels, np.float32),
        )


def _fetch_nothing(begin: int, end: int) -> None:
    raise ValueError(f"expected reads within the batch, got one of bytes {begin} to {end}")


def batches(n: int) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of each batch of an epoch in file order."""
    for begin in range(0, n, BATCH_SIZE):
        yield np.arange(begin, min(begin + BATCH_SIZE, n))


def loader(request: Request) -> StartEpoch:
    """Read with recordkit's Loader, which decodes always."""
    orders: dict[str, Any] = {"sequential": False, "shuffle": True}
    opened = rk.RecordDataset(request.url, cache_dir=request.cache, cache_bytes=request.cache_bytes)
    order = orders.get(request.order)
    epochs = rk.Loader(
        opened,
        batch_size=BATCH_SIZE,
        transforms=TRANSFORMS if request.decode else (),
        shuffle=Pages(len(opened)) if order is None else order,
        threads=N_THREADS,
        channels=request.channels,
    )
    return lambda: (batch.n_valid for batch in epochs)


def dataset(request: Request) -> StartEpoch:
    """Read the records with recordkit's RecordDataset, in file order, many at a time."""
    opened = rk.RecordDataset(request.url, cache_dir=request.cache, cache_bytes=request.cache_bytes)
    step = 4096

    def start_epoch() -> Iterator[int]:
        for begin in range(0, request.n_samples, step):
            yield len(opened[np.arange(begin, min(begin + step, request.n_samples))])

    return start_epoch


def store_ranges(request: Request) -> StartEpoch:
    """Read one range for each record with recordkit's own client, without pages and cache."""
    from concurrent.futures import ThreadPoolExecutor

    from recordkit.storage.remote.settings import RemoteSettings
    from recordkit.storage.remote.store import open_store
    from recordkit.storage.remote.urls import Url

    url = Url.parse(request.url)
    store = open_store(url, RemoteSettings(n_requests=N_REQUESTS))
    etag = store.facts(url.key).etag
    threads = ThreadPoolExecutor(N_REQUESTS)

    def read(bounds: tuple[int, int]) -> bytes:
        return store.read_range(url.key, *bounds, etag)

    return by_ranges(request, lambda ranges: list(threads.map(read, ranges)))


def by_ranges(request: Request, read_ranges: Callable[[list[tuple[int, int]]], list[bytes]]) -> StartEpoch:
    """Return an epoch by a function that reads some ranges at once: batches are read ahead and decoded in threads.

    Parameters
    ----------
    request : Request
    read_ranges : function
        Return the bytes of some ranges, which it reads at once.
    """
    from concurrent.futures import ThreadPoolExecutor

    with np.load(request.index) as file:
        begins, ends = (file[name].tolist() for name in ("begins", "ends"))
    decoder = BatchDecoder(request.channels)
    readers, decoders = ThreadPoolExecutor(N_THREADS), ThreadPoolExecutor(N_THREADS)

    def read(indices: NDArray[np.int64]) -> list[bytes]:
        return read_ranges([(begins[index], ends[index]) for index in indices.tolist()])

    def finish(payloads: list[bytes]) -> int:
        return len(decoder(payloads) if request.decode else payloads)

    def start_epoch() -> Iterator[int]:
        # A batch is decoded while the next ones are read.
        waiting, decoding = [], []
        for indices in batches(request.n_samples):
            waiting.append(readers.submit(read, indices))
            if len(waiting) > N_THREADS:
                decoding.append(decoders.submit(finish, waiting.pop(0).result()))
            if len(decoding) > N_THREADS:
                yield decoding.pop(0).result()
        decoding += [decoders.submit(finish, each.result()) for each in waiting]
        yield from (each.result() for each in decoding)

    return start_epoch


READERS: dict[str, Callable[[Request], StartEpoch]] = {
    "loader": loader,
    "dataset": dataset,
    "ranges": store_ranges,
}


def measure(open_reader: Callable[[Request], StartEpoch], request: Request) -> Iterator[dict[str, float]]:
    """Read the epochs; yield samples, seconds, CPU seconds, requests and bytes fetched of each.

    The first epoch contains the opening, but no imports. CPU seconds are of this process and of its workers, which end
    with the epoch.
    """
    start_epoch = None
    for _ in range(request.epochs):
        counts, cpu_s, begin_s = read_counts(request.metrics), _cpu_s(), time.perf_counter()
        start_epoch = start_epoch or open_reader(request)
        n = sum(start_epoch())
        seconds, used_s = time.perf_counter() - begin_s, _cpu_s() - cpu_s
        fetched = read_counts(request.metrics).since(counts)
        yield {
            "n": n,
            "seconds": seconds,
            "cpu_s": used_s,
            "n_requests": fetched.n_requests,
            "n_bytes": fetched.n_bytes,
        }


def _cpu_s() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Read, and print the figures."""
    request = Request(**json.loads(sys.argv[1]))
    Path(request.cache).mkdir(parents=True, exist_ok=True)
    import _store_peers

    # Imports take seconds in which no dataset is opened.
    _ = rk.Loader, rk.RecordDataset, native.load()
    for module in _store_peers.PACKAGES.get(request.reader, ("obstore",)):
        importlib.import_module(module)
    readers = READERS | _store_peers.READERS
    print(json.dumps({"epochs": list(measure(readers[request.reader], request))}))


if __name__ == "__main__":
    main()
