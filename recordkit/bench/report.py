"""The result of a comparison, as values and as JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recordkit.bench.statistics import Ratio, Verdict, ratio, verdict
from recordkit.errors import FormatError, PlanError
from recordkit.formats import json_file
from recordkit.formats.files import read_file

WIDE = 0.05
"""A ratio is uncertain if half of its interval is wider than this share of the ratio."""


@dataclass
class Case:
    """One peer with one number of threads; each list has one value for each round.

    Attributes
    ----------
    name : str
    title : str
    threads : int
    status : {"measured", "absent", "failed", "differs"}
    note : str
        Why the case was not measured, or a remark on a measured case.
    img_s : list of float
        Images per second.
    cpu_s_per_1000 : list of float
        Processor time for a thousand images in seconds.
    first_batch_s : list of float
        Time to the first batch.
    peak_rss_mb : list of float
        Peak memory; memory that processes share counts for each of them.
    """

    name: str
    title: str
    threads: int
    status: str = "measured"
    note: str = ""
    img_s: list[float] = field(default_factory=list)
    cpu_s_per_1000: list[float] = field(default_factory=list)
    first_batch_s: list[float] = field(default_factory=list)
    peak_rss_mb: list[float] = field(default_factory=list)

    @property
    def measured(self) -> bool:
        """The case has rates."""
        return self.status == "measured" and bool(self.img_s)

    @property
    def median_img_s(self) -> float:
        """Median rate over the rounds in images per second."""
        return statistics.median(self.img_s)

    @property
    def median_peak_rss_mb(self) -> float | None:
        """Median peak memory in MB; None if it was not measured."""
        return _median(self.peak_rss_mb)

    @property
    def median_first_batch_s(self) -> float | None:
        """Median time to the first batch in seconds; None if it was not measured."""
        return _median(self.first_batch_s)

    @property
    def cores(self) -> float | None:
        """Number of processors that the case kept busy, the median over the rounds; None if it was not measured."""
        if not self.cpu_s_per_1000:
            return None
        return statistics.median(cpu * rate / 1000 for cpu, rate in zip(self.cpu_s_per_1000, self.img_s, strict=True))

    @property
    def is_recordkit(self) -> bool:
        """The peer is recordkit's loader."""
        return self.title.startswith("recordkit")

    @property
    def label(self) -> str:
        """Title and number of threads."""
        return f"{self.title}, {self.threads} thread{'s' * (self.threads != 1)}"


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


@dataclass
class Report:
    """A whole comparison.

    Attributes
    ----------
    machine, file, workload, versions : dict
    command : str
        Command that repeats the comparison.
    date : str
        ISO 8601 with the time zone.
    protocol : dict
        "rounds"; "epochs" and "round_s", the minimums of a round; "turns" of a round; "cache"; "interrupted" is True if
        the user ended the comparison.
    reference : str
        Name of the peer that the others are compared with.
    noise : float or None
        Share of the processor time that other processes took meanwhile; None if unknown.
    cases : list of Case
    """

    machine: dict[str, Any]
    file: dict[str, Any]
    workload: dict[str, Any]
    versions: dict[str, str]
    command: str
    date: str
    protocol: dict[str, Any]
    reference: str
    noise: float | None
    cases: list[Case]

    @property
    def title(self) -> str:
        """The workload in one line."""
        return str(self.workload["title"])

    def reference_case(self) -> Case | None:
        """Return the reference's measured case with the fewest threads; None if there is none."""
        return next((case for case in self.cases if case.name == self.reference and case.measured), None)

    def ratio(self, case: Case) -> Ratio | None:
        """Return how many times as fast as the reference a case is; None if one of them was not measured."""
        reference = self.reference_case()
        return None if reference is None or not case.measured else ratio(case.img_s, reference.img_s)

    def uncertain_cases(self) -> list[Case]:
        """Return the cases with an uncertain ratio, see `WIDE`."""
        return [case for case in self.cases if self.is_uncertain(case)]

    def is_uncertain(self, case: Case) -> bool:
        """Return whether the ratio of a case is uncertain, see `WIDE`; that of the reference to itself never is."""
        to_reference = None if case is self.reference_case() else self.ratio(case)
        return to_reference is not None and to_reference.half_width > WIDE

    def by_rate(self) -> list[Case]:
        """Return the measured cases, the fastest first, and after them the others."""
        return sorted(self.cases, key=lambda case: -case.median_img_s if case.measured else math.inf)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        facts = asdict(self)
        facts["cases"] = [self._case_as_json(case) for case in self.cases]
        return facts

    def _case_as_json(self, case: Case) -> dict[str, Any]:
        to_reference = self.ratio(case)
        has_interval = to_reference is not None and to_reference.is_bounded
        return asdict(case) | {
            "median_img_s": case.median_img_s if case.measured else None,
            "ratio": to_reference.value if to_reference else None,
            "interval": [to_reference.low, to_reference.high] if to_reference and has_interval else None,
        }


def read_report(path: str | Path) -> Report:
    """Read a report that `recordkit bench --json` wrote.

    Raises
    ------
    FormatError
        The file is no such report.
    """
    content = read_file(path, max_bytes=json_file.MAX_BYTES, what="a report of 'recordkit bench --json'")
    try:
        facts = json_file.parse(content)
        names = Case.__dataclass_fields__
        cases = [Case(**{name: value for name, value in case.items() if name in names}) for case in facts.pop("cases")]
        if any(not rate > 0 for case in cases for rate in case.img_s):
            raise ValueError("a rate that is not above 0")
        return Report(**facts, cases=cases)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(
            path=str(path), expected="a report of 'recordkit bench --json'", got=f"something else ({error})"
        ) from None


def compare_reports(old: Report, new: Report) -> list[tuple[Case, Verdict]]:
    """Compare all cases that both runs measured by their ratios to the reference in the same rounds.

    Returns
    -------
    verdicts : list of (Case, Verdict)
        The case of the new run and its change.

    Raises
    ------
    PlanError
        The runs are of different files or workloads, or have no reference in common.
    """
    for name, old_value, new_value in (
        ("records", old.file.get("sha256"), new.file.get("sha256")),
        ("workload", old.workload, new.workload),
        ("cache", old.protocol.get("cache"), new.protocol.get("cache")),
    ):
        if old_value != new_value:
            raise PlanError(expected=f"runs of the same {name}", got=f"{old_value} and {new_value}")
    labels = [case and (case.name, case.threads) for case in (old.reference_case(), new.reference_case())]
    if None in labels or labels[0] != labels[1]:
        raise PlanError(
            expected=f"{old.reference} as the reference of both runs, with the same number of threads",
            got=f"{labels[0]} and {labels[1]}",
            advice="measure it in both runs",
        )
    verdicts = []
    old_cases = {(case.name, case.threads): case for case in old.cases if case.measured}
    for case in new.cases:
        old_case = old_cases.get((case.name, case.threads))
        if case.measured and old_case is not None and case.name != new.reference:
            verdicts.append((case, verdict(_log_ratios(old, old_case), _log_ratios(new, case))))
    if not verdicts:
        raise PlanError(expected=f"cases beside {new.reference} that both runs measured", got="none")
    return verdicts


def _log_ratios(report: Report, case: Case) -> list[float]:
    reference = report.reference_case()
    assert reference is not None  # noqa: S101 (compare_reports has checked it)
    return [math.log(rate / base) for rate, base in zip(case.img_s, reference.img_s, strict=True)]
