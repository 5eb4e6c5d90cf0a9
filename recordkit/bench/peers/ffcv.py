"""FFCV's loader on a file of its own format, which holds the same JPEG bytes or pixels as the .rec file.

It relies on two parts of FFCV that its documentation does not describe: `RGBImageField.encode` and the decoders'
`get_crop_generator`; checked with FFCV 1.0.2.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from recordkit import codec
from recordkit.bench.peers.conversion import convert_once, first_format
from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.workload import Workload
from recordkit.dataset.dataset import RecordDataset


class Ffcv:
    """``ffcv.loader.Loader`` with its random-resized crop, the one workload that its decoders cover as they are.

    The first use converts the .rec file and stores the result in the workload's `scratch` folder.
    """

    title = "FFCV, its own format"

    def note(self, _workload: Workload) -> str:
        """See `Peer`."""
        return "its first batch includes the compilation of the pipeline by Numba"

    def unavailable_reason(self, workload: Workload) -> str | None:
        """See `Peer`."""
        if importlib.util.find_spec("ffcv") is None:
            return "not installed; pip install ffcv"
        if workload.is_float or workload.is_gray or workload.resize or workload.preset != "train":
            return "it is compared where it decodes to uint8: preset train, RGB, without resize"
        if first_format(workload) not in ("jpg", "raw"):
            return "its format holds JPEGs or raw pixels only"
        return None

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        from ffcv.fields import RGBImageField
        from ffcv.fields.decoders import IntDecoder, RandomResizedCropRGBImageDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import RandomHorizontalFlip, ToTensor

        images = (
            [_centre_crop(workload.size), ToTensor()]
            if check
            else [RandomResizedCropRGBImageDecoder(workload.size), RandomHorizontalFlip(), ToTensor()]
        )
        loader = Loader(
            str(convert_once(workload, ".beton", _convert)),
            batch_size=workload.batch_size,
            num_workers=threads,
            order=OrderOption.SEQUENTIAL if check else OrderOption.RANDOM,
            os_cache=True,
            drop_last=False,
            pipelines={"image": images, "label": [IntDecoder(), ToTensor()]},
            custom_fields={"image": RGBImageField},
        )

        def start_epoch() -> Iterator[tuple[Any, int]]:
            return ((data, len(data)) for data, _ in loader)

        return start_epoch

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        import ffcv.loader  # noqa: F401 (the import is the first part of the contract, see Peer)

        return {"ffcv": version("ffcv")}


def _centre_crop(size: tuple[int, int]) -> Any:
    """Return a decoder that cuts `size` pixels out of the middle; FFCV's CenterCrop would scale the image."""
    from ffcv.fields.decoders import RandomResizedCropRGBImageDecoder

    rows, columns = size

    def crop(height: int, width: int, _scale: Any, _ratio: Any) -> tuple[int, int, int, int]:
        return (height - rows) // 2, (width - columns) // 2, rows, columns

    class CentreCrop(RandomResizedCropRGBImageDecoder):  # type: ignore[misc]  # ffcv has no types
        @property
        def get_crop_generator(self) -> Any:
            return crop

    return CentreCrop(size)


def _convert(dataset: RecordDataset, target: Path) -> None:
    from ffcv.fields import IntField, RGBImageField
    from ffcv.writer import DatasetWriter

    class PayloadField(RGBImageField):  # type: ignore[misc]  # ffcv has no types
        """Stores a JPEG payload unchanged; FFCV itself takes pixels and would encode them again."""

        def encode(self, destination: Any, payload: bytes, malloc: Any) -> None:
            pixels = codec.decode(payload, channels=3)
            if codec.sniff(payload) != "jpg":
                super().encode(destination, pixels, malloc)
                return
            destination["mode"] = 0  # jpg
            destination["height"], destination["width"] = pixels.shape[:2]
            destination["data_ptr"], storage = malloc(len(payload))
            storage[:] = np.frombuffer(payload, np.uint8)

    fields = {"image": PayloadField(write_mode="raw"), "label": IntField()}
    DatasetWriter(str(target), fields, num_workers=1).from_indexed_dataset(_Samples(dataset))


class _Samples:
    """An indexed dataset of payloads and labels, as FFCV's writer takes it."""

    def __init__(self, dataset: RecordDataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        sample = self._dataset[int(index)]
        return bytes(sample.payload), int(np.ravel(sample.label)[0])
