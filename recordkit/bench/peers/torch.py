"""PyTorch's DataLoader with Pillow in worker processes, as most people have it."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from recordkit.bench.peers.peer import Epochs
from recordkit.bench.workload import Work
from recordkit.dataset.dataset import RecordDataset

if TYPE_CHECKING:
    from PIL.Image import Image


class TorchLoader:
    """``torch.utils.data.DataLoader`` over a dataset that Pillow decodes."""

    title = "torch DataLoader, Pillow"
    note = ""

    def why_not(self, _work: Work) -> str | None:
        """See `Peer`."""
        return None if importlib.util.find_spec("torch") else "not installed; pip install 'recordkit[torch]'"

    def open(self, work: Work, threads: int, *, check: bool) -> Epochs:
        """See `Peer`."""
        from torch.utils.data import DataLoader

        dataset: Any = _Samples(work, check=check)
        loader: Any = DataLoader(
            dataset, batch_size=work.batch_size, shuffle=not check, num_workers=threads, persistent_workers=True
        )

        def epoch() -> Iterator[tuple[Any, int]]:
            return ((data, len(data)) for data, _ in loader)

        return epoch

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        import torch

        return {"torch": str(torch.__version__)}


class _Samples:
    """Samples, each decoded and changed when it is asked for."""

    def __init__(self, work: Work, *, check: bool) -> None:
        self._work = work
        self._check = check
        self._records = RecordDataset(work.path(".rec"))
        self._mean = np.array(work.mean, np.float32)[:, None, None]
        self._factor = 1 / np.array(work.std, np.float32)[:, None, None]

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> tuple[Any, float]:
        import torch
        from PIL import Image

        work, draw = self._work, torch.rand(6).tolist()
        sample = self._records[index]
        image = Image.open(io.BytesIO(sample.payload)).convert("L" if work.shape[0] == 1 else "RGB")
        if work.resize:
            image = _resized(image, work.resize)
        pixels = np.asarray(_cropped(image, work, draw, check=self._check))
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        if not self._check and work.preset != "none" and draw[5] < 0.5:
            pixels = pixels[:, ::-1]
        return torch.from_numpy((pixels.transpose(2, 0, 1) - self._mean) * self._factor), float(
            np.ravel(sample.label)[0]
        )


def _resized(image: Image, short: int) -> Image:
    from PIL import Image as Pillow

    width, height = image.size
    low = min(width, height)
    size = width * short // low, height * short // low
    scale = (width / size[0], 0.0, 0.0, 0.0, height / size[1], 0.0)
    return image.transform(size, Pillow.Transform.AFFINE, scale, Pillow.Resampling.BILINEAR)


def _cropped(image: Image, work: Work, draw: list[float], *, check: bool) -> Image:
    from PIL import Image as Pillow

    (height, width), (across, down) = work.size, image.size
    if not check and work.preset == "train":
        area, ratio = across * down * (0.08 + 0.92 * draw[0]), math.exp(math.log(4 / 3) * (2 * draw[1] - 1))
        w, h = min(across, round(math.sqrt(area * ratio))), min(down, round(math.sqrt(area / ratio)))
        x, y = int(draw[2] * (across - w + 1)), int(draw[3] * (down - h + 1))
        return image.resize((width, height), Pillow.Resampling.BILINEAR, (x, y, x + w, y + h))
    x, y = (across - width) // 2, (down - height) // 2
    if not check and work.preset == "crop":
        x, y = int(draw[2] * (across - width + 1)), int(draw[3] * (down - height + 1))
    return image.crop((x, y, x + width, y + height))
