"""The loader's batches as tensors of the same memory, shared out over ranks and over a DataLoader's workers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.utils.data import IterableDataset, get_worker_info

from recordkit.loading.loader import Loader as ArrayLoader
from recordkit.sampling.order import Order, Sequential
from recordkit.sampling.sampler import Sampler
from recordkit.threads import count_threads


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples as tensors. Unpacks to two: ``data, label = batch``.

    Attributes
    ----------
    data : Tensor, shape (B, C, H, W) or (B, H, W, C)
        uint8, float16 or float32, as the loader was asked for.
    label : Tensor, shape (B,) or (B, w)
        float32, which ``label.long()`` makes classes of; int64 where the dataset has exact labels.
    key : Tensor of int64, shape (B,)
        torch computes little with uint64: keys of 2**63 and more are here less by 2**64.
    n_valid : int
        How many samples, from the first on, are not there only to fill the batch up.
    index : Tensor of int64, shape (B,)
        Positions in the dataset.
    state : dict of str to int or str
        Where to go on behind this batch, for `Loader.load_state_dict`. Of all ranks it is the same.
    """

    data: torch.Tensor
    label: torch.Tensor
    key: torch.Tensor
    n_valid: int
    index: torch.Tensor
    state: dict[str, int | str]

    def __iter__(self) -> Iterator[torch.Tensor]:
        yield self.data
        yield self.label

    def pin_memory(self) -> Batch:
        """Return the batch with data and label in pinned memory; torch's DataLoader calls it if asked to pin."""
        return replace(self, data=self.data.pin_memory(), label=self.label.pin_memory())


