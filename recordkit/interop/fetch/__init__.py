"""Download MNIST, its relatives and CIFAR as their authors publish them, with pooch, and check the bytes.

`datasets` has the tables of files, mirrors and checksums; `content` checks a file; `transfer` gets one file from one
source; `download` tries the sources in order and publishes the file; `unpack` unpacks an archive. Nothing is printed
here: the command is `recordkit.cli.commands.fetch`.
"""

from recordkit.interop.fetch.datasets import DATASETS, Dataset, RemoteFile
from recordkit.interop.fetch.download import FetchedFile, FetchReport, fetch
from recordkit.interop.fetch.transfer import ProgressBar

__all__ = ["DATASETS", "Dataset", "FetchReport", "FetchedFile", "ProgressBar", "RemoteFile", "fetch"]
