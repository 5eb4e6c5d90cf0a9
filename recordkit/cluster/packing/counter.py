"""The number of samples that the tasks of a cluster have done: tasks tell it to an actor, and the driver asks it."""

from __future__ import annotations

from typing import Any


class Counter:
    """The samples done by tasks that are running, by the number of their shard. Ray runs it as an actor."""

    def __init__(self) -> None:
        self._done: dict[int, int] = {}

    def set(self, number: int, n_done: int) -> None:
        """Set the samples of a shard that are done so far."""
        self._done[number] = n_done

    def read(self) -> dict[int, int]:
        """Return the samples done by shard, and forget them."""
        done, self._done = self._done, {}
        return done


class ProgressReader:
    """Turns the numbers of a `Counter` and of finished shards into calls of a progress function.

    A task that is repeated begins at 0 again, so what is shown only grows.

    Parameters
    ----------
    ray : module
    counter : actor
        A `Counter`.
    progress : callable or None
        Called with the number of samples done since its last call.
    """

    def __init__(self, ray: Any, counter: Any, progress: Any) -> None:
        self._ray = ray
        self._counter = counter
        self._progress = progress
        self._running: dict[int, int] = {}
        self._finished: set[int] = set()
        self._n_finished = self._n_shown = 0
        self._request: Any = None

    def finish(self, number: int, n_samples: int) -> None:
        """Count a shard that is finished."""
        self._running.pop(number, None)
        self._finished.add(number)
        self._n_finished += n_samples
        self._show()

    def poll(self) -> None:
        """Take what the counter has now, without waiting for it. A counter that is lost is started again by Ray."""
        if self._progress is None:
            return
        if self._request is not None:
            ready, _ = self._ray.wait([self._request], timeout=0)
            if not ready:
                return
            try:
                self._running.update(self._ray.get(self._request))
            except self._ray.exceptions.RayError:
                self._running.clear()
            self._running = {number: n for number, n in self._running.items() if number not in self._finished}
            self._show()
        self._request = self._counter.read.remote()

    def _show(self) -> None:
        n_done = self._n_finished + sum(self._running.values())
        if self._progress is not None and n_done > self._n_shown:
            self._progress(n_done - self._n_shown)
            self._n_shown = n_done
