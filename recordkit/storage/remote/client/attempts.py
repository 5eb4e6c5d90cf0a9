"""Requests that are repeated after failures which may pass, within a limit of time.

Pauses grow exponentially and are random between 0 and their limit ("full jitter"), so that many readers whose server
had a break do not come back at once: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from recordkit.errors import RecordkitError
from recordkit.storage.remote.client.answers import CREDENTIALS, NO_CONNECTION, Answer, read_answer
from recordkit.storage.remote.client.interrupt import call

_Result = TypeVar("_Result")
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 15.0
_SHORTEST_REQUEST_S = 0.05
# Time for connections to a store that has never answered: its address is more likely wrong than its server away.
_UNREACHED_S = 15.0


class Reach:
    """The fact that a store has answered this process, or has not; threads share it."""

    has_answered = False


class FailedError(Exception):
    """No attempt succeeded: the last answer, and a text of it with the number of attempts."""

    def __init__(self, answer: Answer, n_attempts: int, seconds: float) -> None:
        super().__init__(answer.text)
        self.answer = answer
        self.text = answer.text if n_attempts == 1 else f"{answer.text} ({n_attempts} attempts in {seconds:.1f} s)"


class Attempts:
    """The attempts of one request.

    Parameters
    ----------
    get_client : callable
        It returns the client of requests that take so many seconds at most.
    free_requests : semaphore
        Its number is that of requests that may run at once.
    timeout_s, total_s : float
        Longest time of one attempt, and of all together.
    most : int, optional
        Most attempts.
    reach : Reach, optional
        That of the store. Until it has answered, refused connections and unknown hosts are tried for 15 s only.
    """

    def __init__(
        self,
        get_client: Callable[[float], Any],
        free_requests: threading.BoundedSemaphore,
        timeout_s: float,
        total_s: float,
        most: int | None = None,
        reach: Reach | None = None,
    ) -> None:
        self._get_client = get_client
        self._free_requests = free_requests
        self._timeout_s = timeout_s
        self._total_s = total_s
        self._most = most
        self._reach = reach or Reach()

    def run(self, request: Callable[[Any], _Result], *, waits_itself: bool = False) -> _Result:
        """Make the request until it succeeds.

        Parameters
        ----------
        request : callable
            It takes the client.
        waits_itself : bool, default False
            It waits in a way that Ctrl-C ends, so it is called in this thread.

        Raises
        ------
        FailedError
            The last attempt failed, or no attempt can help.
        """
        start, n_attempts = time.monotonic(), 0
        left = self._total_s
        while True:
            n_attempts += 1
            seconds = min(self._timeout_s, left)
            try:
                with self._free_requests:
                    client = self._get_client(seconds)
                    result = request(client) if waits_itself else call(request, client)
                self._reach.has_answered = True
                return result
            except RecordkitError:
                raise
            except Exception as error:
                if isinstance(error, TypeError | AttributeError):
                    raise
                answer = read_answer(error, seconds)
                self._reach.has_answered |= answer.kind not in (NO_CONNECTION, CREDENTIALS)
            passed = time.monotonic() - start
            pause = random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(n_attempts, 20)))
            total_s = self._total_s if self._reach.has_answered else min(self._total_s, _UNREACHED_S)
            left = total_s - passed - pause
            if not answer.again or n_attempts == self._most or left < _SHORTEST_REQUEST_S:
                raise FailedError(answer, n_attempts, passed) from None
            time.sleep(pause)
