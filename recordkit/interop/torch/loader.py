"""The loader's batches as tensors on the same memory, shared out over ranks and over the workers of a DataLoader."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.utils.data import IterableDataset, get_worker_info

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.interop.torch.batch import Batch
from recordkit.interop.torch.epochs import SharedEpochs
from recordkit.interop.torch.transforms import on_tensors
from recordkit.loading.assembler import BadSample
from recordkit.loading.loader import Loader as ArrayLoader
from recordkit.loading.loader import describe_loader, open_loader
from recordkit.loading.options import LoaderOptions, check_names
from recordkit.loading.probe import BatchFormat
from recordkit.loading.timing import Timing
from recordkit.sampling.order import Order, Sequential
from recordkit.sampling.sampler import Sampler
from recordkit.threads import count_threads

_MEANT = {"num_workers": "threads=..., or DataLoader(loader, batch_size=None, num_workers=...)"}


class Loader(IterableDataset):
    """Batches of the images in .rec files as tensors, epoch after epoch.

    Each iteration yields one epoch, as with `recordkit.Loader`, whose methods and attributes it has: `bad_samples`,
    `timing` and so on are those of this process. The tensors use the memory of its arrays.

    A DataLoader must be told ``batch_size=None``, because the batches are complete. Epochs follow each other in its
    worker processes too; `set_epoch` begins another one.

    Parameters
    ----------
    path : str, Path, or sequence of them
        Path as for `recordkit.RecordDataset`.
    batch_size : int
        Samples per batch of one rank.
    shuffle, last_batch, layout
        Arguments of `recordkit.Loader`, but the default layout is "NCHW". With "keep", the first ranks take from the
        last samples first, so the last batch of the last ranks may be empty; use "pad" or "drop" to train on several
        ranks.
    rank : (int, int), optional
        Number of this loader and number of all loaders that share the epoch. By default those of `torch.distributed`,
        or (0, 1) without it.
    channels, label_dtype
        Arguments of `recordkit.Loader`, but the defaults are "keep" and "auto": gray files have one channel, and
        labels that are whole numbers are int64, as ``torch.nn.functional.cross_entropy`` takes them.
        Give torch.float32 for ``binary_cross_entropy_with_logits``.
    pin_memory : bool, default False
        Copy data and labels into pinned memory, from which ``batch.to(device, non_blocking=True)`` copies while the
        program goes on. Without an accelerator this does nothing. With worker processes, the DataLoader has it.
    threads : int, default 0
        Number of loading threads in each process; 0: the number of CPUs this process may use, divided by the number of
        workers.
    **options
        Other arguments of `recordkit.Loader`: transforms, among which modules of torch, such as those of torchvision,
        get tensors; seed, engine, dtype, label, on_error, check, exact, and
        memory, which each worker of a DataLoader has for itself.

    Raises
    ------
    PlanError, FormatError, ImageError, NotFoundError, MissingError
        Errors of `recordkit.Loader`.

    Examples
    --------
    >>> import numpy as np, recordkit as rk, tempfile
    >>> prefix = tempfile.mkdtemp() + "/digits"
    >>> _ = rk.pack((np.zeros((6, 28, 28), np.uint8), np.arange(6)), prefix)
    >>> from recordkit.interop.torch import Loader
    >>> loader = Loader(prefix, batch_size=4)
    >>> for data, label in loader:
    ...     print(data.shape, label)
    torch.Size([4, 1, 28, 28]) tensor([0, 1, 2, 3])
    torch.Size([2, 1, 28, 28]) tensor([4, 5])
    """

    def __init__(  # noqa: PLR0913 (those of `recordkit.Loader` whose defaults differ)
        self,
        path: str | Path | Sequence[str | Path],
        *,
        batch_size: int,
        shuffle: bool | Order = False,
        last_batch: str = "keep",
        layout: str = "NCHW",
        channels: int | str = "keep",
        label_dtype: str | torch.dtype = "auto",
        pin_memory: bool = False,
        rank: tuple[int, int] | None = None,
        threads: int = 0,
        **options: Any,
    ) -> None:
        check_names(options, "recordkit.interop.torch.Loader", _MEANT)
        self._path = path
        self._rank = rank
        self._pin_memory = pin_memory
        options["transforms"] = on_tensors(options.get("transforms", ()))
        self._options = LoaderOptions(
            batch_size=batch_size,
            shuffle=shuffle,
            last_batch=last_batch,
            layout=layout,
            channels=channels,
            label_dtype=label_dtype,
            threads=threads,
            rank=(0, 1) if rank is None else rank,  # `_open` finds the rank of the process
            **options,
        )
        self._format: BatchFormat | None = None  # known after the first loader, and then in all workers
        self._epochs = SharedEpochs()
        self._n_begun = 0
        self._is_restored = False  # a worker was given a position for itself
        self._loader: ArrayLoader | None = None
        self._loader_share: tuple[int, ...] = ()  # process, rank and number of ranks of `_loader`
        self._open()

    def __repr__(self) -> str:
        return describe_loader(self._open(), len(self))

    def __len__(self) -> int:
        """Return the number of batches in an epoch, of all workers of a rank together."""
        return self._sampler.n_batches()

    @property
    def loader(self) -> ArrayLoader:
        """The `recordkit.Loader` of this process."""
        return self._open()

    @property
    def dataset(self) -> RecordDataset:
        """The `recordkit.RecordDataset` of this process."""
        return self._open().dataset

    @property
    def engine(self) -> str:
        """Name of the engine in use."""
        return self._open().engine

    @property
    def channels(self) -> int:
        """Number of channels of the images."""
        return self._open().channels

    @property
    def label_dtype(self) -> str:
        """Type of the labels: "float32" or "int64"."""
        return self._open().label_dtype

    @property
    def threads(self) -> int:
        """Number of loading threads of this process."""
        return self._open().threads

    @property
    def memory(self) -> int:
        """The budget of this process, in bytes."""
        return self._open().memory

    @property
    def epoch(self) -> int:
        """Number of the epoch that is under way in this process, or of the next one."""
        return self._open().epoch

    @property
    def bad_samples(self) -> list[BadSample]:
        """Samples that could not be loaded in this process so far, each once."""
        return self._open().bad_samples

    @property
    def timing(self) -> Timing:
        """Times of the last epoch of this process, and what it fetched from a store."""
        return self._open().timing

    def close(self) -> None:
        """End the epoch that is under way in this process, and close the files. A second call does nothing."""
        self._open().close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_about: object) -> None:
        self.close()

    def set_epoch(self, epoch: int) -> None:
        """Begin the next iteration with this epoch, also in workers that were started before.

        Without a call the epochs follow each other.

        Raises
        ------
        PlanError
            `epoch` is not 0 to 2**32 - 1.
        """
        self._open().set_epoch(epoch)
        self.load_state_dict(self.state_dict())

    def state_dict(self) -> dict[str, int | str]:
        """Return the position of this process's loader. For batches from a DataLoader's workers use `Batch.state`."""
        return self._open().state_dict()

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Resume at a position, also in workers that were started before, with any number of workers and ranks.

        Raises
        ------
        FormatError, PlanError
            `state` is not a state, or was saved for other data or another order.
        """
        loader = self._open()
        loader.load_state_dict(state)
        if get_worker_info() is None:
            restored = loader.state_dict()
            self._epochs.set(int(restored["epoch"]), position=int(restored["position"]))
        else:  # torchdata tells each worker its own position
            self._is_restored = True

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over the batches of one epoch, or over this worker's share of them."""
        loader = self._open()
        worker, identity = self._identify_iteration()
        if self._is_restored:
            self._is_restored = False
            self._epochs.note(worker, identity, loader.epoch)
        else:
            epoch, position = self._epochs.begin(worker, identity)
            loader.load_state_dict(loader.state_dict() | {"epoch": epoch, "position": position})
        batches = iter(loader)
        return self._convert(batches, loader.state_dict())

    def _identify_iteration(self) -> tuple[int, str]:
        """Return the number of this worker, and a text that only the workers of the iteration that begins have."""
        self._n_begun += 1
        info = get_worker_info()
        if info is None:
            return 0, f"process {os.getpid()}, {self._n_begun}"
        if self._pin_memory:
            raise PlanError(
                argument="pin_memory",
                expected="False in the worker of a DataLoader, whose memory cannot be pinned",
                got=True,
                advice="write DataLoader(loader, batch_size=None, pin_memory=True)",
            )
        return info.id, f"seed {info.seed - info.id}, {self._n_begun}"

    def _convert(self, batches: Iterator[Any], state: dict[str, int | str]) -> Iterator[Batch]:
        """Yield the loader's batches as tensors; each has the state after it."""
        worker, n_workers = _worker()
        start = int(state["position"])
        n_batches = self._sampler.n_batches(start=start)
        for n_before, batch in enumerate(batches):
            number = n_before * n_workers + worker
            if number >= n_batches:  # padding, which gives all workers the same number of batches
                continue
            rows = slice(batch.n_valid if self._options.last_batch == "keep" else None)
            label = batch.label[rows]
            result = Batch(
                data=torch.from_numpy(batch.data[rows]),
                label=[torch.from_numpy(each) for each in label]
                if isinstance(label, list)
                else torch.from_numpy(label),
                key=torch.from_numpy(batch.key[rows].view(np.int64)),
                n_valid=batch.n_valid,
                index=torch.from_numpy(batch.index[rows]),
                state=state | {"position": self._sampler.position(number + 1, start=start)},
                n_labels=None if batch.n_labels is None else torch.from_numpy(batch.n_labels[rows]),
            )
            yield result.pin_memory() if self._pin_memory and torch.cuda.is_available() else result

    def _open(self) -> ArrayLoader:
        """Return the loader of this process, worker and rank. The first call in each of them makes it."""
        worker, n_workers = _worker()
        rank, n_ranks = self._rank or _distributed_rank() or (0, 1)
        loader_share = os.getpid(), worker * n_ranks + rank, n_workers * n_ranks
        if self._loader is None or self._loader_share != loader_share:
            # The workers take the batches of their rank in turn, as a DataLoader expects them. Padding gives each
            # worker the same number of batches.
            last_batch = self._options.last_batch
            options = replace(
                self._options,
                last_batch=last_batch if loader_share[2] == 1 else "pad",
                rank=loader_share[1:],
                threads=self._options.threads or max(1, count_threads(0) // n_workers),
            )
            self._loader, self._format = open_loader(self._path, options, self._format)
            shuffle = self._options.shuffle
            n = shuffle.n if isinstance(shuffle, Order) else len(self._loader.dataset)
            self._sampler = Sampler(  # counts the batches that the rank has without workers
                order=Sequential(n),
                batch_size=self._options.batch_size,
                rank=rank,
                n_ranks=n_ranks,
                last_batch=last_batch,  # type: ignore[arg-type]  # any str, which Sampler checks
            )
            self._loader_share = loader_share
        return self._loader

    def __getstate__(self) -> dict[str, Any]:
        # The rank travels along, because a worker that is spawned cannot ask torch.distributed for it. A process that
        # has no rank yet leaves it open.
        return self.__dict__ | {"_loader": None, "_rank": self._rank or _distributed_rank()}


def _worker() -> tuple[int, int]:
    """Return the number of this DataLoader worker and the number of workers; (0, 1) outside a worker."""
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)


def _distributed_rank() -> tuple[int, int] | None:
    """Return rank and world size of `torch.distributed`; None if it is not initialised."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return None
