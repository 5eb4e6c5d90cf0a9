"""Dividing sources into the sets of files to be written: their samples, their order and their names."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from recordkit.errors import PlanError, plural
from recordkit.packing.plan import PackPlan
from recordkit.packing.splits import Split, packing_order, split_samples
from recordkit.sample import Source
from recordkit.sources import ListSource, TableSource
from recordkit.sources.records import RecordSource
from recordkit.storage.names import MAX_NAME_BYTES, stem
from recordkit.storage.set_files import SetNames


class Im2recFiles(NamedTuple):
    """The rules of im2rec for the files of a pack, whose .rec and .idx replace any others, as MXNet's im2rec does it.

    Attributes
    ----------
    record_name : str or None
        Name of the record file, for a plan without splits: PREFIX.rec, or PREFIX as im2rec's OUT may be. Without it the
        name is PREFIX.rec, and PREFIX may not be a folder.
    keep : collection of Path
        Files of the replaced set that stay, such as lists that will be packed next.
    """

    record_name: str | None = None
    keep: Collection[Path] = ()


@dataclass(frozen=True)
class PlannedSet:
    """One set to be written.

    Attributes
    ----------
    source : Source
    order : sequence of int
        Positions in the source, in the order of packing.
    names : SetNames
    is_first : bool
        The first set of its source also reports the source's bad rows and files.
    reads_list : bool
        PREFIX.lst is the list that is being packed.
    dataset : Path or None
        Prefix of the dataset whose shard this is, and whose manifest names it; None if the set is not a shard.
    begin : int
        Position of the first of these samples in the order of packing of the whole source.
    source_name : str
        Name of the source among those of the pack.
    """

    source: Source
    order: Sequence[int]
    names: SetNames
    is_first: bool
    reads_list: bool
    dataset: Path | None = None
    begin: int = 0
    source_name: str = ""


def plan_sets(
    sources: Mapping[str, Source], prefix: Path, plan: PackPlan, record_name: str | None
) -> tuple[list[PlannedSet], list[str]]:
    """Divide sources into sets.

    Parameters
    ----------
    sources : mapping of str to Source
        Sources by the name that is appended to the prefix; "" appends nothing. The ratios of the plan divide "" and the
        training sets: "train", and names that end in "_train".
    prefix : Path
    plan : PackPlan
    record_name : str or None
        See `Im2recFiles`.

    Returns
    -------
    planned_sets : list of PlannedSet
    warnings : list of str

    Raises
    ------
    PlanError
        The plan does not fit the sources, or a set would be empty.
    """
    planned_sets: list[PlannedSet] = []
    warnings = [note for source in sources.values() for note in source.notes]
    if plan.splits() and not any(map(is_training_set, sources)):
        raise PlanError("`val_ratio` and `test_ratio` divide the training split, and this source has none")
    for name, source in sources.items():
        is_divided = plan.splits() and is_training_set(name)
        if is_divided:
            _refuse_second_set(name, sources, plan)
        splits = _split_source(source, plan, is_divided=is_divided)
        if n_unused := len(source) - sum(split.end - split.begin for split in splits):
            warnings.append(
                f"{n_unused} of {plural(len(source), 'sample')} {'is' if n_unused == 1 else 'are'} in no split: "
                "the sizes are rounded down, as in im2rec"
            )
        order = packing_order(len(source), shuffle=plan.shuffles(source.order), seed=plan.seed)
        for number, split in enumerate(splits):
            if split.begin == split.end and len(source):
                raise PlanError(
                    path=f"{prefix.name}{split.suffix}",
                    expected="samples",
                    got=f"0 of {len(source)}",
                    advice="change the ratios or the number of `shards`",
                )
            beginning = set_beside(name, "").rstrip("_") if is_divided else name
            beginning = f"_{beginning}" if beginning else ""
            set_prefix = prefix.with_name(f"{prefix.name}{beginning}{split.suffix}")
            names, reads_list = _name_set(set_prefix, sources, plan, record_name)
            dataset = None if plan.shards == 1 else prefix.with_name(f"{prefix.name}{beginning}{split.part}")
            rows = order[split.begin : split.end]
            planned_sets.append(PlannedSet(source, rows, names, number == 0, reads_list, dataset, split.begin, name))
    return planned_sets, warnings


def is_training_set(name: str) -> bool:
    """Tell whether the name of a set is that of a training set, or of the only set, which has no name.

    Examples
    --------
    >>> is_training_set(""), is_training_set("letters_train"), is_training_set("test")
    (True, True, False)
    """
    return name in ("", "train") or name.endswith("_train")


def set_beside(training_set: str, split: str) -> str:
    """Return the name of another set of the dataset of a training set.

    Examples
    --------
    >>> set_beside("letters_train", "test"), set_beside("", "val")
    ('letters_test', 'val')
    """
    return training_set.removesuffix("train") + split


def _refuse_second_set(training_set: str, sources: Mapping[str, Source], plan: PackPlan) -> None:
    """Refuse to take a set from the training set if the dataset has a set of that name already."""
    for split, ratio in (("val", plan.val_ratio), ("test", plan.test_ratio)):
        if ratio and set_beside(training_set, split) in sources:
            raise PlanError(
                argument=f"{split}_ratio", message=f"this source has a {split} split of its own", advice="leave it out"
            )


def _split_source(source: Source, plan: PackPlan, *, is_divided: bool) -> list[Split]:
    if plan.shards > max(len(source), 1):
        raise PlanError(
            argument="shards", expected=f"at most as many shards as samples, {len(source)}", got=plan.shards
        )
    return split_samples(
        len(source),
        shards=plan.shards,
        train_ratio=max(1.0 - plan.val_ratio - plan.test_ratio, 0.0) if is_divided else 1.0,  # 0.8 + 0.2: below 0
        test_ratio=plan.test_ratio if is_divided else 0.0,
    )


def _name_set(
    prefix: Path, sources: Mapping[str, Source], plan: PackPlan, record_name: str | None
) -> tuple[SetNames, bool]:
    """Return the names of a set, and whether its .lst is the list that is being packed."""
    # A list of other columns is not PREFIX.lst, which the pack would write.
    lists = {name: source for name, source in sources.items() if isinstance(source, ListSource)}
    reads_list = is_input(Path(f"{prefix}.lst"), lists)
    names = SetNames(prefix, record_name, write_list=plan.write_list and not reads_list)
    if names.name(".rec") not in (prefix.name, f"{prefix.name}.rec"):  # readers would not find the record file
        expected = f"{prefix.name} or {prefix.name}.rec, without splits"
        raise PlanError(argument="record_name", expected=expected, got=repr(record_name))
    for output in names.all():
        if (n_bytes := len(os.fsencode(output.name))) > MAX_NAME_BYTES:
            expected = f"names of at most {MAX_NAME_BYTES} bytes"
            raise PlanError(path=str(output), expected=expected, got=f"one of {n_bytes}")
        if is_input(output, sources):
            raise PlanError(path=str(output), expected="another output", got="a file that is being packed")
    return names, reads_list


def is_input(path: Path, sources: Mapping[str, Source]) -> bool:
    """Tell whether a file is one of those that are being packed: a list, or a file of a set of records."""
    lists = [source.path for source in sources.values() if isinstance(source, ListSource | TableSource)]
    sets = [file for source in sources.values() if isinstance(source, RecordSource) for file in source.files]
    return path.exists() and (
        any(path.samefile(list_path) for list_path in lists)
        or any(stem(path.name) == stem(file.name) and path.parent.samefile(file.parent) for file in sets)
    )
