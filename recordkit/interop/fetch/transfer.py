"""Get one file from one source: a mirror, through pooch, or a local folder.

pooch requests the file, repeats the request after a network failure, and writes a temporary file. Added here: a limit
on the bytes, no retry after a permanent failure, and error messages without the names of Python classes.

urllib3 1, which pooch also accepts, does not notice a truncated body. The file then fails its content check, and the
next source is tried without a second request.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin

from recordkit.errors import FetchError, FormatError
from recordkit.formats.files import read_file
from recordkit.interop.fetch.datasets import is_protected
from recordkit.version import __version__

if TYPE_CHECKING:
    import requests

_CHUNK_BYTES = 1 << 13
# A server that sends a byte now and then passes every timeout of a read, so that a request also needs this speed.
_MIN_BYTES_PER_S = 1000
_TRANSIENT_STATUS = (408, 425, 429, 500, 502, 503, 504)
_HEADERS = {"User-Agent": f"recordkit/{__version__}", "Accept-Encoding": "identity"}  # .gz files are compressed already


class ProgressBar(Protocol):
    """A progress bar as pooch uses it, for example a ``tqdm`` whose total is not 0.

    Attributes
    ----------
    total : number
        Bytes of the whole file, 0 if the server does not announce them.
    """

    total: Any

    def update(self, n: int, /) -> object:
        """Advance by a number of bytes."""

    def reset(self) -> object:
        """Go back to 0; pooch then advances by the whole file at once, to end at the total."""

    def close(self) -> object:
        """Remove the bar."""


def download(
    url: str,
    target: Path,
    *,
    limit_bytes: int,
    attempts: int,
    timeout_s: float,
    progress: Callable[[str], ProgressBar] | None,
) -> None:
    """Download a file from an http or https address.

    Parameters
    ----------
    url : str
        Address of the file.
    target : Path
        Path to write, with the file name of the address. It must not exist.
    limit_bytes : int
        Maximum size of the file.
    attempts : int
        Number of requests before the source is given up.
    timeout_s : float
        A request ends after this time without a byte, in seconds, and after twice this time as soon as it is slower
        than 1,000 bytes per second.
    progress : callable, optional
        Called with the address at the start of each request; returns the bar to advance.

    Raises
    ------
    FetchError
        The server does not deliver the file. The error has only a `message`.
    OSError
        The target cannot be written.
    """
    import pooch
    import requests

    def request(url: str, path: str, manager: object) -> None:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(path, "wb"))
            bar = progress(url) if progress else None
            if bar is not None:
                stack.callback(bar.close)
            http_get = pooch.HTTPDownloader(
                progressbar=False if bar is None else bar,
                chunk_size=_CHUNK_BYTES,
                headers=_HEADERS,
                timeout=timeout_s,
                hooks={"response": refuse_unprotected_redirect},
            )
            target_file = _LimitedFile(file, limit_bytes)
            try:
                _with_speed(lambda: http_get(url, target_file, manager), target_file, 2 * timeout_s)
            except requests.HTTPError as error:
                if error.response is None or error.response.status_code in _TRANSIENT_STATUS:
                    raise  # pooch tries again
                raise FetchError(_reason(error, timeout_s)) from error
            except requests.ConnectionError as error:
                if not any(isinstance(cause, socket.gaierror) for cause in _causes(error)):
                    raise
                raise FetchError(_reason(error, timeout_s)) from error  # the resolver has tried more than once itself

    base, _, name = url.rpartition("/")
    files = pooch.create(target.parent, f"{base}/", registry={name: None}, retry_if_failed=attempts - 1)
    try:
        with _silenced(pooch.get_logger()):
            files.fetch(name, downloader=request)
    except (requests.RequestException, ValueError) as error:  # the errors that pooch retries
        tried = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        raise FetchError(f"{_reason(error, timeout_s)} ({tried})") from error


def copy(source: Path, target: Path, *, limit_bytes: int) -> None:
    """Copy a local file.

    Raises
    ------
    FetchError
        The source does not exist, cannot be read or is larger than `limit_bytes`. The error has only a `message`.
    OSError
        The target cannot be written.
    """
    try:
        content = read_file(source, max_bytes=limit_bytes)
    except FileNotFoundError:
        raise FetchError("no such file") from None
    except FormatError as error:
        raise FetchError(expected=error.expected, got=error.got) from None
    except OSError as error:
        raise FetchError(f"cannot read: {error.strerror}") from error
    target.write_bytes(content)


class _LimitedFile:
    """The file that pooch writes to; a server that sends too much or too slowly ends the download."""

    def __init__(self, file: IO[bytes], limit_bytes: int) -> None:
        self._file, self._limit_bytes = file, limit_bytes
        self.flush = file.flush
        self.n_bytes = 0
        self.is_given_up = False

    def write(self, data: bytes) -> int:
        if self.is_given_up:
            raise FetchError("given up")
        self.n_bytes += len(data)
        if self.n_bytes > self._limit_bytes:
            raise FetchError(expected=f"at most {self._limit_bytes} bytes", got="more")
        return self._file.write(data)


def refuse_unprotected_redirect(response: requests.Response, **_options: object) -> None:
    """Raise an error if an answer leads from https to http; requests calls this before it follows a redirect.

    Raises
    ------
    FetchError
        The redirect leads from a protected address to one that is not.
    """
    if response.is_redirect:
        target = urljoin(response.url, response.headers["location"])
        if is_protected(response.url) and not is_protected(target):
            raise FetchError(expected="a redirect to https", got=f"one to {target}")


def _with_speed(request: Callable[[], object], file: _LimitedFile, patience_s: float) -> None:
    """Make a request in a thread, which is left alone if the server is too slow: it ends with its next block."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            request()
        except BaseException as error:  # noqa: BLE001 (the caller raises it)
            errors.append(error)

    thread = threading.Thread(target=run, name="recordkit-download", daemon=True)
    begin = time.monotonic()
    thread.start()
    while thread.is_alive():
        left_s = patience_s + file.n_bytes / _MIN_BYTES_PER_S - (time.monotonic() - begin)
        if left_s <= 0:
            file.is_given_up = True
            got = f"{file.n_bytes} bytes in {time.monotonic() - begin:.0f} s"
            raise FetchError(expected=f"at least {_MIN_BYTES_PER_S} bytes per second", got=got)
        thread.join(left_s)
    if errors:
        raise errors.pop()  # an error that a frame of its own traceback keeps would keep the connection open


@contextlib.contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    def reject(_record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(reject)  # a level would stay changed if two threads fetched at once
    try:
        yield
    finally:
        logger.removeFilter(reject)


def _reason(error: Exception, timeout_s: float) -> str:
    """Describe a network error by the system error at the root of its chain."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}".strip()
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not valid: {cause.verify_message}"
        if isinstance(cause, (TimeoutError, requests.Timeout)):
            return f"no answer within {timeout_s:g} s"
        if isinstance(cause, socket.gaierror):
            return "the address of the host cannot be found"
        if isinstance(cause, http.client.IncompleteRead):
            return _truncation(cause)
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(error) or type(error).__name__


def _causes(error: Exception) -> Iterator[BaseException]:
    """Yield an error and those that it came from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _truncation(error: http.client.IncompleteRead) -> str:
    if isinstance(error.partial, int) and isinstance(error.expected, int):  # urllib3 counts the bytes
        return f"expected {error.partial + error.expected} bytes, got {error.partial} before the connection ended"
    return "the connection ended too early"
