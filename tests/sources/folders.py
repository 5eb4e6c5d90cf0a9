"""Folders of images, and what a source says of them."""

import os


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
