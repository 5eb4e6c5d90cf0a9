"""MXNet 1.9.1: its import on current Python and NumPy, old scripts as they are, batches and datasets for it.

Importing this room imports no MXNet.
"""

from recordkit.interop.mxnet.bridge import Finding, describe, device, last_line, load, reason
from recordkit.interop.mxnet.record_dataset import RecordDataset
from recordkit.interop.mxnet.record_iter import ImageRecordIter
from recordkit.interop.mxnet.scripts import run_script, script_frames

__all__ = [
    "Finding",
    "ImageRecordIter",
    "RecordDataset",
    "describe",
    "device",
    "last_line",
    "load",
    "reason",
    "run_script",
    "script_frames",
]
