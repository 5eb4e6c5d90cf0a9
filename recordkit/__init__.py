"""Pack, check and read MXNet RecordIO image datasets, with or without MXNet."""

from recordkit.packing import PackPlan, PackReport, pack
from recordkit.sources import open_source

__all__ = ["PackPlan", "PackReport", "open_source", "pack"]
