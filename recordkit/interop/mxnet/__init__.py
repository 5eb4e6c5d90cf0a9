"""MXNet 1.9.1: its import on current Python and NumPy, and batches for it. Importing this room imports no MXNet."""

from recordkit.interop.mxnet.bridge import Finding, describe, device, last_line, load, reason
from recordkit.interop.mxnet.record_iter import ImageRecordIter

__all__ = ["Finding", "ImageRecordIter", "describe", "device", "last_line", "load", "reason"]
