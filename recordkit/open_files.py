"""The limit of the files that this process may have open, which a dataset of many shards reaches."""

from __future__ import annotations

import contextlib
from pathlib import Path

from recordkit.errors import PlanError

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]  # Windows

# Files that are opened and closed while a dataset is opened: those that `recordkit.storage.snapshot` holds, an index.
_MIN_OTHERS = 80
# Files that the rest of the program may open later.
_OTHERS = 256


def allow_open_files(n: int) -> None:
    """Let this process open more files, and raise its soft limit if it is too low, as its hard limit allows.

    Systems have a low soft limit, often 1,024 or 256, only because `select` takes no higher numbers of files.

    Parameters
    ----------
    n : int
        Number of files that will be opened, besides those that are open.

    Raises
    ------
    PlanError
        The hard limit, which only the administrator raises, is too low.

    Examples
    --------
    >>> allow_open_files(1)
    """
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_open = _count_open_files()
    if _fits(n_open + n + _OTHERS, soft):
        return
    wanted = n_open + n + _OTHERS
    with contextlib.suppress(ValueError, OSError):  # macOS has another limit, below the hard one
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if _fits(wanted, hard) else hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = n_open + n + _MIN_OTHERS
    if not _fits(needed, soft):
        raise PlanError(
            expected=f"a limit of {needed} open files, for {n} more",
            got=soft,
            advice=f"let root raise that of this shell with 'prlimit --pid $$ --nofile={needed + _OTHERS}', "
            "or merge some files after the others with 'recordkit merge'",
        )


def _fits(n: int, limit: int) -> bool:
    return limit == resource.RLIM_INFINITY or n <= limit


def _count_open_files() -> int:
    try:
        return sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:  # a container without it
        return 0
