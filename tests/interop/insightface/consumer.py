"""Runs InsightFace's own code on files, with MXNet or with recordkit in its place, and prints what it got as JSON.

    python consumer.py {mxnet,recordkit} CHECKOUT ACTION PATH [OUTPUT]

CHECKOUT is a copy of InsightFace's repository. Actions:

    samples FOLDER       MXFaceDataset of arcface_torch: label and SHA-256 of the pixels of each sample
    pairs FILE           load_bin of arcface_torch: SHA-256 of all pixels, and the answers
    build REC FOLDER     RecBuilder of arcface_mxnet writes a face dataset from the images of a .rec file
    shuffle FOLDER       shuffle_rec.py of arcface_torch writes a folder shuffled_... beside FOLDER
    rec2shufrec FOLDER OUT   rec2shufrec.py of arcface_mxnet

PyTorch is needed. torchvision, whose transforms are taken off, is not.
"""

import argparse
import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import random
import sys
import types
from pathlib import Path

import numpy as np

SIZE = (112, 112)


class Image(np.ndarray):
    """An image as MXNet's arrays have it."""

    def asnumpy(self):
        return np.array(self)


def stand_in():
    """Install a module with what InsightFace takes from MXNet: `recordkit.recordio`, a decoder and turns of arrays."""
    from recordkit import codec, recordio

    mxnet = types.ModuleType("mxnet")
    mxnet.recordio = recordio
    mxnet.image = types.SimpleNamespace(imdecode=lambda content: codec.decode(content, channels=3).view(Image))
    mxnet.ndarray = types.ModuleType("mxnet.ndarray")
    mxnet.ndarray.transpose = lambda array, axes: array.transpose(axes)
    mxnet.ndarray.flip = lambda data, axis: np.flip(data, axis)
    mxnet.nd = mxnet.ndarray
    mxnet.io = types.ModuleType("mxnet.io")
    names = {"mxnet": mxnet, "mxnet.ndarray": mxnet.ndarray, "mxnet.recordio": recordio, "mxnet.io": mxnet.io}
    sys.modules.update(names)


def prepare(reader, checkout):
    """Make `import mxnet` work, and InsightFace's modules importable."""
    if reader == "mxnet":
        from recordkit.interop import mxnet

        mxnet.load()
    else:
        stand_in()
    if importlib.util.find_spec("torchvision") is None:
        torchvision, transforms, datasets = map(types.ModuleType, ("torchvision", "transforms", "datasets"))
        for name in ("Compose", "ToPILImage", "RandomHorizontalFlip", "ToTensor", "Normalize"):
            setattr(transforms, name, lambda *_, **__: None)
        datasets.ImageFolder = None
        torchvision.transforms, torchvision.datasets = transforms, datasets
        names = {"torchvision": torchvision, "torchvision.transforms": transforms, "torchvision.datasets": datasets}
        sys.modules.update(names)
    recognition = Path(checkout, "recognition")
    for folder in ("arcface_torch", "arcface_torch/scripts", "arcface_mxnet/common"):
        sys.path.insert(0, str(recognition / folder))


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def samples(folder):
    dataset = importlib.import_module("dataset").MXFaceDataset(root_dir=str(folder), local_rank=0)
    dataset.transform = None  # it flips at random
    return [
        [int(label), list(pixels.shape), digest(pixels)]
        for pixels, label in map(dataset.__getitem__, range(len(dataset)))
    ]


def pairs(path):
    (plain, flipped), same = importlib.import_module("eval.verification").load_bin(str(path), SIZE)
    return [list(plain.shape), digest(plain.numpy()), digest(flipped.numpy()), list(map(bool, same))]


def build(rec, folder):
    from recordkit import RecordDataset

    people = {}
    with RecordDataset(rec) as dataset:
        for sample in dataset:
            people.setdefault(int(np.ravel(sample.label)[0]), []).append(bytes(sample.payload))
    builder = importlib.import_module("rec_builder").RecBuilder(str(folder))
    for label, images in sorted(people.items()):
        builder.add(label, images)
    builder.close()
    builder.writer.close()
    return sorted(people)


def shuffle(folder):
    os.chdir(folder.parent)
    importlib.import_module("shuffle_rec").main(argparse.Namespace(input=f"{folder}/"))


def rec2shufrec(folder, output):
    random.seed(0)
    arguments = argparse.Namespace(input=str(folder), output=str(output), copy_vers=False)
    importlib.import_module("rec2shufrec").main(arguments)


def main():
    reader, checkout, action, *paths = sys.argv[1:]
    prepare(reader, checkout)
    actions = {"samples": samples, "pairs": pairs, "build": build, "shuffle": shuffle, "rec2shufrec": rec2shufrec}
    with contextlib.redirect_stdout(sys.stderr):
        result = actions[action](*map(Path, paths))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
