"""Waiting calls of obstore that Ctrl-C ends at once: obstore looks at no signal before an answer has come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_Result = TypeVar("_Result")


def call(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Call a function so that Ctrl-C ends the wait for it.

    Python gives signals to the main thread alone. So a call in the main thread is made in another one; calls in other
    threads are made as they are.

    Examples
    --------
    >>> call(pow, 2, 3)
    8
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*arguments)
    call_ = Call(function, *arguments)
    call_.wait()
    return call_.result()


class Call(Generic[_Result]):
    """A call in a thread of its own, which ends with the process."""

    def __init__(self, function: Callable[..., _Result], *arguments: Any) -> None:
        self._done = threading.Event()
        self._value: _Result
        self._error: BaseException | None = None

        def run() -> None:
            try:
                self._value = function(*arguments)
            except BaseException as error:  # noqa: BLE001 (the caller raises it)
                self._error = error
            finally:
                self._done.set()

        threading.Thread(target=run, name="recordkit request", daemon=True).start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the call, and return whether it has come."""
        return self._done.wait(seconds)

    def result(self) -> _Result:
        """Return what the function returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._value
