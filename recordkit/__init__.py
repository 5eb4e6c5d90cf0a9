"""Pack, check and read MXNet RecordIO image datasets, with or without MXNet.

Five lines pack a folder with a folder per class and read it in shuffled batches::

    import recordkit as rk

    report = rk.pack("photos/", "out/photos", plan=rk.PackPlan(resize=256))
    transforms = [rk.RandomResizedCrop(224), rk.RandomFlip()]
    for batch in rk.Loader("out/photos.rec", batch_size=64, shuffle=True, transforms=transforms):
        print(batch.data.shape, batch.label)

===================================  =====================================================================
`pack`, `PackPlan`, `PackReport`     images, lists or arrays to .rec, .idx and .lst
`open_source`                        the images that `pack` would read, and their labels
`RecordDataset`                      samples by index, by key, in slices
`Loader`                             batches as NumPy arrays, with the transforms of `recordkit.transforms`
`recordkit.interop.torch`            batches and samples as PyTorch tensors
`ImageRecordIter`, `recordio`        the faces of MXNet, without MXNet
`errors`                             every error, with file, place, and what to do
`configure_remote`                   cache and timeouts of datasets at URLs
===================================  =====================================================================

Read on with ``help(rk.Loader)``, in the folder docs/ of the source, or with ``recordkit --help`` for the command line.

A public name is imported at its first use, so that ``import recordkit`` and the command line start at once.
"""

from typing import TYPE_CHECKING

from recordkit.public_names import importer as _importer
from recordkit.version import __version__

if TYPE_CHECKING:
    from recordkit.dataset.dataset import RecordDataset
    from recordkit.loading.loader import Loader
    from recordkit.packing import PackPlan, PackReport
    from recordkit.packing.pack import pack
    from recordkit.record_iter.iterator import ImageRecordIter
    from recordkit.sources import open_source
    from recordkit.storage.remote.settings import configure_remote
    from recordkit.transforms import CenterCrop, Normalize, RandomCrop, RandomFlip, RandomResizedCrop, Resize

__all__ = [
    "CenterCrop",
    "ImageRecordIter",
    "Loader",
    "Normalize",
    "PackPlan",
    "PackReport",
    "RandomCrop",
    "RandomFlip",
    "RandomResizedCrop",
    "RecordDataset",
    "Resize",
    "__version__",
    "configure_remote",
    "open_source",
    "pack",
]

# The module of each name above; tests compare this table with the imports for type checkers.
_MODULES = {
    "CenterCrop": "recordkit.transforms",
    "ImageRecordIter": "recordkit.record_iter.iterator",
    "Loader": "recordkit.loading.loader",
    "Normalize": "recordkit.transforms",
    "PackPlan": "recordkit.packing",
    "PackReport": "recordkit.packing",
    "RandomCrop": "recordkit.transforms",
    "RandomFlip": "recordkit.transforms",
    "RandomResizedCrop": "recordkit.transforms",
    "RecordDataset": "recordkit.dataset.dataset",
    "Resize": "recordkit.transforms",
    "configure_remote": "recordkit.storage.remote.settings",
    "open_source": "recordkit.sources",
    "pack": "recordkit.packing.pack",
}
# Modules that `import recordkit` makes available as attributes.
_SUBMODULES = ("errors", "recordio", "transforms")


_import_name = _importer(__name__, _MODULES)


if not TYPE_CHECKING:  # a type checker would take every name for one that exists

    def __getattr__(name: str) -> object:
        """Import the module of a public name at its first use (PEP 562)."""
        if name in _SUBMODULES:
            import importlib

            return importlib.import_module(f"recordkit.{name}")
        return _import_name(name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*__all__, *_SUBMODULES])
