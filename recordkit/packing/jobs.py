"""Sharing sources out into sets: which samples, in which order, under which names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recordkit.errors import PlanError
from recordkit.packing.plan import PackPlan, order_of, partition
from recordkit.packing.writer import SetNames
from recordkit.sample import Source
from recordkit.sources import ListSource


@dataclass(frozen=True)
class Job:
    """One set to be written.

    Attributes
    ----------
    source : Source
    order : sequence of int
        Positions in the source.
    names : SetNames
    first : bool
        The first set of its source, which also reports rows that are no samples.
    reads_list : bool
        PREFIX.lst is what is being packed.
    """

    source: Source
    order: Sequence[int]
    names: SetNames
    first: bool
    reads_list: bool


def share_out(
    sources: Mapping[str, Source], prefix: Path, plan: PackPlan, record_name: str | None
) -> tuple[list[Job], list[str]]:
    """Share sources out into sets.

    Parameters
    ----------
    sources : mapping of str to Source
        By what is appended to the prefix, "" for nothing.
    prefix : Path
    plan : PackPlan
    record_name : str or None
        See `recordkit.packing.pack.pack`.

    Returns
    -------
    jobs : list of Job
    warnings : list of str

    Raises
    ------
    PlanError
        The plan does not go with the sources, or a set would be empty.
    """
    jobs: list[Job] = []
    warnings = [note for source in sources.values() for note in source.notes]
    if plan.splits() and set(sources) - {""} and "train" not in sources:
        raise PlanError("val_ratio and test_ratio share out the training split, and this source has none")
    for name, source in sources.items():
        shared = plan.splits() and name in ("", "train")
        if shared and plan.test_ratio and "test" in sources:
            raise PlanError("test_ratio: this source has a test split of its own; use val_ratio")
        if plan.shards > max(len(source), 1):
            raise PlanError(f"shards: expected at most as many shards as samples, {len(source)}, got {plan.shards}")
        parts = partition(
            len(source),
            shards=plan.shards,
            train_ratio=1.0 - plan.val_ratio - plan.test_ratio if shared else 1.0,
            test_ratio=plan.test_ratio if shared else 0.0,
        )
        if lost := len(source) - sum(part.end - part.begin for part in parts):
            warnings.append(
                f"{lost} of {len(source)} samples are in no split: the sizes are rounded down, as in im2rec"
            )
        order = order_of(len(source), shuffle=plan.shuffles(source.order), seed=plan.seed)
        for number, part in enumerate(parts):
            if part.begin == part.end and len(source):
                raise PlanError(
                    f"{prefix.name}{part.suffix}: expected samples, got 0 of {len(source)}; "
                    "change the ratios or the number of shards"
                )
            suffix = part.suffix if shared or not name else f"_{name}{part.suffix}"
            path = prefix.with_name(prefix.name + suffix)
            reads_list = is_input(Path(f"{path}.lst"), sources)
            names = SetNames(path, record_name, write_list=plan.write_list and not reads_list)
            for output in names.all():
                if is_input(output, sources):
                    raise PlanError(f"{output}: expected another output, got the list that is being packed")
            jobs.append(Job(source, order[part.begin : part.end], names, number == 0, reads_list))
    return jobs, warnings


def is_input(path: Path, sources: Mapping[str, Source]) -> bool:
    """Tell whether a file is one of the lists that are being packed."""
    lists = [source.path for source in sources.values() if isinstance(source, ListSource)]
    return any(path.exists() and path.samefile(each) for each in lists)
