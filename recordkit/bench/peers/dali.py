"""NVIDIA DALI's pipeline on the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.workload import Workload
from recordkit.storage.fileset import reindex_advice


class Dali:
    """A pipeline from ``fn.readers.mxnet`` to ``fn.crop_mirror_normalize``."""

    title = "DALI, CPU"

    def note(self, _workload: Workload) -> str:
        """See `Peer`."""
        return ""

    def unavailable_reason(self, workload: Workload) -> str | None:
        """See `Peer`."""
        if importlib.util.find_spec("nvidia") is None or importlib.util.find_spec("nvidia.dali") is None:
            return "not installed; pip install nvidia-dali-cuda120"
        if not Path(workload.path(".idx")).exists():
            return f"it needs {workload.path('.idx')}; {reindex_advice(workload.path('.rec'))}"
        return None

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        from nvidia.dali import pipeline_def

        make_pipeline = pipeline_def(batch_size=workload.batch_size, num_threads=threads, device_id=None, seed=1)
        pipeline = make_pipeline(self.graph)(workload, check=check)
        pipeline.build()
        n_records, n_surplus = pipeline.epoch_size("reader"), 0

        def start_epoch() -> Iterator[tuple[Any, int]]:
            nonlocal n_surplus
            # All batches are full: the last one continues into the next epoch, which is shorter by that surplus.
            n_remaining = n_records - n_surplus
            while n_remaining > 0:
                images, _ = pipeline.run()
                yield images.as_tensor(), workload.batch_size
                n_remaining -= workload.batch_size
            n_surplus = -n_remaining

        return start_epoch

    def graph(self, workload: Workload, *, check: bool) -> Any:
        """Return images and labels as nodes of a pipeline; a peer for another workload may change them."""
        from nvidia.dali import fn, types

        data, label = fn.readers.mxnet(
            path=[workload.path(".rec")], index_path=[workload.path(".idx")], random_shuffle=not check, name="reader"
        )
        kind = types.GRAY if workload.is_gray else types.RGB
        augments = not check and workload.preset != "none"
        if augments and workload.preset == "train":
            area, ratio = [0.08, 1.0], [3 / 4, 4 / 3]
            images = fn.decoders.image_random_crop(data, output_type=kind, random_area=area, random_aspect_ratio=ratio)
            images = fn.resize(images, size=list(workload.size), interp_type=types.INTERP_LINEAR, antialias=False)
        else:
            images = fn.decoders.image(data, output_type=kind)
            if workload.resize:
                size = _resized_size(data, workload.resize)
                images = fn.resize(images, size=size, interp_type=types.INTERP_LINEAR, antialias=False)
        crops_randomly = augments and workload.preset == "crop"
        names = ("crop_pos_x", "crop_pos_y")
        position = {name: fn.random.uniform(range=(0.0, 1.0)) if crops_randomly else 0.5 for name in names}
        images = fn.crop_mirror_normalize(
            images,
            crop=workload.size,
            **position,
            rounding="truncate",
            mirror=fn.random.coin_flip() if augments else 0,
            dtype=types.FLOAT if workload.is_float else types.UINT8,
            output_layout="CHW" if workload.is_float else "HWC",
            mean=list(workload.mean) if workload.is_float else [0.0],
            std=list(workload.std) if workload.is_float else [1.0],
        )
        return images, label

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        import nvidia.dali  # noqa: F401 (the import is the first part of the contract, see Peer)

        names = [name for name in packages_distributions().get("nvidia", []) if name.startswith("nvidia-dali")]
        return {name: version(name) for name in names[:1]}


def _resized_size(data: Any, short: int) -> Any:
    """Return height and width after a resize of the short side; `resize_shorter` would round the long side."""
    from nvidia.dali import fn, math, types

    shape = fn.peek_image_shape(data)
    low = math.min(shape[0], shape[1])
    return fn.stack(*(fn.cast(shape[axis] * short // low, dtype=types.FLOAT) for axis in (0, 1)))
