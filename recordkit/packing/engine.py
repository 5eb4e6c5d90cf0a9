"""The protocol of a packing engine: it encodes images and frames records.

Every engine gives the same results; `recordkit.packing.python` is the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

from recordkit.errors import ImageError
from recordkit.memory import MemoryBudget
from recordkit.packing.plan import PackPlan
from recordkit.sample import Image

Content = bytes | Image | ImageError
"""An encoded image, pixels, or the reason why the source could not read the image."""


class Limits(NamedTuple):
    """Limits of the memory and the time of a block of samples.

    Attributes
    ----------
    budget : MemoryBudget
        Memory of the images under way, which the threads share.
    max_bytes : int
        Largest total size of the contents of a block, and of its payloads.
    stopped : bytearray
        The first byte becomes 1 if nobody waits for the block any more.
    """

    budget: MemoryBudget
    max_bytes: int
    stopped: bytearray


UNLIMITED = Limits(MemoryBudget(1 << 62, 1), 1 << 62, bytearray(1))
"""For a caller that has a few images in memory anyway."""


class Encoded(NamedTuple):
    """Encoded images.

    Attributes
    ----------
    payloads : list of (bytes or None)
        One per content; None if it failed. Payloads after the first `Limits.max_bytes` bytes are missing.
    remarks : dict of int to str
        Reason of the failure, or a warning, by index of the content. Most contents have none.
    """

    payloads: list[bytes | None]
    remarks: dict[int, str]


class Framed(NamedTuple):
    """Records as they are in a .rec file.

    Attributes
    ----------
    frames : bytes
        The records, concatenated.
    sizes : list of int
        Size of each record with its frame, in bytes.
    checksums : bytes
        CRC-32 of each record as in PREFIX.crc (`recordkit.storage.checksums`); empty if the plan has no checksums.
    """

    frames: bytes
    sizes: list[int]
    checksums: bytes


class Engine(Protocol):
    """Encodes images and frames records by one plan. Threads share it.

    Parameters
    ----------
    plan : PackPlan
    pixels : bool
        True if the contents are pixels, not encoded images.

    Attributes
    ----------
    name : str
    block_size : int
        Samples per work item: enough that scheduling an item costs little in comparison.
    """

    name: ClassVar[str]
    block_size: int

    def __init__(self, plan: PackPlan, *, pixels: bool) -> None: ...

    def encode(self, contents: Sequence[Content], keys: Sequence[int], limits: Limits = UNLIMITED) -> Encoded:
        """Encode contents into payloads, up to the limits. A bad image never makes it raise."""

    def frame(self, keys: Sequence[int], labels: Sequence[tuple[float, ...]], payloads: Sequence[bytes]) -> Framed:
        """Frame records as they are in a .rec file.

        Parameters
        ----------
        keys : sequence of int
        labels : sequence of tuple of float
            At least one label per record.
        payloads : sequence of bytes
            Each small enough for a record.
        """
