"""URLs of objects: the root, such as ``s3://bucket``, and the key in it.

Schemes: ``s3`` (Amazon S3 and everything that speaks its protocol), ``gs`` and ``gcs`` (Google Cloud Storage), ``az``,
``abfs`` and ``abfss`` (Azure Blob Storage), and ``http`` and ``https`` (any web server that answers ranges).

A URL has no credentials. One with a password, a signature or another query is refused, because URLs are printed, saved
and pickled; `recordkit.storage.remote.client.credentials` says where credentials are looked up.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from recordkit.errors import PlanError

_SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "http", "https")
# `pathlib.Path` makes one slash of two.
_START = re.compile(rf"({'|'.join(_SCHEMES)}):/{{1,2}}(?!/)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(?!/)", re.IGNORECASE)  # c:/ is a drive
_WEB = ("http", "https")
_AZURE = ("az", "abfs", "abfss")


def is_url(path: Any) -> bool:
    """Return whether a path is a URL of an object store or web server.

    Parameters
    ----------
    path : str or Path
        A `pathlib.Path` of a URL, which has one slash after the colon, counts too.

    Examples
    --------
    >>> from pathlib import Path
    >>> is_url("s3://photos/train.rec"), is_url(Path("s3://photos/train.rec")), is_url("photos/train.rec")
    (True, True, False)
    """
    return isinstance(path, str | os.PathLike | Url) and _START.match(_text(path)) is not None


def refuse_unwritable(path: Any) -> None:
    """Refuse a URL of another scheme, or one without a bucket, as a path to write to: it would become a folder.

    Raises
    ------
    PlanError

    Examples
    --------
    >>> refuse_unwritable("hdfs://node/train")
    Traceback (most recent call last):
    ...
    recordkit.errors.PlanError: hdfs://node/train: expected a path, or a URL of s3://, gs:// or az://, got one of hdfs://
    """
    text = os.fsdecode(path)
    expected = "a path, or a URL of s3://, gs:// or az://"
    if text.rstrip("/").removesuffix(":").lower() in _SCHEMES and ":" in text:
        raise PlanError(path=f"{text.rstrip('/')}//", expected=expected, got="one without a bucket")
    other = _OTHER_SCHEME.match(text)
    if other and other[1].lower() not in _SCHEMES:
        shown = f"{other[1]}://{text[other.end() :]}"
        raise PlanError(path=shown, expected=expected, got=f"one of {other[1]}://")


@dataclass(frozen=True)
class Url:
    """The address of an object or of a folder of objects.

    Parameters
    ----------
    root : str
        Scheme and bucket, container or host: ``s3://bucket``, ``abfss://container@account.dfs.core.windows.net``,
        ``https://host:8080``.
    key : str
        Name of the object in the root, decoded, without slashes at its ends; "" is the root itself.

    Examples
    --------
    >>> url = Url.parse("s3://photos/birds/train.rec")
    >>> url.root, url.key, url.name
    ('s3://photos', 'birds/train.rec', 'train.rec')
    >>> str(url.parent), str(url.parent.join("val.rec"))
    ('s3://photos/birds', 's3://photos/birds/val.rec')
    """

    root: str
    key: str

    @classmethod
    def parse(cls, path: Any) -> Url:
        """Read a URL.

        Parameters
        ----------
        path : str, Path or Url

        Raises
        ------
        PlanError
            The URL has credentials, no bucket or host, or a key that stores cannot have.

        Examples
        --------
        >>> Url.parse("https://example.org/my%20photos/train.rec")
        Url(root='https://example.org', key='my photos/train.rec')
        """
        if isinstance(path, Url):
            return path
        text = _text(path)
        start = _START.match(text)
        if start is None:
            raise PlanError(expected=f"a URL of {', '.join(s + '://' for s in _SCHEMES)}", got=without_secrets(text))
        scheme = start[1].lower()
        authority, _, key = text[start.end() :].partition("/")
        _refuse_credentials(text, scheme, authority, key)
        if scheme in _WEB:
            from urllib.parse import unquote  # paths of files need no such import

            key, authority = unquote(key), authority.lower()
        key = key.strip("/")
        _check(text, authority, key)
        return cls(f"{'gs' if scheme == 'gcs' else scheme}://{authority}", key)

    @property
    def scheme(self) -> str:
        """``s3``, ``gs``, ``az``, ``abfs``, ``abfss``, ``http`` or ``https``."""
        return self.root.partition(":")[0]

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def parent(self) -> Url:
        """The folder of the object; the root is its own parent."""
        return Url(self.root, self.key.rpartition("/")[0])

    def join(self, name: str) -> Url:
        """Return the URL of a name in this folder.

        Parameters
        ----------
        name : str
            A name, or several with slashes between.
        """
        return Url(self.root, f"{self.key}/{name}" if self.key else name)

    def with_name(self, name: str) -> Url:
        """Return the URL of another name in the same folder.

        Examples
        --------
        >>> str(Url.parse("gs://photos/train.rec").with_name("train.idx"))
        'gs://photos/train.idx'
        """
        return self.parent.join(name)

    def __str__(self) -> str:
        key = self.key
        if self.scheme in _WEB:
            from urllib.parse import quote

            key = quote(key)
        return f"{self.root}/{key}" if key else self.root


def without_secrets(path: Any) -> str:
    """Return the text of a URL without password and query, for messages. Other paths stay as they are.

    Examples
    --------
    >>> without_secrets("https://me:secret@example.org/train.rec?signature=secret")
    'https://example.org/train.rec'
    >>> without_secrets("s3://photos/train-???.rec")
    's3://photos/train-???.rec'
    """
    text = _text(path)
    start = _START.match(text)
    if start is None:
        return text
    scheme = start[1].lower()
    authority, slash, key = text[start.end() :].partition("/")
    authority = re.split("[?#]", authority, maxsplit=1)[0]
    account = authority.rpartition("@")[2]
    if _has_userinfo(scheme, authority):
        authority = account
    if _has_query(scheme, key):
        key = re.split("[?#]", key, maxsplit=1)[0]
    return f"{scheme}://{authority}{slash}{key}"


def _text(path: Any) -> str:
    """Return a path as text, with both slashes after the scheme."""
    text = str(path) if isinstance(path, Url) else os.fsdecode(path)
    return _START.sub(lambda start: f"{start[1]}://", text, count=1)


def _has_userinfo(scheme: str, authority: str) -> bool:
    """Return whether there is a user name before the host; Azure's ``container@account`` is none."""
    user, at, _ = authority.rpartition("@")
    return bool(at) and (scheme not in _AZURE or ":" in user or "@" in user)


