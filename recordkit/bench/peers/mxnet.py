"""MXNet 1.9.1's four loaders: ImageRecordIter, ImageIter from records and from files, and Gluon's DataLoader."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.workload import Workload
from recordkit.errors import MissingError
from recordkit.interop import mxnet
from recordkit.storage.fileset import reindex_advice


class _Mxnet:
    """The parts that all four loaders share."""

    def note(self, _workload: Workload) -> str:
        """See `Peer`."""
        return ""

    def unavailable_reason(self, workload: Workload) -> str | None:
        """See `Peer`."""
        if importlib.util.find_spec("mxnet") is None:
            return "not installed; pip install 'recordkit[mxnet]'"
        try:
            mxnet.load()
        except MissingError as error:
            return str(error)
        if not Path(workload.path(".idx")).exists():
            return f"it needs {workload.path('.idx')}; {reindex_advice(workload.path('.rec'))}"
        return None

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        return {"mxnet": mxnet.load().__version__}


class ImageRecordIter(_Mxnet):
    """``mx.io.ImageRecordIter``, or ``mx.io.ImageRecordUInt8Iter``, which gives NCHW too."""

    title = "MXNet ImageRecordIter"

    def note(self, workload: Workload) -> str:
        """See `Peer`."""
        return "" if workload.is_float else "uint8 batches are NCHW: it has no other layout"

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        mx = mxnet.load()
        make_iterator = mx.io.ImageRecordIter if workload.is_float else mx.io.ImageRecordUInt8Iter
        iterator = make_iterator(
            path_imgrec=workload.path(".rec"),
            path_imgidx=workload.path(".idx"),
            data_shape=workload.shape,
            batch_size=workload.batch_size,
            preprocess_threads=threads,
            ctx="cpu",  # otherwise it uses at most half of the CPUs
            round_batch=False,
            verbose=False,
            **self.parameters(workload, check=check),
        )
        to_nhwc = check and not workload.is_float
        with open(workload.path(".idx"), "rb") as lines:
            n_records = sum(1 for _ in lines)

        def start_epoch() -> Iterator[tuple[Any, int]]:
            iterator.reset()
            n_remaining = n_records  # counted here, because its `pad` is sometimes 0
            for batch in iterator:
                batch.data[0].wait_to_read()
                data = batch.data[0].transpose((0, 2, 3, 1)) if to_nhwc else batch.data[0]
                yield data, min(n_remaining, workload.batch_size)
                n_remaining -= workload.batch_size

        return start_epoch

    def parameters(self, workload: Workload, *, check: bool) -> dict[str, Any]:
        """Return the iterator's parameters that depend on the steps; a peer for another workload may change them."""
        options: dict[str, Any] = {}
        if not check:
            options["shuffle"] = True
        if not check and workload.preset != "none":
            options["rand_mirror"] = True
        if not check and workload.preset == "crop":
            options["rand_crop"] = True
        if not check and workload.preset == "train":
            options |= {"random_resized_crop": True, "min_random_area": 0.08, "max_random_area": 1.0}
            options |= {"min_aspect_ratio": 3 / 4, "max_aspect_ratio": 4 / 3}
        if workload.is_float:
            for name, values in (("mean", workload.mean), ("std", workload.std)):
                options |= {f"{name}_{channel}": value for channel, value in zip("rgb", values, strict=False)}
        if workload.resize:
            options["resize"] = workload.resize
        return options


class ImageIter(_Mxnet):
    """``mx.image.ImageIter``, which decodes in Python, one image after the other, on the threads of MXNet's engine.

    Parameters
    ----------
    from_files : bool
        Read the images that the .lst file names instead of the .rec file.
    """

    def __init__(self, *, from_files: bool) -> None:
        self._from_files = from_files
        self.title = f"MXNet ImageIter, {'.lst and images' if from_files else '.rec'}"

    def note(self, workload: Workload) -> str:
        """See `Peer`."""
        return "gray images are decoded as 3 channels, of which one is used: it refuses 1" if workload.is_gray else ""

    def unavailable_reason(self, workload: Workload) -> str | None:
        """See `Peer`."""
        if not workload.is_float:
            return "it gives float32 only"
        if self._from_files and workload.root is None:
            return "it needs the folder of the images (root)"
        if self._from_files and not Path(workload.path(".lst")).exists():
            return f"it needs {workload.path('.lst')}"
        return super().unavailable_reason(workload)

    def open(self, workload: Workload, _threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`; MXNet's engine takes the number of threads from the environment."""
        mx = mxnet.load()
        gray = workload.is_gray
        shape = (3, *workload.size)
        mean, std = (np.array(values * 3 if gray else values, np.float32) for values in (workload.mean, workload.std))
        source: dict[str, Any] = {"path_imgrec": workload.path(".rec"), "path_imgidx": workload.path(".idx")}
        if self._from_files:
            source = {"path_imglist": workload.path(".lst"), "path_root": workload.root}
        iterator = mx.image.ImageIter(
            workload.batch_size,
            shape,
            shuffle=not check,
            aug_list=mx.image.CreateAugmenter(
                shape,
                resize=workload.resize or 0,
                rand_crop=not check and workload.preset != "none",
                rand_resize=not check and workload.preset == "train",
                rand_mirror=not check and workload.preset != "none",
                mean=mean,
                std=std,
                inter_method=1,
            ),
            **source,
        )

        def start_epoch() -> Iterator[tuple[Any, int]]:
            iterator.reset()
            for batch in iterator:
                data = batch.data[0][:, :1] if gray else batch.data[0]
                data.wait_to_read()
                yield data, workload.batch_size - batch.pad

        return start_epoch


class Gluon(_Mxnet):
    """Gluon's ImageRecordDataset and DataLoader, with worker processes."""

    title = "MXNet Gluon DataLoader"

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        mx = mxnet.load()
        dataset = mx.gluon.data.vision.ImageRecordDataset(workload.path(".rec"), 0 if workload.is_gray else 1)
        loader = mx.gluon.data.DataLoader(
            dataset.transform_first(_gluon_transforms(mx, workload, check=check)),
            batch_size=workload.batch_size,
            shuffle=not check,
            last_batch="keep",
            num_workers=threads,
        )

        def start_epoch() -> Iterator[tuple[Any, int]]:
            for data, _ in loader:
                data.wait_to_read()
                yield data, len(data)

        return start_epoch


def _random_crop(mx: Any, size: tuple[int, int]) -> Any:
    """Return a random crop, which Gluon's transforms lack."""

    class RandomCrop(mx.gluon.Block):  # type: ignore[misc]  # mxnet has no types
        def forward(self, image: Any) -> Any:
            return mx.image.random_crop(image, size, interp=1)[0]

    return RandomCrop()


def _gluon_transforms(mx: Any, workload: Workload, *, check: bool) -> Any:
    transforms = mx.gluon.data.vision.transforms
    size = workload.size[::-1]  # Gluon's sizes are width and height
    steps = [transforms.Resize(workload.resize, keep_ratio=True, interpolation=1)] if workload.resize else []
    if check or workload.preset == "none":
        steps.append(transforms.CenterCrop(size, interpolation=1))
    elif workload.preset == "crop":
        steps.append(_random_crop(mx, size))
    else:
        steps.append(transforms.RandomResizedCrop(size, interpolation=1))
    if not check and workload.preset != "none":
        steps.append(transforms.RandomFlipLeftRight())
    if workload.is_float:
        mean, std = (tuple(value / 255 for value in values) for values in (workload.mean, workload.std))
        steps += [transforms.ToTensor(), transforms.Normalize(mean, std)]
    return transforms.Compose(steps)
