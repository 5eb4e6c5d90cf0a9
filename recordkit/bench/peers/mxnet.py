"""MXNet 1.9.1's four ways to images: ImageRecordIter, ImageIter from records and from files, Gluon's DataLoader."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.bench.peers.peer import Epochs
from recordkit.bench.workload import Work
from recordkit.errors import MissingError
from recordkit.interop import mxnet


class _Mxnet:
    """What the four have in common."""

    note = ""

    def why_not(self, work: Work) -> str | None:
        """See `Peer`."""
        if importlib.util.find_spec("mxnet") is None:
            return "not installed; pip install 'recordkit[mxnet]'"
        try:
            mxnet.load()
        except MissingError as error:
            return str(error)
        if not Path(work.path(".idx")).exists():
            return f"it needs {work.path('.idx')}"
        return None

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        return {"mxnet": mxnet.load().__version__}


class ImageRecordIter(_Mxnet):
    """``mx.io.ImageRecordIter``."""

    title = "MXNet ImageRecordIter"

    def open(self, work: Work, threads: int, *, check: bool) -> Epochs:
        """See `Peer`."""
        mx = mxnet.load()
        options: dict[str, Any] = {}
        if not check:
            options["shuffle"] = True
        if not check and work.preset != "none":
            options["rand_mirror"] = True
        if not check and work.preset == "crop":
            options["rand_crop"] = True
        if not check and work.preset == "train":
            options |= {"random_resized_crop": True, "min_random_area": 0.08, "max_random_area": 1.0}
            options |= {"min_aspect_ratio": 3 / 4, "max_aspect_ratio": 4 / 3}
        for name, values in (("mean", work.mean), ("std", work.std)):
            options |= {f"{name}_{channel}": value for channel, value in zip("rgb", values, strict=False)}
        if work.resize:
            options["resize"] = work.resize
        iterator = mx.io.ImageRecordIter(
            path_imgrec=work.path(".rec"),
            path_imgidx=work.path(".idx"),
            data_shape=work.shape,
            batch_size=work.batch_size,
            preprocess_threads=threads,
            ctx="cpu",  # else it takes half of the CPUs at most
            round_batch=False,
            verbose=False,
            **options,
        )

        with open(work.path(".idx"), "rb") as lines:
            n_records = sum(1 for _ in lines)

        def epoch() -> Iterator[tuple[Any, int]]:
            iterator.reset()
            left = n_records  # counted here, because its `pad` is 0 at times
            for batch in iterator:
                batch.data[0].wait_to_read()
                yield batch.data[0], min(left, work.batch_size)
                left -= work.batch_size

        return epoch


class ImageIter(_Mxnet):
    """``mx.image.ImageIter``, which decodes in Python, one image after the other; threads are those of MXNet's engine.

    Parameters
    ----------
    files : bool
        From the images that the .lst file names, and not from the .rec file.
    """

    def __init__(self, *, files: bool) -> None:
        self._files = files
        self.title = f"MXNet ImageIter, {'.lst and images' if files else '.rec'}"
        self.note = "gray images as 3 channels, of which one is used: it refuses 1"

    def why_not(self, work: Work) -> str | None:
        """See `Peer`."""
        if self._files and work.root is None:
            return "it needs the folder of the images; give --root"
        if self._files and not Path(work.path(".lst")).exists():
            return f"it needs {work.path('.lst')}"
        return super().why_not(work)

    def open(self, work: Work, _threads: int, *, check: bool) -> Epochs:
        """See `Peer`. The engine takes its threads from the environment."""
        mx = mxnet.load()
        gray = work.shape[0] == 1
        shape = (3, *work.size)
        mean, std = (np.array(values * 3 if gray else values, np.float32) for values in (work.mean, work.std))
        source: dict[str, Any] = {"path_imgrec": work.path(".rec"), "path_imgidx": work.path(".idx")}
        if self._files:
            source = {"path_imglist": work.path(".lst"), "path_root": work.root}
        iterator = mx.image.ImageIter(
            work.batch_size,
            shape,
            shuffle=not check,
            aug_list=mx.image.CreateAugmenter(
                shape,
                resize=work.resize or 0,
                rand_crop=not check and work.preset != "none",
                rand_resize=not check and work.preset == "train",
                rand_mirror=not check and work.preset != "none",
                mean=mean,
                std=std,
                inter_method=1,
            ),
            **source,
        )

        def epoch() -> Iterator[tuple[Any, int]]:
            iterator.reset()
            for batch in iterator:
                data = batch.data[0][:, :1] if gray else batch.data[0]
                data.wait_to_read()
                yield data, work.batch_size - batch.pad

        return epoch


class Gluon(_Mxnet):
    """Gluon's ImageRecordDataset and DataLoader, with worker processes."""

    title = "MXNet Gluon DataLoader"

    def open(self, work: Work, threads: int, *, check: bool) -> Epochs:
        """See `Peer`."""
        mx = mxnet.load()
        loader = mx.gluon.data.DataLoader(
            mx.gluon.data.vision.ImageRecordDataset(work.path(".rec"), 0 if work.shape[0] == 1 else 1).transform_first(
                _gluon_steps(mx, work, check=check)
            ),
            batch_size=work.batch_size,
            shuffle=not check,
            last_batch="keep",
            num_workers=threads,
        )

        def epoch() -> Iterator[tuple[Any, int]]:
            for data, _ in loader:
                data.wait_to_read()
                yield data, len(data)

        return epoch


def _random_crop(mx: Any, size: tuple[int, int]) -> Any:
    """Return the transform that Gluon lacks."""

    class RandomCrop(mx.gluon.Block):  # type: ignore[misc]
        def forward(self, image: Any) -> Any:
            return mx.image.random_crop(image, size, interp=1)[0]

    return RandomCrop()


def _gluon_steps(mx: Any, work: Work, *, check: bool) -> Any:
    steps = mx.gluon.data.vision.transforms
    size = work.size[::-1]  # Gluon's sizes are width and height
    chain = [steps.Resize(work.resize, keep_ratio=True, interpolation=1)] if work.resize else []
    if check or work.preset == "none":
        chain.append(steps.CenterCrop(size, interpolation=1))
    elif work.preset == "crop":
        chain.append(_random_crop(mx, size))
    else:
        chain.append(steps.RandomResizedCrop(size, interpolation=1))
    if not check and work.preset != "none":
        chain.append(steps.RandomFlipLeftRight())
    mean, std = (tuple(value / 255 for value in values) for values in (work.mean, work.std))
    return steps.Compose([*chain, steps.ToTensor(), steps.Normalize(mean, std)])
