"""Batches and samples as PyTorch tensors: a `Loader` that is fast by itself, a `RecordDataset` for torch's own loader.

`Loader` is `recordkit.Loader` with tensors for arrays, of the same memory. Its threads leave Python out of the way, so
iterate it directly; as ``DataLoader(loader, batch_size=None, num_workers=n)`` worker processes share its batches, which
is for transforms of your own in Python. Batch number k is the same for any number of workers, as are its random draws.
Of several processes of ``torch.distributed`` each gets its part.

`RecordDataset` has its samples in any order that a sampler of torch likes.

torch is imported here and nowhere else; others take the arrays of `recordkit.Batch` through NumPy or DLPack.
"""

from recordkit.errors import MissingError

try:
    import torch as _torch  # noqa: F401 (the modules below need it)
except ImportError as error:
    raise MissingError(f"torch: expected PyTorch 2.3 or newer, got: {error}; pip install 'recordkit[torch]'") from error

from recordkit.interop.torch.batches import Batch, Loader
from recordkit.interop.torch.samples import RecordDataset

__all__ = ["Batch", "Loader", "RecordDataset"]
