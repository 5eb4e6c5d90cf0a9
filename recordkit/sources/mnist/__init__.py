"""MNIST and its relatives: arrays of images and of labels in ubyte or .npz files, as one source per set.

`files` knows the names of published files, `folders` finds files, `sets` makes sets of them, and `source` is one set.
The formats are in `recordkit.formats.ubyte` and `recordkit.formats.numpy_files.npz`.
"""

from recordkit.sources.mnist.files import is_array_name
from recordkit.sources.mnist.sets import open_sets, open_sets_below
from recordkit.sources.mnist.source import MnistSource

__all__ = ["MnistSource", "is_array_name", "open_sets", "open_sets_below"]
