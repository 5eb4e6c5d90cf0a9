"""A block of samples, from a source through an engine to framed records: the work that threads share out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from recordkit.errors import ImageError
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.formats.irheader import HEADER_SIZE
from recordkit.packing.engine import Encoded, Engine
from recordkit.packing.plan import PackPlan
from recordkit.sample import Entry, Image, Source


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
    contents, outcomes = _read(source, entries)
    encoded = engine.encode(list(contents.values()), [entries[number].key for number in contents])
    outcomes.update(zip(contents, encoded, strict=True))
    block = Block()
    payloads: list[bytes] = []
    for number, entry in enumerate(entries):
        payload, remark = outcomes[number]
        labels = entry.labels if plan.labels == "all" else entry.labels[:1]
        if payload is None:
            block.failures.append((entry, remark))
        elif (size := record_size(labels, payload)) > MAX_RECORD_BYTES:
            block.failures.append((entry, f"expected a record shorter than 2**29 bytes, got {size} bytes"))
        else:
            block.entries.append(entry)
            block.labels.append(labels)
            content = contents[number]
            block.bytes_in += len(content) if isinstance(content, bytes) else content.nbytes
            block.remarks.update([remark] if remark else [])
            payloads.append(payload)
    block.frames, block.sizes = engine.frame([entry.key for entry in block.entries], block.labels, payloads)
    return block


def _read(source: Source, entries: list[Entry]) -> tuple[dict[int, bytes | Image], dict[int, Encoded]]:
    """Return what could be read and what could not, each by its number among the entries."""
    contents: dict[int, bytes | Image] = {}
    failed: dict[int, Encoded] = {}
    for number, entry in enumerate(entries):
        try:
            contents[number] = source.content(entry)
        except ImageError as error:
            failed[number] = Encoded(None, str(error))
    return contents, failed


def record_size(labels: tuple[float, ...], payload: bytes) -> int:
    """Return the size of a record with these labels and this payload, in bytes, without its frame."""
    return HEADER_SIZE + (4 * len(labels) if len(labels) > 1 else 0) + len(payload)
