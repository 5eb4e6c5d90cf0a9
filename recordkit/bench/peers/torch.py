"""PyTorch's DataLoader with Pillow in worker processes, which is how most training code loads images."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from recordkit import codec
from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.workload import Workload
from recordkit.dataset.dataset import RecordDataset

if TYPE_CHECKING:
    from PIL.Image import Image


class TorchLoader:
    """``torch.utils.data.DataLoader`` over a dataset that Pillow decodes."""

    title = "torch DataLoader, Pillow"

    def note(self, _workload: Workload) -> str:
        """See `Peer`."""
        return ""

    def unavailable_reason(self, _workload: Workload) -> str | None:
        """See `Peer`."""
        return None if importlib.util.find_spec("torch") else "not installed; pip install 'recordkit[torch]'"

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        from torch.utils.data import DataLoader

        samples: Any = _Samples(workload, check=check)
        loader: Any = DataLoader(
            samples, batch_size=workload.batch_size, shuffle=not check, num_workers=threads, persistent_workers=True
        )

        def start_epoch() -> Iterator[tuple[Any, int]]:
            return ((data, len(data)) for data, _ in loader)

        return start_epoch

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        import torch

        return {"torch": str(torch.__version__)}


class _Samples:
    """A map-style dataset of tensors and labels; each sample is decoded and augmented when it is read."""

    def __init__(self, workload: Workload, *, check: bool) -> None:
        self._workload = workload
        self._check = check
        self._records = RecordDataset(workload.path(".rec"))
        self._mean = np.array(workload.mean, np.float32)[:, None, None]
        self._factor = 1 / np.array(workload.std, np.float32)[:, None, None]

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> tuple[Any, float]:
        import torch

        workload, random = self._workload, torch.rand(6).tolist()
        sample = self._records[index]
        image = open_image(sample.payload).convert("L" if workload.is_gray else "RGB")
        if workload.resize:
            image = _resize(image, workload.resize)
        pixels = np.asarray(_crop(image, workload, random, check=self._check))
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        if not self._check and workload.preset != "none" and random[5] < 0.5:
            pixels = pixels[:, ::-1]
        # The copy is for torch, which takes neither read-only arrays nor negative strides.
        data = (pixels.transpose(2, 0, 1) - self._mean) * self._factor if workload.is_float else pixels.copy()
        return torch.from_numpy(data), float(np.ravel(sample.label)[0])


def open_image(payload: bytes | memoryview) -> Image:
    """Open an image with the decoder of its own format; others may start programs."""
    from PIL import Image as Pillow

    kind = codec.sniff(payload)
    formats = ["PPM"] if kind == "raw" else [codec.PILLOW_FORMATS[kind]] if kind in codec.PILLOW_FORMATS else []
    return Pillow.open(io.BytesIO(payload), formats=formats)


def _resize(image: Image, short: int) -> Image:
    """Resize the short side, bilinear without antialiasing."""
    from PIL import Image as Pillow

    width, height = image.size
    low = min(width, height)
    size = width * short // low, height * short // low
    scale = (width / size[0], 0.0, 0.0, 0.0, height / size[1], 0.0)
    return image.transform(size, Pillow.Transform.AFFINE, scale, Pillow.Resampling.BILINEAR)


def _crop(image: Image, workload: Workload, random: list[float], *, check: bool) -> Image:
    """Crop by the preset; `random` has at least four numbers in [0, 1)."""
    from PIL import Image as Pillow

    (height, width), (image_width, image_height) = workload.size, image.size
    if not check and workload.preset == "train":
        area = image_width * image_height * (0.08 + 0.92 * random[0])
        ratio = math.exp(math.log(4 / 3) * (2 * random[1] - 1))
        w, h = min(image_width, round(math.sqrt(area * ratio))), min(image_height, round(math.sqrt(area / ratio)))
        x, y = int(random[2] * (image_width - w + 1)), int(random[3] * (image_height - h + 1))
        return image.resize((width, height), Pillow.Resampling.BILINEAR, (x, y, x + w, y + h))
    x, y = (image_width - width) // 2, (image_height - height) // 2
    if not check and workload.preset == "crop":
        x, y = int(random[2] * (image_width - width + 1)), int(random[3] * (image_height - height + 1))
    return image.crop((x, y, x + width, y + height))
