"""Packing of the images of a source into .rec files with their .idx, .lst and .json."""

from recordkit.packing.pack import pack
from recordkit.packing.plan import PackPlan
from recordkit.packing.report import Failure, PackReport, SetReport

__all__ = ["Failure", "PackPlan", "PackReport", "SetReport", "pack"]
