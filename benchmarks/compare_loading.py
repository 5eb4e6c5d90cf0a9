"""How fast do batches arrive? Beside MXNet's ImageRecordIter, DALI's CPU pipeline and PyTorch's DataLoader.

Usage: python benchmarks/compare_loading.py [--photos DIR] [--mnist DIR] [--peers NAMES] [--threads N] [--repeats N]
                                          [--epochs N] [--json FILE]

--photos: a folder of JPEGs of any size, repeated to 1,000 records; as they are, and packed at 256 pixels.
--mnist:  MNIST's training files, .gz; packed as png, jpg and raw.

Needs recordkit[mxnet], nvidia-dali-cuda120, torch and ffcv for the peers; one that is not installed is left out and
named. What it does not show: a cold page cache, other CPUs, a training that wants the CPU too.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _run import Case, compare, write
from compare_packing import write_list

import recordkit as rk
from recordkit.sources import ListSource

LOAD = [sys.executable, str(Path(__file__).parent / "_load.py")]
NAMES = {
    "mxnet": "MXNet ImageRecordIter",
    "dali": "DALI, CPU",
    "torch": "torch DataLoader, Pillow",
    "ffcv": "FFCV, own format",
    "python": "recordkit python",
    "native": "recordkit native",
}
NEEDS = {"mxnet": "mxnet", "dali": "nvidia.dali", "torch": "torch", "ffcv": "ffcv"}


def photos(folder: Path, work: Path) -> list[tuple[str, str, Path, tuple[str, ...]]]:
    """Pack photos; return title, work and prefix of each comparison, and who cannot do it."""
    listed = write_list(work / "photos.lst", folder, 1000)
    plans = {
        "small": rk.PackPlan(resize=256, quality=95),
        "whole": rk.PackPlan(),
        "raw": rk.PackPlan(resize=256, encoding="raw"),
    }
    for name, plan in plans.items():
        rk.pack(ListSource(listed, folder), work / name, plan=plan)
    return [
        ("256-px JPEGs, crop 224, mirror, normalise, float32 NCHW", "crop", work / "small", ("ffcv",)),
        ("the same, uint8 NHWC", "crop-uint8", work / "small", ("ffcv",)),
        ("original JPEGs, resize 256, crop 224, mirror, normalise, float32 NCHW", "resize", work / "whole", ("ffcv",)),
        ("original JPEGs, random-resized-crop 224, mirror, normalise, float32 NCHW", "rrc", work / "whole", ("ffcv",)),
        ("the same, uint8 NHWC", "rrc-uint8", work / "whole", ()),
        ("raw 256-px records, random-resized-crop 224, mirror, uint8 NHWC", "rrc-uint8", work / "raw", ("mxnet",)),
    ]


def mnist(folder: Path, work: Path) -> list[tuple[str, str, Path, tuple[str, ...]]]:
    """Pack digits in three ways."""
    digits = work / "mnist"
    digits.mkdir()
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        shutil.copy(folder / name, digits / name)
    for encoding in ("png", "jpg", "raw"):
        rk.pack(digits, work / encoding, plan=rk.PackPlan(encoding=encoding))
    cannot = {"png": ("ffcv",), "jpg": ("ffcv",), "raw": ("mxnet", "torch", "dali", "ffcv")}
    return [
        (f"60,000 MNIST digits as {encoding}, float32", "gray", work / f"{encoding}_train", peers)
        for encoding, peers in cannot.items()
    ]


def build_bare(work: Path) -> Path | None:
    """Compile the program that only decodes; None where there is no compiler or libjpeg-turbo."""
    built = subprocess.run(
        [
            "g++",
            "-O3",
            str(Path(__file__).parent / "peers/bare_jpeg.cpp"),
            "-ljpeg",
            "-lpthread",
            "-o",
            str(work / "bare"),
        ],
        capture_output=True,
    )
    return work / "bare" if built.returncode == 0 else None


def main() -> None:
    """Run what there is data for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for make in (photos, mnist):
        parser.add_argument(f"--{make.__name__}", type=Path)
    parser.add_argument("--peers", default=",".join(NAMES), help="default: all of them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6, help="one after the other")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    peers = [name for name in NAMES if name in given.peers.split(",")]
    for name in [
        name for name in peers if name in NEEDS and importlib.util.find_spec(NEEDS[name].split(".")[0]) is None
    ]:
        print(f"{NAMES[name]} is not installed")
        peers.remove(name)
    facts = []
    with tempfile.TemporaryDirectory() as work:
        bare = build_bare(Path(work))
        for make in (photos, mnist):
            folder = getattr(given, make.__name__)
            if folder is None:
                continue
            for title, kind, prefix, cannot in make(folder.resolve(), Path(work)):
                cases = [
                    Case(NAMES[name], [*LOAD, name, kind, str(prefix), str(given.epochs), str(given.threads)])
                    for name in peers
                    if name not in cannot
                ]
                if bare and (kind != "gray" or prefix.name.startswith("jpg")) and prefix.name != "raw":
                    channels = "1" if kind == "gray" else "3"
                    own = [str(bare), f"{prefix}.rec", channels, str(given.threads), str(given.epochs)]
                    cases.append(Case("libjpeg-turbo, decoding alone", own))
                facts.append(compare(title, cases, "img/s", repeats=given.repeats, threads=given.threads))
    write(given.json, facts)


if __name__ == "__main__":
    main()
