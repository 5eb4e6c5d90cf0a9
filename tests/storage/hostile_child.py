"""Read and replace sets of which one file is hostile; run by test_hostile_companions.py in a process of its own.

Each case prints two lines: its name before it runs, and what came of it.
"""

import os
import shutil
import sys
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

import recordkit as rk
from recordkit import native
from recordkit.errors import RecordkitError
from recordkit.formats import lst, ubyte
from recordkit.interop.folder import write_folder
from recordkit.packing import PackPlan, pack
from recordkit.sources import open_source
from recordkit.sources.classes import read_classes
from recordkit.storage.fileset import SUFFIXES, Fileset
from recordkit.upkeep import head, inspect, verify
from recordkit.upkeep.new_index import reindex

LARGE = 1 << 26


def make_large_files(folder):
    """Make a file of zeros, and one without zeros, line feeds or the end of anything; cases have links to them."""
    with open(folder / "zeros", "wb") as file:
        file.truncate(LARGE)
    (folder / "noise").write_bytes(b"[{7\t8" * (LARGE // 5))


def link_to(name):
    return lambda path: path.hardlink_to(Path(sys.argv[1], name))


def npz(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("arr_0.npy", b"\x93NUMPY\x01\x00")


KINDS = {
    "pipe": os.mkfifo,
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "json": lambda path: path.write_text(
        '{"publish": [1], "classes": {"a": null}, "rec": 7, "format": [], "files": 1}'
    ),
    "deep json": lambda path: path.write_text("[" * 100_000),
    "npz": npz,
    "zeros": link_to("zeros"),
    "noise": link_to("noise"),
    "empty": Path.touch,
    "unreadable": lambda path: path.touch(mode=0),
    "byte": lambda path: path.write_bytes(b"\xff"),
}


def read_dataset(prefix):
    with rk.RecordDataset(prefix) as dataset:
        return len(dataset.labels), dataset.classes, dataset[0]


def load(prefix):
    with rk.Loader(prefix, batch_size=2, threads=1) as loader:
        return sum(1 for _ in loader)


def export(prefix):
    with rk.RecordDataset(prefix) as dataset:
        write_folder(dataset, prefix.with_name("exported"), threads=1)


def pack_onto(prefix):
    pack(open_source(prefix.parent / "images"), prefix, plan=PackPlan(threads=1))


def pack_source(name):
    return lambda prefix: pack(open_source(prefix.parent / name), prefix.with_name("new"), plan=PackPlan(threads=1))


READERS = {
    "RecordDataset": read_dataset,
    "Loader": load,
    "info": inspect,
    "head": head,
    "verify": verify,
    "reindex": reindex,
    "pack onto it": pack_onto,
    "export": export,
    "pack --classes": lambda prefix: read_classes(Fileset(prefix).path(".json")),
}
WITH_ENGINE = ("RecordDataset", "Loader", "reindex")
SOURCES = {
    "list.lst": "list.lst",
    "list.classes.json": "list.lst",
    "images/cat/1.png": "images",
    "mnist/train-images-idx3-ubyte": "mnist",
    "mnist/train-labels-idx1-ubyte": "mnist",
    "npz/kmnist-train-imgs.npz": "npz",
}


def make(folder):
    """Make a set with all its files, and sources of each kind."""
    for name in ("images/cat", "images/dog", "mnist", "npz"):
        (folder / name).mkdir(parents=True)
    for number in range(4):
        path = folder / "images" / ("cat", "dog")[number % 2] / f"{number // 2}.png"
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(path)
    (folder / "images/cat/bad.png").write_bytes(b"no image")
    plan = PackPlan(threads=1, exact_labels=True, on_error="skip")
    pack(open_source(folder / "images"), folder / "set", plan=plan)
    (folder / "images/cat/bad.png").unlink()
    (folder / "list.lst").write_bytes(lst.line(lst.Row(0, (0,), "images/cat/0.png")))
    (folder / "list.classes.json").write_text('{"classes": {"cat": 0}}')
    pixels, labels = np.zeros((2, 8, 8), np.uint8), np.zeros(2, np.uint8)
    (folder / "mnist/train-images-idx3-ubyte").write_bytes(ubyte.pack(pixels))
    (folder / "mnist/train-labels-idx1-ubyte").write_bytes(ubyte.pack(labels))
    np.savez(folder / "npz/kmnist-train-imgs.npz", pixels)
    np.savez(folder / "npz/kmnist-train-labels.npz", labels)


def run(whole, name, kind, act):
    with tempfile.TemporaryDirectory(dir=whole.parent) as folder:
        copy = shutil.copytree(whole, Path(folder, "copy"), copy_function=os.link)
        (copy / name).unlink(missing_ok=True)
        KINDS[kind](copy / name)
        try:
            act(copy / "set")
        except (RecordkitError, OSError) as error:
            assert str(error)
            return "refused"
        except Exception:  # noqa: BLE001 (the test shows it)
            return "another error: " + " | ".join(traceback.format_exc().splitlines()[-3:])
        return "done"


def main(folder, engine):
    warnings.simplefilter("ignore")
    os.fsync = lambda _descriptor: None  # a hundred packs would wait for the disk
    if engine == "python":
        native.available = lambda: False
    whole = folder / "whole"
    make(whole)
    make_large_files(folder)
    readers = READERS if engine == "native" else {name: READERS[name] for name in WITH_ENGINE}
    cases = [(f"set{suffix}", reader, act) for suffix in SUFFIXES for reader, act in readers.items()]
    if engine == "native":
        cases += [(name, f"pack {source}", pack_source(source)) for name, source in SOURCES.items()]
    for name, reader, act in cases:
        for kind in KINDS:
            print(f"{reader} of {name} as {kind}", flush=True)
            print(run(whole, name, kind, act), flush=True)
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in lines if line.startswith("VmHWM")), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
