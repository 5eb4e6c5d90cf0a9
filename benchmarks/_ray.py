"""Reads one epoch of images in one way and prints their number and the time.

Usage: python benchmarks/_ray.py CASE FOLDER CPUS

FOLDER has photos.rec, photos/CLASS/*.jpg and tar/*.tar, all with the same images. Each case gives batches of
64 images, 224 x 224 from the middle as uint8, or encoded images. Ray and its workers are started, and an epoch is read,
before the epoch that counts.
"""

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import recordkit as rk
import recordkit.cluster
from recordkit.transforms import CenterCrop

BATCH = 64
SIDE = 224
N_EPOCHS_BEFORE = 1


def loader(folder: Path, n_cpus: int) -> Callable[[], Iterator[int]]:
    """Read with `recordkit.Loader`, without Ray."""
    batches = rk.Loader(folder / "photos.rec", batch_size=BATCH, transforms=[CenterCrop(SIDE)], threads=n_cpus)
    return lambda: (len(_checked(batch.data)) for batch in batches)


def decode_with_recordkit(folder: Path, _n_cpus: int) -> Any:
    """Return a Ray dataset read and decoded by recordkit."""
    decode = rk.cluster.Decode([CenterCrop(SIDE)])
    return rk.cluster.read(folder / "photos.rec").map_batches(decode, batch_format="pyarrow", batch_size=BATCH)


def read_images(folder: Path, _n_cpus: int) -> Any:
    """Return a Ray dataset of a folder of images, which Ray decodes as it reads."""
    import ray

    dataset = ray.data.read_images(str(folder / "photos"), mode="RGB")
    return dataset.map_batches(_crop, batch_size=BATCH, batch_format="numpy")


def read_webdataset(folder: Path, _n_cpus: int) -> Any:
    """Return a Ray dataset of tar shards, whose images Ray decodes as it reads."""
    import ray

    dataset = ray.data.read_webdataset([str(path) for path in sorted(folder.glob("tar/*.tar"))])
    return dataset.map_batches(_crop, batch_size=BATCH, batch_format="numpy")


def encoded_records(folder: Path, _n_cpus: int) -> Any:
    """Return a Ray dataset of encoded images in a .rec file."""
    return rk.cluster.read(folder / "photos.rec")


def encoded_files(folder: Path, _n_cpus: int) -> Any:
    """Return a Ray dataset of encoded images in a folder."""
    import ray

    return ray.data.read_binary_files(str(folder / "photos"))


def encoded_tar(folder: Path, _n_cpus: int) -> Any:
    """Return a Ray dataset of encoded images in tar shards."""
    import ray

    return ray.data.read_webdataset([str(path) for path in sorted(folder.glob("tar/*.tar"))], decoder=None)


DATASETS = {
    "decode": decode_with_recordkit,
    "read_images": read_images,
    "read_webdataset": read_webdataset,
    "encoded_records": encoded_records,
    "encoded_files": encoded_files,
    "encoded_tar": encoded_tar,
}


def _crop(batch: dict[str, Any]) -> dict[str, Any]:
    """Cut the middle out of a batch of images, which all have one size."""
    images = np.stack(list(batch["image" if "image" in batch else "jpg"]))
    top, left = (images.shape[1] - SIDE) // 2, (images.shape[2] - SIDE) // 2
    return {"data": images[:, top : top + SIDE, left : left + SIDE]}


def _checked(images: Any) -> Any:
    if images.shape[1:] != (SIDE, SIDE, 3) or images.dtype != np.uint8:
        raise ValueError(f"expected {SIDE} x {SIDE} of uint8, got {images.dtype} {images.shape}")
    return images


def with_ray(case: str, folder: Path, n_cpus: int) -> Callable[[], Iterator[int]]:
    """Start Ray, and read a dataset in batches on this process."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
    warnings.simplefilter("ignore")
    import ray

    ray.init(address="local", num_cpus=n_cpus, include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    dataset = DATASETS[case](folder, n_cpus)
    if case.startswith("encoded"):
        return lambda: (batch.num_rows for batch in dataset.iter_batches(batch_size=BATCH, batch_format="pyarrow"))
    return lambda: (
        len(_checked(batch["data"])) for batch in dataset.iter_batches(batch_size=BATCH, batch_format="numpy")
    )


def main(case: str, folder: str, cpus: str) -> None:
    """Read an epoch that does not count, and one that does."""
    n_cpus = int(cpus)
    read = loader(Path(folder), n_cpus) if case == "loader" else with_ray(case, Path(folder), n_cpus)
    for _ in range(N_EPOCHS_BEFORE):
        sum(read())
    begin_s = time.perf_counter()
    n = sum(read())
    print(json.dumps({"n": n, "seconds": time.perf_counter() - begin_s}))


if __name__ == "__main__":
    main(*sys.argv[1:])
