"""Tables of the datasets: files, mirrors and checksums.

A checksum of MNIST and Fashion-MNIST is the SHA-256 of the decompressed ubyte data, not of the .gz file. A copy that
was compressed again is therefore still recognised, and one checksum covers every mirror. The eight checksums were
computed from archives that match the md5 sums published with the datasets (torchvision and Keras check the same md5
sums), and several unrelated projects pin the same values.

The other datasets have the size and the SHA-256 of each file as its authors publish it. They are those of TensorFlow
Datasets, tensorflow_datasets/url_checksums/{kmnist,qmnist,emnist,cifar10,cifar100}.txt; torch-rb pins the same values
for Kuzushiji-MNIST and CIFAR-10, GoMLX for CIFAR-10 and CIFAR-100. The addresses are also those of torchvision.
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
    """One file of a dataset: a gzip-compressed ubyte file, or a file whose size is known.

    Attributes
    ----------
    name : str
        The published file name, the same on every mirror.
    shape : tuple of int
        Dimensions in the ubyte header: (n, height, width) for images, (n,) for labels. Empty with `n_bytes`.
    sha256 : str
        SHA-256 of the decompressed bytes, with `n_bytes` of the file as it is; 64 lower-case hexadecimal digits.
    n_bytes : int, optional
        Size of the file, which is not looked into.
    members : str
        Regular expression for the names of the files that are unpacked beside an archive.

    Examples
    --------
    >>> file = RemoteFile("t10k-labels-idx1-ubyte.gz", (10000,), "ff7b...")
    >>> file.unpacked_bytes, file.limit_bytes
    (10008, 75554)
    """

    name: str
    shape: tuple[int, ...]
    sha256: str
    n_bytes: int | None = None
    members: str = ""

    @property
    def unpacked_bytes(self) -> int:
        """Size of the decompressed file: 4 bytes, 4 for each dimension, 1 for each value."""
        return 4 + 4 * len(self.shape) + prod(self.shape)

    @property
    def limit_bytes(self) -> int:
        """Maximum size of a download: that of the file, if it is known.

        gzip adds at most 5 bytes per 16 kB to data that it cannot compress, so every valid .gz file fits.
        """
        return self.n_bytes or self.unpacked_bytes + self.unpacked_bytes // 1000 + 65536


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


def _whole(name: str, mirror: str, *files: tuple[str, int, str], members: str = "") -> Dataset:
    """Return a dataset of files that are given by name, size and checksum."""
    return Dataset(name, (mirror,), tuple(RemoteFile(file, (), sha256, size, members) for file, size, sha256 in files))


_QMNIST = "https://raw.githubusercontent.com/facebookresearch/qmnist/master"
_CIFAR = "https://www.cs.toronto.edu/~kriz"

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
        _whole(
            "kmnist",
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist",
            (
                "train-images-idx3-ubyte.gz",
                18165135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            ("train-labels-idx1-ubyte.gz", 29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            ("t10k-images-idx3-ubyte.gz", 3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            ("t10k-labels-idx1-ubyte.gz", 5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ),
        _whole(
            "qmnist",
            _QMNIST,
            (
                "qmnist-train-images-idx3-ubyte.gz",
                9704059,
                "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d",
            ),
            (
                "qmnist-train-labels-idx2-int.gz",
                463024,
                "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f",
            ),
            (
                "qmnist-test-images-idx3-ubyte.gz",
                9742279,
                "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375",
            ),
            (
                "qmnist-test-labels-idx2-int.gz",
                526800,
                "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06",
            ),
        ),
        _whole(
            "emnist",
            "https://biometrics.nist.gov/cs_links/EMNIST",
            ("gzip.zip", 561753746, "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"),
            members=r"emnist-[a-z]+-((train|test)-(images-idx3|labels-idx1)-ubyte\.gz|mapping\.txt)",
        ),
        _whole(
            "cifar10",
            _CIFAR,
            ("cifar-10-binary.tar.gz", 170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
            members=r"(data_batch_[1-5]|test_batch)\.bin|batches\.meta\.txt",
        ),
        _whole(
            "cifar100",
            _CIFAR,
            ("cifar-100-binary.tar.gz", 168513733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),
            members=r"(train|test)\.bin|(fine|coarse)_label_names\.txt",
        ),
    )
}
