"""A check of all labels before packing starts: a label that would not be read back unchanged is refused."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from recordkit.errors import SourceError
from recordkit.formats import json_file
from recordkit.formats.irheader import fits_float32
from recordkit.formats.lst import describe_widths
from recordkit.packing.plan import PackPlan
from recordkit.sample import Entry, Source
from recordkit.sources import MnistSource
from recordkit.sources.classes import format_classes

KEEP_EXACT_LABELS = "keep such labels with `exact_labels=True`"
"""The advice of an error about a label that float32 would change."""

# Rows checked together.
_BLOCK_SIZE = 1024
# Room in PREFIX.json for all but the class names.
_FACTS_BYTES = 1 << 16


def check_classes(classes: Mapping[str, int] | None) -> None:
    """Refuse class names that make PREFIX.json larger than its readers accept.

    Raises
    ------
    SourceError
        There are too many, or they are too long.
    """
    n_bytes = len(format_classes(classes)) + len(classes) if classes else 0
    if n_bytes > json_file.MAX_BYTES - _FACTS_BYTES:
        limit = json_file.MAX_BYTES - _FACTS_BYTES
        raise SourceError(expected=f"class names that take at most {limit} bytes as JSON", got=n_bytes)


def check_labels(source: Source, plan: PackPlan) -> list[str]:
    """Refuse labels that neither the records nor the exact labels beside them can hold.

    Returns
    -------
    warnings : list of str
        A warning if the records will have different numbers of labels, or all labels of ubyte files with several.

    Raises
    ------
    SourceError
        A label would be changed, or the rows have different numbers of exact labels.
    """
    widths: set[int] = set()
    for begin in range(0, len(source), _BLOCK_SIZE):
        rows = source.labels(range(begin, min(begin + _BLOCK_SIZE, len(source))))
        if plan.labels == "first":
            rows = [row[:1] for row in rows]
        widths.update(map(len, rows))
        distinct = set(itertools.chain.from_iterable(rows))
        if bad_labels := {label for label in distinct if not _is_kept(label, plan)}:
            number = next(number for number, row in enumerate(rows) if bad_labels & set(row))
            (entry,) = source.entries([begin + number])
            raise _label_error(next(label for label in rows[number] if label in bad_labels), entry, plan)
    if plan.exact_labels and len(widths) > 1:
        raise SourceError(
            argument="exact_labels", expected="the same number in every row", got=f"{min(widths)} to {max(widths)}"
        )
    if len(widths) > 1:
        return [
            f"records have {describe_widths(widths)}: batches and MXNet's ImageRecordIter need the same number in each"
        ]
    if isinstance(source, MnistSource) and max(widths, default=1) > 1:
        return [
            f"all {max(widths)} labels of each image are packed; in QMNIST the first is the class, and "
            "'recordkit pack --labels first' packs it alone"
        ]
    return []


def _is_kept(label: float, plan: PackPlan) -> bool:
    return _is_int64(label) if plan.exact_labels else fits_float32(label)


def _label_error(label: float, entry: Entry, plan: PackPlan) -> SourceError:
    if plan.exact_labels:
        return SourceError(path=entry.name, key=entry.key, expected="a whole label of 64 bits", got=label)
    return SourceError(
        path=entry.name,
        key=entry.key,
        expected="a label that float32 can hold",
        got=label,
        advice=KEEP_EXACT_LABELS if _is_int64(label) else None,
    )


def _is_int64(label: float) -> bool:
    return int(label) == label and -(2**63) <= label < 2**63