class Loader(IterableDataset):
    """Batches of the images in .rec files as tensors, epoch after epoch.

    Iterating gives one epoch, as `recordkit.Loader` does, whose memory the tensors share as long as they live.

    The worker processes of a DataLoader begin anew each epoch and cannot know its number: call `set_epoch` before each.
    A DataLoader is asked for whole batches with ``batch_size=None``.

    Parameters
    ----------
    path : str, Path, or sequence of them
        As for `recordkit.RecordDataset`.
    batch_size : int
        Samples in a batch of one rank.
    shuffle, last_batch, layout
        As for `recordkit.Loader`, but the layout is "NCHW" by default. With "keep", the last ranks have what the first
        ones leave of the last samples, so that their last batch may be empty; training on several ranks wants "pad" or
        "drop".
    rank : (int, int), optional
        Which of how many loaders that share the epoch this one is; by default that of `torch.distributed`, else (0, 1).
    threads : int, default 0
        That load, in each process; 0: the CPUs this process may use, shared out over the workers.
    **options
        The others of `recordkit.Loader`: transforms, seed, engine, dtype, channels, on_error, exact.

    Raises
    ------
    PlanError, FormatError, FileNotFoundError, MissingError
        As for `recordkit.Loader`.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit import PackPlan, pack
    >>> from recordkit.formats import ubyte
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((6, 28, 28), np.uint8)))
    >>> _ = (folder / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.arange(6, dtype=np.uint8)))
    >>> _ = pack(folder, folder / "digits", plan=PackPlan(encoding="raw"))
    >>> loader = Loader(folder / "digits_train.rec", batch_size=4, channels=1)
    >>> for data, label in loader:
    ...     print(data.shape, label)
    torch.Size([4, 1, 28, 28]) tensor([0., 1., 2., 3.])
    torch.Size([2, 1, 28, 28]) tensor([4., 5.])
    """

    def __init__(
        self,
        path: str | Path | Sequence[str | Path],
        *,
        batch_size: int,
        shuffle: bool | Order = False,
        last_batch: str = "keep",
        layout: str = "NCHW",
        rank: tuple[int, int] | None = None,
        threads: int = 0,
        **options: Any,
    ) -> None:
        self._path = path
        self._batch_size = batch_size
        self._last_batch = last_batch
        self._rank = rank
        self._threads = threads
        self._options = options | {"shuffle": shuffle, "layout": layout}
        # How often it was said where to go on, and there epoch and position. In shared memory, because the workers of
        # a DataLoader may be running already.
        self._said = torch.zeros(3, dtype=torch.int64).share_memory_()
        self._n_heard = 0
        self._loader: ArrayLoader | None = None
        self._made_for: tuple[int, ...] = ()
        self._open()

    def __len__(self) -> int:
        """Return the number of batches in an epoch, of all workers of a rank together."""
        return self._sampler.n_batches()

    @property
    def loader(self) -> ArrayLoader:
        """The `recordkit.Loader` that reads in this process, for its `bad`, `timing` and `close`."""
        return self._open()

    def set_epoch(self, epoch: int) -> None:
        """Begin with this epoch next, also in workers that were started before."""
        self.load_state_dict(self.state_dict() | {"epoch": int(epoch), "position": 0})

    def state_dict(self) -> dict[str, int | str]:
        """Return where the loader of this process is; what a DataLoader's workers gave is in `Batch.state` only."""
        return self._open().state_dict()

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from there, also in workers that were started before, whatever the number of workers and ranks.

        Raises
        ------
        FormatError, PlanError
            The state is none, or was saved for other data or another order.
        """
        loader = self._open()
        loader.load_state_dict(state)
        if get_worker_info() is None:  # a worker that is told where it was, as torchdata does, tells no other
            place = loader.state_dict()
            self._said[1:] = torch.tensor([place["epoch"], place["position"]])
            self._said[0] += 1
        self._n_heard = int(self._said[0])

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches of one epoch, or this worker's share of them."""
        loader = self._open()
        n_said, epoch, position = self._said.tolist()
        if n_said != self._n_heard:
            loader.load_state_dict(loader.state_dict() | {"epoch": epoch, "position": position})
            self._n_heard = n_said
        batches = iter(loader)
        return self._share(batches, loader.state_dict())

    def _share(self, batches: Iterator[Any], state: dict[str, int | str]) -> Iterator[Batch]:
        worker, n_workers = _worker()
        start = int(state["position"])
        n_batches = self._sampler.n_batches(start=start)
        for turn, batch in enumerate(batches):
            number = turn * n_workers + worker
            if number >= n_batches:  # there only because all workers have the same number of turns
                continue
            some = slice(batch.n_valid if self._last_batch == "keep" else None)
            yield Batch(
                data=torch.from_numpy(batch.data[some]),
                label=torch.from_numpy(batch.label[some]),
                key=torch.from_numpy(batch.key[some].view(np.int64)),
                n_valid=batch.n_valid,
                index=torch.from_numpy(batch.index[some]),
                state=state | {"position": self._sampler.position(number + 1, start=start)},
            )

    def _open(self) -> ArrayLoader:
        """Return the loader of this process and place among workers and ranks."""
        worker, n_workers = _worker()
        rank, n_ranks = self._rank or _rank() or (0, 1)
        made_for = os.getpid(), worker * n_ranks + rank, n_workers * n_ranks
        if self._loader is None or self._made_for != made_for:
            # Workers have turns at the batches of their rank, as a DataLoader takes them; padding gives all as many.
            alone = made_for[2] == 1
            self._loader = ArrayLoader(
                self._path,
                batch_size=self._batch_size,
                last_batch=self._last_batch if alone else "pad",
                rank=made_for[1:],
                threads=self._threads or max(1, count_threads(0) // n_workers),
                **self._options,
            )
            shuffle = self._options["shuffle"]
            n = shuffle.n if isinstance(shuffle, Order) else len(self._loader.dataset)
            self._sampler = Sampler(  # only counts: what a rank has without workers
                order=Sequential(n),
                batch_size=self._batch_size,
                rank=rank,
                n_ranks=n_ranks,
                last_batch=self._last_batch,  # type: ignore[arg-type]
            )
            self._made_for = made_for
            self._n_heard = 0
        return self._loader

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is spawned knows no ranks; a process that is going to train may not know its own yet.
        return self.__dict__ | {"_loader": None, "_rank": self._rank or _rank()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._said.share_memory_()  # it is in a worker, but not in a copy


def _worker() -> tuple[int, int]:
    """Return which of how many workers of a DataLoader this process is; (0, 1) if it is none."""
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)


def _rank() -> tuple[int, int] | None:
    """Return which of how many processes that train together this is; None if it is none, or none yet."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return None
