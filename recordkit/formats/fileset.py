"""The files of one dataset: PREFIX.rec with its companions.

::

    PREFIX.rec          the records                 PREFIX.json         how it was made, and what must be in it
    PREFIX.idx          key -> offset               PREFIX.labels.npy   exact labels, int64, if asked for
    PREFIX.lst          key, labels, path           PREFIX.failed.tsv   what could not be packed and why, if any

How a new set takes the place of an old one is in `recordkit.formats.staging`; a reader that comes while it does, or
after it was killed, finds each file of the new set by `Fileset.path`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError

# In the order in which they are published: the records first.
SUFFIXES = (".rec", ".idx", ".lst", ".labels.npy", ".failed.tsv", ".json")

MAX_JSON_BYTES = 1 << 26
"""PREFIX.json is smaller, even with a million class names; what is larger is not read."""

COMMIT = "commit"
"""The file in a staging folder that says that the set in it counts: which files move, and which old ones go."""


class Fileset:
    """The files of a dataset that stands at a prefix, or of one whose publishing was cut short.

    Parameters
    ----------
    path : str or Path
        A prefix such as ``out/train``, or any file of the set, such as ``out/train.rec``.

    Attributes
    ----------
    prefix : Path

    Raises
    ------
    FormatError
        The path is a folder without a name, such as ``.``, or what a killed pack left there is damaged.

    Examples
    --------
    >>> Fileset("out/train.rec").path(".idx").as_posix()
    'out/train.idx'
    """

    def __init__(self, path: str | Path) -> None:
        text = os.fspath(path)
        suffix = next((suffix for suffix in SUFFIXES if text.endswith(suffix)), "")
        self.prefix = Path(text.removesuffix(suffix))
        # A file named by the user is that file, even where the set's other files are called differently.
        self._given = {suffix: Path(text)} if suffix else {}
        # Where the files of sets are that were committed and not yet moved, and where the old ones count as gone.
        self._moving: dict[str, Path] = {}
        self._gone: dict[str, Path] = {}
        if not self.prefix.name:
            raise FormatError("expected a .rec file or its prefix, got a folder", path=text)
        # A set of several parts (train, test) is staged under the prefix they share, hence the search.
        for folder in self.prefix.parent.glob(".*.staging"):
            if self.prefix.name.startswith(folder.name[1:].removesuffix(".staging")):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                    self._note(folder, read_commit(folder))

    def _note(self, folder: Path, commit: dict[str, list[str]]) -> None:
        self._moving.update((name, folder / name) for name in commit["publish"] if (folder / name).exists())
        if commit["publish"][0] in self._moving:
            self._gone.update((name, folder / name) for name in commit["remove"])

    def path(self, suffix: str) -> Path:
        """Return where a file of the set is to be read, whether it exists or not.

        Parameters
        ----------
        suffix : {".rec", ".idx", ".lst", ".labels.npy", ".failed.tsv", ".json"}
        """
        final = self._given.get(suffix, self.prefix.with_name(self.prefix.name + suffix))
        if suffix == ".rec" and not final.exists() and final.name not in self._moving and self.prefix.is_file():
            return self.prefix  # a record file without the suffix, as im2rec's nsplit makes them
        if final.name in self._gone:
            return self._gone[final.name]
        moving = self._moving.get(final.name, final)
        return moving if moving.exists() else final

    def description(self) -> dict[str, Any]:
        """Read PREFIX.json.

        Returns
        -------
        description : dict
            Empty where there is none, as for files that other tools made.

        Raises
        ------
        FormatError
            It is not a JSON object.
        """
        path = self.path(".json")
        try:
            return _read_object(path)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise FormatError(f"expected a JSON object, got {error}; remove it or pack again", path=str(path)) from None

    def classes(self) -> dict[str, int] | None:
        """Read the class names in PREFIX.json.

        Returns
        -------
        classes : dict of str to int, or None
            Name to label, where the set has names.

        Raises
        ------
        FormatError
            PREFIX.json is no JSON object, or its classes are something else.
        """
        classes = self.description().get("classes")
        if classes is None:
            return None
        if not isinstance(classes, dict) or not all(type(label) is int for label in classes.values()):
            raise FormatError(
                "expected classes as names and whole numbers; remove the file or pack again",
                path=str(self.path(".json")),
            )
        return classes

    def exact_labels(self) -> NDArray[np.int64] | None:
        """Read the exact labels, where the set has them.

        Returns
        -------
        labels : ndarray of int64, shape (n,) or (n, w), or None
            In the order of the records.

        Raises
        ------
        FormatError
            The file is not an array of int64.
        """
        path = self.path(".labels.npy")
        try:
            labels = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            return None
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 (NumPy raises what it likes for a damaged header, also TokenError)
            raise FormatError(f"expected an int64 array in .npy form, got {error}", path=str(path)) from None
        if labels.dtype != np.int64 or labels.ndim not in (1, 2):
            raise FormatError(
                f"expected int64 of rank 1 or 2, got {labels.dtype} of rank {labels.ndim}", path=str(path)
            )
        return np.asarray(labels)


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; anything else is a ValueError, also a nesting too deep to read."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_JSON_BYTES:
        raise ValueError(f"no file, or one of {status.st_size} bytes")
    try:
        value = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("one nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"a JSON {type(value).__name__}")
    return value


def read_commit(folder: Path) -> dict[str, list[str]]:
    """Read which files a committed set in a staging folder has ("publish") and which it replaces ("remove").

    Raises
    ------
    FileNotFoundError
        Nothing is committed there.
    FormatError
        The file is damaged.
    """
    path = folder / COMMIT
    try:
        commit = _read_object(path)
        names = [name for verb in ("publish", "remove") for name in commit[verb]]
        prefix = folder.name[1:].removesuffix(".staging")
        if not commit["publish"] or not all(Path(name).name == name and name.startswith(prefix) for name in names):
            raise ValueError("another object")
    except (ValueError, LookupError, TypeError) as error:
        raise FormatError(
            f"expected the list of files of a pack that was cut short, got {error}; "
            f"remove the folder {folder} and pack again",
            path=str(path),
        ) from None
    return commit


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal, as ``sha256sum`` prints it.

    Examples
    --------
    >>> fingerprint(Path("/dev/null"))[:16]
    'e3b0c44298fc1c14'
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
