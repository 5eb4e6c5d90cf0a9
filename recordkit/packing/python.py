"""The reference engine: Pillow and NumPy in threads, one sample after the other. It is right by definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.packing.plan import PackPlan
from recordkit.packing.report import Progress
from recordkit.packing.writer import SetWriter
from recordkit.sample import Entry, Image, Source
from recordkit.threads import in_order
from recordkit.transforms import CenterCrop, Resize

# Samples a thread takes at a time. One at a time, handing them out would cost as much as copying a small image.
_BLOCK = 8

_CHANNELS = {1: 3, 0: 1, -1: 0}


@dataclass(frozen=True, slots=True)
class _Packed:
    entry: Entry
    payload: bytes | None  # None: failed
    bytes_in: int
    remark: str  # why it failed, or what is worth a warning


class PythonEngine:
    """See `recordkit.packing.engine.Engine`."""

    name = "python"

    def pack(
        self,
        source: Source,
        order: Sequence[int],
        plan: PackPlan,
        writer: SetWriter,
        *,
        n_threads: int,
        progress: Progress,
    ) -> None:
        """Hand every sample to the writer, packed or failed, in the given order."""
        encode = _Encoder(plan, pixels=source.pixels)

        def work(block: Sequence[int]) -> list[_Packed]:
            return [_pack_one(source, index, encode) for index in block]

        blocks = (order[begin : begin + _BLOCK] for begin in range(0, len(order), _BLOCK))
        for results in in_order(work, blocks, n_threads):
            for result in results:
                if result.payload is None:
                    writer.fail(result.entry, result.remark)
                else:
                    writer.append(result.entry, result.payload, result.bytes_in)
                    if result.remark:
                        writer.report.note(result.remark)
            progress(len(results))


def _pack_one(source: Source, index: int, encode: _Encoder) -> _Packed:
    entry = source.entry(index)
    try:
        content = source.content(index)
        payload, remark = encode(content, entry.key)
        bytes_in = len(content) if isinstance(content, bytes) else content.nbytes
        return _Packed(entry, payload, bytes_in, remark)
    except ImageError as error:
        return _Packed(entry, None, 0, str(error))


class _Encoder:
    """Turns what a source gives into the payload of a record, by a plan."""

    def __init__(self, plan: PackPlan, *, pixels: bool) -> None:
        self._copies = plan.passes_through(pixels=pixels)
        self._any_file = plan.any_file
        color = plan.color if plan.color is not None else (-1 if pixels else 1)
        self._channels = _CHANNELS[color]
        self._crop = CenterCrop() if plan.center_crop else None
        self._resize = Resize(plan.resize, plan.filter) if plan.resize is not None else None
        self._encoding = plan.encoding or ("png" if pixels else "jpg")
        self._quality = plan.quality

    def __call__(self, content: bytes | Image, key: int) -> tuple[bytes, str]:
        """Return the payload, and a remark if there is something to warn of."""
        if self._copies and isinstance(content, bytes):
            return content, self._look(content)
        remark = ""
        if isinstance(content, bytes):
            image = codec.decode(content, channels=self._channels)
            if codec.frame_count(content) > 1:
                remark = "animated, only the first frame was packed"
        else:
            image = codec.to_channels(content, self._channels)
        if self._crop:
            image = self._crop(image)
        if self._resize:
            image = self._resize(image, key=key)
        return codec.encode(image, self._encoding, quality=self._quality), remark

    def _look(self, payload: bytes) -> str:
        kind = codec.sniff(payload)
        if kind in ("unknown", "empty"):
            if not self._any_file:
                got = "0 bytes" if kind == "empty" else f"a file that begins with {payload[:8]!r}"
                raise ImageError(f"expected an image, got {got}")
            return "not an image by its first bytes, copied all the same"
        if codec.orientation(payload) != 1:
            return "rotated by EXIF only: readers that ignore EXIF will see it lying on its side"
        return ""
