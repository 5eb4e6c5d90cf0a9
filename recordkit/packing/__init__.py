"""Packing of the images of a source into .rec files with their .idx, .lst and .json."""

from recordkit.packing.pack import pack
from recordkit.packing.plan import PackPlan
from recordkit.packing.preview import preview_pack
from recordkit.packing.report import Failure, PackPreview, PackReport, SetPreview, SetReport

__all__ = ["Failure", "PackPlan", "PackPreview", "PackReport", "SetPreview", "SetReport", "pack", "preview_pack"]
