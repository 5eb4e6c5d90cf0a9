"""The plan of a comparison: its cases, and as many rounds as its ratios need and its budget of time allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from recordkit.bench.peers.registry import PEERS, REFERENCE, find_peer
from recordkit.bench.workload import Workload
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.threads import count_threads

MIN_ROUNDS = 3
"""Fewest rounds of a comparison with a budget. With one round a ratio has no interval, and with two Student's t is
12.7, so that the interval says nothing."""
TURNS_PER_ROUND = 30
"""Number of turns that each case has in a round of a warm file."""


@dataclass(frozen=True)
class Schedule:
    """When a comparison has enough rounds.

    Attributes
    ----------
    rounds : int
        Number of rounds; with a budget, the number that is wanted even if all ratios are certain before.
    budget_s : float or None
        Time of the whole comparison in seconds; None: `rounds` rounds, however long they take.
    """

    rounds: int
    budget_s: float | None

    def n_rounds(self, n_done: int, round_s: float, left_s: float, *, is_uncertain: bool) -> int:
        """Return how many rounds the comparison will have; the rounds are enough if that is the number done.

        Parameters
        ----------
        n_done : int
            Number of complete rounds.
        round_s : float
            Mean time of these rounds in seconds.
        left_s : float
            The budget less the time since the comparison began.
        is_uncertain : bool
            A ratio is not yet known well enough.

        Examples
        --------
        >>> schedule = Schedule(rounds=12, budget_s=180)
        >>> schedule.n_rounds(4, round_s=5, left_s=150, is_uncertain=False)
        12
        >>> schedule.n_rounds(4, round_s=5, left_s=150, is_uncertain=True)
        34
        >>> schedule.n_rounds(1, round_s=100, left_s=80, is_uncertain=True)
        3
        """
        if self.budget_s is None or not n_done:
            return max(self.rounds, n_done)
        affordable = n_done + max(0, int(left_s / max(round_s, 1e-9)))
        wanted = affordable if is_uncertain else max(self.rounds, n_done)
        return max(MIN_ROUNDS, min(wanted, affordable))


@dataclass(frozen=True)
class BenchPlan:
    """The cases of a comparison, and the number and length of its rounds.

    Attributes
    ----------
    workload : Workload
    peers : sequence of str
        Names, see `recordkit.bench.peers.registry.find_peer`.
    threads : sequence of int
        Numbers of threads; every peer is measured with each of them. 0 means the CPUs that this process may use.
    rounds : int
        Number of rounds.
    budget_s : float or None
        Time of the whole comparison in seconds. Rounds are added while a ratio is uncertain (see
        `recordkit.bench.report.WIDE`) and the budget is enough for one more. It can be enough for fewer than `rounds`;
        3 are always measured. None: exactly `rounds` rounds.
    epochs : int
        Minimum number of epochs in a round.
    round_s : float or None
        Minimum time of a round in seconds; it is filled with whole epochs.
    cache : {"warm", "cold"}
        "cold": time only the first epoch, after the file was dropped from the page cache.
    reference : str
        Peer that the others are compared with. If it is not measured, the Python engine replaces it, or else the first
        measured peer.
    thread_counts : tuple of int
        `threads`, resolved and sorted.
    n_records : int
        Records of the file.
    """

    workload: Workload
    peers: Sequence[str] = tuple(PEERS)
    threads: Sequence[int] = (0,)
    rounds: int = 12
    budget_s: float | None = None
    epochs: int = 2
    round_s: float | None = 1.0
    cache: str = "warm"
    reference: str = REFERENCE
    thread_counts: tuple[int, ...] = field(init=False)
    n_records: int = field(init=False)

    def __post_init__(self) -> None:
        for argument, value in (("rounds", self.rounds), ("epochs", self.epochs)):
            if value < 1:
                raise PlanError(argument=argument, expected="at least 1", got=value)
        if self.budget_s is not None and self.budget_s < 0:
            raise PlanError(argument="budget_s", expected="at least 0 seconds", got=self.budget_s)
        if self.cache not in ("warm", "cold"):
            raise PlanError(argument="cache", expected="warm or cold", got=repr(self.cache))
        for name in self.peers:
            find_peer(name)
        object.__setattr__(self, "thread_counts", tuple(sorted({count_threads(threads) for threads in self.threads})))
        with RecordDataset(self.workload.path(".rec")) as dataset:
            object.__setattr__(self, "n_records", len(dataset))

    @property
    def schedule(self) -> Schedule:
        """When the comparison has enough rounds."""
        return Schedule(self.rounds, self.budget_s)

    @property
    def n_steps(self) -> int:
        """Number of progress steps of `rounds` rounds."""
        return self.rounds * self.n_steps_per_round

    @property
    def n_steps_per_round(self) -> int:
        """Number of progress steps of one round."""
        return self.n_steps_per_case_round * len(self.peers) * len(self.thread_counts)

    @property
    def n_steps_per_case_round(self) -> int:
        """Number of progress steps of one case in one round."""
        return 1 if self.cache == "cold" else 1 + TURNS_PER_ROUND
