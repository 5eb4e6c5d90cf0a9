"""Pack, check and read MXNet RecordIO image datasets, with or without MXNet."""

from recordkit.dataset.dataset import RecordDataset
from recordkit.loading.loader import Loader
from recordkit.packing import PackPlan, PackReport, pack
from recordkit.record_iter.iterator import ImageRecordIter
from recordkit.sources import open_source
from recordkit.transforms import CenterCrop, Normalize, RandomCrop, RandomFlip, RandomResizedCrop, Resize
from recordkit.version import __version__

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
    "open_source",
    "pack",
]
