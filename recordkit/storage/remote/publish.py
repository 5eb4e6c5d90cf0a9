"""Files of this machine become objects of a store, and never a mixture of two publishings.

The last of the files, such as the .json of a set or the manifest of shards, says that all are there: readers trust
only it, and it is written by put-if-absent after the others. Before the first file, an object ``.NAME.publishing`` that
lists names, sizes and checksums is written by put-if-absent too. So a second publishing of other files under these
names is refused, also at the same time; one of the same files, as after a kill, goes on with what is missing. The list
is removed at the end. Nothing is overwritten: an object of other content under one of the names is an error before the
first upload.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from recordkit.errors import FormatError, NotFoundError, PublishError, RemoteError, enumerate_some
from recordkit.storage.names import MANIFEST_SUFFIX, refuse_file_name
from recordkit.storage.remote.client.connection import WHOLE_BYTES
from recordkit.storage.remote.client.facts import ObjectFacts
from recordkit.storage.remote.client.upload import part_bytes
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.store import Store, open_store
from recordkit.storage.remote.urls import Url
from recordkit.threads import ThreadedMap

Progress = Callable[[int], object]
"""Called with the number of bytes since the last call."""
ShowUpload = Callable[[int], AbstractContextManager[Progress]]
"""Called with the number of bytes of an upload; returns a context manager of a `Progress`."""

_LARGEST_LIST = 2**30
# Other publishings may end between two requests, but not as often as this.
_MOST_CLAIMS = 20


class Published(NamedTuple):
    """A file that is an object now; `was_there` if it was one before."""

    url: Url
    n_bytes: int
    was_there: bool


class _File(NamedTuple):
    """A file with its name at the destination, and the ETag that S3 gives it."""

    path: Path
    url: Url
    size: int
    etag: str


def in_order(folder: Path) -> list[Path]:
    """Return all files of a folder in the order of their publishing: .json after others, and manifests last.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.json", "a.manifest.json", "a.rec"):
    ...     (folder / name).touch()
    >>> [path.name for path in in_order(folder)]
    ['a.rec', 'a.json', 'a.manifest.json']
    """

    def rank(path: Path) -> tuple[int, str]:
        return (2 if path.name.endswith(MANIFEST_SUFFIX) else int(path.suffix == ".json")), str(path)

    return sorted((path for path in folder.rglob("*") if path.is_file()), key=rank)


def parse_destination(path: Any) -> Url:
    """Return the URL of files or a folder to publish.

    Raises
    ------
    PublishError
        It is that of a web server, to which nothing can be published, or it has no name after the bucket.
    PlanError
        It is no URL, or has credentials.

    Examples
    --------
    >>> str(parse_destination("s3://bucket/photos"))
    's3://bucket/photos'
    """
    url = Url.parse(path)
    _refuse_web_server(url)
    if not url.name:
        advice = f"add a name, as in {url.join('train')}"
        raise PublishError(path=str(url), expected="a name in the bucket", got="the bucket alone", advice=advice)
    return url


def parse_prefix(path: Any) -> Url:
    """Return the URL of the prefix of a set to publish.

    Raises
    ------
    PublishError, PlanError
        As for `parse_destination`; or it is a folder, or the name of a file of a set.

    Examples
    --------
    >>> parse_prefix("s3://bucket/photos/")
    Traceback (most recent call last):
    ...
    recordkit.errors.PublishError: s3://bucket/photos/: expected a file prefix, got a folder; add a name, as in
    s3://bucket/photos/train
    """
    url = parse_destination(path)
    if not isinstance(path, Url) and os.fspath(path).endswith("/"):
        advice = f"add a name, as in {url.join('train')}"
        raise PublishError(path=f"{url}/", expected="a file prefix", got="a folder", advice=advice)
    refuse_file_name(url)
    return url


def _refuse_web_server(url: Url) -> None:
    if url.scheme in ("http", "https"):
        advice = "publish to s3://, gs:// or az://"
        raise PublishError(path=str(url), expected="a store that takes files", got="a web server", advice=advice)


def claim_name(name: str) -> str:
    """Return the name of the object that lists the files of a publishing, the last of which is `name`.

    Examples
    --------
    >>> claim_name("a.json")
    '.a.json.publishing'
    """
    return f".{name}.publishing"


def publish_files(
    files: Sequence[Path],
    to: Url,
    *,
    base: Path | None = None,
    settings: RemoteSettings | None = None,
    progress: Progress | None = None,
) -> list[Published]:
    """Upload files into a folder of a store.

    Parameters
    ----------
    files : sequence of Path
        The files; the last one is written after all others.
    to : Url
        Folder of the objects.
    base : Path, optional
        Folder of the files, under which their relative paths become keys. Default: only their names do.
    settings : RemoteSettings, optional
        Default: those of the process.
    progress : callable, optional
        It is called in the caller's thread with the number of bytes since the last call.

    Returns
    -------
    published : list of Published
        In the order of `files`.

    Raises
    ------
    PublishError
        An object of other content, or another publishing, has one of the names. Nothing is overwritten.
    RemoteError, NotFoundError
        The store refuses or does not answer, or there is no such bucket.
    """
    _refuse_web_server(to)
    if not files:
        return []
    described = [_describe(path, to.join(path.relative_to(base).as_posix() if base else path.name)) for path in files]
    store = open_store(to, settings)
    publishing = _Publishing(store, described, progress or (lambda n_bytes: None))
    return publishing.run()


def publish_shown(
    files: Sequence[Path], to: Url, show_upload: ShowUpload | None, *, base: Path | None = None
) -> list[Published]:
    """Do what `publish_files` does, and show how much is uploaded.

    Parameters
    ----------
    files, to, base
        As for `publish_files`.
    show_upload : callable or None
        Called with the number of bytes of all files before the upload. It returns a context manager of a function,
        which is called with the number of bytes since the last call.
    """
    if show_upload is None:
        return publish_files(files, to, base=base)
    with show_upload(sum(path.stat().st_size for path in files)) as uploaded:
        return publish_files(files, to, base=base, progress=uploaded)


class _Publishing:
    """One publishing: the files, and those of them that are objects already."""

    def __init__(self, store: Store, files: Sequence[_File], progress: Progress) -> None:
        self._store = store
        self._files = files
        self._progress = progress
        last = files[-1].url
        self._claim = last.with_name(claim_name(last.name))
        self._list = json.dumps({str(file.url): [file.size, file.etag] for file in files}, indent=1).encode()

    def run(self) -> list[Published]:
        present = self._find_present()
        if not all(present):
            self._take_claim()
            try:
                present = self._find_present()  # another publishing may have ended since
            except PublishError:
                self._store.delete(self._claim.key)
                raise
            missing = [file for file, is_there in zip(self._files, present, strict=True) if not is_there]
            for stage in range(3):
                self._upload([file for file in missing if self._stage(file) == stage])
        for file, is_there in zip(self._files, present, strict=True):
            self._progress(file.size if is_there else 0)
        self._store.delete(self._claim.key)
        return [Published(file.url, file.size, there) for file, there in zip(self._files, present, strict=True)]

    def _find_present(self) -> list[bool]:
        """Tell for each file whether its object is there; one of other content is refused."""
        with ThreadedMap(self._is_present, self._files, self._n_threads()) as answers:
            present = list(answers)
        others = [str(file.url) for file, is_there in zip(self._files, present, strict=True) if is_there is None]
        if others:
            raise _conflict(others)
        return [bool(is_there) for is_there in present]

    def _is_present(self, file: _File) -> bool | None:
        """Return whether the object is there; None if it has other content."""
        facts = self._store.find(file.url.key)
        if facts is None:
            return False
        return True if self._is_same(file, facts) else None

    def _is_same(self, file: _File, facts: ObjectFacts) -> bool:
        if facts.size != file.size:
            return False
        if facts.etag == file.etag:
            return True
        with open(file.path, "rb") as content:  # the ETags of other stores, and of encrypted objects, are no MD5
            for begin in range(0, file.size, WHOLE_BYTES):
                end = min(begin + WHOLE_BYTES, file.size)
                if self._store.read_range(file.url.key, begin, end, facts.etag) != content.read(WHOLE_BYTES):
                    return False
        return True

    def _take_claim(self) -> None:
        for _ in range(_MOST_CLAIMS):
            if self._store.create(self._claim.key, self._list):
                return
            try:
                is_own = self._store.read(self._claim.key, max_bytes=_LARGEST_LIST)[0] == self._list
            except NotFoundError:  # its publishing has ended
                continue
            except FormatError:
                is_own = False
            break
        else:
            got = f"an object that exists and cannot be found, {_MOST_CLAIMS} times"
            raise RemoteError(path=str(self._claim), expected="a new object, or one to read", got=got)
        if not is_own:
            raise other_publishing(self._claim)

    def _stage(self, file: _File) -> int:
        """Return when a file is written: .json after the files that it describes, and the last one after all others."""
        return 2 if file is self._files[-1] else int(file.path.suffix == ".json")

    def _upload(self, files: Sequence[_File]) -> None:
        """Write small files many at a time, and large ones one by one."""
        small = [file for file in files if file.size <= part_bytes(file.size)]
        with ThreadedMap(self._create, small, self._n_threads()) as sizes:
            for size in sizes:
                self._progress(size)
        for file in files:
            if file.size > part_bytes(file.size):
                self._store.upload(file.url.key, file.path, self._progress)

    def _create(self, file: _File) -> int:
        if not self._store.create(file.url.key, file.path.read_bytes()) and not self._is_present(file):
            raise _conflict([str(file.url)])
        return file.size

    def _n_threads(self) -> int:
        return max(1, min(self._store.settings.n_requests, len(self._files)))


def other_publishing(claim: Url) -> PublishError:
    """Return the error about the list of another publishing."""
    return PublishError(
        path=str(claim),
        expected="no other publishing under these names",
        got="one of other files, which runs or was stopped",
        advice="wait for its end, or remove this object if it was stopped, or choose another prefix",
    )


def _conflict(urls: Sequence[str]) -> PublishError:
    expected = "no object, or one of the same content"
    got = "other content" + (f", also at {enumerate_some(urls[1:])}" if urls[1:] else "")
    return PublishError(path=urls[0], expected=expected, got=got, advice="choose another prefix, or remove the objects")


def _describe(path: Path, url: Url) -> _File:
    """Return a file with the ETag that S3 computes: MD5, or of parts the MD5 of theirs and their number."""
    size = path.stat().st_size
    n_part = part_bytes(size)
    parts = []
    with open(path, "rb") as file:
        while block := file.read(n_part):
            parts.append(hashlib.md5(block, usedforsecurity=False).digest())
    if len(parts) > 1:
        etag = f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
    else:
        etag = (parts[0] if parts else hashlib.md5(b"", usedforsecurity=False).digest()).hex()
    return _File(path, url, size, f'"{etag}"')
