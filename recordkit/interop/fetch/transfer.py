"""Move the bytes of one file into its part: from an http address, with resume, or from a folder.

One call is one attempt. It ends well, or in `TransientError` (the same again may work: a dropped connection,
a server that is busy) or in `RefusedError` (it will not: not found, too large). Bytes are asked for with
Range and If-Range; what comes is appended only if the server says that it is the same version of the file
at the right place, and starts the part over otherwise.

Redirects are followed here and not by urllib, which would read a redirect's body whatever its size, follow
to ftp, and not know status 308 on Python 3.10.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from recordkit.errors import PlanError
from recordkit.interop.fetch.partial import Origin, Part
from recordkit.version import __version__

__all__ = ["RefusedError", "RetryPolicy", "TransientError", "copy_file", "download"]

_PIECE_BYTES = 1 << 16
_MAX_REDIRECTS = 5
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"  # what has a meaning in an address; anything else is escaped
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429, 500, 502, 503, 504)

Tell = Callable[[int, int | None], None]


class TransientError(Exception):
    """An attempt failed; another may not.

    Attributes
    ----------
    wait_s : float
        Seconds that the server asked to be left alone, 0.0 if it did not.
    """

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class RefusedError(Exception):
    """A source does not have the file, or not in a form that can be used."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait and how often to try.

    Attributes
    ----------
    attempts : int
        Attempts for each file and mirror, at least 1.
    timeout_s : float
        Seconds without a byte after which a connection is given up.
    backoff_s : float
        Seconds before the second attempt; each further wait is twice as long.
    backoff_max_s : float
        The longest wait, in seconds; a server's Retry-After is obeyed up to here.
    sleep : callable
        Called with seconds; `time.sleep` unless a test has no time.

    Examples
    --------
    >>> policy = RetryPolicy(backoff_s=1.0, backoff_max_s=5.0)
    >>> [policy.delay_s(n, jitter=1.0) for n in (1, 2, 3, 4)], policy.delay_s(1, jitter=0.0)
    ([1.0, 2.0, 4.0, 5.0], 0.5)
    """

    attempts: int = 5
    timeout_s: float = 30.0
    backoff_s: float = 0.5
    backoff_max_s: float = 20.0
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.timeout_s <= 0:
            raise PlanError(
                f"expected 1 attempt or more and a timeout above 0 s, got {self.attempts} and {self.timeout_s:g} s"
            )

    def delay_s(self, n_failed: int, *, jitter: float, asked_s: float = 0.0) -> float:
        """Return the seconds to wait after that many failures.

        Parameters
        ----------
        n_failed : int
            Failures so far, at least 1.
        jitter : float
            From 0 to 1: half of the wait to all of it, so that many clients do not come back at once.
        asked_s : float
            Seconds that the server asked for.
        """
        wanted = min(self.backoff_s * 2.0 ** (n_failed - 1), self.backoff_max_s) * (0.5 + jitter / 2)
        return max(wanted, min(asked_s, self.backoff_max_s))


def download(url: str, part: Part, *, limit_bytes: int, timeout_s: float, tell: Tell) -> bool:
    """Bring a part to its full size from an http or https address, in one attempt.

    Parameters
    ----------
    url : str
        Address of the file.
    part : Part
        Where the bytes go; those it has are built on if they are of the version that the server has.
    limit_bytes : int
        The most bytes that the file may have.
    timeout_s : float
        Seconds without a byte after which the connection is given up.
    tell : callable
        Called after each piece with its bytes and the whole file's (or None); may raise to stop.

    Returns
    -------
    bool
        True if the file was put together from more than one answer.

    Raises
    ------
    TransientError
        The attempt failed; what came is kept in the part where it can be used.
    RefusedError
        The server does not have the file, or it is larger than `limit_bytes`.
    FetchError
        The part cannot be written.
    """
    start = part.size_bytes if part.resumable_from(url) else 0
    if start and part.origin and part.origin.total_bytes == start:
        return True  # it was all here; whoever fetched it was stopped before the check
    headers = {"User-Agent": f"recordkit/{__version__}", "Accept-Encoding": "identity"}
    if start and part.origin and part.origin.validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": part.origin.validator}
    with _open(url, headers, timeout_s) as response:
        total = _accept(response, url, part, start=start)
        if total is not None and total > limit_bytes:
            part.begin(None)
            raise RefusedError(f"expected at most {limit_bytes} bytes, got a file of {total}")
        while piece := _read(response, timeout_s):
            if part.size_bytes + len(piece) > limit_bytes:
                part.begin(None)
                raise RefusedError(f"expected at most {limit_bytes} bytes, got more")
            part.write(piece)
            tell(len(piece), total)
        resumed = response.status == 206
    if total is not None and part.size_bytes != total:
        got = part.size_bytes
        if got > total:
            part.begin(None)
        raise TransientError(f"expected {total} bytes, got {got} before the connection ended")
    return resumed


def copy_file(source: Path, part: Part, *, limit_bytes: int, tell: Tell) -> None:
    """Fill a part from a local file.

    Parameters
    ----------
    source : Path
        The file to copy.
    part : Part
        Where the bytes go; those it has are thrown away.
    limit_bytes : int
        The most bytes that the file may have.
    tell : callable
        Called after each piece with its bytes and the whole file's.

    Raises
    ------
    RefusedError
        There is no such file, it cannot be read, or it is larger than `limit_bytes`.
    FetchError
        The part cannot be written.
    """
    part.begin(None)
    if not source.is_file():  # also keeps a pipe or a device from being waited for
        raise RefusedError("no such file")
    try:
        stream = source.open("rb")
    except OSError as error:
        raise RefusedError(f"cannot read: {error.strerror or error}") from error
    with stream:
        total = source.stat().st_size
        if total > limit_bytes:
            raise RefusedError(f"expected at most {limit_bytes} bytes, got a file of {total}")
        while piece := _read_local(stream.read):
            part.write(piece)
            tell(len(piece), total)
            if part.size_bytes > limit_bytes:
                raise RefusedError(f"expected at most {limit_bytes} bytes, got more")


def _read_local(read: Callable[[int], bytes]) -> bytes:
    try:
        return read(_PIECE_BYTES)
    except OSError as error:
        raise RefusedError(f"cannot read: {error.strerror or error}") from error


def _open(url: str, headers: dict[str, str], timeout_s: float) -> http.client.HTTPResponse:
    """Return the answer, whatever its status, after redirects to other http addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    for _ in range(_MAX_REDIRECTS + 1):
        try:
            request = urllib.request.Request(quote(url, safe=_URL_CHARACTERS), headers=headers)
            response: http.client.HTTPResponse = opener.open(request, timeout=timeout_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _failure(error, timeout_s) from error
        location = response.headers.get("Location")
        if response.status not in _REDIRECTS or location is None:
            return response
        response.close()
        url = _redirected(url, location)
    raise RefusedError(f"expected the file, got more than {_MAX_REDIRECTS} redirects")


def _redirected(url: str, location: str) -> str:
    """Return the address that a redirect leads to."""
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise RefusedError(f"expected a redirect to an http address, got {location!r}") from error
    if scheme not in ("http", "https"):
        raise RefusedError(f"expected a redirect to an http address, got {location!r}")
    return target


def _read(response: http.client.HTTPResponse, timeout_s: float) -> bytes:
    try:
        return response.read1(_PIECE_BYTES)  # what has come already, so a drop loses nothing
    except (OSError, http.client.HTTPException) as error:
        raise _failure(error, timeout_s) from error


def _accept(response: http.client.HTTPResponse, url: str, part: Part, *, start: int) -> int | None:
    """Look at status and headers, make the part ready, and return the total size (None: unknown)."""
    validator = _validator(response)
    if response.status == 200:
        length = response.headers.get("Content-Length", "")
        total = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
        part.begin(Origin(url, validator, total))
        return total
    if response.status == 206 and start and part.origin:
        total = _range_total(response, start)
        same_size = part.origin.total_bytes in (None, total)
        if total is not None and same_size and validator in (None, part.origin.validator):
            return total
        part.begin(None)
        raise TransientError("expected the rest of the same file, got a part of another; starting over")
    if response.status == 416 and start:
        part.begin(None)
        raise TransientError(f"expected more than {start} bytes, got a file that ends there; starting over")
    reason = f"HTTP {response.status} {response.reason}".strip()
    if response.status in _BUSY:
        retry_after = response.headers.get("Retry-After", "")
        raise TransientError(reason, float(retry_after) if re.fullmatch("[0-9]{1,6}", retry_after) else 0.0)
    raise RefusedError(reason)


def _range_total(response: http.client.HTTPResponse, start: int) -> int | None:
    """Return the whole file's size from Content-Range, None if this is not the rest from `start`."""
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", response.headers.get("Content-Range", ""))
    if found is None:
        return None
    first, last, total = (int(number) for number in found.groups())
    return total if first == start and last == total - 1 else None


def _validator(response: http.client.HTTPResponse) -> str | None:
    """Return what names this version of the file; a weak ETag does not promise equal bytes."""
    etag: str | None = response.headers.get("ETag")
    if etag is not None and etag.startswith('"'):
        return etag
    return response.headers.get("Last-Modified")


def _failure(error: Exception, timeout_s: float) -> TransientError | RefusedError:
    """Put an error of the network into words."""
    cause: object = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RefusedError(f"the server's certificate is not valid: {cause.verify_message}")
    if isinstance(cause, http.client.InvalidURL | ValueError):
        return RefusedError(f"not a usable address: {cause}")
    if isinstance(cause, TimeoutError):
        return TransientError(f"no answer within {timeout_s:g} s")
    if isinstance(cause, socket.gaierror):
        return TransientError("the host's address cannot be found")
    if isinstance(cause, OSError) and cause.strerror:
        return TransientError(cause.strerror)
    return TransientError(str(cause) or type(cause).__name__)
