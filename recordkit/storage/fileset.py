"""The files of one dataset: PREFIX.rec with its companions.

::

    PREFIX.rec          the records                 PREFIX.json         description: options, counts, classes, SHA-256
    PREFIX.idx          key -> offset               PREFIX.labels.npy   optional exact labels, int64
    PREFIX.lst          key, labels, path           PREFIX.failed.tsv   files that could not be packed, with reasons
    PREFIX.crc          CRC-32 of each record           PREFIX.manifest.json   the shards, in place of all others

`recordkit.storage.staging` replaces an old set by a new one. While it does, and after it was killed, `Fileset.path`
finds each file of the committed set.

`recordkit.storage.snapshot` makes a Fileset for each shard that a manifest names, and tells it the manifest.

The files of a set in a store are those of its mirror, see `recordkit.storage.remote.mirror`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, NotFoundError, PublishError, quoted
from recordkit.formats import json_file
from recordkit.formats.byte_source import ByteSource, open_source
from recordkit.formats.files import not_found
from recordkit.formats.numpy_files import npy
from recordkit.storage.commit import Commit, find_commits
from recordkit.storage.description import described_size, lists_file
from recordkit.storage.manifest import Listing
from recordkit.storage.names import SUFFIXES, suffix_of
from recordkit.storage.remote.lookup import find_mirror

if TYPE_CHECKING:
    from recordkit.storage.remote.copies import Copy
    from recordkit.storage.remote.mirror import Mirror

# Bytes that are hashed at a time: they stay in the processor's second cache.
_HASHED_BYTES = 1 << 18


class Fileset:
    """The files of the dataset at a prefix, also if its publishing was interrupted.

    Parameters
    ----------
    path : str or Path
        A prefix such as ``out/train``, or any file of the set, such as ``out/train.rec``; or the URL of either.
    listing : Listing, optional
        The manifest that names this set, which is a shard; its facts are then those of the set.

    Attributes
    ----------
    name : str
        The path as it was given, or the URL.
    prefix : Path
        In the mirror, if the set is in a store.
    mirror : Mirror or None
        The mirror of the folder, if the set is in a store.
    listing : Listing or None
    is_settled : bool
        No pack was publishing the set when this object was made, so its files were at their final names.

    Raises
    ------
    FormatError
        The path is a folder without a name, such as ``.``.

    Examples
    --------
    >>> Fileset("out/train.rec").path(".idx").as_posix()
    'out/train.idx'
    """

    def __init__(self, path: str | Path, *, listing: Listing | None = None) -> None:
        text = os.fspath(path)
        self.mirror: Mirror | None = None
        if found_mirror := find_mirror(text):
            self.mirror, name = found_mirror
            text = str(self.mirror.folder / name)
            self.name = str(self.mirror.url.join(name))
        else:
            self.name = text
        self.listing = listing
        self._copies: set[Copy] = set()
        suffix = suffix_of(text)
        self.prefix = Path(text.removesuffix(suffix))
        # A path with a suffix is used for that suffix as it is.
        self._user_paths = {suffix: Path(text)} if suffix else {}
        # Final name to path in a staging folder. Staged: committed files that were not moved to their final names yet.
        # Obsolete: old files that a committed set removes; no file is at their staged path, so they count as missing.
        self._staged_paths: dict[str, Path] = {}
        self._obsolete_paths: dict[str, Path] = {}
        if not self.prefix.name:
            raise FormatError(path=text, expected="a .rec file or its prefix", got="a folder")
        # All files are of one commit. Two prefixes may have one for this set, as a_b and a with a split _b.
        found = find_commits(self.prefix)
        self.is_settled = found.is_settled
        for commit in sorted(found.commits, key=lambda commit: commit.time_ns):
            staged, obsolete = self._find_staged(commit)
            if staged or obsolete:
                self._staged_paths, self._obsolete_paths = staged, obsolete

    def _find_staged(self, commit: Commit) -> tuple[dict[str, Path], dict[str, Path]]:
        folder, own_names = commit.folder, {self.prefix.name + suffix for suffix in ("", *SUFFIXES)}
        is_replacing = (folder / commit.publish[0]).exists()
        staged = [name for name in commit.publish if name in own_names and (folder / name).exists()]
        obsolete = [name for name in commit.remove if name in own_names and is_replacing]
        return {name: folder / name for name in staged}, {name: folder / name for name in obsolete}

    def staged_paths(self) -> list[Path]:
        """Return the paths in a staging folder at which this object looks for files of the set."""
        return [*self._staged_paths.values(), *self._obsolete_paths.values()]

    def path(self, suffix: str) -> Path:
        """Return the path at which to read a file of the set; it need not exist.

        Parameters
        ----------
        suffix : {".rec", ".idx", ".lst", ".labels.npy", ".crc", ".failed.tsv", ".json", ".manifest.json"}
        """
        final = self._user_paths.get(suffix, self.prefix.with_name(self.prefix.name + suffix))
        if self.mirror is not None:
            return self._mirrored_path(self.mirror, final.name, suffix)
        if suffix == ".rec" and not final.exists() and final.name not in self._staged_paths and self.prefix.is_file():
            return self.prefix  # a record file without the suffix, as im2rec's nsplit makes them
        if final.name in self._obsolete_paths:
            return self._obsolete_paths[final.name]
        staged = self._staged_paths.get(final.name)
        return staged if staged is not None and staged.exists() else final

    def has_same_copies(self) -> bool:
        """Tell whether the files of a set in a store, as far as `path` has named them, have not been replaced since.

        Another process, which has found a newer or older list of the objects, may have done so.
        """
        return all(copy.is_there() for copy in self._copies)

    def _mirrored_path(self, mirror: Mirror, name: str, suffix: str) -> Path:
        if suffix == ".rec" and mirror.facts(name) is None:
            if mirror.facts(self.prefix.name) is None:
                raise mirror.not_found(name)
            name = self.prefix.name
        elif suffix == ".idx" and mirror.facts(name) is None:
            return self._note(mirror.built_index(self.path(".rec").name) or mirror.fetch_copy(name))
        return self._note(mirror.fetch_copy(name, is_records=suffix == ".rec"))

    def _note(self, copy: Copy) -> Path:
        self._copies.add(copy)
        return copy.path

    def exists(self, suffix: str) -> bool:
        """Tell whether the set has a file, which is not copied if it is in a store."""
        if self.mirror is None:
            return self.path(suffix).exists()
        name = self._user_paths.get(suffix, self.prefix.with_name(self.prefix.name + suffix)).name
        names = (name, self.prefix.name) if suffix == ".rec" else (name,)
        return any(self.mirror.facts(each) is not None for each in names)

    def refuse_remote(self) -> None:
        """Refuse a set in a store, where a set that was written is not changed.

        Raises
        ------
        PublishError
        """
        if self.mirror is not None:
            raise PublishError(
                path=self.name,
                expected="a path of this machine",
                got="a URL",
                advice=f"change a copy: 'recordkit merge {quoted(self.name)} NEW' makes one",
            )

    def etag(self) -> str | None:
        """Return the ETag of the .rec file in its store; None for a file of this machine."""
        facts = None if self.mirror is None else self.mirror.facts(self.path(".rec").name)
        return None if facts is None else facts.etag

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
            The file is not a JSON object, or larger than `recordkit.formats.json_file.MAX_BYTES`.
        """
        path = self.path(".json")
        try:
            return json_file.read_object(path, "a JSON object", advice="remove it, or pack again to another prefix")
        except FileNotFoundError:
            return {}

    def id(self) -> str | None:
        """Return the id of the set in PREFIX.json; None if it has none, or describes a .rec file of another size."""
        description = self.description()
        set_id = description.get("id")
        return set_id if isinstance(set_id, str) and described_size(description) == self._size() else None

    def classes(self, *, is_damaged: bool = False) -> dict[str, int] | None:
        """Read the class names in PREFIX.json.

        Parameters
        ----------
        is_damaged : bool, default False
            The .rec file is known to have lost bytes, so its size may be another one than PREFIX.json says.

        Returns
        -------
        classes : dict of str to int, or None
            Name to label; None if the set has no class names.

        Raises
        ------
        FormatError
            PREFIX.json is not a JSON object or the description of another .rec file, or its classes are not a mapping
            of str to int.
        """
        if self.listing is not None:
            classes = self.listing.manifest.classes
            return None if classes is None else dict(classes)
        description = self.description()
        classes = description.get("classes")
        if classes is None:
            return None
        if not is_damaged:
            self._check_size(description)
        if not isinstance(classes, dict) or not all(type(label) is int for label in classes.values()):
            raise FormatError(
                "expected classes as names and whole numbers",
                path=str(self.path(".json")),
                advice="remove it, or pack again to another prefix",
            )
        return classes

    def check_listing(self) -> None:
        """Compare the size and the id of a shard with its manifest; nothing for a set that no manifest names.

        Raises
        ------
        NotFoundError, FormatError
            The shard does not exist, or belongs to another dataset.
        """
        if self.listing is None:
            return
        shard, manifest_path = self.listing.shard, self.listing.path
        advice = f"copy all files that {manifest_path.name} names together with it, or pack again"
        try:
            size = self.rec_size()
        except NotFoundError as error:
            raise NotFoundError(
                path=error.path,
                expected=f"the shard that {manifest_path} names",
                got="no file",
                advice=advice,
            ) from None
        if size != shard.n_bytes:
            expected = f"{shard.n_bytes} bytes, as {manifest_path} says"
            raise FormatError(path=str(self.path(".rec")), expected=expected, got=size, advice=advice)
        set_id = self.id()
        if None not in (set_id, shard.id) and set_id != shard.id:
            expected = f"the set {shard.id}, as {manifest_path} says"
            raise FormatError(path=str(self.path(".json")), expected=expected, got=set_id, advice=advice)

    def exact_labels(self, *, is_damaged: bool = False) -> NDArray[np.int64] | None:
        """Read the exact labels, PREFIX.labels.npy, and compare them with the description of the set.

        Labels of another set would fit these records as well if both have as many. The description of a set that
        recordkit packed says if the set has exact labels, and their SHA-256.

        Parameters
        ----------
        is_damaged : bool, default False
            The .rec file is known to have lost bytes, so its size may be another one than PREFIX.json says.

        Returns
        -------
        labels : ndarray of int64, shape (n,) or (n, w), or None
            In the order of the records; None if the set has no exact labels.

        Raises
        ------
        FormatError
            The file is not an array of int64, not the one that PREFIX.json describes, or larger than the labels of the
            records can be.
        """
        description = self.description()
        if not self.exists(".labels.npy"):
            if described_size(description) == self._size() and lists_file(description, ".labels.npy"):
                raise self._other_labels("the exact labels that the set was packed with", "no file")
            return None
        if not is_damaged:
            self._check_size(description)
        path = self.path(".labels.npy")
        # The records have the same labels in 4 bytes each, or one label in their 32 bytes or more.
        max_bytes = npy.MAX_HEADER_BYTES + 2 * self.rec_size()
        labels = npy.read(path, max_bytes=max_bytes, what="the exact labels of these records")
        if described_size(description) is not None:
            self._check_labels(description, path)
        if labels.dtype != np.int64 or labels.ndim not in (1, 2):
            raise FormatError(
                path=str(path), expected="int64 of rank 1 or 2", got=f"{labels.dtype} of rank {labels.ndim}"
            )
        return labels

    def _check_size(self, description: Mapping[str, Any]) -> None:
        """Raise FormatError if PREFIX.json describes a .rec file of another size, so labels and classes may differ."""
        size = described_size(description)
        if size in (None, self._size()):
            return
        json_path, rec_path = self.path(".json"), self.path(".rec")
        beside = [self.path(suffix) for suffix in (".json", ".labels.npy") if self.exists(suffix)]
        names = " and ".join(map(str, beside))
        if self.mirror is None:
            prefix = quoted(self.prefix)
            advice = f"if {rec_path} is whole, remove {names}, or run 'recordkit pack SOURCE {prefix} --overwrite'"
        else:  # nothing is replaced in a store
            advice = f"if {rec_path} is whole, remove {names}, or pack its images to another prefix"
        raise FormatError(
            path=str(json_path),
            expected=f"the description of {rec_path}, of {self._size()} bytes",
            got=f"that of a file of {size} bytes",
            advice=advice,
        )

    def _check_labels(self, description: Mapping[str, Any], path: Path) -> None:
        facts = description.get("labels")
        if isinstance(facts, dict):
            expected, got = facts.get("sha256"), fingerprint(path)
            if expected != got:
                raise self._other_labels(f"SHA-256 {expected} as in {self.path('.json')}", got)
        elif lists_file(description, ".labels.npy") is False:
            raise self._other_labels(f"no file, because {self.path('.json')} lists none", "labels of another set")

    def _other_labels(self, expected: str, got: str) -> FormatError:
        json_path = self.path(".json")
        advice = f"copy all files of the set together or pack again; without {json_path} nothing is compared"
        return FormatError(path=str(self.path(".labels.npy")), expected=expected, got=got, advice=advice)

    def _size(self) -> int | None:
        try:
            return self.path(".rec").stat().st_size
        except FileNotFoundError:
            return None


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
    files = Fileset(rec_path)
    if files.mirror is not None:
        return f"run 'recordkit merge {quoted(files.name)} NEW', which writes a copy that has one"
    written = files.path(".idx")
    target = "" if idx_path is None or Path(idx_path) == written else f", which writes {written}"
    return f"run 'recordkit reindex {quoted(rec_path)}'{target}"


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal, as ``sha256sum`` prints it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     fingerprint(Path(file.name))[:16]
    'e3b0c44298fc1c14'
    """
    with contextlib.closing(Fingerprint(path)) as content:
        return content.hexdigest()


class Fingerprint:
    """The SHA-256 of a file, computed in steps beside other work on the same bytes.

    Parameters
    ----------
    path : Path
        It is opened when it is first read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.rec")
    >>> _ = path.write_bytes(bytes(9))
    >>> content = Fingerprint(path)
    >>> content.read_to(4)
    >>> content.hexdigest() == fingerprint(path), content.close()
    (True, None)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source: ByteSource | None = None
        self._digest = hashlib.sha256()
        self._offset = 0

    def read_to(self, end: int | None) -> None:
        """Read on up to an offset, or up to the end of the file."""
        if self._source is None:
            self._source = open_source(self._path)
        while end is None or self._offset < end:
            size = _HASHED_BYTES if end is None else min(_HASHED_BYTES, end - self._offset)
            block = self._source.pread(size, self._offset)
            if not block:
                break
            self._digest.update(block)
            self._offset += len(block)

    def hexdigest(self) -> str:
        """Read the rest of the file, and return the SHA-256 in hexadecimal."""
        self.read_to(None)
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._source is not None:
            self._source.close()
