"""What every peer has to do: the same images, the same steps, the same batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit import codec
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError, PlanError
from recordkit.formats.fileset import Fileset

PRESETS = ("none", "crop", "train")

# ImageNet's, in units of 0 to 255; gray images have the middle of them.
_MEAN, _STD = (123.68, 116.28, 103.53), (58.4, 57.1, 57.4)
_GRAY_MEAN, _GRAY_STD = (128.0,), (64.0,)
_SIDE = 224


@dataclass(frozen=True)
class Work:
    """Batches of float32, NCHW, normalised.

    Attributes
    ----------
    prefix : str
        Of the .rec file.
    shape : (int, int, int)
        (C, H, W) of a sample in a batch.
    preset : {"none", "crop", "train"}
        "none": a crop in the middle. "crop": a crop anywhere and a mirror. "train": a random-resized crop, of 8 to 100%
        of the area and 3:4 to 4:3, and a mirror.
    resize : int or None
        The short side before the crop, bilinear without antialiasing.
    batch_size : int
    root : str or None
        The folder of the images that the .lst file names.
    """

    prefix: str
    shape: tuple[int, int, int]
    preset: str
    resize: int | None
    batch_size: int
    root: str | None = None

    @property
    def mean(self) -> tuple[float, ...]:
        """In units of 0 to 255, a number a channel."""
        return _GRAY_MEAN if self.shape[0] == 1 else _MEAN

    @property
    def std(self) -> tuple[float, ...]:
        """As the mean."""
        return _GRAY_STD if self.shape[0] == 1 else _STD

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[1:]

    def path(self, suffix: str) -> str:
        """Return the name of a file beside the .rec file, or of that itself."""
        return str(Fileset(self.prefix).path(suffix))

    @property
    def title(self) -> str:
        """All of it in a line."""
        steps = [f"resize {self.resize}"] if self.resize else []
        side = "x".join(map(str, self.size))
        steps += {"none": [f"centre {side}"], "crop": [f"crop {side}", "mirror"]}.get(
            self.preset, [f"random-resized-crop {side}", "mirror"]
        )
        colours = "gray" if self.shape[0] == 1 else "RGB"
        return f"{', '.join(steps)}, normalise; {colours}, float32 NCHW, batches of {self.batch_size}"

    def as_json(self) -> dict[str, Any]:
        """Return what decides the work, without where the files are."""
        return {
            "title": self.title,
            "shape": list(self.shape),
            "preset": self.preset,
            "resize": self.resize,
            "batch_size": self.batch_size,
            "mean": list(self.mean),
            "std": list(self.std),
        }


def fitted(
    rec: str | Path,
    *,
    shape: tuple[int, int, int] | None = None,
    preset: str | None = None,
    resize: int | None = None,
    batch_size: int = 64,
    root: str | Path | None = None,
) -> Work:
    """Fill in what depends on the images: small ones are taken as they are, larger ones are cropped to 224.

    Raises
    ------
    PlanError
        There is no such preset, or the images are smaller than the crop.
    FormatError, ImageError, FileNotFoundError
        The file cannot be read.
    """
    if preset is not None and preset not in PRESETS:
        raise PlanError(f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    if resize is not None and resize < 1:
        raise PlanError(f"resize: expected a length of at least 1 pixel, got {resize}")
    prefix = _prefix(rec)
    with RecordDataset(f"{prefix}.rec") as dataset:
        if not len(dataset):
            raise FormatError("expected samples, got none", path=f"{prefix}.rec")
        try:
            image = codec.decode(dataset[0].payload, channels="keep")
        except ImageError as error:
            raise ImageError(f"{prefix}.rec: {error}; run 'recordkit verify {prefix}.rec'") from None
    height, width = image.shape[:2]
    if resize:
        short = min(height, width)
        height, width = height * resize // short, width * resize // short
    if shape is None:
        side = min(height, width, _SIDE)
        shape = (1 if image.shape[2] == 1 else 3, side, side)
    if shape[0] not in (1, 3) or min(shape) < 1:
        raise PlanError(f"shape: expected 1 or 3 channels, height and width, got {','.join(map(str, shape))}")
    if shape[1] > height or shape[2] > width:
        raise PlanError(
            f"shape: expected at most the {height} x {width} pixels of the first image, got {shape[1]} x {shape[2]}; "
            "give a smaller --shape, or --resize"
        )
    if preset is None:
        preset = "none" if shape[1:] == (height, width) else "crop"
    return Work(prefix, shape, preset, resize, batch_size, None if root is None else str(root))


def _prefix(rec: str | Path) -> str:
    path = str(Fileset(rec).path(".rec"))
    if not path.endswith(".rec"):
        raise PlanError(f"{path}: expected a name that ends in .rec, as MXNet's readers do; rename it and its .idx")
    return path[: -len(".rec")]
