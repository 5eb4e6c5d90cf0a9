"""PyTorch's DataLoader with Pillow in worker processes, which is how most training code loads images."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from recordkit import codec
from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.peers.window import draw_window, is_mirrored, resized
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
        self._records = RecordDataset(workload.path(".rec"))
        self._steps = PillowSteps(workload, check=check)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> tuple[Any, float]:
        sample = self._records[index]
        return self._steps(sample.payload), float(np.ravel(sample.label)[0])


class PillowSteps:
    """From an encoded image to the tensor of a batch, by Pillow and NumPy."""

    def __init__(self, workload: Workload, *, check: bool) -> None:
        self._workload = workload
        self._check = check
        self._mean = np.array(workload.mean, np.float32)[:, None, None]
        self._factor = 1 / np.array(workload.std, np.float32)[:, None, None]

    def __call__(self, payload: bytes | memoryview) -> Any:
        """Return the tensor: float32 (C, H, W) or uint8 (H, W, C), as the workload says."""
        import torch

        workload, random = self._workload, torch.rand(6).tolist()
        image = open_image(payload).convert("L" if workload.is_gray else "RGB")
        if workload.resize:
            image = _resize(image, workload.resize)
        pixels = np.asarray(_crop(image, workload, random, check=self._check))
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        if is_mirrored(workload, random[5], check=self._check):
            pixels = pixels[:, ::-1]
        # The copy is for torch, which takes neither read-only arrays nor negative strides.
        data = (pixels.transpose(2, 0, 1) - self._mean) * self._factor if workload.is_float else pixels.copy()
        return torch.from_numpy(data)


def open_image(payload: bytes | memoryview) -> Image:
    """Open an image with the decoder of its own format; others may start programs."""
    from PIL import Image as Pillow

    kind = codec.sniff(payload)
    formats = ["PPM"] if kind == "raw" else [codec.PILLOW_FORMATS[kind]] if kind in codec.PILLOW_FORMATS else []
    return Pillow.open(io.BytesIO(payload), formats=formats)


def _resize(image: Image, short: int) -> Image:
    """Resize the short side, bilinear without antialiasing."""
    from PIL import Image as Pillow

    size = resized(*image.size, short)
    scale = (image.size[0] / size[0], 0.0, 0.0, 0.0, image.size[1] / size[1], 0.0)
    return image.transform(size, Pillow.Transform.AFFINE, scale, Pillow.Resampling.BILINEAR)


def _crop(image: Image, workload: Workload, random: list[float], *, check: bool) -> Image:
    """Crop by the preset; `random` has at least four numbers in [0, 1)."""
    from PIL import Image as Pillow

    x, y, width, height = draw_window(workload, *image.size, random, check=check)
    box = (x, y, x + width, y + height)
    if check or workload.preset != "train":
        return image.crop(box)
    return image.resize(workload.size[::-1], Pillow.Resampling.BILINEAR, box)
