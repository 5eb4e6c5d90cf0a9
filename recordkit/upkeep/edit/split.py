"""Dividing a dataset into several sets, or into the shards of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.upkeep.division.rules import KeyParts, Ratios, Shards
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.old_files import check_new_prefix
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.edit.report import EditReport
from recordkit.upkeep.labels.text import MAX_COUNTED, label_text
from recordkit.upkeep.selection.keys import refuse_repeated_keys
from recordkit.upkeep.selection.table import SampleTable


@dataclass(frozen=True)
class SplitReport(EditReport):
    """The report of a split.

    Attributes
    ----------
    labels : tuple of (dict of float to int, or None)
        Number of records of each first label, for each set; None if there are more than 1,000 labels, or if they were
        not needed.
    classes : dict of str to int, or None
        Class names of the labels.
    """

    labels: tuple[dict[float, int] | None, ...] = ()
    classes: dict[str, int] | None = None

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON-compatible values; labels are texts."""
        document = super().as_json()
        document["labels"] = [
            None if counts is None else {label_text(label): n for label, n in counts.items()} for counts in self.labels
        ]
        document["classes"] = self.classes
        return document


def split(
    path: str | Path,
    prefix: str | Path,
    rule: Ratios | KeyParts | Shards | Mapping[str, float | Fraction],
    *,
    threads: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> SplitReport:
    """Write the parts of a dataset as new sets. No image is decoded, and the dataset stays.

    Parameters
    ----------
    path : str or Path
        A .rec file, its prefix, a manifest, or a pattern.
    prefix : str or Path
        The sets are PREFIX_NAME, for each name of a part. Shards are PREFIX_0 and so on, with PREFIX.manifest.json.
    rule : Ratios, KeyParts, Shards, or mapping of str to float
        The parts; a mapping stands for the `Ratios` of it. Records keep their keys and, in each part, their order.
    threads : int, default 0
        Number of threads; 0 means the CPUs that this process may use.
    overwrite : bool, default False
        Replace files that exist at the names of the new set, but never an input.
    dry_run : bool, default False
        Write nothing, and return the report of what would be written, with the labels of each part.
    progress : callable, optional
        Called with the number of records written since the last call.

    Returns
    -------
    report : SplitReport

    Raises
    ------
    NotFoundError, FormatError
        The dataset does not exist, or is damaged; nothing is written.
    SourceError
        Two records of parts have one key.
    PlanError
        The rule does not fit the dataset, for example because a part would be empty.
    PublishError
        A file of a new set exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> folder = Path(tempfile.mkdtemp())
    >>> with MXIndexedRecordIO(f"{folder}/all.idx", f"{folder}/all.rec", "w") as writer:
    ...     for key in range(10):
    ...         writer.write_idx(key, pack(IRHeader(0, 7.0, key, 0), b"jpeg"))
    >>> report = split(folder / "all", folder / "pets", {"train": 0.8, "test": 0.2})
    >>> [(each.prefix.name, each.n_records) for each in report.sets]
    [('pets_train', 8), ('pets_test', 2)]
    """
    if isinstance(rule, Mapping):
        rule = Ratios(rule)
    if not isinstance(rule, Ratios | KeyParts | Shards):
        raise PlanError(argument="rule", expected="Ratios, KeyParts, Shards or a mapping of ratios", got=repr(rule))
    prefix = Path(prefix)
    check_new_prefix(prefix, [path], overwrite=overwrite, dry_run=dry_run)
    with Inputs([path]) as inputs:
        division = rule.divide(inputs)
        if not isinstance(rule, Shards):
            refuse_repeated_keys(inputs.keys, str(path))
        sets = [
            NewSet(prefix.parent / f"{prefix.name}_{name}", rows, classes=inputs.classes[0])
            for name, rows in division.parts.items()
        ]
        labels = None
        if dry_run or (isinstance(rule, Ratios) and rule.stratify):
            labels = SampleTable(inputs).first_labels()
        counts = tuple(_count(labels, rows) for rows in division.parts.values())
        classes = inputs.classes[0]
        report = write_sets(
            inputs,
            sets,
            prefix,
            edit={"command": "split", "inputs": set_ids(inputs), "rule": _as_json(rule)},
            shards=isinstance(rule, Shards),
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
    values = {field.name: getattr(report, field.name) for field in fields(EditReport)}
    values["notes"] = (*division.notes, *report.notes)
    return SplitReport(**values, labels=counts, classes=classes)


def _count(labels: NDArray[np.float32] | NDArray[np.int64] | None, rows: NDArray[np.int64]) -> dict[float, int] | None:
    if labels is None:
        return None
    found, counts = np.unique(labels[rows], return_counts=True)
    if len(found) > MAX_COUNTED:
        return None
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _as_json(rule: Ratios | KeyParts | Shards) -> dict[str, object]:
    """Return the fields of a rule that say how to repeat it."""
    values = {field.name: getattr(rule, field.name) for field in fields(rule)}
    if isinstance(rule, Ratios):
        values["ratios"] = {name: float(ratio) for name, ratio in rule.ratios.items()}
    elif isinstance(rule, KeyParts):
        values["ranges"] = dict(rule.ranges)
    return values
