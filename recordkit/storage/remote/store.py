"""Objects of one bucket, container or web server: their facts and bytes, and new ones.

Each request has a limit of time, is repeated after failures that may pass, and all attempts together have a limit too,
see `recordkit.storage.remote.client.attempts`. Errors name the URL, the range, what came instead, the number of
attempts and what to do; they have no credentials.
"""

from __future__ import annotations

import difflib
import errno
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, NotFoundError, RefusedError, RemoteError, plural
from recordkit.storage.remote.client import answers
from recordkit.storage.remote.client.attempts import FailedError
from recordkit.storage.remote.client.connection import WHOLE_BYTES, Connection
from recordkit.storage.remote.client.facts import ObjectFacts, checked, facts_of
from recordkit.storage.remote.client.upload import Upload, part_bytes
from recordkit.storage.remote.settings import RemoteSettings, current
from recordkit.storage.remote.urls import Url

# S3 lists no more in one request.
_PAGE_OBJECTS = 1000


class GoneError(Exception):
    """An object is at fault and not its store: it is missing, or was replaced. The text may be shown."""


class Store(Connection):
    """The objects of a root. Threads may share it. A pickle has no credentials: its receiver finds its own.

    Parameters
    ----------
    root : str
        Root of a `Url`, such as ``s3://bucket``.
    settings : RemoteSettings

    Notes
    -----
    `open_store` returns the store that the process has already. After a fork the store opens its connections again.
    """

    def __init__(self, root: str, settings: RemoteSettings) -> None:
        super().__init__(root, settings)
        _stores.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_store, (Url(self.root, ""), self.settings)

    def __repr__(self) -> str:
        return f"Store({self.root!r})"

    def url(self, key: str) -> Url:
        """Return the URL of a key."""
        return Url(self.root, key)

    def facts(self, key: str) -> ObjectFacts:
        """Return size and ETag of an object.

        Raises
        ------
        NotFoundError
            There is no such object; the error names a similar one of the same folder, or says that there is no bucket.
        RefusedError
            The store does not allow it; S3 answers so about missing objects too if the reader may not list.
        RemoteError
            The store does not answer.
        """
        try:
            return self._facts(key)
        except FailedError as failure:
            raise self._failure(failure, key, "the size of the object") from None

    def find(self, key: str) -> ObjectFacts | None:
        """Return size and ETag of an object; None if there is none. Unlike `facts`, it looks for no similar names.

        Raises
        ------
        RemoteError
            As for `facts`.
        """
        try:
            return self._facts(key)
        except FailedError as failure:
            if failure.answer.kind == answers.MISSING:
                return None
            raise self._failure(failure, key, "the size of the object") from None

    def read(self, key: str, *, max_bytes: int, what: str = "a file") -> tuple[bytes, ObjectFacts]:
        """Read a whole object of limited size.

        Parameters
        ----------
        key : str
        max_bytes : int
            Limit for the size; no larger object is fetched.
        what : str, default "a file"
            Description of the object for errors.

        Returns
        -------
        content : bytes
        facts : ObjectFacts

        Raises
        ------
        FormatError
            The object is larger, or it changed while it was read.
        NotFoundError, RemoteError
            As for `facts`.
        """

        def get(client: Any) -> tuple[bytes | None, ObjectFacts]:
            result = self._obstore().get(client, key)
            facts = facts_of(result.meta)
            if facts.size > min(max_bytes, WHOLE_BYTES):
                return None, facts
            return checked(bytes(result.bytes()), facts.size), facts

        try:
            content, facts = self._attempts().run(get)
        except FailedError as failure:
            raise self._failure(failure, key, what) from None
        if facts.size > max_bytes:
            expected = f"{what} of at most {max_bytes} bytes"
            raise FormatError(path=str(self.url(key)), expected=expected, got=plural(facts.size, "byte"))
        if content is None:
            ranges = ((begin, min(begin + WHOLE_BYTES, facts.size)) for begin in range(0, facts.size, WHOLE_BYTES))
            content = b"".join(self.read_range(key, *range_, facts.etag) for range_ in ranges)
        return content, facts

    def read_range(self, key: str, begin: int, end: int, etag: str | None) -> bytes:
        """Read bytes `begin` to `end` - 1 of an object.

        Parameters
        ----------
        key : str
        begin, end : int
            Offsets in the object; `end` is at most its size.
        etag : str or None
            ETag that the object must still have.

        Raises
        ------
        RemoteError
            The object has another ETag now, so it was replaced after it was opened; or as for `facts`.
        NotFoundError
            As for `facts`.
        """
        try:
            content, got_etag = self._range(key, begin, end, etag)
        except FailedError as failure:
            if failure.answer.kind == answers.CHANGED:
                raise self._changed(key, begin, etag) from None
            raise self._failure(failure, key, plural(end - begin, "byte"), offset=begin) from None
        if got_etag != etag:
            raise self._changed(key, begin, etag, got_etag)
        return content

    def read_object(
        self, key: str, facts: ObjectFacts | None, admits: Callable[[int], bool] = lambda _size: True
    ) -> bytes | None:
        """Read a whole object, one of very many, of which some may be missing.

        Parameters
        ----------
        key : str
        facts : ObjectFacts or None
            Size and ETag that the object must still have; None if they are not known.
        admits : callable
            It is asked whether to fetch an object of unknown facts, with its size in bytes, maybe more than once.

        Returns
        -------
        content : bytes or None
            None if the object is not admitted.

        Raises
        ------
        GoneError
            The object is missing, or it was replaced.
        RemoteError, NotFoundError
            The store does not answer or refuses, or there is no such bucket.
        """
        content: bytes | None = None
        try:
            if facts is None:
                content, facts, is_admitted = self._attempts().run(lambda client: self._get(client, key, admits))
                if content is not None or not is_admitted:
                    return content
            begins = range(0, facts.size, WHOLE_BYTES)
            pieces = [self._range(key, begin, min(begin + WHOLE_BYTES, facts.size), facts.etag) for begin in begins]
        except FailedError as failure:
            if failure.answer.kind == answers.CHANGED:
                raise GoneError("it was replaced after its folder was listed") from None
            if failure.answer.kind == answers.MISSING and not failure.answer.is_of_bucket:
                raise GoneError(os.strerror(errno.ENOENT)) from None
            raise self._failure(failure, key, "an image") from None
        if any(etag != facts.etag for _, etag in pieces):
            raise GoneError("it was replaced after its folder was listed")
        return b"".join(piece for piece, _ in pieces)

    def _get(self, client: Any, key: str, admits: Callable[[int], bool]) -> tuple[bytes | None, ObjectFacts, bool]:
        """Read an object unless it is too large for one request or not admitted; return its facts and admission."""
        result = self._obstore().get(client, key)
        facts = facts_of(result.meta)
        is_admitted = admits(facts.size)
        if not is_admitted or facts.size > WHOLE_BYTES:
            return None, facts, is_admitted
        return checked(bytes(result.bytes()), facts.size), facts, True

    def _range(self, key: str, begin: int, end: int, etag: str | None) -> tuple[bytes, str | None]:
        """Read a range, and return it with the ETag of its object; with `etag` if none is demanded.

        Raises
        ------
        FailedError
        """
        if begin >= end:
            return b"", etag
        options: dict[str, Any] = {"range": (begin, end)}
        if etag and etag.startswith('"'):  # no weak ETag and no time matches
            options["if_match"] = etag

        def get(client: Any) -> tuple[bytes, str | None]:
            result = self._obstore().get(client, key, options=options)
            return checked(bytes(result.bytes()), end - begin), facts_of(result.meta).etag if etag else etag

        return self._attempts().run(get)

    def list_tree(self, key: str) -> Iterator[list[tuple[str, ObjectFacts]]]:
        """Yield the objects in a folder and in all folders below it, a page of at most 1,000 at a time.

        Parameters
        ----------
        key : str
            Key of the folder; "" is the root.

        Yields
        ------
        page : list of (str, ObjectFacts)
            Name relative to the folder, with slashes, and facts. Names are in the order of the store. After a failure
            the list goes on behind the last page that came.

        Raises
        ------
        NotFoundError
            There is no such bucket.
        RemoteError
            The store does not answer or refuses, or it has no list, as web servers.
        """
        if self.scheme in ("http", "https"):
            raise RemoteError(
                path=str(self.url(key)),
                expected="a store that lists its objects",
                got="a web server",
                advice="name the images in a .lst file and give this URL as `root`",
            )
        pages: Any = None
        last: str | None = None

        def next_page(client: Any) -> Any:
            nonlocal pages
            try:
                if pages is None:
                    pages = self._obstore().list(client, key or None, offset=last, chunk_size=_PAGE_OBJECTS)
                return next(pages, None)
            except BaseException:
                pages = None
                raise

        beginning = len(key) + 1 if key else 0
        while True:
            try:
                page = self._attempts().run(next_page)
            except FailedError as failure:
                raise self._failure(failure, key, "the list of a folder", similar=False) from None
            if not page:
                return
            last = page[-1]["path"]
            yield [(meta["path"][beginning:], facts_of(meta)) for meta in page]

    def list_folder(self, key: str) -> dict[str, ObjectFacts] | None:
        """Return names and facts of the objects in a folder, without its folders.

        Parameters
        ----------
        key : str
            Key of the folder; "" is the root. A folder without objects is empty, as stores know no folders.

        Returns
        -------
        facts : dict of str to ObjectFacts, or None
            None if the store has no list, as web servers.

        Raises
        ------
        RefusedError
            The reader may not list, though perhaps read.
        RemoteError
            As for `facts`.
        """
        if self.scheme in ("http", "https"):
            return None
        return {meta["path"].rpartition("/")[2]: facts_of(meta) for meta in self._list(key)["objects"]}

    def list_folders(self, key: str) -> list[str]:
        """Return the names of the folders directly in a folder."""
        return [path.rpartition("/")[2] for path in self._list(key)["common_prefixes"]]

    def _list(self, key: str) -> Any:
        """List the objects and the folders directly in a folder."""
        try:
            return self._attempts().run(lambda client: self._obstore().list_with_delimiter(client, key or None))
        except FailedError as failure:
            raise self._failure(failure, key, "the list of a folder", similar=False) from None

    def create(self, key: str, data: bytes) -> bool:
        """Write an object if there is none of that key.

        Returns
        -------
        created : bool
            False if the key has an object already, which stays as it is. If the answer to the first attempt was lost,
            an object with the same bytes counts as this one.
        """
        n_attempts = 0

        def put(client: Any) -> None:
            nonlocal n_attempts
            n_attempts += 1
            self._obstore().put(client, key, data, mode="create", use_multipart=False)

        try:
            self._attempts(n_bytes=len(data)).run(put)
        except FailedError as failure:
            if failure.answer.kind not in (answers.EXISTS, answers.CHANGED):
                raise self._failure(failure, key, "a new object", similar=False) from None
            return n_attempts > 1 and self.facts(key).size == len(data) and self._has_content(key, data)
        return True

    def upload(self, key: str, path: Path, progress: Callable[[int], object] | None = None) -> ObjectFacts:
        """Write a file to an object, in parts if it is large. An object of that key is replaced.

        Parameters
        ----------
        key : str
        path : Path
            The file. A part of it at a time is in memory, see `recordkit.storage.remote.client.upload`.
        progress : callable, optional
            It is called in the caller's thread with the number of bytes since the last call.

        Raises
        ------
        RemoteError
            The store refuses, does not answer, or has another size afterwards. Its object is as before.
        """
        size = path.stat().st_size
        upload = Upload(self._obstore(), path, size, progress)
        try:
            if size <= part_bytes(size):
                self._attempts(n_bytes=size).run(lambda client: upload.put_whole(client, key))
            else:
                timeout_s = self.settings.timeout_s * -(-part_bytes(size) // WHOLE_BYTES)
                client = self._open(timeout_s, retry_s=self.settings.total_s)
                self._attempts(most=3, client=client).run(
                    lambda client: upload.put_parts(client, key), waits_itself=True
                )
            facts = self._facts(key)
        except FailedError as failure:
            raise self._failure(failure, key, f"an upload of {plural(size, 'byte')}", similar=False) from None
        if facts.size != size:
            raise RemoteError(
                path=str(self.url(key)), expected=f"{plural(size, 'byte')} after the upload", got=facts.size
            )
        return facts

    def delete(self, key: str) -> None:
        """Remove an object; one that does not exist is no error."""
        try:
            self._attempts().run(lambda client: self._obstore().delete(client, key))
        except FailedError as failure:
            if failure.answer.kind != answers.MISSING:
                raise self._failure(failure, key, "the removal of the object", similar=False) from None

    def _facts(self, key: str) -> ObjectFacts:
        return facts_of(self._attempts().run(lambda client: self._obstore().head(client, key)))

    def _has_content(self, key: str, data: bytes) -> bool:
        return self.read(key, max_bytes=len(data))[0] == data

    def _changed(self, key: str, offset: int, etag: str | None, got: str | None = None) -> RemoteError:
        """Return the error about an object that was replaced while it was read."""
        if got is None:
            try:
                got = self._facts(key).etag
            except FailedError:
                got = None
        return RemoteError(
            path=str(self.url(key)),
            offset=offset,
            expected=f"the object of ETag {etag}",
            got=f"one of ETag {got}" if got else "another one",
            advice="it was replaced while it was read; open it again",
        )

    def _failure(
        self, failure: FailedError, key: str, expected: str, *, offset: int | None = None, similar: bool = True
    ) -> NotFoundError | RemoteError:
        """Return the error about a failure."""
        path, answer = str(self.url(key)), failure.answer
        if answer.kind == answers.MISSING:
            names, got = ([], "no such bucket") if answer.is_of_bucket else self._names_beside(key)
            close = difflib.get_close_matches(self.url(key).name, names, n=1) if similar else []
            advice = f"did you mean {self.url(key).with_name(close[0])}?" if close else "check the URL"
            return NotFoundError(path=path, expected="an object" if similar else expected, got=got, advice=advice)
        kind = RefusedError if answer.kind == answers.DENIED else RemoteError
        return kind(path=path, offset=offset, expected=expected, got=failure.text, advice=answer.advice(self.scheme))

    def _names_beside(self, key: str) -> tuple[list[str], str]:
        """Return names of an object's folder, by one request, and what a request of the object has got."""
        if self.scheme in ("http", "https"):
            return [], "HTTP 404"
        folder = self.url(key).parent.key
        try:
            page = self._attempts(most=1).run(
                lambda client: next(self._obstore().list(client, folder or None, chunk_size=_PAGE_OBJECTS), ())
            )
        except FailedError as failure:
            return [], "no such bucket" if failure.answer.kind == answers.MISSING else "none of that key"
        urls = [self.url(meta["path"]) for meta in page]
        return [url.name for url in urls if url.parent.key == folder], "none of that key"


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_opened: dict[tuple[str, RemoteSettings], Store] = {}
_lock = threading.Lock()


def open_store(url: Url, settings: RemoteSettings | None = None) -> Store:
    """Return the store of a URL. Nothing is sent.

    Parameters
    ----------
    url : Url
    settings : RemoteSettings, optional
        Default: those of the process.

    Examples
    --------
    >>> open_store(Url.parse("s3://photos/train.rec"))
    Store('s3://photos')
    """
    key = url.root, settings or current()
    with _lock:
        if key not in _opened:
            _opened[key] = Store(*key)
        return _opened[key]


def _forget() -> None:
    """Open connections again in a forked process, and make locks that nobody holds."""
    global _lock
    _lock = threading.Lock()
    for store in list(_stores):
        store.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
