"""The number of a training process among all that share an epoch, wherever the processes were started."""

from __future__ import annotations

import sys
import warnings


def rank() -> tuple[int, int]:
    """Return the number of this process and the number of all processes, for ``recordkit.Loader(rank=...)``.

    They are those of `torch.distributed` if its process group is initialised; otherwise those of Ray Train if this is
    one of its workers; otherwise (0, 1). Neither library is imported, because whoever uses one has imported it.
    `recordkit.interop.torch.Loader` does the first by itself.

    Examples
    --------
    >>> rank()
    (0, 1)
    >>> loader = recordkit.Loader("train.rec", batch_size=64, rank=rank(), last_batch="pad")  # doctest: +SKIP
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return _train_rank() or (0, 1)


def _train_rank() -> tuple[int, int] | None:
    """Return the rank in Ray Train; None if this process is none of its workers."""
    train = sys.modules.get("ray.train")
    if train is None:
        return None
    try:
        with warnings.catch_warnings():  # outside a worker, Ray 2.40 warns and returns 0 and 1
            warnings.simplefilter("ignore")
            context = train.get_context()
            return context.get_world_rank(), context.get_world_size()
    except RuntimeError:  # outside a worker, in later versions
        return None
