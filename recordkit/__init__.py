"""Pack, check and read MXNet RecordIO image datasets, with or without MXNet."""

from recordkit.packing import PackPlan, PackReport, pack
from recordkit.sources import open_source
from recordkit.version import __version__

__all__ = ["PackPlan", "PackReport", "__version__", "open_source", "pack"]
