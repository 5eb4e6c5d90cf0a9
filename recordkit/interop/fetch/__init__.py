"""Download MNIST and Fashion-MNIST: checked, resumable, from several mirrors, standard library only.

`datasets` says what is fetched, from where, and what its bytes must be; `transfer` moves bytes; `part` keeps
an unfinished file; `content` checks a finished one; `download` joins them in `fetch`, and `report` is what
that says. Nothing here prints: progress goes through a callback, and the command is
`recordkit.cli.commands.fetch`.
"""

from recordkit.interop.fetch.datasets import DATASETS, Dataset, RemoteFile
from recordkit.interop.fetch.download import fetch
from recordkit.interop.fetch.report import FetchedFile, FetchReport, Progress
from recordkit.interop.fetch.transfer import RetryPolicy

__all__ = [
    "DATASETS",
    "Dataset",
    "FetchReport",
    "FetchedFile",
    "Progress",
    "RemoteFile",
    "RetryPolicy",
    "fetch",
]
