"""The files of one dataset: PREFIX.rec with its companions.

::

    PREFIX.rec          the records                 PREFIX.json         description: options, counts, classes, SHA-256
    PREFIX.idx          key -> offset               PREFIX.labels.npy   optional exact labels, int64
    PREFIX.lst          key, labels, path           PREFIX.failed.tsv   files that could not be packed, with reasons

`recordkit.storage.staging` replaces an old set by a new one. While it does, and after it was killed, `Fileset.path`
finds each file of the committed set.
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

from recordkit.errors import FormatError, quoted
from recordkit.formats.files import not_found

# In the order of publishing: the records first.
SUFFIXES = (".rec", ".idx", ".lst", ".labels.npy", ".failed.tsv", ".json")

MAX_JSON_BYTES = 1 << 26
"""Limit for PREFIX.json, which is smaller even with a million class names. A larger file is not read."""

COMMIT = "commit"
"""Name of the file that commits the set in a staging folder. It lists the files to move and the files to remove."""


class Fileset:
    """The files of the dataset at a prefix, also if its publishing was interrupted.

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
        The path is a folder without a name, such as ``.``, or an interrupted pack left a damaged commit file.

    Examples
    --------
    >>> Fileset("out/train.rec").path(".idx").as_posix()
    'out/train.idx'
    """

    def __init__(self, path: str | Path) -> None:
        text = os.fspath(path)
        suffix = next((suffix for suffix in SUFFIXES if text.endswith(suffix)), "")
        self.prefix = Path(text.removesuffix(suffix))
        # A path with a suffix is used for that suffix as it is.
        self._user_paths = {suffix: Path(text)} if suffix else {}
        # Final name to path in a staging folder. Staged: committed files that were not moved to their final names yet.
        # Obsolete: old files that a committed set removes; no file is at their staged path, so they count as missing.
        self._staged_paths: dict[str, Path] = {}
        self._obsolete_paths: dict[str, Path] = {}
        if not self.prefix.name:
            raise FormatError(path=text, expected="a .rec file or its prefix", got="a folder")
        # Several splits (train, test) are staged under the prefix they share, so this looks at all staging folders.
        for folder in self.prefix.parent.glob(".*.staging"):
            if self.prefix.name.startswith(folder.name[1:].removesuffix(".staging")):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                    self._add_staged(folder, read_commit(folder))

    def _add_staged(self, folder: Path, commit: dict[str, list[str]]) -> None:
        self._staged_paths.update((name, folder / name) for name in commit["publish"] if (folder / name).exists())
        if commit["publish"][0] in self._staged_paths:
            self._obsolete_paths.update((name, folder / name) for name in commit["remove"])

    def path(self, suffix: str) -> Path:
        """Return the path at which to read a file of the set; it need not exist.

        Parameters
        ----------
        suffix : {".rec", ".idx", ".lst", ".labels.npy", ".failed.tsv", ".json"}
        """
        final = self._user_paths.get(suffix, self.prefix.with_name(self.prefix.name + suffix))
        if suffix == ".rec" and not final.exists() and final.name not in self._staged_paths and self.prefix.is_file():
            return self.prefix  # a record file without the suffix, as im2rec's nsplit makes them
        if final.name in self._obsolete_paths:
            return self._obsolete_paths[final.name]
        staged = self._staged_paths.get(final.name, final)
        return staged if staged.exists() else final

    def rec_size(self) -> int:
        """Return the size of the .rec file, in bytes.

        Raises
        ------
        NotFoundError
            The file does not exist.
        """
        path = self.path(".rec")
        try:
            return path.stat().st_size
        except FileNotFoundError:
            raise not_found(path, "a .rec file", suffix=".rec") from None

    def description(self) -> dict[str, Any]:
        """Read PREFIX.json.

        Returns
        -------
        description : dict
            Empty if the file does not exist, as in datasets that other tools made.

        Raises
        ------
        FormatError
            The file is not a JSON object.
        """
        path = self.path(".json")
        try:
            return _read_object(path)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise FormatError(
                path=str(path), expected="a JSON object", got=error, advice="remove it, or pack again to another prefix"
            ) from None

    def classes(self) -> dict[str, int] | None:
        """Read the class names in PREFIX.json.

        Returns
        -------
        classes : dict of str to int, or None
            Name to label; None if the set has no class names.

        Raises
        ------
        FormatError
            PREFIX.json is not a JSON object, or its classes are not a mapping of str to int.
        """
        classes = self.description().get("classes")
        if classes is None:
            return None
        if not isinstance(classes, dict) or not all(type(label) is int for label in classes.values()):
            raise FormatError(
                "expected classes as names and whole numbers",
                path=str(self.path(".json")),
                advice="remove it, or pack again to another prefix",
            )
        return classes

    def exact_labels(self) -> NDArray[np.int64] | None:
        """Read the exact labels, PREFIX.labels.npy.

        Returns
        -------
        labels : ndarray of int64, shape (n,) or (n, w), or None
            In the order of the records; None if the set has no exact labels.

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
        except Exception as error:  # noqa: BLE001 (for a damaged header NumPy raises many types, even TokenError)
            raise FormatError(path=str(path), expected="an int64 array in .npy form", got=error) from None
        if labels.dtype != np.int64 or labels.ndim not in (1, 2):
            raise FormatError(
                path=str(path), expected="int64 of rank 1 or 2", got=f"{labels.dtype} of rank {labels.ndim}"
            )
        return np.asarray(labels)


def reindex_advice(rec_path: str | Path, idx_path: str | Path | None = None) -> str:
    """Return the advice in errors about an .idx file: the command that writes it anew.

    Parameters
    ----------
    rec_path : str or Path
        The .rec file.
    idx_path : str or Path, optional
        The .idx file that is wrong or missing; by default the one beside the .rec file, which the command writes.

    Examples
    --------
    >>> reindex_advice("a.rec", "a.idx"), reindex_advice("a.rec", "b.idx")
    ("run 'recordkit reindex a.rec'", "run 'recordkit reindex a.rec', which writes a.idx")
    """
    written = Fileset(rec_path).path(".idx")
    target = "" if idx_path is None or Path(idx_path) == written else f", which writes {written}"
    return f"run 'recordkit reindex {quoted(rec_path)}'{target}"


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Anything else, including JSON that is nested too deeply to parse, is a ValueError."""
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
    """Read the commit file of a staging folder.

    Returns
    -------
    commit : dict
        "publish": names of the new set's files, the pivot first. "remove": names of old files to remove.

    Raises
    ------
    FileNotFoundError
        The folder holds no committed set.
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
            path=str(path),
            expected="the list of files of a pack that was cut short",
            got=error,
            advice=f"remove the folder {folder} and pack again",
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
