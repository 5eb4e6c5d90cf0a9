"""NVIDIA's DALI, its pipeline on the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from recordkit.bench.peers.peer import Epochs
from recordkit.bench.workload import Work


class Dali:
    """``fn.readers.mxnet`` and what follows it."""

    title = "DALI, CPU"
    note = ""

    def why_not(self, work: Work) -> str | None:
        """See `Peer`."""
        if importlib.util.find_spec("nvidia") is None or importlib.util.find_spec("nvidia.dali") is None:
            return "not installed; pip install nvidia-dali-cuda120"
        if not Path(work.path(".idx")).exists():
            return f"it needs {work.path('.idx')}"
        return None

    def open(self, work: Work, threads: int, *, check: bool) -> Epochs:
        """See `Peer`."""
        from nvidia.dali import pipeline_def

        built = pipeline_def(batch_size=work.batch_size, num_threads=threads, device_id=None, seed=1)(_graph)(
            work, check=check
        )
        built.build()
        n_records, ahead = built.epoch_size("reader"), 0

        def epoch() -> Iterator[tuple[Any, int]]:
            nonlocal ahead
            # All batches are full: the last one goes on with the next epoch, which has so much less to do.
            left = n_records - ahead
            while left > 0:
                images, _ = built.run()
                yield images.as_tensor(), work.batch_size
                left -= work.batch_size
            ahead = -left

        return epoch

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        import nvidia.dali  # noqa: F401 (see Peer)

        names = [name for name in packages_distributions().get("nvidia", []) if name.startswith("nvidia-dali")]
        return {name: version(name) for name in names[:1]}


def _graph(work: Work, *, check: bool) -> Any:
    from nvidia.dali import fn, types

    data, label = fn.readers.mxnet(
        path=[work.path(".rec")], index_path=[work.path(".idx")], random_shuffle=not check, name="reader"
    )
    kind = types.GRAY if work.shape[0] == 1 else types.RGB
    drawn = not check and work.preset != "none"
    if drawn and work.preset == "train":
        area, ratio = [0.08, 1.0], [3 / 4, 4 / 3]
        images = fn.decoders.image_random_crop(data, output_type=kind, random_area=area, random_aspect_ratio=ratio)
        images = fn.resize(images, size=list(work.size), interp_type=types.INTERP_LINEAR, antialias=False)
    else:
        images = fn.decoders.image(data, output_type=kind)
        if work.resize:
            images = fn.resize(images, size=_sides(data, work.resize), interp_type=types.INTERP_LINEAR, antialias=False)
    anywhere = drawn and work.preset == "crop"
    place = {name: fn.random.uniform(range=(0.0, 1.0)) if anywhere else 0.5 for name in ("crop_pos_x", "crop_pos_y")}
    images = fn.crop_mirror_normalize(
        images,
        crop=work.size,
        **place,
        rounding="truncate",
        mirror=fn.random.coin_flip() if drawn else 0,
        dtype=types.FLOAT,
        output_layout="CHW",
        mean=list(work.mean),
        std=list(work.std),
    )
    return images, label


def _sides(data: Any, short: int) -> Any:
    """Return height and width after a resize of the short side; `resize_shorter` would round the other one."""
    from nvidia.dali import fn, math, types

    shape = fn.peek_image_shape(data)
    low = math.min(shape[0], shape[1])
    return fn.stack(*(fn.cast(shape[axis] * short // low, dtype=types.FLOAT) for axis in (0, 1)))
