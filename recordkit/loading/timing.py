"""Where the time of an epoch went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Timing:
    """Where the time of an epoch went, in seconds.

    Attributes
    ----------
    waited_s : float
        The caller waited for a batch.
    used_s : float
        The caller did something else.
    worked_s : float
        Threads loaded, all together.
    computed_s : float
        Of that, they had a processor.
    n_disk_reads : int
        Reads of this process that the disk had to answer.
    """

    waited_s: float = 0.0
    used_s: float = 0.0
    worked_s: float = 0.0
    computed_s: float = 0.0
    n_disk_reads: int = 0

    @property
    def bound(self) -> str:
        """What sets the pace: "consumer", "decode" or "disk"."""
        if self.waited_s < self.used_s / 10:
            return "consumer"
        return "disk" if self.n_disk_reads and self.computed_s < self.worked_s / 2 else "decode"
