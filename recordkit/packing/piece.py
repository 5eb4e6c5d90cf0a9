"""The unit of work of a thread: consecutive samples, read and encoded within limits of memory, and framed for a pack.

A piece is the beginning of a block of samples. A block that is too large is cut after the bytes that were read, not by
a guess, and the caller continues with its rest.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from recordkit.errors import ImageError
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.formats.irheader import HEADER_SIZE, MAX_LABELS
from recordkit.memory import MemoryBudget
from recordkit.packing.engine import Content, Engine, Limits
from recordkit.packing.plan import PackPlan
from recordkit.sample import BoundedSource, Entry, Source

# Bytes that a block should have. Fewer cost more scheduling per byte; more make the first results late.
_BLOCK_BYTES = 1 << 22
# Largest number of bytes that a block may have if the budget allows it.
_MAX_BLOCK_BYTES = 1 << 25
# A thread has a block's contents, payloads and frames, and two blocks per thread wait: about 8 times a block in all.
# Blocks of 1/32 of the budget, divided by the number of threads, take a quarter of it, and leave the rest to images.
_BLOCK_FRACTION = 32
# A payload up to this size leaves room for more labels than a row can have.
_ALWAYS_FITS_BYTES = MAX_RECORD_BYTES // 2


class Piece(NamedTuple):
    """The first samples of a block, encoded.

    Attributes
    ----------
    entries : list of Entry
    payloads : list of (bytes or None)
    remarks : dict of int to str
        See `recordkit.packing.engine.Encoded`.
    input_bytes : list of int
        Size of the content of each sample.
    """

    entries: list[Entry]
    payloads: list[bytes | None]
    remarks: dict[int, str]
    input_bytes: list[int]


def make_limits(memory: int, n_threads: int) -> Limits:
    """Divide a budget into the blocks of the threads and the images under way."""
    max_bytes = max(1, min(_MAX_BLOCK_BYTES, memory // (_BLOCK_FRACTION * n_threads)))
    # The thread that writes is one more, see `alone`.
    budget = MemoryBudget(
        memory - memory // 4, n_threads + 1, lambda other: _limits_alone(make_limits(other, n_threads)).budget
    )
    return Limits(budget, max_bytes, bytearray(1))


def _limits_alone(limits: Limits) -> Limits:
    """Divide the memory of the images for one sample: content and pixels, then content, payload and twice its frame."""
    budget = limits.budget
    max_bytes = budget.largest // 4
    return Limits(MemoryBudget(budget.largest - max_bytes, 1, budget.of_memory), max_bytes, limits.stopped)


def encode_piece(source: Source, indices: Sequence[int], engine: Engine, limits: Limits) -> Piece:
    """Read and encode the first samples at some positions, as many as the limits allow; possibly none."""
    entries = source.entries(indices)
    contents = _read_contents(source, entries, limits.max_bytes)
    entries = entries[: len(contents)]
    payloads, remarks = engine.encode(contents, [entry.key for entry in entries], limits)
    totals = itertools.accumulate(len(payload or b"") for payload in payloads)
    n = sum(total <= limits.max_bytes for total in totals)
    remarks = {row: remark for row, remark in remarks.items() if row < n}
    return Piece(entries[:n], payloads[:n], remarks, [_n_bytes(content) for content in contents[:n]])


@contextlib.contextmanager
def encode_alone(source: Source, index: int, engine: Engine, limits: Limits) -> Iterator[Piece]:
    """Read and encode one sample that exceeds the limits of a block, with the memory of the images.

    It waits until no other thread uses that memory, and holds it for the time of the ``with`` block. A sample that
    needs more has no payload, and a remark says so.
    """
    budget = limits.budget
    with budget.hold(budget.largest):
        own = _limits_alone(limits)
        piece = encode_piece(source, [index], engine, own)
        if not piece.entries:
            # It has at least 9/64 of the memory, the more the fewer threads there are.
            error = ImageError(
                expected=f"an image of at most {own.max_bytes} bytes, in the source and packed",
                got="a larger one",
                advice="give a memory of 8 times its size",
            )
            piece = Piece(source.entries([index]), [None], {0: str(error)}, [0])
        yield piece


class IndexBlocks(Iterator[Sequence[int]]):
    """Blocks of positions, of about the size that the blocks before them show to be right.

    The division does not change any byte of the result.

    Parameters
    ----------
    order : sequence of int
        The positions, divided into blocks.
    max_samples : int
        Largest number of samples of a block.
    """

    def __init__(self, order: Sequence[int], max_samples: int) -> None:
        self._order = order
        self._max_samples = max_samples
        self._n_samples = 1
        self._begin = 0

    def __next__(self) -> Sequence[int]:
        block = self._order[self._begin : self._begin + self._n_samples]
        if not len(block):
            raise StopIteration
        self._begin += len(block)
        return block

    def learn(self, n_samples: int, n_bytes: int) -> None:
        """Use the size of a block for the next ones: more samples if they were small, fewer if they were large."""
        fitting = n_samples * _BLOCK_BYTES // max(n_bytes, 1)
        self._n_samples = max(1, min(self._max_samples, 2 * n_samples, fitting))


def _read_contents(source: Source, entries: Sequence[Entry], max_bytes: int) -> list[Content]:
    """Return the contents of the first entries, as many as have at most `max_bytes` together."""
    if isinstance(source, BoundedSource):
        return list(source.first_contents(entries, max_bytes))
    contents: list[Content] = []
    for entry in entries:
        (content,) = source.contents([entry])
        max_bytes -= _n_bytes(content)
        if max_bytes < 0:
            break
        contents.append(content)
    return contents


def _n_bytes(content: Content) -> int:
    if isinstance(content, bytes):
        return len(content)
    return 0 if isinstance(content, ImageError) else content.nbytes


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
