"""Images and a list of them, and the comparison of a pack on a cluster with one on this machine."""

import hashlib

import numpy as np
import pytest

import recordkit
from recordkit.codec import encode

N = 20


@pytest.fixture
def listed(tmp_path):
    """A list of 20 images, of which one is no image and one is missing, and a row that is none."""
    images = tmp_path / "images"
    images.mkdir()
    rows = ""
    for key in range(N):
        pixels = np.random.default_rng(key).integers(0, 256, (12, 14, 3), np.uint8)
        (images / f"{key}.png").write_bytes(encode(pixels, "png"))
        rows += f"{3 * key}\t{key % 4}\t{key}.png\n"
    (images / "4.png").write_bytes(b"not an image")
    (images / "17.png").unlink()
    (tmp_path / "photos.lst").write_text(rows)
    return recordkit.open_source(tmp_path / "photos.lst", root=images)


@pytest.fixture
def folders(tmp_path):
    """The prefixes of a pack on this machine and of one on a cluster, in a folder each."""
    for name in ("one", "many"):
        (tmp_path / name).mkdir()
    return tmp_path / "one" / "a", tmp_path / "many" / "a"


def digests(prefix):
    """Return the SHA-256 of each file beside a prefix, except that of a cluster's plan."""
    paths = sorted(path for path in prefix.parent.iterdir() if path.name != f"{prefix.name}.plan.json")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
