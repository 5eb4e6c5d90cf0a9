"""Folders of image files: the samples of a .rec file, a list, a folder or ubyte files, written as files.

Beside a folder ``digits`` there are ``digits.lst``, with key, all labels and path of each image in the order of the
source, and ``digits.classes.json`` if the source has class names. A pack of that list has the same records.

`recordkit.sources.open_source` reads such folders and lists.
"""

from recordkit.interop.folder.read import read_folder
from recordkit.interop.folder.report import ExportedFolder
from recordkit.interop.folder.write import write_folder

__all__ = ["ExportedFolder", "read_folder", "write_folder"]
