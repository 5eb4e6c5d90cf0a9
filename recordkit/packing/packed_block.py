"""The work of a pack's threads: each reads, encodes and frames one block of samples at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.formats.irheader import HEADER_SIZE, MAX_LABELS
from recordkit.packing.engine import Engine, Limits
from recordkit.packing.piece import Piece, encode_piece
from recordkit.packing.plan import PackPlan
from recordkit.sample import Entry, Source

# A payload up to this size leaves room for more labels than a row can have.
_ALWAYS_FITS_BYTES = MAX_RECORD_BYTES // 2


@dataclass(frozen=True)
class PackedBlock:
    """Consecutive samples, packed.

    Attributes
    ----------
    entries : list of Entry
        The packed samples.
    labels : list of tuple of float
        The packed labels of each entry.
    frames : bytes
        The records of the entries, concatenated as in a .rec file.
    sizes : list of int
        Size of each record with its frame, in bytes.
    checksums : bytes
        See `recordkit.packing.engine.Framed`.
    input_bytes : int
        Total size of the packed samples' contents.
    failures : list of (Entry, str)
        The samples that were left out, each with the reason.
    remarks : Counter of str
        Warnings, and the number of samples that each concerns.
    rest : sequence of int
        The last positions of the block that is asked for, whose samples did not fit in the limits.
    """

    entries: list[Entry]
    labels: list[tuple[float, ...]]
    frames: bytes
    sizes: list[int]
    checksums: bytes
    input_bytes: int
    failures: list[tuple[Entry, str]]
    remarks: Counter[str]
    rest: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.entries) + len(self.failures)


def pack_block(source: Source, indices: Sequence[int], plan: PackPlan, engine: Engine, limits: Limits) -> PackedBlock:
    """Read, encode and frame the first samples at some positions, as many as the limits allow.

    Parameters
    ----------
    source : Source
    indices : sequence of int
    plan : PackPlan
    engine : Engine
        Made for that plan and kind of source.
    limits : Limits

    Returns
    -------
    block : PackedBlock
        Packed samples and failures, each in the order of `indices`.
    """
    piece = encode_piece(source, indices, engine, limits)
    return frame_piece(piece, plan, engine, rest=indices[len(piece.entries) :])


def frame_piece(piece: Piece, plan: PackPlan, engine: Engine, *, rest: Sequence[int] = ()) -> PackedBlock:
    """Frame the samples of a piece."""
    entries, payloads, remarks, input_bytes = piece
    labels = [entry.labels if plan.labels == "all" else entry.labels[:1] for entry in entries]
    reasons = {row: remark for row, remark in remarks.items() if payloads[row] is None}
    reasons |= _find_too_large(labels, payloads)
    failures = [(entries[row], reasons[row]) for row in sorted(reasons)]
    if reasons:
        rows = [row for row in range(len(entries)) if row not in reasons]
        entries, input_bytes = [entries[row] for row in rows], [input_bytes[row] for row in rows]
        labels, payloads = [labels[row] for row in rows], [payloads[row] for row in rows]
    # All payloads are bytes here, because each sample without one is a failure.
    framed = engine.frame([entry.key for entry in entries], labels, cast("list[bytes]", payloads))
    return PackedBlock(
        entries=entries,
        labels=labels,
        **framed._asdict(),
        input_bytes=sum(input_bytes),
        failures=failures,
        remarks=Counter(remark for row, remark in remarks.items() if row not in reasons),
        rest=rest,
    )


def _record_size(labels: tuple[float, ...], payload: bytes) -> int:
    """Return the size of a record without its frame, in bytes."""
    return HEADER_SIZE + (4 * len(labels) if len(labels) > 1 else 0) + len(payload)


def _find_too_large(labels: Sequence[tuple[float, ...]], payloads: Sequence[bytes | None]) -> dict[int, str]:
    """Return the rows whose record would have too many labels or be too long for its frame, each with the reason."""
    n_labels = enumerate(map(len, labels))
    reasons = {row: f"expected at most {MAX_LABELS} labels, got {n}" for row, n in n_labels if n > MAX_LABELS}
    for row, payload in enumerate(payloads):
        if payload is not None and len(payload) > _ALWAYS_FITS_BYTES:
            size = _record_size(labels[row], payload)
            if size > MAX_RECORD_BYTES:
                reasons[row] = f"expected a record shorter than 2**29 bytes, got {size} bytes"
    return reasons
