"""A block of samples, from a source through an engine to framed records: the work that threads share out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from recordkit.errors import ImageError
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.formats.irheader import HEADER_SIZE
from recordkit.packing.engine import Engine
from recordkit.packing.plan import PackPlan
from recordkit.sample import Entry, Image, Source

# A payload of this size leaves room for more labels than a row can have.
_SURELY_FITS = MAX_RECORD_BYTES // 2
_BLOCK_BYTES = 1 << 22
_N_MEASURED = 8


@dataclass
class Block:
    """Some samples, packed.

    Attributes
    ----------
    entries : list of Entry
        Those that were packed.
    labels : list of tuple
        What of their labels was packed.
    frames : bytes
        Their records, end to end, as a .rec file has them.
    sizes : list of int
        Of each record with its frame, in bytes.
    bytes_in : int
        Size of what they were made from.
    failures : list of (Entry, str)
        The others, and why.
    remarks : Counter of str
        Things worth a warning, and how many samples they concern.
    """

    entries: list[Entry] = field(default_factory=list)
    labels: list[tuple[float, ...]] = field(default_factory=list)
    frames: bytes = b""
    sizes: list[int] = field(default_factory=list)
    bytes_in: int = 0
    failures: list[tuple[Entry, str]] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.entries) + len(self.failures)


def pack_block(source: Source, indices: Sequence[int], plan: PackPlan, engine: Engine) -> Block:
    """Pack the samples at some positions.

    Parameters
    ----------
    source : Source
    indices : sequence of int
    plan : PackPlan
    engine : Engine
        Made for that plan and kind of source.

    Returns
    -------
    block : Block
        In the order of `indices`, packed and failed ones each.
    """
    entries = source.entries(indices)
    contents, failed = _read(source, entries)
    numbers = [number for number in range(len(entries)) if number not in failed]
    payloads, remarks = engine.encode(contents, [entries[number].key for number in numbers])
    block = Block()
    for place, remark in remarks.items():
        if payloads[place] is None:
            failed[numbers[place]] = remark
        else:
            block.remarks[remark] += 1
    for number, payload in zip(numbers, payloads, strict=True):
        if payload is not None and len(payload) > _SURELY_FITS:
            _check_size(entries[number], plan, payload, number, failed)
    block.failures = [(entries[number], failed[number]) for number in sorted(failed)]
    if failed:
        kept = [place for place, number in enumerate(numbers) if number not in failed]
        entries = [entries[numbers[place]] for place in kept]
        contents, payloads = [contents[place] for place in kept], [payloads[place] for place in kept]
    block.entries = entries
    block.labels = [_labels(entry, plan) for entry in entries]
    block.bytes_in = sum(map(_n_bytes, contents))
    packed = cast("list[bytes]", payloads)  # those that failed are out
    block.frames, block.sizes = engine.frame([entry.key for entry in entries], block.labels, packed)
    return block


def block_size(source: Source, order: Sequence[int], engine: Engine) -> int:
    """Return how many samples a thread takes at a time: what the engine likes, fewer where contents are large.

    The first few say how large they are; two blocks a thread are in memory at a time.
    """
    contents, _ = _read(source, source.entries(order[:_N_MEASURED]))
    largest = max((_n_bytes(content) for content in contents), default=0)
    return max(1, min(engine.block, _BLOCK_BYTES // max(largest, 1)))


def _n_bytes(content: bytes | Image) -> int:
    return len(content) if isinstance(content, bytes) else content.nbytes


def _read(source: Source, entries: list[Entry]) -> tuple[list[bytes | Image], dict[int, str]]:
    """Return what can be read, and by the number of its entry why the rest cannot."""
    found = source.contents(entries)
    failed = {number: str(content) for number, content in enumerate(found) if isinstance(content, ImageError)}
    return [content for content in found if not isinstance(content, ImageError)], failed


def _labels(entry: Entry, plan: PackPlan) -> tuple[float, ...]:
    return entry.labels if plan.labels == "all" else entry.labels[:1]


def _check_size(entry: Entry, plan: PackPlan, payload: bytes, number: int, failed: dict[int, str]) -> None:
    size = record_size(_labels(entry, plan), payload)
    if size > MAX_RECORD_BYTES:
        failed[number] = f"expected a record shorter than 2**29 bytes, got {size} bytes"


def record_size(labels: tuple[float, ...], payload: bytes) -> int:
    """Return the size of a record with these labels and this payload, in bytes, without its frame."""
    return HEADER_SIZE + (4 * len(labels) if len(labels) > 1 else 0) + len(payload)
