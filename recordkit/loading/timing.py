"""The time that an epoch took, and its bottleneck."""

from __future__ import annotations

from dataclasses import dataclass

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]  # Windows


def count_disk_reads() -> int:
    """Return how many reads of this process the page cache could not answer; 0 if the system does not count them."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_inblock if resource else 0


@dataclass
class Timing:
    """Time of one epoch in seconds, split by activity.

    Attributes
    ----------
    wait_s : float
        The caller waited for a batch.
    consumer_s : float
        The caller worked with a batch.
    load_s : float
        Sum over all threads of the time spent loading.
    load_cpu_s : float
        CPU time within `load_s`.
    n_disk_reads : int
        Reads of this process that the page cache could not answer (``ru_inblock``).
    fetch_s : float
        Sum over all threads of the time spent waiting for records from a store; not part of `load_s`.
    n_requests : int
        Requests to the store.
    n_bytes_fetched, n_bytes_cached : int
        Bytes that came from the store, and bytes that the local cache had.
    """

    wait_s: float = 0.0
    consumer_s: float = 0.0
    load_s: float = 0.0
    load_cpu_s: float = 0.0
    n_disk_reads: int = 0
    fetch_s: float = 0.0
    n_requests: int = 0
    n_bytes_fetched: int = 0
    n_bytes_cached: int = 0

    @property
    def bottleneck(self) -> str:
        """The slowest stage: "consumer", "network", "decode" or "disk"."""
        if self.wait_s < self.consumer_s / 10:
            return "consumer"
        if self.fetch_s > self.load_s:
            return "network"
        return "disk" if self.n_disk_reads and self.load_cpu_s < self.load_s / 2 else "decode"
