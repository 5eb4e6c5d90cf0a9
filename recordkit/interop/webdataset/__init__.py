"""WebDataset: tar archives whose consecutive members are the parts of a sample: ``000007.jpg`` and ``000007.cls``.

A folder of them has ``_info.json``, which timm and ``wids`` read: the shards of each split and the number of their
samples, and, of recordkit, the class names. Archives of other programs are read without it.
"""

from recordkit.interop.webdataset.read import TarSource, is_webdataset, read_webdataset
from recordkit.interop.webdataset.write import TarParts, write_webdataset

__all__ = ["TarParts", "TarSource", "is_webdataset", "read_webdataset", "write_webdataset"]
