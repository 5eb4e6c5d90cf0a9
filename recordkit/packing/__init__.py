"""Samples in, .rec with .idx, .lst and .json out."""

from recordkit.packing.pack import pack
from recordkit.packing.plan import PackPlan
from recordkit.packing.report import Failure, PackReport, SetReport

__all__ = ["Failure", "PackPlan", "PackReport", "SetReport", "pack"]
