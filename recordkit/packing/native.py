"""The native engine: compiled C++, and for single samples the reference engine.

The core encodes from JPEG, PNG and raw images and from pixels, with the filters "antialias" and "bilinear". The
reference engine encodes, or refuses with its own error, each sample that the core cannot decode because of its format
or damage.
The results of the two engines are equal, except that resized pixels may differ by 1 level
(`recordkit.transforms.resize`), and planes as follows.

A JPEG that is resized to a JPEG (`PackPlan.resizes_planes`) is resized as it is stored, in planes of luma (Y) and
chroma (Cb and Cr), and encoded from these. The reference engine enlarges chroma to the size of the image, resizes it,
and halves it again as every JPEG encoder does. The core does all three at once, with one filter, and differs by 1 level
from rounding. If chroma has the size of the image, and at least a third of the columns and rows go, the core lets the
decoder halve chroma by the 4 x 4 inverse DCT, whose mean of four samples is not quite theirs. In 200 photographs, no
plane of one then differs by a mean of more than 1 level, or in its 99.9th percentile by more than 8; noise differs by
more.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from recordkit import native
from recordkit.packing.engine import UNLIMITED, Content, Encoded, Engine, Framed, Limits
from recordkit.packing.plan import PackPlan
from recordkit.packing.python import PythonEngine
from recordkit.sample import MAX_PIXELS

# Filters that the core has; None is no resize.
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
        self._has_checksums = plan.checksums
        self._transcode = None
        filter_ = plan.filter if plan.resize else None
        # The core stores lengths as uint32. The reference engine refuses lengths that no image can have.
        if not plan.passes_through(pixels=pixels) and filter_ in _FILTERS and (plan.resize or 0) <= MAX_PIXELS:
            encoding = self._reference.encoding
            default = {"jpg": 95, "png": 3, "raw": 0}[encoding]
            channels = 0 if self._reference.channels == "keep" else self._reference.channels  # 0: as stored
            self._transcode = self._core.Transcoder(
                channels=channels,
                crop=plan.center_crop,
                filter=filter_ or "",
                side=plan.resize or 0,
                planes=plan.resizes_planes(encoding, self._reference.channels),
                encoding=encoding,
                quality=default if plan.quality is None else plan.quality,
            )
        # Decoding an image costs much more than scheduling it; encoding the pixels of a digit does not.
        self.block_size = 256 if pixels else 64 if self._transcode is None else 8

    def encode(self, contents: Sequence[Content], keys: Sequence[int], limits: Limits = UNLIMITED) -> Encoded:
        """See `Engine.encode`."""
        if self._transcode is None:
            return self._reference.encode(contents, keys, limits)
        payloads = self._transcode(list(contents), *limits)
        remarks: dict[int, str] = {}
        if None in payloads:
            for row in [row for row, payload in enumerate(payloads) if payload is None]:
                payloads[row], remark = self._reference.encode_one(contents[row], keys[row], limits.budget)
                if remark:
                    remarks[row] = remark
        return Encoded(payloads, remarks)

    def frame(self, keys: Sequence[int], labels: Sequence[tuple[float, ...]], payloads: Sequence[bytes]) -> Framed:
        """See `Engine.frame`."""
        framed = self._core.frame_records(
            np.array(keys, np.uint64),
            np.array(list(itertools.chain.from_iterable(labels)), np.float64).astype(np.float32),
            np.array(list(itertools.accumulate(map(len, labels), initial=0)), np.uint64),
            list(payloads),
            first_label=self._first_label,
            checksums=self._has_checksums,
        )
        return Framed(*framed)
