"""What a fetch says: while it runs, and when it is done. Values only, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["FetchReport", "FetchedFile", "Progress"]


@dataclass(frozen=True)
class Progress:
    """What a fetch is doing now, for whoever shows it.

    Attributes
    ----------
    name : str
        The file.
    state : str
        "present": right already; "start": a source is asked; "bytes": some came; "retry": an attempt failed and
        another follows; "next": a source was given up and another is asked; "done": checked and in place.
    done_bytes : int
        Bytes of the file so far.
    total_bytes : int or None
        Bytes of the whole file, None as long as nobody knows.
    note : str
        The source ("start") or what went wrong ("retry", "next").
    """

    name: str
    state: Literal["present", "start", "bytes", "retry", "next", "done"]
    done_bytes: int = 0
    total_bytes: int | None = None
    note: str = ""


@dataclass(frozen=True)
class FetchedFile:
    """One file of a finished fetch.

    Attributes
    ----------
    name : str
        File name.
    path : str
        Where it is.
    status : str
        "fetched", or "present": it was there and right.
    source : str or None
        The address or file it came from, None if it was there.
    size_bytes : int
        Size of the .gz file.
    received_bytes : int
        Bytes that were moved for it in this run; less than the size after a resume, more after a false start.
    sha256 : str
        SHA-256 of the unpacked bytes.
    published : bool
        Whether these are the published bytes; False only where any checksum was allowed.
    """

    name: str
    path: str
    status: Literal["fetched", "present"]
    source: str | None
    size_bytes: int
    received_bytes: int
    sha256: str
    published: bool


@dataclass(frozen=True)
class FetchReport:
    """What a fetch did.

    Attributes
    ----------
    dataset : str
        Name of the dataset.
    folder : str
        The folder that now has it.
    files : tuple of FetchedFile
        One for each file, in the dataset's order.
    """

    dataset: str
    folder: str
    files: tuple[FetchedFile, ...]
