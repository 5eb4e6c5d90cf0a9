"""Batches and samples as PyTorch tensors: a `Loader` that is fast by itself, a `RecordDataset` for torch's DataLoader.

`Loader` is `recordkit.Loader` with tensors instead of arrays, on the same memory. Its threads do not need worker
processes, so iterate over it directly. ``DataLoader(loader, batch_size=None, num_workers=n)`` shares its batches out
over worker processes, which helps if transforms are written in Python. Batch k and its random draws are the same for
any number of workers. The processes of ``torch.distributed`` each get their share of an epoch.

`RecordDataset` gives single samples in any order that a sampler of torch chooses.

Only this package imports torch; other frameworks take the arrays of `recordkit.loading.batch.Batch` through NumPy or
DLPack.
"""

from recordkit.errors import MissingError

try:
    import torch as _torch  # noqa: F401 (the modules below need it)
except ImportError as error:
    raise MissingError(
        "torch", expected="PyTorch 2.3 or newer", got=f"none ({error})", advice="pip install 'recordkit[torch]'"
    ) from error

from recordkit.interop.torch.batch import Batch
from recordkit.interop.torch.loader import Loader
from recordkit.interop.torch.samples import RecordDataset

__all__ = ["Batch", "Loader", "RecordDataset"]
