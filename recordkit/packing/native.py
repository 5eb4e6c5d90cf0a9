"""The native engine: compiled C++ for what it knows, the reference engine for the rest, sample by sample.

It knows JPEG, PNG and raw images, pixels, and the two filters "antialias" and "bilinear". What it does not decode,
because of its format, rarity or damage, the reference engine decodes, or refuses in its own words. So the results are
the same but for what `recordkit.transforms.resize` allows: resized pixels differ by at most 1 level.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from recordkit import native
from recordkit.packing.engine import Encoded, Engine
from recordkit.packing.plan import PackPlan
from recordkit.packing.python import PythonEngine
from recordkit.sample import MAX_PIXELS, Image

_FILTERS = (None, "antialias", "bilinear")


def choose_engine(name: str) -> type[Engine]:
    """Return the engine that a name stands for; see `recordkit.native.choose`."""
    return native.choose(name, native=NativeEngine, python=PythonEngine)


class NativeEngine:
    """See `recordkit.packing.engine.Engine`."""

    name: ClassVar[str] = "native"

    def __init__(self, plan: PackPlan, *, pixels: bool) -> None:
        self._core = native.load()
        self._reference = PythonEngine(plan, pixels=pixels)
        self._first_label = plan.first_label_in_header
        self._transcode = None
        filter_ = plan.filter if plan.resize else None
        # A length that no image has may be more than the core can be told. The reference engine finds the words.
        if not plan.passes_through(pixels=pixels) and filter_ in _FILTERS and (plan.resize or 0) <= MAX_PIXELS:
            encoding = self._reference.encoding
            default = {"jpg": 95, "png": 3, "raw": 0}[encoding]
            channels = 0 if self._reference.channels == "keep" else self._reference.channels  # 0: as stored
            self._transcode = self._core.Transcoder(
                channels=channels,
                crop=plan.center_crop,
                filter=filter_ or "",
                side=plan.resize or 0,
                encoding=encoding,
                quality=default if plan.quality is None else plan.quality,
            )
        # Images to be decoded are work enough one by one; pixels of a digit are not.
        self.block = 256 if pixels else 64 if self._transcode is None else 8

    def encode(self, contents: Sequence[bytes | Image], keys: Sequence[int]) -> Encoded:
        """Turn contents into payloads."""
        if self._transcode is None:
            return self._reference.encode(contents, keys)
        payloads = self._transcode(list(contents))
        remarks: dict[int, str] = {}
        if None in payloads:
            for number in [number for number, payload in enumerate(payloads) if payload is None]:
                payloads[number], remark = self._reference.encode_one(contents[number], keys[number])
                if remark:
                    remarks[number] = remark
        return Encoded(payloads, remarks)

    def frame(
        self, keys: Sequence[int], labels: Sequence[tuple[float, ...]], payloads: Sequence[bytes]
    ) -> tuple[bytes, list[int]]:
        """Return records as a .rec file has them, end to end, and the size of each."""
        frames, sizes = self._core.frame_records(
            np.array(keys, np.uint64),
            np.array(list(itertools.chain.from_iterable(labels)), np.float64).astype(np.float32),
            np.array(list(itertools.accumulate(map(len, labels), initial=0)), np.uint64),
            list(payloads),
            first_label=self._first_label,
        )
        return frames, sizes
