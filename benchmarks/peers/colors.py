"""Loaders that change colours: the peers of `recordkit bench` with more steps, for `compare_colors.py`.

The steps are those that MXNet's ImageRecordIter has, by its parameters' names. A check loads without them: their random
numbers are each library's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import recordkit as rk
from recordkit import transforms
from recordkit.bench.peers.dali import Dali
from recordkit.bench.peers.mxnet import ImageRecordIter
from recordkit.bench.peers.peer import Peer, StartEpoch
from recordkit.bench.peers.recordkit import RecordkitLoader
from recordkit.bench.workload import Workload

# random_h is in units of 2 degrees, random_s and random_l in units of 1/255.
COLORS = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "random_h": 18, "pca_noise": 0.1}
HSL = {"random_h": 18, "random_s": 50, "random_l": 50}
GRAY = {"brightness": 0.4, "contrast": 0.4}


class ColorLoader(RecordkitLoader):
    """`recordkit.Loader`."""

    def __init__(self, engine: str, colors: Mapping[str, float]) -> None:
        super().__init__(engine)
        self._colors = colors

    def transforms(self, workload: Workload, *, check: bool) -> list[transforms.Transform | rk.Normalize]:
        """See `RecordkitLoader`."""
        *steps, normalize = super().transforms(workload, check=check)
        colors = self._colors
        if check:
            return [*steps, normalize]
        for name, kind in (
            ("brightness", transforms.RandomBrightness),
            ("contrast", transforms.RandomContrast),
            ("saturation", transforms.RandomSaturation),
        ):
            if name in colors:
                steps.append(kind(colors[name]))
        if "random_h" in colors:
            steps.append(transforms.RandomHSL(*(colors.get(f"random_{letter}", 0) for letter in "hsl")))
        if "pca_noise" in colors:
            steps.append(transforms.RandomLighting(colors["pca_noise"]))
        return [*steps, normalize]


class ColorIter(ImageRecordIter):
    """``mx.io.ImageRecordIter``."""

    def __init__(self, colors: Mapping[str, float]) -> None:
        self._colors = colors

    def unavailable_reason(self, workload: Workload) -> str | None:
        """See `Peer`."""
        return "it fails on gray images" if workload.is_gray else super().unavailable_reason(workload)

    def parameters(self, workload: Workload, *, check: bool) -> dict[str, Any]:
        """See `ImageRecordIter`."""
        parameters: dict[str, Any] = super().parameters(workload, check=check)
        return parameters if check else parameters | dict(self._colors)


class ColorFace(ColorIter):
    """`recordkit.ImageRecordIter`, with MXNet's parameters."""

    title = "recordkit ImageRecordIter"

    def unavailable_reason(self, _workload: Workload) -> str | None:
        """See `Peer`."""
        return None

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        return {"recordkit": rk.__version__}

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        batches = rk.ImageRecordIter(
            path_imgrec=workload.path(".rec"),
            data_shape=workload.shape,
            batch_size=workload.batch_size,
            preprocess_threads=threads,
            **self.parameters(workload, check=check),
        )

        def start_epoch() -> Iterator[tuple[Any, int]]:
            batches.reset()
            return ((batch.data[0], workload.batch_size - batch.pad) for batch in batches)

        return start_epoch


class ColorDali(Dali):
    """DALI with ``fn.color_twist`` or ``fn.brightness_contrast`` between the crop and the normalisation."""

    def __init__(self, colors: Mapping[str, float]) -> None:
        self._colors = colors

    def note(self, _workload: Workload) -> str:
        """See `Peer`."""
        if "pca_noise" in self._colors:
            return "without PCA noise, which it does not have"
        return "lightness by a factor: it has HSV and not HSL" if "random_l" in self._colors else ""

    def graph(self, workload: Workload, *, check: bool) -> Any:
        """See `Dali`."""
        if check:
            return super().graph(workload, check=check)
        from nvidia.dali import fn, types

        data, label = fn.readers.mxnet(
            path=[workload.path(".rec")], index_path=[workload.path(".idx")], random_shuffle=True, name="reader"
        )
        position = {name: fn.random.uniform(range=(0.0, 1.0)) for name in ("crop_pos_x", "crop_pos_y")}
        kind = types.GRAY if workload.is_gray else types.RGB
        images = self._change(fn.decoders.image_crop(data, output_type=kind, crop=workload.size, **position))
        images = fn.crop_mirror_normalize(
            images, mirror=fn.random.coin_flip(), output_layout="CHW", mean=list(workload.mean), std=list(workload.std)
        )
        return images, label

    def _change(self, images: Any) -> Any:
        from nvidia.dali import fn

        changes = {}
        for name, dali_name, unit in (
            ("brightness", "brightness", 1),
            ("contrast", "contrast", 1),
            ("saturation", "saturation", 1),
            ("random_s", "saturation", 255),
            ("random_l", "brightness", 255),
        ):
            if name in self._colors:
                limit = self._colors[name] / unit
                changes[dali_name] = fn.random.uniform(range=(1 - limit, 1 + limit))
        if "random_h" not in self._colors:
            return fn.brightness_contrast(images, **changes)
        degrees = 2 * self._colors["random_h"]
        return fn.color_twist(images, hue=fn.random.uniform(range=(-degrees, degrees)), **changes)


def make_peers(colors: Mapping[str, float]) -> tuple[Peer, ...]:
    """Return the peers in the order of the names below."""
    engines = ColorLoader("native", colors), ColorLoader("python", colors)
    return ColorIter(colors), *engines, ColorFace(colors), ColorDali(colors)


mxnet_colors, native_colors, python_colors, face_colors, dali_colors = make_peers(COLORS)
mxnet_hsl, native_hsl, python_hsl, face_hsl, dali_hsl = make_peers(HSL)
mxnet_gray, native_gray, python_gray, face_gray, dali_gray = make_peers(GRAY)