def _has_query(scheme: str, key: str) -> bool:
    """Return whether the rest of a URL has a query. Keys and patterns of stores may have question marks."""
    return bool(re.search("[?#]", key)) if scheme in _WEB else bool(re.search(r"\?[^/]*=", key))


def _refuse_credentials(text: str, scheme: str, authority: str, key: str) -> None:
    """Refuse a URL with a user name, a password or a query, without repeating them."""
    if re.search(r"\?(.*&)?versionId=[^&]*", key) and not re.search("signature|credential|token", key, re.IGNORECASE):
        raise PlanError(
            path=without_secrets(text),
            expected="the newest version of an object",
            got="versionId, and versions are not supported",
            advice="leave the query out, or copy that version to a key of its own",
        )
    if _has_userinfo(scheme, authority):
        part = "a user name or password"
    elif _has_query(scheme, key) or re.search("[?#]", authority):
        part = "a query, which may have a signature"
    else:
        return
    advice = {
        "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and leave it out of the URL",
        "gs": "set GOOGLE_APPLICATION_CREDENTIALS and leave it out of the URL",
        "gcs": "set GOOGLE_APPLICATION_CREDENTIALS and leave it out of the URL",
        "http": "leave it out; for data that is not public use the s3://, gs:// or az:// URL",
        "https": "leave it out; for data that is not public use the s3://, gs:// or az:// URL",
    }.get(scheme, "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY and leave it out of the URL")
    expected = "a URL without credentials"
    raise PlanError(path=without_secrets(text), expected=expected, got=f"one with {part}", advice=advice)


def _check(text: str, authority: str, key: str) -> None:
    """Refuse a URL without a bucket or host, and keys that the clients of stores cannot write."""
    shown = without_secrets(text)
    if not authority:
        raise PlanError(path=shown, expected="a bucket or host after ://", got="none")
    parts = key.split("/") if key else []
    if any(part in ("", ".", "..") for part in parts):
        raise PlanError(path=shown, expected="a key without empty parts, . and ..", got=repr(key))
    if re.search("[\0-\x1f\x7f]", key):
        raise PlanError(path=shown, expected="a key without control characters", got=repr(key))
