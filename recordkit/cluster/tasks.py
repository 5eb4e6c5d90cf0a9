"""Tasks on a cluster: a bounded number in flight, those of lost machines again, and one error in the end."""

from __future__ import annotations

import contextlib
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

from recordkit.cluster.machines import Machines
from recordkit.errors import ClusterError, RecordkitError

# Tasks that wait on each slot of the cluster, so that none is idle between two tasks.
_N_WAITING = 1
# A task is run again so often after its process or machine was lost, and after an error of a disk or a network.
_MAX_LOSSES = 20
_MAX_ERRORS = 2
_POLL_S = 0.25
# Ray's words for a task whose module the machine does not have; checked with 2.40 and 2.60.
_NO_FUNCTION = "failed to import on the worker"
# Tasks get a moment to end before they are cancelled: Ray 2.60 aborts the driver's process if a task ends just then
# ("Tried to complete task that was not pending").
_END_S = 0.5
# Tasks that are cancelled get this long to remove their files.
_CANCEL_S = 10


class TaskCall(NamedTuple):
    """A task to run.

    Attributes
    ----------
    number : int
        That of its shard.
    start : callable
        Starts the task and returns Ray's reference to its result.
    name : str, optional
        Name of its work for errors; by default it is that shard.
    """

    number: int
    start: Callable[[], Any]
    name: str = ""


class Tasks:
    """Tasks that run on a cluster.

    Parameters
    ----------
    ray : module
    n_cpus : int
        CPUs that each task takes.
    poll : callable, optional
        Called now and then while tasks run, without arguments.

    Attributes
    ----------
    n_repeated : int
        Tasks that were run again after an error of a disk or a network.
    n_abandoned : int
        Tasks that were cancelled and may still run.
    """

    def __init__(self, ray: Any, n_cpus: int, poll: Callable[[], None] | None = None) -> None:
        self._ray = ray
        self._n_cpus = n_cpus
        self._machines = Machines(ray, n_cpus)
        self._poll = poll
        self._running: dict[Any, TaskCall] = {}
        self._errors: Tally[int] = Tally()
        self.n_repeated = 0
        self.n_abandoned = 0

    def remote(self, function: Callable[..., Any]) -> Any:
        """Return Ray's form of a function, whose `remote` starts a task that takes the CPUs and survives losses."""
        return self._ray.remote(function).options(num_cpus=self._n_cpus, max_retries=_MAX_LOSSES)

    def run(self, calls: Iterable[TaskCall]) -> Generator[tuple[int, Any], None, None]:
        """Run tasks, and yield the number and the result of each as it ends.

        Raises
        ------
        RecordkitError
            The first that a task raised, if to run it again did not help. The other tasks are cancelled.
        """
        self._machines.refuse_too_small()
        waiting = iter(calls)
        again: deque[TaskCall] = deque()
        try:
            while True:
                self._start(again, waiting)
                self._machines.check()
                if not self._running:
                    return
                ready, _ = self._ray.wait(list(self._running), timeout=_POLL_S)
                for reference in ready:
                    call = self._running.pop(reference)
                    try:
                        result = self._ray.get(reference)
                    except self._ray.exceptions.RayError as error:
                        self._note_error(call, error)
                        again.append(call)
                    else:
                        yield call.number, result
                    del reference
                if self._poll is not None:
                    self._poll()
        finally:
            self._cancel()

    def _start(self, again: deque[TaskCall], waiting: Iterator[TaskCall]) -> None:
        n_slots = max(1, int(self._ray.cluster_resources().get("CPU", 0)) // self._n_cpus)
        while len(self._running) < (1 + _N_WAITING) * n_slots:
            call = again.popleft() if again else next(waiting, None)
            if call is None:
                return
            self._running[call.start()] = call

    def _note_error(self, call: TaskCall, error: Exception) -> None:
        """Count an error after which the task may run again, and raise any other."""
        cause = getattr(error, "cause", None)
        if isinstance(cause, OSError) and self._errors[call.number] < _MAX_ERRORS:
            self._errors[call.number] += 1
            self.n_repeated += 1
            return
        if isinstance(cause, RecordkitError | OSError):
            raise cause from error
        raise _cluster_error(call, error, cause) from error

    def _cancel(self) -> None:
        """Cancel the tasks that run, and give them time to remove their files."""
        references = list(self._running)
        self._running.clear()
        references = self._still_running(references, _END_S)
        for reference in references:
            with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
                self._ray.cancel(reference, recursive=False)
        self.n_abandoned += len(self._still_running(references, _CANCEL_S))

    def _still_running(self, references: list[Any], timeout_s: float) -> list[Any]:
        """Return the tasks that have not ended after some time."""
        if references:
            with contextlib.suppress(self._ray.exceptions.RayError):
                _, references = self._ray.wait(
                    references, num_returns=len(references), timeout=timeout_s, fetch_local=False
                )
        return references


def _cluster_error(call: TaskCall, error: Exception, cause: object) -> ClusterError:
    """Return the error about a task that was lost, or could not be started."""
    what = call.name or f"shard {call.number}"
    if isinstance(cause, ImportError) or _NO_FUNCTION in str(cause):
        reason = str(cause).strip().splitlines()[-1]  # Ray's text ends with the error of the import
        return ClusterError(
            f"{what}: a machine cannot run the task: {reason}", advice="install the same recordkit on all machines"
        )
    if cause is not None:  # a fault of recordkit: its type and text are all that is known
        return ClusterError(f"{what}: {type(cause).__name__}: {cause}")
    reason = str(error).strip().partition("\n")[0]
    return ClusterError(
        f"{what}: its task was lost {_MAX_LOSSES + 1} times: {reason}",
        advice="if the memory of a machine was full, give more `threads`, each of which takes a CPU, so that fewer "
        "tasks run there at once",
    )
