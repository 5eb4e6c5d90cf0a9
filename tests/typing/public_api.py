"""A program that uses the whole public API; mypy and pyright check it, and nothing runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import recordkit as rk
from recordkit import errors, recordio, transforms
from recordkit.interop.torch import Loader as TorchLoader
from recordkit.interop.torch import RecordDataset as TorchDataset


def pack_photos(folder: Path) -> rk.PackReport:
    """Pack a folder, a list and arrays."""
    plan = rk.PackPlan(resize=256, quality=90, val_ratio=0.1, on_error="skip")
    source = rk.open_source(folder, class_from="first")
    report = rk.pack(source, folder / "photos", plan=plan, memory="2G")
    rk.pack((np.zeros((6, 28, 28), np.uint8), [0, 1, 2, 3, 4, 5]), str(folder / "digits"))
    print(report.ok, report.n_packed + report.n_failed, [each.prefix.name for each in report.sets])
    print(json.dumps(report.as_json()))
    return report


def read_samples(path: str) -> dict[int, float]:
    """Read samples by index, by key, in slices and one after the other."""
    rk.configure_remote(cache_bytes="50G", timeout_s=10)
    first: dict[int, float] = {}
    with rk.RecordDataset(path, check=True) as dataset:
        for sample in dataset:
            first[sample.key] = float(np.ravel(sample.label)[0])
            print(len(sample.payload), sample.image.shape)
        some = dataset[10:20]
        print(dataset[0].key, dataset.by_key(7).payload.nbytes, [each.key for each in some], dataset[[1, 2]])
        names: dict[str, int] | None = dataset.classes
        keys: NDArray[np.uint64] = dataset.keys
        print(names, keys.sum(), dataset.labels.mean(), len(dataset))
    return first


def darken(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an image of another dtype, as the last function of a list of transforms may."""
    return np.divide(image, 2, dtype=np.float32)


def train(path: Path) -> None:
    """Iterate over batches, with a state that JSON can hold."""
    crop = [rk.Resize(256), rk.CenterCrop(224), rk.RandomCrop((200, 200)), rk.RandomFlip(0.5)]
    colours = [rk.RandomResizedCrop(224), transforms.RandomBrightness(0.4), transforms.Cutout(16)]
    scale = rk.Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), scale=1 / 255)
    with rk.Loader(path, batch_size=64, shuffle=True, transforms=[*crop, darken], last_batch="drop") as loader:
        for number, batch in enumerate(loader):
            images, labels = batch
            print(number, images.shape, labels.sum(), batch.key[: batch.n_valid], loader.timing.bottleneck)
        loader.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    tensors = TorchLoader(path, batch_size=64, transforms=[*colours, scale], rank=(0, 8))
    tensors.set_epoch(3)
    for data, label in tensors:
        print(data, label, tensors.epoch)
    print(tensors.timing.bottleneck, [bad.reason for bad in tensors.bad_samples], tensors.dataset[0].key)
    image, target = TorchDataset(path, transforms=crop)[0]
    print(image, target, len(tensors), TorchDataset(path)[:10].indices, TorchDataset(path).classes)


def read_as_mxnet(prefix: str) -> None:
    """Use the faces of MXNet."""
    try:
        with recordio.MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "r") as reader:
            header, picture = recordio.unpack_img(reader.read_idx(0))
            print(header.label, None if picture is None else picture.shape)
    except errors.FormatError as error:
        print(error.path, error.offset, error.advice)
    batches = rk.ImageRecordIter(path_imgrec=prefix + ".rec", data_shape=(3, 224, 224), batch_size=32)
    for batch in batches:
        print(batch.data[0].shape, batch.label[0], batch.pad)
    batches.reset()
