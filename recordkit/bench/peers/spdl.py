"""SPDL's pipeline of threads, with FFmpeg's decoder and filters; checked with SPDL 0.8."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.bench.peers.conversion import first_format
from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.peers.window import draw_window, is_mirrored, resized
from recordkit.bench.workload import Workload
from recordkit.dataset.dataset import RecordDataset
from recordkit.formats.images import jpeg_encoding


class Spdl:
    """``spdl.pipeline.PipelineBuilder`` on the .rec file: each thread decodes, crops and scales a batch by ``spdl.io``.

    FFmpeg's filters crop first, in the planes of the JPEG, and then convert what is left to RGB.
    """

    title = "SPDL"

    def note(self, workload: Workload) -> str:
        """See `Peer`."""
        remarks = []
        if _has_reduced_colours(workload):
            remarks.append("it repeats colours where the JPEG has half their resolution, and others interpolate them")
        if workload.resize or workload.preset == "train":
            remarks.append("its resize smooths")
        return ", and ".join(remarks)

    def unavailable_reason(self, workload: Workload) -> str | None:
        """See `Peer`."""
        if importlib.util.find_spec("spdl") is None or importlib.util.find_spec("spdl.io") is None:
            return "not installed; pip install spdl"
        import spdl.io.utils

        try:
            spdl.io.utils.get_ffmpeg_versions()
        except RuntimeError:
            return "it needs the libraries of FFmpeg 4 to 8; apt-get install libavdevice-dev has them"
        if workload.is_gray or first_format(workload) not in ("jpg", "png"):
            return "it is compared on JPEG and PNG as RGB"
        return None

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        from spdl.pipeline import PipelineBuilder

        batches = _Batches(workload, check=check)
        pipeline = (
            PipelineBuilder()
            .add_source(batches.plan, continuous=True)
            .pipe(batches.load, concurrency=threads, output_order="input" if check else "completion")
            .add_sink(threads)
            .build(num_threads=threads)
        )
        pipeline.start()

        def start_epoch() -> Iterator[tuple[Any, int]]:
            return ((data, len(data)) for data in pipeline.get_iterator())

        return start_epoch

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        import spdl.io.utils
        import spdl.pipeline

        ffmpeg = spdl.io.utils.get_ffmpeg_versions()["libavcodec"]
        return {"spdl": version("spdl"), "libavcodec": ".".join(map(str, ffmpeg))}


def _has_reduced_colours(workload: Workload) -> bool:
    """Return whether the first batch has a JPEG whose colours have a lower resolution than its brightness."""
    with RecordDataset(workload.path(".rec")) as dataset:
        payloads = (bytes(dataset[index].payload) for index in range(min(len(dataset), workload.batch_size)))
        return any(jpeg_encoding.read(payload).sampling not in (0, 444) for payload in payloads)


class _Plan:
    """An iterable over the batches of an epoch: the positions of their samples, with six random numbers for each."""

    def __init__(self, n: int, batch_size: int, *, check: bool) -> None:
        self._n, self._batch_size, self._check = n, batch_size, check
        self._rng = np.random.default_rng(0)

    def __iter__(self) -> Iterator[list[tuple[int, list[float]]]]:
        order = np.arange(self._n) if self._check else self._rng.permutation(self._n)
        draws = self._rng.random((self._n, 6))
        for start in range(0, self._n, self._batch_size):
            indices = order[start : start + self._batch_size].tolist()
            yield list(zip(indices, draws[start : start + self._batch_size].tolist(), strict=True))


class _Batches:
    """Loads batches in threads."""

    def __init__(self, workload: Workload, *, check: bool) -> None:
        self._workload, self._check = workload, check
        self._records = RecordDataset(workload.path(".rec"))
        self._mean = np.array(workload.mean, np.float32)[:, None, None]
        self._factor = 1 / np.array(workload.std, np.float32)[:, None, None]
        self.plan = _Plan(len(self._records), workload.batch_size, check=check)

    def load(self, samples: Sequence[tuple[int, list[float]]]) -> NDArray[Any]:
        """Return a batch, in the type and layout of the workload."""
        import spdl.io

        frames = []
        for index, random in samples:
            packets = spdl.io.demux_image(bytes(self._records[index].payload))
            codec = packets.codec
            filters = _filters(self._workload, codec.width, codec.height, random, check=self._check)
            frames.append(spdl.io.decode_packets(packets, filter_desc=filters))
        pixels: NDArray[Any] = spdl.io.to_numpy(spdl.io.convert_frames(frames))
        if not self._workload.is_float:
            return pixels
        data = np.empty((len(pixels), *self._workload.shape), np.float32)
        for image, out in zip(pixels, data, strict=True):
            np.subtract(image.transpose(2, 0, 1), self._mean, out=out)
            out *= self._factor
        return data


def _filters(workload: Workload, width: int, height: int, random: list[float], *, check: bool) -> str:
    """Return FFmpeg's filters for an image of that size.

    A crop before the conversion to RGB begins at an even pixel, because the JPEG's colours have half the resolution; a
    second crop removes what is left over.
    """
    steps = []
    if workload.resize:
        width, height = resized(width, height, workload.resize)
        steps.append(f"scale={width}:{height}:flags=bilinear")
    x, y, columns, rows = draw_window(workload, width, height, random, check=check)
    odd_x, odd_y = x % 2, y % 2
    steps.append(f"crop={columns + odd_x}:{rows + odd_y}:{x - odd_x}:{y - odd_y}:exact=1")
    if workload.preset == "train" and not check:
        steps.append(f"scale={workload.size[1]}:{workload.size[0]}:flags=bilinear")
        odd_x = odd_y = 0
    steps.append("format=pix_fmts=rgb24")
    if odd_x or odd_y:
        steps.append(f"crop={columns}:{rows}:{odd_x}:{odd_y}:exact=1")
    if is_mirrored(workload, random[5], check=check):
        steps.append("hflip")
    return ",".join(steps)
