"""Writing some samples of a dataset as a new set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recordkit.errors import PlanError
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.old_files import check_new_prefix
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.edit.report import EditReport
from recordkit.upkeep.selection.keys import refuse_repeated_keys
from recordkit.upkeep.selection.selection import Selection


def subset(
    path: str | Path,
    prefix: str | Path,
    selection: Selection,
    *,
    threads: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> EditReport:
    """Write the selected samples of a dataset as a new set. No image is decoded, and the dataset stays.

    Keys, labels and the class map stay as they are, so a label means the same in both sets;
    `recordkit.upkeep.relabel` gives the labels other numbers.

    Parameters
    ----------
    path : str or Path
        A .rec file, its prefix, a manifest, or a pattern.
    prefix : str or Path
        The new set.
    selection : Selection
        A condition or more.
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
    report : EditReport

    Raises
    ------
    NotFoundError, FormatError
        The dataset or a file of the selection does not exist, or is damaged; nothing is written.
    SourceError
        Two selected records have one key.
    PlanError
        There is no condition, no sample is selected, or the selection does not fit the dataset.
    PublishError
        A file of the new set exists and `overwrite` is false, is read, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> folder = Path(tempfile.mkdtemp())
    >>> with MXIndexedRecordIO(f"{folder}/all.idx", f"{folder}/all.rec", "w") as writer:
    ...     for key in range(10):
    ...         writer.write_idx(key, pack(IRHeader(0, key % 3, key, 0), b"jpeg"))
    >>> subset(folder / "all", folder / "some", Selection(labels=[0, 2], keys="2:")).n_records
    6
    """
    if not isinstance(selection, Selection):
        expected = "a Selection, such as Selection(where='label == 3') or Selection(keys=[1, 2])"
        raise PlanError(argument="selection", expected=expected, got=repr(selection))
    if selection.is_empty:
        raise PlanError(expected="a condition, such as `labels` or `where`", got="none")
    check_new_prefix(Path(prefix), [path, *selection.files()], overwrite=overwrite, dry_run=dry_run)
    with Inputs([path]) as inputs:
        rows = selection.rows(inputs)
        refuse_repeated_keys(inputs.keys[rows], str(path))
        return write_sets(
            inputs,
            [NewSet(Path(prefix), rows, classes=inputs.classes[0])],
            Path(prefix),
            edit={"command": "subset", "inputs": set_ids(inputs), "selection": selection.as_json()},
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
