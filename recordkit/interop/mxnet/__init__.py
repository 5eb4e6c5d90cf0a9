"""MXNet 1.9.1: importing it on today's Python and NumPy, and batches for it. Importing this imports no MXNet."""

from recordkit.interop.mxnet.bridge import Finding, describe, device, last_line, load, reason
from recordkit.interop.mxnet.record_iter import ImageRecordIter

__all__ = ["Finding", "ImageRecordIter", "describe", "device", "last_line", "load", "reason"]
