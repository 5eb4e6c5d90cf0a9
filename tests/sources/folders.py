"""Folders of images, and what a source says of them."""

import os

from recordkit.formats.name_template import NameTemplate
from recordkit.sources import EXTENSIONS, file_names
from recordkit.sources.image_tree import ImageTree


def make(root, *names, content=None):
    """Write files with some content; by default it says their names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content of " + os.fsencode(name) if content is None else content)
    return root


def rows(source):
    """Return key, labels and name of every image."""
    entries = source.entries(range(len(source)))
    return [(entry.key, entry.labels, entry.name) for entry in entries]


def open_file_names(root, *, label_from=None, extensions=EXTENSIONS, classes=None):
    """Open the images directly in a folder, or those of a template with folders, by their names."""
    labels = None if label_from is None else file_names.read_label_from(label_from)
    if isinstance(labels, NameTemplate) and labels.suffix:
        extensions = (*extensions, labels.suffix)
    return file_names.open_file_names(ImageTree(root, extensions), label_from=labels, classes=classes)
