"""The report of an edit that changes labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from recordkit.errors import enumerate_some, plural
from recordkit.upkeep.edit.report import EditReport
from recordkit.upkeep.labels.text import label_text, named_label_text


@dataclass(frozen=True)
class LabelChange:
    """A label of one dataset that is another one in the new set.

    Attributes
    ----------
    path : str
        The dataset that had the label.
    old, new : int or float
    names : tuple of str
        Class names of the label in that dataset; empty if it has none.
    n_records : int
        Number of its records that had the label.
    """

    path: str
    old: float
    new: float
    names: tuple[str, ...]
    n_records: int


@dataclass(frozen=True)
class LabelReport(EditReport):
    """The report of an edit that may change labels.

    Attributes
    ----------
    changes : tuple of LabelChange
        Labels that are other ones now. Labels of a list or of a function are not among them.
    n_relabeled : int
        Number of records that have another label now, or another number of them.

    Examples
    --------
    >>> change = LabelChange("b.rec", 0, 2, ("bird",), 40)
    >>> report = LabelReport((), (), 0.5, dry_run=True, changes=(change,), n_relabeled=40)
    >>> report.as_json()["changes"]
    [{'path': 'b.rec', 'old': 0, 'new': 2, 'names': ('bird',), 'n_records': 40}]
    """

    changes: tuple[LabelChange, ...] = ()
    n_relabeled: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON-compatible values."""
        changes = [asdict(change) for change in self.changes]
        return {**super().as_json(), "n_relabeled": self.n_relabeled, "changes": changes}


def add_changes(
    report: EditReport, notes: Sequence[str], changes: Sequence[LabelChange], n_relabeled: int
) -> LabelReport:
    """Return a report with the changes of labels, whose notes come first."""
    values = {field.name: getattr(report, field.name) for field in fields(EditReport)}
    values["notes"] = (*notes, *report.notes)
    return LabelReport(**values, changes=tuple(changes), n_relabeled=n_relabeled)


def describe_changes(changes: Sequence[LabelChange]) -> list[str]:
    """Return a line for the changed labels of each dataset.

    Examples
    --------
    >>> describe_changes([LabelChange("b.rec", 0, 2, ("bird",), 40), LabelChange("b.rec", 1, 0, ("cat",), 1)])
    ['b.rec: changed labels: 0 (bird) to 2 in 40 records, 1 (cat) to 0 in 1 record']
    """
    texts: dict[str, list[str]] = {}
    for change in changes:
        old = named_label_text(change.old, change.names)
        text = f"{old} to {label_text(change.new)} in {plural(change.n_records, 'record')}"
        texts.setdefault(change.path, []).append(text)
    return [f"{path}: changed labels: {enumerate_some(items, limit=10)}" for path, items in texts.items()]
