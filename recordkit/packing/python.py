"""The reference engine: Pillow and NumPy, one sample at a time. Its results are correct by definition."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import ClassVar

from recordkit import codec, transforms
from recordkit.codec import Channels
from recordkit.errors import ImageError
from recordkit.formats import frame, irheader
from recordkit.formats.signatures import image_format
from recordkit.memory import MemoryBudget
from recordkit.packing.engine import UNLIMITED, Content, Encoded, Framed, Limits
from recordkit.packing.plan import PackPlan
from recordkit.packing.whole_image import looks_whole
from recordkit.sample import Image
from recordkit.storage.checksums import pack as pack_checksums

_UNREADABLE_BY_MXNET = {"gif": "GIF", "raw": "Netpbm", "webp": "WebP"}


class PythonEngine:
    """See `recordkit.packing.engine.Engine`.

    Attributes
    ----------
    channels : {3, 1, 4, "keep"}
        Channels that images are decoded to, as in `recordkit.codec.decode`.
    encoding : {"jpg", "png", "raw"}
        Encoding of the payloads.
    """

    name: ClassVar[str] = "python"
    # Scheduling samples one by one would cost as much as copying a small image.
    block_size = 8

    def __init__(self, plan: PackPlan, *, pixels: bool) -> None:
        self._copies_bytes = plan.passes_through(pixels=pixels)
        self._decoders = plan.decoders
        self._any_file = plan.any_file
        default_channels: Channels = "keep" if pixels else 3
        self.channels: Channels = plan.channels or default_channels
        self._crop = transforms.CenterCrop() if plan.center_crop else None
        self._resize = transforms.Resize(plan.resize, plan.filter) if plan.resize is not None else None
        self.encoding = plan.encoding or ("png" if pixels else "jpg")
        self._quality = plan.quality
        self._resizes_planes = plan.resizes_planes(self.encoding, self.channels)
        self._first_label = plan.first_label_in_header
        self._has_checksums = plan.checksums

    def encode(self, contents: Sequence[Content], keys: Sequence[int], limits: Limits = UNLIMITED) -> Encoded:
        """See `Engine.encode`."""
        payloads: list[bytes | None] = []
        remarks = {}
        n_bytes = 0
        for row, (content, key) in enumerate(zip(contents, keys, strict=True)):
            payload, remark = self.encode_one(content, key, limits.budget)
            n_bytes += len(payload or b"")
            if n_bytes > limits.max_bytes or limits.stopped[0]:
                break
            payloads.append(payload)
            if remark:
                remarks[row] = remark
        return Encoded(payloads, remarks)

    def encode_one(self, content: Content, key: int, budget: MemoryBudget) -> tuple[bytes | None, str]:
        """Return the payload, or None if the content is bad, and a remark or ""."""
        if isinstance(content, ImageError):
            return None, str(content)
        try:
            if self._copies_bytes and isinstance(content, bytes):
                return content, self._check_copy(content, budget)
            with budget.hold(self._decode_bytes(content)):
                return self._transcode(content, key)
        except ImageError as error:
            return None, str(error)

    def _decode_bytes(self, content: bytes | Image) -> int:
        if isinstance(content, bytes):
            return codec.decode_bytes(content, decoders=self._decoders)
        return content.nbytes

    def _transcode(self, content: bytes | Image, key: int) -> tuple[bytes, str]:
        """Return the payload, and a remark or ""."""
        remark = ""
        image = None
        if self._resizes_planes and isinstance(content, bytes):
            image = codec.decode_ycbcr(content, channels=self.channels)
        ycbcr = image is not None
        if isinstance(content, bytes):
            if codec.sniff(content) == "unknown" and not self._decoders:
                _refuse_other_format(content)
            if image is None:
                image = codec.decode(content, channels=self.channels, decoders=self._decoders)
            if codec.has_several_pictures(content):
                remark = "animated, only the first frame was packed"
        else:
            image = codec.to_channels(content, self.channels)
        if self._crop:
            image = self._crop(image)
        if self._resize:
            image = self._resize(image, key=key)
        return codec.encode(image, self.encoding, quality=self._quality, ycbcr=ycbcr), remark

    def _check_copy(self, payload: bytes, budget: MemoryBudget) -> str:
        """Refuse bytes that are no image, or that look damaged and do not decode; return a remark or ""."""
        format_name = codec.sniff(payload)
        if format_name in ("unknown", "empty"):
            if not self._any_file:
                _refuse_other_format(payload)
                got = "0 bytes" if format_name == "empty" else f"a file that begins with {payload[:8]!r}"
                raise ImageError(expected="an image", got=got)
            return "not an image by its first bytes, copied all the same"
        if not (self._any_file or looks_whole(payload)):
            with budget.hold(codec.decode_bytes(payload)):
                codec.decode(payload, channels="keep")
        if format_name in _UNREADABLE_BY_MXNET:
            name = _UNREADABLE_BY_MXNET[format_name]
            return f"{name}, which MXNet's own readers cannot decode; the encoding jpg or png makes it readable there"
        if codec.orientation(payload) != 1:
            return "rotated by EXIF only: readers that ignore EXIF will see it lying on its side"
        return ""

    def frame(self, keys: Sequence[int], labels: Sequence[tuple[float, ...]], payloads: Sequence[bytes]) -> Framed:
        """See `Engine.frame`."""
        frames, checksums = [], []
        for key, row, payload in zip(keys, labels, payloads, strict=True):
            header = irheader.IRHeader(row if len(row) > 1 else row[0], key)
            record = irheader.pack(header, payload, first_label=self._first_label)
            frames.append(b"".join(frame.pack(record)))
            if self._has_checksums:
                checksums.append(zlib.crc32(record))
        return Framed(b"".join(frames), list(map(len, frames)), pack_checksums(checksums))


def _refuse_other_format(payload: bytes) -> None:
    """Raise an error that names the option that decodes an image, if there is one."""
    name = image_format(payload)
    decoder = (name or "").replace(" ", "")
    if decoder in codec.OTHER_DECODERS:
        raise ImageError(
            expected="an image of a usual format",
            got=name,
            advice=f"'recordkit pack --decoder {decoder} --encoding jpg' decodes it",
        )
