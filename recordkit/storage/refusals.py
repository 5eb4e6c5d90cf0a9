"""The refusal to replace a file, in the same words for all that write: packs, edits, lists and exports.

A file that an earlier run of the same command wrote may be replaced where the command can tell; any other one is
replaced only with `overwrite`, and a file that is being read never.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from recordkit.errors import PlanError, PublishError
from recordkit.storage.names import stem
from recordkit.storage.remote.urls import Url, is_url

WayOut = Literal["overwrite", "move", "name"]
"""How the user may go on: `overwrite` is an argument, the file must be moved away, or only another name helps."""

_ADVICE: dict[WayOut, str] = {
    "overwrite": "choose another name, or replace it with `overwrite=True`",
    "move": "move it away or choose another name",
    "name": "choose another name",
}


def refusal(
    path: Path | Url, got: str = "one of that name", *, writer: str = "", also: str = "", way_out: WayOut = "overwrite"
) -> PublishError:
    """Return the error about something that is where a new file or folder shall be.

    Parameters
    ----------
    path : Path or Url
    got : str, default "one of that name"
        What is there.
    writer : str, optional
        The command whose earlier files may be replaced.
    also : str, optional
        Something else that may be there.
    way_out : {"overwrite", "move", "name"}, default "overwrite"

    Examples
    --------
    >>> print(refusal(Path("a.lst"), "another list", writer="list"))
    a.lst: expected no file, or one as an earlier list wrote it, got another list; choose another name, or replace it \
with overwrite=True
    """
    expected = "no file" + (f", or one as an earlier {writer} wrote it" if writer else "") + (also and f", or {also}")
    return PublishError(path=str(path), expected=expected, got=got, advice=_ADVICE[way_out])


def sets_of(files: Iterable[Path]) -> set[Path]:
    """Return the prefixes of the sets that some files belong to; a file that is a link is of its target's set too.

    Examples
    --------
    >>> prefix_of(Path("a.labels.npy")) in sets_of([Path("a.rec")])
    True
    """
    local = [file for file in files if not is_url(file)]
    return {prefix_of(each) for file in local for each in (file, file.resolve())}


def prefix_of(file: Path) -> Path:
    """Return the prefix of the set that a file belongs to, with the folder that no link leads to."""
    return file.parent.resolve() / stem(file.name)


def reading_refusal(path: Path) -> PublishError:
    """Return the error about an output that is an input."""
    got = "the folder of a file that is read" if path.is_dir() else "the file that is read"
    return refusal(path, got, way_out="name")


def refuse_overwrite(*, overwrite: bool) -> None:
    """Refuse `overwrite` for an object store.

    Raises
    ------
    PlanError
    """
    if overwrite:
        raise PlanError(argument="overwrite", message="nothing is replaced in an object store")
