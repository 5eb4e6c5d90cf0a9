"""What a run found, as values and as JSON."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recordkit.bench.statistics import Ratio, Verdict, ratio, verdict
from recordkit.errors import FormatError, PlanError

# Half of an interval that is wider than this share is said to be.
WIDE = 0.05


@dataclass
class Case:
    """One peer with a number of threads.

    Attributes
    ----------
    name : str
    title : str
    threads : int
    status : {"measured", "absent", "failed", "differs"}
    note : str
        Why it was not measured, or what to know of it.
    img_s : list of float
        Of each round.
    cpu_s : list of float
        For a thousand images, of each round.
    first_batch_s, peak_rss_mb : list of float
        Of each round; memory that processes share counts for each of them.
    """

    name: str
    title: str
    threads: int
    status: str = "measured"
    note: str = ""
    img_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    first_batch_s: list[float] = field(default_factory=list)
    peak_rss_mb: list[float] = field(default_factory=list)

    @property
    def measured(self) -> bool:
        """It has rates."""
        return self.status == "measured" and bool(self.img_s)

    @property
    def median_img_s(self) -> float:
        """Images per second, the median over the rounds."""
        return statistics.median(self.img_s)

    @property
    def label(self) -> str:
        """Title and number of threads."""
        return f"{self.title}, {self.threads} thread{'s' * (self.threads != 1)}"

    @property
    def cores(self) -> float:
        """How many processors it kept busy."""
        return statistics.median(cpu * rate / 1000 for cpu, rate in zip(self.cpu_s, self.img_s, strict=True))


@dataclass
class Report:
    """A whole run.

    Attributes
    ----------
    machine, file, work, versions : dict
    command : str
    date : str
        ISO 8601, with the time zone.
    protocol : dict
        "rounds", "epochs" and "seconds" of a round, "turns" that they are shared out over, "cache".
    reference : str
        Name of the peer that others are compared with.
    noise : float or None
        Share of the processors' time that other processes had while cases ran.
    cases : list of Case
    """

    machine: dict[str, Any]
    file: dict[str, Any]
    work: dict[str, Any]
    versions: dict[str, str]
    command: str
    date: str
    protocol: dict[str, Any]
    reference: str
    noise: float | None
    cases: list[Case]

    @property
    def title(self) -> str:
        """What each case had to do, in a line."""
        return str(self.work["title"])

    def reference_case(self) -> Case | None:
        """Return the reference's case with the fewest threads; None if it was not measured."""
        return next((case for case in self.cases if case.name == self.reference and case.measured), None)

    def ratio(self, case: Case) -> Ratio | None:
        """Return how many times as fast as the reference a case is; None if one of them was not measured."""
        reference = self.reference_case()
        return None if reference is None or not case.measured else ratio(case.img_s, reference.img_s)

    def wide(self) -> list[Case]:
        """Return the cases whose ratio is known to no better than `WIDE`, to each side."""
        ratios = [(case, self.ratio(case)) for case in self.cases if case is not self.reference_case()]
        return [case for case, found in ratios if found is not None and found.half_width > WIDE]

    def by_rate(self) -> list[Case]:
        """Return the cases, the fastest first, and then those that were not measured."""
        return sorted(self.cases, key=lambda case: -case.median_img_s if case.measured else math.inf)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        facts = asdict(self)
        facts["cases"] = [self._case_as_json(case) for case in self.cases]
        return facts

    def _case_as_json(self, case: Case) -> dict[str, Any]:
        found = self.ratio(case)
        wide = found is not None and math.isinf(found.high)
        return asdict(case) | {
            "median_img_s": case.median_img_s if case.measured else None,
            "ratio": found.value if found else None,
            "interval": None if found is None or wide else [found.low, found.high],
        }


def read(path: str | Path) -> Report:
    """Read what ``--json`` wrote.

    Raises
    ------
    FormatError
        It is something else.
    """
    try:
        facts = json.loads(Path(path).read_text())
        names = Case.__dataclass_fields__
        cases = [Case(**{name: value for name, value in case.items() if name in names}) for case in facts.pop("cases")]
        if any(not rate > 0 for case in cases for rate in case.img_s):
            raise ValueError("a rate that is not above 0")
        return Report(**facts, cases=cases)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(
            f"expected what 'recordkit bench --json' writes, got something else ({error})", path=str(path)
        ) from None


def compare(old: Report, new: Report) -> list[tuple[Case, Verdict]]:
    """Say of each case in both what became of it, by its ratios to the reference in the same rounds.

    Raises
    ------
    PlanError
        The runs are of other files, or other work, or have no reference in common.
    """
    for name, one, other in (
        ("records", old.file.get("sha256"), new.file.get("sha256")),
        ("work", old.work, new.work),
        ("cache", old.protocol.get("cache"), new.protocol.get("cache")),
    ):
        if one != other:
            raise PlanError(f"--compare: expected runs of the same {name}, got {one} and {other}")
    references = [report.reference_case() for report in (old, new)]
    labels = [case and (case.name, case.threads) for case in references]
    if None in labels or labels[0] != labels[1]:
        raise PlanError(
            f"--compare: expected {old.reference} in both runs, with as many threads, which the others are compared "
            f"with, got {labels[0]} and {labels[1]}; run with it"
        )
    found = []
    earlier = {(case.name, case.threads): case for case in old.cases if case.measured}
    for case in new.cases:
        before = earlier.get((case.name, case.threads))
        if case.measured and before is not None and case.name != new.reference:
            found.append((case, verdict(_logs(old, before), _logs(new, case))))
    if not found:
        raise PlanError(f"--compare: expected cases beside {new.reference} that both runs measured, got none")
    return found


def _logs(report: Report, case: Case) -> list[float]:
    reference = report.reference_case()
    assert reference is not None  # noqa: S101 (compare has looked)
    return [math.log(one / other) for one, other in zip(case.img_s, reference.img_s, strict=True)]
