"""The workload of a comparison: every peer gives the same images, after the same steps, in the same batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit import codec
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError, PlanError, plural
from recordkit.formats.frame import verify_advice
from recordkit.formats.signatures import open_records
from recordkit.storage.fileset import Fileset
from recordkit.storage.snapshot import read_manifest

PRESETS = ("none", "crop", "train")
DTYPES = ("float32", "uint8")

# ImageNet's mean and standard deviation in grey levels (0 to 255). Gray images are scaled around the middle level.
_MEAN, _STD = (123.68, 116.28, 103.53), (58.4, 57.1, 57.4)
_GRAY_MEAN, _GRAY_STD = (128.0,), (64.0,)
_DEFAULT_SIDE = 224


@dataclass(frozen=True)
class Workload:
    """The steps from a record to a batch; `resolve_workload` fills in those that depend on the images.

    Attributes
    ----------
    prefix : str
        Path of the .rec file without its suffix.
    shape : (int, int, int)
        Channels, height and width of a sample in a batch.
    preset : {"none", "crop", "train"}
        "none": centre crop. "crop": random crop and mirror. "train": random-resized crop with 8 to 100% of the area and
        an aspect ratio of 3:4 to 4:3, and mirror.
    resize : int or None
        Length of the short side before the crop in pixels; bilinear without antialiasing.
    batch_size : int
    dtype : {"float32", "uint8"}
        "float32": normalised, NCHW. "uint8": not normalised, NHWC.
    root : str or None
        Folder of the images that the .lst file names.
    scratch : str or None
        Folder that lasts as long as the comparison, for files that a peer converts from the .rec file.
    """

    prefix: str
    shape: tuple[int, int, int]
    preset: str
    resize: int | None
    batch_size: int
    dtype: str = "float32"
    root: str | None = None
    scratch: str | None = None

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of each channel in grey levels."""
        return _GRAY_MEAN if self.is_gray else _MEAN

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each channel in grey levels."""
        return _GRAY_STD if self.is_gray else _STD

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[1:]

    @property
    def is_gray(self) -> bool:
        """Images have one channel."""
        return self.shape[0] == 1

    @property
    def is_float(self) -> bool:
        """Batches are normalised float32 in NCHW; otherwise uint8 in NHWC."""
        return self.dtype == "float32"

    def path(self, suffix: str) -> str:
        """Return the path of the .rec file, or of the file beside it that has another suffix."""
        return str(Fileset(self.prefix).path(suffix))

    @property
    def title(self) -> str:
        """All steps in one line."""
        side = "x".join(map(str, self.size))
        crop = {"none": "centre", "crop": "crop", "train": "random-resized-crop"}[self.preset]
        steps = [f"resize {self.resize}"] if self.resize else []
        steps.append(f"{crop} {side}")
        steps += [] if self.preset == "none" else ["mirror"]
        steps += ["normalise"] if self.is_float else []
        colours = "gray" if self.is_gray else "RGB"
        layout = "NCHW" if self.is_float else "NHWC"
        return f"{', '.join(steps)}; {colours}, {self.dtype} {layout}, batches of {self.batch_size}"

    def as_json(self) -> dict[str, Any]:
        """Return the steps as plain values, without the location of the files."""
        return {
            "title": self.title,
            "shape": list(self.shape),
            "preset": self.preset,
            "resize": self.resize,
            "batch_size": self.batch_size,
            "dtype": self.dtype,
            "mean": list(self.mean),
            "std": list(self.std),
        }


def resolve_workload(
    rec: str | Path,
    *,
    shape: tuple[int, int, int] | None = None,
    preset: str | None = None,
    resize: int | None = None,
    batch_size: int = 64,
    dtype: str = "float32",
    root: str | Path | None = None,
) -> Workload:
    """Make a workload for a file; defaults depend on its first image.

    Parameters
    ----------
    rec : str or Path
        The .rec file.
    shape : (int, int, int), optional
        Channels, height and width of a sample. Default: the image's own channels, 1 or 3, and a square of its short
        side, at most 224.
    preset : {"none", "crop", "train"}, optional
        Default: "none" for images that already have the shape, otherwise "crop".
    resize : int, optional
        Length of the short side before the crop in pixels.
    batch_size : int, default 64
    dtype : {"float32", "uint8"}, default "float32"
    root : str or Path, optional
        Folder of the images that the .lst file names.

    Returns
    -------
    workload : Workload

    Raises
    ------
    PlanError
        An argument has no such value, or the images are smaller than the crop.
    FormatError, ImageError, NotFoundError
        The file cannot be read.
    """
    for argument, value, choices in (("preset", preset, (None, *PRESETS)), ("dtype", dtype, DTYPES)):
        if value not in choices:
            names = ", ".join(name for name in choices if name)
            raise PlanError(argument=argument, expected=f"one of {names}", got=repr(value))
    if resize is not None and resize < 1:
        raise PlanError(argument="resize", expected="a length of at least 1 pixel", got=resize)
    prefix = _prefix(rec)
    height, width, n_channels = _first_image_shape(f"{prefix}.rec")
    if resize:
        short = min(height, width)
        height, width = height * resize // short, width * resize // short
    if shape is None:
        side = min(height, width, _DEFAULT_SIDE)
        shape = (1 if n_channels == 1 else 3, side, side)
    if shape[0] not in (1, 3) or min(shape) < 1:
        got = ",".join(map(str, shape))
        raise PlanError(argument="shape", expected="1 or 3 channels, height and width", got=got)
    if shape[1] > height or shape[2] > width:
        raise PlanError(
            argument="shape",
            expected=f"at most the {height} x {width} pixels of the first image",
            got=f"{shape[1]} x {shape[2]}",
            advice="give a smaller `shape`, or `resize`",
        )
    if preset is None:
        preset = "none" if shape[1:] == (height, width) else "crop"
    return Workload(prefix, shape, preset, resize, batch_size, dtype, None if root is None else str(root))


def _first_image_shape(path: str) -> tuple[int, ...]:
    with RecordDataset(path) as dataset:
        if not len(dataset):
            raise FormatError(path=path, expected="samples", got="none")
        sample = dataset[0]
        try:
            return codec.decode(sample.payload, channels="keep").shape
        except ImageError as error:
            raise error.located(path=path, key=sample.key, advice=verify_advice(path, decode=True)) from None


def _prefix(rec: str | Path) -> str:
    files, manifest = read_manifest(rec)
    if manifest is not None:
        raise PlanError(
            path=str(rec),
            expected="one .rec file, because other loaders read only one",
            got=f"a dataset of {plural(len(manifest.shards), 'shard')}",
            advice="'recordkit bench' copies them into one, and recordkit.bench.subset.single_file does",
        )
    path = str(files.path(".rec"))
    if not path.endswith(".rec"):
        if Path(path).is_file():
            open_records(path).close()  # refuses a file of another format
        raise PlanError(
            path=path,
            expected="a name that ends in .rec, as MXNet's readers require",
            got=Path(path).name,
            advice="rename it and its .idx",
        )
    return path[: -len(".rec")]
