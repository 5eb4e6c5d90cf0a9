"""Trees of images: their folders are classes, or splits that have the classes.

`recordkit.sources.image_tree` walks a folder once. `splits` and `class_folders` decide by the names of its folders
(`node`, `split_names`) what they are, `source` is the source, and `opening` chooses among them.
"""

from recordkit.sources.folder.class_folders import ClassFrom
from recordkit.sources.folder.opening import ImageOptions, open_images
from recordkit.sources.folder.source import FolderSource, TreeSource
from recordkit.sources.folder.splits import list_likely_splits

__all__ = ["ClassFrom", "FolderSource", "ImageOptions", "TreeSource", "list_likely_splits", "open_images"]
