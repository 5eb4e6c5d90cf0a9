"""TurboLoader on a tar of the JPEGs; checked with TurboLoader 2.39."""

from __future__ import annotations

import importlib.util
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from recordkit import codec
from recordkit.bench.peers.conversion import convert_once, first_format
from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.peers.window import draw_window, resized
from recordkit.bench.workload import Workload
from recordkit.dataset.dataset import RecordDataset


class TurboLoader:
    """``turboloader.DataLoader`` with ``train_aug``: one pass in C++ that ends in a random-resized crop.

    This is the only random crop in the loader's batches: its other transforms begin with a resize of the whole image.
    """

    title = "TurboLoader"

    def note(self, workload: Workload) -> str:
        """See `Peer`."""
        if workload.preset == "train" and not workload.resize:
            return ""
        return "other work: it crops and resizes as in preset train, after decoding at a reduced scale"

    def unavailable_reason(self, workload: Workload) -> str | None:
        """See `Peer`."""
        if importlib.util.find_spec("turboloader") is None:
            return "not installed; pip install turboloader"
        if not workload.is_float or workload.is_gray:
            return "its batches are float32 and RGB"
        if workload.preset == "none":
            return "it has no centre crop"
        return None if first_format(workload) == "jpg" else "it reads JPEGs from a tar"

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        _limit_cpus(threads)
        if check:
            return lambda: iter([_first_batch(workload)])
        loader = _loader(
            convert_once(workload, ".tar", _write_tar),
            workload,
            batch_size=workload.batch_size,
            image_size=workload.size,
            shuffle=True,
            train_aug=True,
        )
        n_epochs = 0

        def start_epoch() -> Iterator[tuple[Any, int]]:
            nonlocal n_epochs
            loader.set_epoch(n_epochs)  # otherwise all epochs have the same order and the same crops
            n_epochs += 1
            return ((data, len(data)) for data, _ in loader)

        return start_epoch

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        import turboloader  # noqa: F401 (the import is the first part of the contract, see Peer)

        return {"turboloader": version("turboloader")}


def _loader(path: Path, workload: Workload, **options: Any) -> Any:
    import turboloader

    mean, std = ([value / 255 for value in values] for values in (workload.mean, workload.std))
    normalize = turboloader.Normalize(mean, std)
    return turboloader.DataLoader(str(path), transform=normalize, output_format="pytorch", **options)


def _limit_cpus(threads: int) -> None:
    """Give the process as many CPUs as it has threads, because TurboLoader starts a thread for each CPU."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _first_batch(workload: Workload) -> tuple[Any, int]:
    """Load the first images whole and crop their centres, because the fast path has no crop but a random one."""
    images = []
    with RecordDataset(workload.path(".rec")) as dataset, tempfile.TemporaryDirectory() as folder:
        for index in range(min(len(dataset), workload.batch_size)):
            payload = bytes(dataset[index].payload)
            height, width = codec.decode(payload, channels=3).shape[:2]
            if workload.resize:
                width, height = resized(width, height, workload.resize)
            path = Path(folder, f"{index}.tar")
            _write_payloads([payload], path)
            data, _ = next(iter(_loader(path, workload, batch_size=1, image_size=(height, width), prefetch_batches=0)))
            x, y, columns, rows = draw_window(workload, width, height, [], check=True)
            images.append(data[0, :, y : y + rows, x : x + columns].copy())
    return np.stack(images), len(images)


def _write_tar(dataset: RecordDataset, target: Path) -> None:
    _write_payloads((bytes(dataset[index].payload) for index in range(len(dataset))), target)


def _write_payloads(payloads: Any, target: Path) -> None:
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar:
        for index, payload in enumerate(payloads):
            member = tarfile.TarInfo(f"{index:08d}.jpg")
            member.size = len(payload)
            tar.addfile(member, io.BytesIO(payload))
