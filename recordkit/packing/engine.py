"""What an engine is: it encodes images and frames records.

Every engine means the same; `recordkit.packing.python` is the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

from recordkit.packing.plan import PackPlan
from recordkit.sample import Image


class Encoded(NamedTuple):
    """What became of some contents.

    Attributes
    ----------
    payloads : list of (bytes or None)
        The encoded images; None for one that failed.
    remarks : dict of int to str
        By number of the content: why it failed, or what is worth a warning. Most have none.
    """

    payloads: list[bytes | None]
    remarks: dict[int, str]


class Engine(Protocol):
    """Encodes images and frames records by one plan. Threads share it.

    Parameters
    ----------
    plan : PackPlan
    pixels : bool
        Whether the contents are pixels.

    Attributes
    ----------
    name : str
    block : int
        How many samples a thread takes at a time: so many that handing them out costs little beside the work.
    """

    name: ClassVar[str]
    block: int

    def __init__(self, plan: PackPlan, *, pixels: bool) -> None: ...

    def encode(self, contents: Sequence[bytes | Image], keys: Sequence[int]) -> Encoded:
        """Turn contents into payloads; nothing that an image can do makes it raise."""

    def frame(
        self, keys: Sequence[int], labels: Sequence[tuple[float, ...]], payloads: Sequence[bytes]
    ) -> tuple[bytes, list[int]]:
        """Return records as a .rec file has them, end to end, and the size of each.

        Parameters
        ----------
        keys : sequence of int
        labels : sequence of tuple of float
            At least one for each record.
        payloads : sequence of bytes
            Each small enough for a record.
        """
