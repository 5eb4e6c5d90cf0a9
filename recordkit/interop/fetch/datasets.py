"""Tables of the datasets: files, mirrors and checksums.

A checksum here is the SHA-256 of the decompressed ubyte data, not of the .gz file. A copy that was compressed again
is therefore still recognised, and one checksum covers every mirror. The eight checksums were computed from archives
that match the md5 sums published with the datasets (torchvision and Keras check the same md5 sums), and several
unrelated projects pin the same values.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from math import prod
from urllib.parse import urlsplit

from recordkit.errors import PlanError


def is_protected(address: str) -> bool:
    """Return True if nobody on the network can change what an address delivers: by https, or from this machine.

    Examples
    --------
    >>> is_protected("https://host/mnist"), is_protected("http://host/mnist"), is_protected("http://127.0.0.1:80/mnist")
    (True, False, True)
    """
    parts = urlsplit(address)
    if parts.scheme != "http":
        return parts.scheme == "https"
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


@dataclass(frozen=True)
class RemoteFile:
    """One gzip-compressed ubyte file of a dataset.

    Attributes
    ----------
    name : str
        The published file name, the same on every mirror.
    shape : tuple of int
        Dimensions in the ubyte header: (n, height, width) for images, (n,) for labels.
    sha256 : str
        SHA-256 of the decompressed bytes, 64 lower-case hexadecimal digits.

    Examples
    --------
    >>> file = RemoteFile("t10k-labels-idx1-ubyte.gz", (10000,), "ff7b...")
    >>> file.unpacked_bytes, file.limit_bytes
    (10008, 75554)
    """

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def unpacked_bytes(self) -> int:
        """Size of the decompressed file: 4 bytes, 4 for each dimension, 1 for each value."""
        return 4 + 4 * len(self.shape) + prod(self.shape)

    @property
    def limit_bytes(self) -> int:
        """Maximum size of a download.

        gzip adds at most 5 bytes per 16 kB to data that it cannot compress, so every valid .gz file fits.
        """
        return self.unpacked_bytes + self.unpacked_bytes // 1000 + 65536


@dataclass(frozen=True)
class Dataset:
    """A dataset: its name, its mirrors and its files.

    Attributes
    ----------
    name : str
        Name on the command line.
    mirrors : tuple of str
        https addresses of folders, in the order in which they are tried. A file is at MIRROR/NAME. Only this machine
        may be a mirror without https.
    files : tuple of RemoteFile
        All files of the dataset.
    """

    name: str
    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]

    def __post_init__(self) -> None:
        """Check the addresses of the mirrors."""
        for mirror in self.mirrors:
            if not is_protected(mirror):
                raise PlanError(argument="mirrors", expected="https addresses", got=mirror)


def _mnist_like(name: str, mirrors: tuple[str, ...], checksums: tuple[str, str, str, str]) -> Dataset:
    names_and_shapes: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("train-images-idx3-ubyte.gz", (60000, 28, 28)),
        ("train-labels-idx1-ubyte.gz", (60000,)),
        ("t10k-images-idx3-ubyte.gz", (10000, 28, 28)),
        ("t10k-labels-idx1-ubyte.gz", (10000,)),
    )
    files = tuple(
        RemoteFile(file_name, shape, checksum)
        for (file_name, shape), checksum in zip(names_and_shapes, checksums, strict=True)
    )
    return Dataset(name, mirrors, files)


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        _mnist_like(
            "mnist",
            (
                "https://ossci-datasets.s3.amazonaws.com/mnist",
                "https://storage.googleapis.com/cvdf-datasets/mnist",
                "https://raw.githubusercontent.com/fgnt/mnist/master",
            ),
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        _mnist_like(
            "fashion-mnist",
            (
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            ),
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
    )
}
