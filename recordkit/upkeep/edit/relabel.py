"""Writing a dataset with other labels, other class names, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError, SourceError, enumerate_some, plural
from recordkit.sources.classes import read_classes
from recordkit.storage.fileset import Fileset
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.old_files import check_new_prefix
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.labels.arrays import Labels
from recordkit.upkeep.labels.change import LabelChange, LabelReport, add_changes
from recordkit.upkeep.labels.class_maps import names_by_label, names_of
from recordkit.upkeep.labels.new_labels import LabelFunction, call_function, read_list
from recordkit.upkeep.labels.rename import follow_labels, rename_classes
from recordkit.upkeep.labels.text import label_text, named_label_text
from recordkit.upkeep.labels.values import LabelMap, as_labels, count_changed, count_unnamed

NewLabels = str | Path | Mapping[str, str] | Mapping[float, float] | LabelFunction
Classes = Mapping[str, int] | str | Path | None
# Most notes about labels that become one.
_MAX_JOINED = 5


@dataclass(eq=False)
class _Result:
    """The new labels of a dataset.

    Attributes
    ----------
    labels : Labels
    classes : mapping of str to int or None
        The class names that follow from the old ones; None if there are none.
    is_certain : bool
        The old class names say what those of the new labels are.
    """

    labels: Labels
    classes: Mapping[str, int] | None
    is_certain: bool = True
    changes: list[LabelChange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def relabel(  # noqa: PLR0913 (one keyword for each choice)
    path: str | Path,
    prefix: str | Path,
    labels: NewLabels | None = None,
    *,
    classes: Classes = "follow",
    exact_labels: bool = False,
    threads: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> LabelReport:
    """Write a dataset with other labels. No image is decoded, and the dataset stays.

    Parameters
    ----------
    path : str or Path
        A .rec file, its prefix, a manifest, or a pattern.
    prefix : str or Path
        The new set.
    labels : str, Path, mapping or callable, optional
        A path is that of a .lst file, which has a row for each key; its paths of images are not used. A mapping of
        numbers has the new label by the old one, and one of names the new class name by the old one; classes that get
        one name become one. What is not in the mapping stays, and an old label or name must be in the dataset. A
        function gets the labels of all records as `RecordDataset.labels` has them, read-only, or a list of arrays if
        records have different numbers of labels, and returns as many labels, or rows of labels of any length. By
        default labels stay.
    classes : mapping of str to int, path or None, default "follow"
        The class names of the new labels, or a file with them as `recordkit.sources.classes.read_classes` reads; None
        means no names. "follow": a name keeps its records. After a list or a function nothing follows, so a dataset
        with class names needs them.
    exact_labels : bool, default False
        Keep the labels as int64 beside the records too. A dataset that has exact labels keeps them in any case.
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
        The dataset or a file does not exist or is damaged; nothing is written.
    SourceError
        The file cannot hold a label, or a record has no new one.
    PlanError
        The arguments contradict each other or the dataset.
    PublishError
        A file of the new set exists and `overwrite` is false, is read, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit import RecordDataset
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> folder = tempfile.mkdtemp()
    >>> with MXIndexedRecordIO(f"{folder}/a.idx", f"{folder}/a.rec", "w") as writer:
    ...     for key in range(4):
    ...         writer.write_idx(key, pack(IRHeader(0, key, key, 0), b"jpeg"))
    >>> relabel(f"{folder}/a", f"{folder}/b", {3: 0}).n_relabeled
    1
    >>> _ = relabel(f"{folder}/b", f"{folder}/c", lambda labels: labels + 10)
    >>> RecordDataset(f"{folder}/c").labels
    array([10., 11., 12., 10.], dtype=float32)
    """
    if labels is None and classes == "follow" and not exact_labels:
        raise PlanError("nothing would change", advice="give `labels` or `classes`")
    set_path = str(path)
    files = [each for each in (labels, classes) if isinstance(each, str | Path) and each != "follow"]
    check_new_prefix(Path(prefix), [path, *files], overwrite=overwrite, dry_run=dry_run)
    with Inputs([path]) as inputs:
        exact = exact_labels or inputs.have_exact_labels
        result = _new_labels(inputs, set_path, labels, exact=exact, follow=classes == "follow")
        _check_widths(result.labels, set_path, exact=exact)
        names = _choose_classes(result, classes, inputs.paths[0])
        result.notes += _describe_unnamed(result.labels, names)
        edit = {"command": "relabel", "inputs": set_ids(inputs), "rule": _rule(labels)}
        new_set = NewSet(Path(prefix), np.arange(len(inputs)), labels=result.labels, classes=names)
        report = write_sets(
            inputs,
            [new_set],
            Path(prefix),
            edit=edit,
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
        n_relabeled = count_changed(inputs.labels(), result.labels)
    return add_changes(report, result.notes, result.changes, n_relabeled)


def _rule(labels: NewLabels | None) -> str | None:
    """Return the kind of a rule, for the description of the set."""
    if labels is None:
        return None
    if isinstance(labels, Mapping):
        return "names" if any(isinstance(old, str) for old in labels) else "map"
    return "list" if isinstance(labels, str | Path) else "function"


def _new_labels(inputs: Inputs, path: str, rule: NewLabels | None, *, exact: bool, follow: bool) -> _Result:
    old, classes = inputs.labels(), inputs.classes[0]
    if isinstance(rule, str | Path):
        labels, notes = read_list(rule, inputs.keys, path, exact=exact)
        return _Result(labels, classes, is_certain=classes is None, notes=notes)
    if callable(rule):
        labels = call_function(rule, old, inputs.keys, path, exact=exact)
        return _Result(labels, classes, is_certain=classes is None)
    if exact and not old.is_exact:
        keys = np.repeat(inputs.keys, old.widths)
        old = Labels(as_labels(old.values, exact=True, path=path, keys=keys), old.bounds)
    if rule is None:
        return _Result(old, classes)
    return _map_labels(old, classes, rule, path, follow=follow)


def _map_labels(
    old: Labels,
    classes: Mapping[str, int] | None,
    rule: Mapping[str, str] | Mapping[float, float],
    path: str,
    *,
    follow: bool,
) -> _Result:
    new_classes: Mapping[str, int] | None
    names = {old: new for old, new in rule.items() if isinstance(old, str) and isinstance(new, str)}
    pairs: dict[float, float] = {
        _number(old): _number(new) for old, new in rule.items() if not (isinstance(old, str) or isinstance(new, str))
    }
    if len(pairs) == len(rule):
        new_classes = follow_labels(classes, pairs) if follow and classes is not None else None
    elif len(names) == len(rule):
        if classes is None:
            raise PlanError(path=path, expected="a dataset with class names", got="one without")
        new_classes, pairs = rename_classes(classes, names)
    else:
        raise PlanError(argument="labels", expected="labels or class names, old and new", got="both")
    if pairs and np.max(old.widths, initial=1) > 1:
        raise PlanError(
            path=path,
            expected="records with one label, which a map changes",
            got=f"up to {np.max(old.widths)}",
            advice="give a .lst file with all new labels as `labels`",
        )
    values, counts = LabelMap(pairs).apply(old.values, path=path)
    old_names = names_by_label(classes or {})
    changes = [
        LabelChange(path, label, new, names_of(label, old_names), n_records)
        for (label, new), n_records in zip(pairs.items(), counts.tolist(), strict=True)
    ]
    _refuse_absent([change.old for change in changes if not (change.n_records or change.names)], old)
    unused = [label_text(change.old) for change in changes if not change.n_records]
    notes = [f"{path}: no record has the label {enumerate_some(unused)}"] if unused else []
    notes += _describe_joined(old, values, old_names, path) if pairs else []
    used = [change for change in changes if change.n_records]
    return _Result(Labels(values, old.bounds), new_classes, changes=used, notes=notes)


def _refuse_absent(labels: Sequence[float], old: Labels) -> None:
    """Refuse labels that no record has, because they are typos."""
    if labels:
        present = [label_text(label) for label in np.unique(old.values).tolist()]
        raise PlanError(
            argument="labels",
            expected=f"labels that a record has, such as {enumerate_some(present)}" if present else "records",
            got=enumerate_some([label_text(label) for label in labels]) if present else "none",
        )


def _describe_joined(old: Labels, new: NDArray[Any], names: Mapping[int, Sequence[str]], path: str) -> list[str]:
    """Return a note for each label that was several before; records have one label each."""
    labels, firsts, counts = np.unique(old.values, return_index=True, return_counts=True)
    members: dict[float, list[str]] = {}
    for label, after, n in zip(labels.tolist(), new[firsts].tolist(), counts.tolist(), strict=True):
        text = f"{named_label_text(label, names_of(label, names))} in {plural(n, 'record')}"
        members.setdefault(after, []).append(text)
    joined = {after: texts for after, texts in members.items() if len(texts) > 1}
    notes = [
        f"{path}: {enumerate_some(texts)} become one label, {label_text(after)}" for after, texts in joined.items()
    ]
    n_more = len(notes) - _MAX_JOINED
    return [*notes[:_MAX_JOINED], f"{path}: {plural(n_more, 'more label')} of several"] if n_more > 0 else notes


def _number(label: float) -> float:
    """Return a label as a number of Python, also if NumPy made it."""
    return int(label) if isinstance(label, Integral) else float(label)


def _check_widths(labels: Labels, path: str, *, exact: bool) -> None:
    widths = labels.widths
    if exact and len(widths) and np.min(widths) != np.max(widths):
        raise SourceError(
            path=path,
            expected="the same number of exact labels in every record",
            got=f"{np.min(widths)} to {np.max(widths)}",
        )


def _choose_classes(result: _Result, classes: Classes, path: Path) -> Mapping[str, int] | None:
    if isinstance(classes, Mapping) or classes is None:
        return classes
    if classes != "follow":
        return read_classes(classes)
    if result.classes is None or result.is_certain:
        return result.classes
    raise PlanError(
        path=str(path),
        expected="class names for the new labels, because the old labels have names",
        got="none",
        advice=f"keep them with `classes={Fileset(path).path('.json')}`, give a file with others, or drop them with "
        "`classes=None`",
    )


def _describe_unnamed(labels: Labels, classes: Mapping[str, int] | None) -> list[str]:
    """Return a note about labels without a name, if the records have one label each."""
    unnamed, n_records = ([], 0) if classes is None else count_unnamed(labels, classes)
    if not unnamed:
        return []
    some = enumerate_some(list(map(label_text, unnamed)))
    return [f"{plural(n_records, 'record')} with labels that have no class name: {some}"]
