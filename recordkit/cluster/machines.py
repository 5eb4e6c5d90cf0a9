"""The machines of a cluster: one must have the CPUs of a task, now or after some minutes.

An autoscaler, such as KubeRay's, starts machines when tasks wait, and machines that are lost may come back. So tasks
are started without a machine too, and only a long time without one is an error.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

from recordkit.errors import ClusterError, PlanError

LIMIT_S = 600
"""Longest time without a machine that has the CPUs of a task."""

_NOTE_S = 20
_INTERVAL_S = 2


class Machines:
    """Watches the machines of a cluster while tasks run.

    Parameters
    ----------
    ray : module
    n_cpus : int
        CPUs that each task takes.
    clock : callable, optional
        Returns seconds.
    """

    def __init__(self, ray: Any, n_cpus: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._ray = ray
        self._n_cpus = n_cpus
        self._clock = clock
        self._seen_s = self._looked_s = clock()
        self._has_warned = False

    def refuse_too_small(self) -> None:
        """Raise PlanError if there are machines, and none has the CPUs of a task.

        Raises
        ------
        PlanError
            A task has more threads than a machine has CPUs.
        """
        self._seen_s = self._looked_s = self._clock()
        n_most = self._largest()
        if 0 < n_most < self._n_cpus:
            raise PlanError(
                argument="threads",
                expected=f"at most {n_most}, the CPUs of the largest machine of the cluster",
                got=self._n_cpus,
                advice="give fewer `threads`, each of which takes a CPU",
            )

    def check(self) -> None:
        """Look at the machines, at most every 2 seconds; warn once if none has the CPUs of a task.

        Raises
        ------
        ClusterError
            None had them for 10 minutes.
        """
        now_s = self._clock()
        if now_s < self._looked_s + _INTERVAL_S:
            return
        self._looked_s = now_s
        if self._largest() >= self._n_cpus:
            self._seen_s, self._has_warned = now_s, False
            return
        if now_s >= self._seen_s + LIMIT_S:
            raise ClusterError(
                expected=f"a machine with {self._need} in the cluster",
                got=f"none for {LIMIT_S // 60} minutes",
                advice="run 'ray start --address HOST:PORT' on a machine that has one, and then the same again; what "
                "is published stays",
            )
        if now_s >= self._seen_s + _NOTE_S and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"no machine of the cluster has {self._need} now; waiting up to {LIMIT_S // 60} minutes for one",
                UserWarning,
                stacklevel=2,
            )

    @property
    def _need(self) -> str:
        return "a CPU" if self._n_cpus == 1 else f"{self._n_cpus} CPUs"

    def _largest(self) -> int:
        """Return the CPUs of the largest machine that is alive."""
        return max((int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]), default=0)
