"""Settings of reading and writing in object stores: the local cache, limits of time, and requests at once.

`current` has the defaults of the process, and `configure_remote` changes them. The library reads no environment: the
command line reads RECORDKIT_CACHE_DIR and RECORDKIT_CACHE_BYTES and calls it. Credentials are no settings, see
`recordkit.storage.remote.client.credentials`; so settings may be pickled, printed and saved.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError
from recordkit.memory import read_size
from recordkit.storage.remote.urls import is_url

_SMALLEST_CACHE_BYTES = 64 * 2**20  # a few pages of 8 MiB for each of some threads
_MOST_REQUESTS = 1024


@dataclasses.dataclass(frozen=True)
class RemoteSettings:
    """Settings of reading and writing in object stores.

    Parameters
    ----------
    cache_dir : Path, optional
        Folder of the local cache. Default: `recordkit` in the user's cache folder.
    cache_bytes : int or str, default 20 GiB
        Limit of the cache, over all processes that share its folder, as a number or as "50G". 64 MiB or more.
    timeout_s : float, default 30
        Longest time of one request without its retries.
    total_s : float, default 300
        Longest time of a range or a file with all retries.
    n_requests : int, default 32
        Most requests at once, 1 to 1024.
    anonymous : bool, default False
        Send requests without a signature, for public data.

    Raises
    ------
    PlanError
        A value is out of its range.

    Examples
    --------
    >>> RemoteSettings(timeout_s=5).total_s
    300
    """

    cache_dir: Path | None = None
    cache_bytes: int = 20 * 2**30
    timeout_s: float = 30
    total_s: float = 300
    n_requests: int = 32
    anonymous: bool = False

    def __post_init__(self) -> None:
        if self.cache_dir is not None:
            if is_url(self.cache_dir):
                raise PlanError(argument="cache_dir", expected="a folder of this machine", got=str(self.cache_dir))
            object.__setattr__(self, "cache_dir", Path(self.cache_dir))
        object.__setattr__(self, "cache_bytes", read_size(self.cache_bytes, "cache_bytes"))
        if self.cache_bytes < _SMALLEST_CACHE_BYTES:
            expected = f"at least {_SMALLEST_CACHE_BYTES} bytes, which is 64M"
            raise PlanError(argument="cache_bytes", expected=expected, got=self.cache_bytes)
        for name in ("timeout_s", "total_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise PlanError(argument=name, expected="more than 0 seconds", got=getattr(self, name))
        if not 1 <= self.n_requests <= _MOST_REQUESTS:
            raise PlanError(argument="n_requests", expected=f"1 to {_MOST_REQUESTS}", got=self.n_requests)

    @property
    def cache_folder(self) -> Path:
        """`cache_dir`, or its default."""
        return self.cache_dir or default_cache_folder()


def default_cache_folder() -> Path:
    """Return the default folder of the cache: `recordkit` in the user's cache folder.

    Examples
    --------
    >>> default_cache_folder().name
    'recordkit'
    """
    caches = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / caches / "recordkit"


_lock = threading.Lock()
_current = RemoteSettings()
_used: contextvars.ContextVar[RemoteSettings | None] = contextvars.ContextVar("recordkit_remote", default=None)


def current() -> RemoteSettings:
    """Return the settings of the block of `using`, or those of the process."""
    return _used.get() or _current


@contextlib.contextmanager
def using(
    settings: RemoteSettings | None = None,
    *,
    cache_dir: str | Path | None = None,
    cache_bytes: int | str | None = None,
) -> Iterator[None]:
    """Use other settings in a block of this thread.

    Parameters
    ----------
    settings : RemoteSettings, optional
        By default those of the process.
    cache_dir, cache_bytes : optional
        Changes to them; `cache_bytes` may be a text such as "50G".

    Raises
    ------
    PlanError
        A value is out of its range.

    Examples
    --------
    >>> with using(cache_bytes="1G"):
    ...     current().cache_bytes
    1073741824
    """
    token = _used.set(_changed(settings or current(), cache_dir=cache_dir, cache_bytes=cache_bytes))
    try:
        yield
    finally:
        _used.reset(token)


def configure_remote(
    *,
    cache_dir: str | Path | None = None,
    cache_bytes: int | str | None = None,
    timeout_s: float | None = None,
    total_s: float | None = None,
    n_requests: int | None = None,
    anonymous: bool | None = None,
) -> RemoteSettings:
    """Change the settings of reading and writing in object stores, for this process, and return them.

    Datasets and loaders that are open already keep theirs. What is not given stays as it is.

    Parameters
    ----------
    cache_dir : str or Path, optional
        Folder of the local cache.
    cache_bytes : int or str, optional
        Limit of the cache, over all processes that share its folder, as a number or as "50G". 64 MiB or more.
    timeout_s : float, optional
        Longest time of one request without its retries.
    total_s : float, optional
        Longest time of a range or a file with all retries.
    n_requests : int, optional
        Most requests at once, 1 to 1024.
    anonymous : bool, optional
        Send requests without a signature, for public data.

    Returns
    -------
    settings : RemoteSettings

    Raises
    ------
    PlanError
        A value is out of its range.

    Examples
    --------
    >>> import recordkit as rk
    >>> before = rk.configure_remote()
    >>> rk.configure_remote(timeout_s=10).timeout_s
    10
    >>> rk.configure_remote(timeout_s=before.timeout_s) == before
    True
    """
    global _current
    with _lock:
        _current = _changed(
            _current,
            cache_dir=cache_dir,
            cache_bytes=cache_bytes,
            timeout_s=timeout_s,
            total_s=total_s,
            n_requests=n_requests,
            anonymous=anonymous,
        )
        return _current


def _changed(settings: RemoteSettings, **changes: Any) -> RemoteSettings:
    """Return settings with changes, of which those that are None change nothing."""
    return dataclasses.replace(settings, **{name: value for name, value in changes.items() if value is not None})
