"""A look at all labels before hours of packing: those that would not come back are refused."""

from __future__ import annotations

import itertools

from recordkit.errors import SourceError
from recordkit.formats.irheader import fits_float32
from recordkit.packing.plan import PackPlan
from recordkit.sample import Entry, Source

# Rows looked at together.
_BLOCK = 1024


def survey(source: Source, plan: PackPlan) -> None:
    """Refuse labels that the records, or the exact labels beside them, cannot hold.

    Raises
    ------
    PlanError
        The plan asks bytes of a source of pixels.
    SourceError
        A label would be changed, or exact labels differ in number.
    """
    plan.passes_through(pixels=source.pixels)
    widths: set[int] = set()
    for begin in range(0, len(source), _BLOCK):
        rows = source.labels(range(begin, min(begin + _BLOCK, len(source))))
        if plan.labels == "first":
            rows = [row[:1] for row in rows]
        widths.update(map(len, rows))
        if bad := {label for label in set(itertools.chain.from_iterable(rows)) if not _is_kept(label, plan)}:
            number = next(number for number, row in enumerate(rows) if bad & set(row))
            (entry,) = source.entries([begin + number])
            raise _label_error(next(label for label in rows[number] if label in bad), entry, plan)
    if plan.exact_labels and len(widths) > 1:
        raise SourceError(f"exact labels: expected the same number in every row, got {min(widths)} to {max(widths)}")


def _is_kept(label: float, plan: PackPlan) -> bool:
    return _is_int64(label) if plan.exact_labels else fits_float32(label)


def _label_error(label: float, entry: Entry, plan: PackPlan) -> SourceError:
    where = f"{entry.name} (key {entry.key})"
    if plan.exact_labels:
        return SourceError(f"{where}: expected a whole label of 64 bits, got {label}")
    advice = "; keep such labels with exact labels (--exact-labels)" if _is_int64(label) else ""
    return SourceError(f"{where}: expected a label that float32 can hold, got {label}{advice}")


def _is_int64(label: float) -> bool:
    return int(label) == label and -(2**63) <= label < 2**63
