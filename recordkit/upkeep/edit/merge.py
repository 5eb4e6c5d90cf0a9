"""Writing the samples of several datasets as one set, or as the shards of one dataset."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from recordkit.arguments import one_or_more
from recordkit.errors import PlanError
from recordkit.upkeep.division.sizes import even_bounds
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.old_files import check_new_prefix
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.edit.union import KeyRule, Union, unite
from recordkit.upkeep.labels.change import LabelReport, add_changes


def merge(  # noqa: PLR0913 (one keyword for each choice)
    paths: str | Path | Sequence[str | Path],
    prefix: str | Path,
    *,
    keys: KeyRule = "keep",
    pad_labels: float | None = None,
    shards: int = 1,
    threads: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> LabelReport:
    """Write the samples of several datasets as one, in their order. No image is decoded, and the datasets stay.

    Class names are united: a name has one label. The labels of the first dataset stay; those of the others become the
    labels of their names there, or the next ones if the name is new. `recordkit.upkeep.edit.union` has all rules.

    Parameters
    ----------
    paths : str, Path, or sequence of them
        For each dataset a .rec file, its prefix, a manifest, or a pattern.
    prefix : str or Path
        The new set.
    keys : {"keep", "renumber"}, default "keep"
        "keep": two records with one key are an error. "renumber": the keys are 0 to n - 1, in the order of the records.
    pad_labels : float or int, optional
        Value after the labels of records with fewer labels than others, so that all have the same number.
    shards : int, default 1
        Number of files, as even in bytes as records allow: PREFIX_0.rec and so on, with PREFIX.manifest.json.
    threads : int, default 0
        Number of threads; 0 means the CPUs that this process may use.
    overwrite : bool, default False
        Replace files that exist at the names of the new set, but never an input.
    dry_run : bool, default False
        Write nothing, and return the report of what would be written.
    progress : callable, optional
        Called with the number of records written since the last call.

    Returns
    -------
    report : LabelReport

    Raises
    ------
    NotFoundError, FormatError
        A dataset does not exist, or is damaged; nothing is written.
    SourceError
        Keys, labels or classes contradict each other.
    PlanError
        Two datasets are one file, or there are fewer records than shards.
    PublishError
        A file of the new set exists and `overwrite` is false, is read, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, keys in (("a", (0, 1)), ("b", (2, 3, 4))):
    ...     with MXIndexedRecordIO(f"{folder / name}.idx", f"{folder / name}.rec", "w") as writer:
    ...         for key in keys:
    ...             writer.write_idx(key, pack(IRHeader(0, 7.0, key, 0), b"jpeg"))
    >>> report = merge([folder / "a", folder / "b"], folder / "all")
    >>> report.n_records, report.notes[0]
    (5, 'no dataset has class names, so equal labels are taken as one class')
    """
    paths = one_or_more(paths)
    names = list(map(str, paths))
    check_new_prefix(Path(prefix), paths, overwrite=overwrite, dry_run=dry_run)
    with Inputs(paths) as inputs:
        union = unite(inputs, names, keys=keys, pad_labels=pad_labels)
        edit = {"command": "merge", "inputs": set_ids(inputs), "keys": keys, "pad_labels": pad_labels}
        report = write_sets(
            inputs,
            _new_sets(inputs, union, Path(prefix), shards),
            Path(prefix),
            edit=edit,
            shards=shards > 1,
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
    return add_changes(report, union.notes, union.changes, union.n_relabeled)


def _new_sets(inputs: Inputs, union: Union, prefix: Path, shards: int) -> list[NewSet]:
    if not 1 <= shards <= max(len(inputs), 1):
        raise PlanError(argument="shards", expected=f"1 to the number of records, {len(inputs)}", got=shards)
    bounds = even_bounds(inputs.ends(), shards)
    return [
        union.new_set(prefix.parent / f"{prefix.name}_{number}" if shards > 1 else prefix, np.arange(begin, end))
        for number, (begin, end) in enumerate(itertools.pairwise(bounds))
    ]
