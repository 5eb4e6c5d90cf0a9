"""Size and ETag of an object, as stores and web servers tell them."""

from __future__ import annotations

from typing import Any, NamedTuple

from recordkit.storage.remote.client.answers import WrongAnswerError


class ObjectFacts(NamedTuple):
    """Size of an object in bytes, and its ETag.

    `etag` changes with the content. It is the server's ETag, or, of a web server that has none, the text "modified" and
    a time; None if there is neither.
    """

    size: int
    etag: str | None


def facts_of(meta: Any) -> ObjectFacts:
    """Return the facts in obstore's description of an object.

    Examples
    --------
    >>> facts_of({"size": 2, "e_tag": "0x8D", "last_modified": None})
    ObjectFacts(size=2, etag='"0x8D"')
    """
    etag, modified = meta["e_tag"], meta["last_modified"]
    if etag and not etag.endswith('"'):  # Azure's lists leave the quotes out
        etag = f'"{etag}"'
    if not etag and modified is not None and modified.timestamp() > 0:
        etag = f"modified {modified.isoformat()}"
    return ObjectFacts(meta["size"], etag)


def checked(content: bytes, size: int) -> bytes:
    """Return bytes that came, if they are as many as expected.

    Raises
    ------
    WrongAnswerError
    """
    if len(content) != size:
        raise WrongAnswerError(f"{len(content)} bytes")
    return content
