"""The progress of work that reads the same bytes several times, as one number of bytes."""

from __future__ import annotations

from collections.abc import Callable


class PassProgress:
    """Progress of several passes over the same bytes, each with the same share of the whole.

    Parameters
    ----------
    progress : callable or None
        Called with the number of bytes since the last call. Over all passes the numbers add up to the size of the file.
    n_passes : int, at least 1
        Each pass calls the object with numbers that add up to the size of the file.

    Examples
    --------
    >>> passed = []
    >>> progress = PassProgress(passed.append, 2)
    >>> for n_bytes in (3, 4, 7):  # of two passes over 7 bytes
    ...     progress(n_bytes)
    >>> passed
    [1, 2, 4]
    """

    def __init__(self, progress: Callable[[int], None] | None, n_passes: int) -> None:
        self._progress = progress
        self._n_passes = n_passes
        self._n_passed = self._n_reported = 0

    def __call__(self, n_bytes: int) -> None:
        """Pass on the number of bytes since the last call."""
        self._n_passed += n_bytes
        n_done = self._n_passed // self._n_passes
        if self._progress is not None and n_done > self._n_reported:
            self._progress(n_done - self._n_reported)
            self._n_reported = n_done
