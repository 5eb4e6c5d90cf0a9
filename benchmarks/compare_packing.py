"""How fast is packing? Beside MXNet's im2rec.py on the same machine.

Usage: python benchmarks/compare_packing.py [--photos DIR] [--small DIR] [--mnist DIR] [--repeats N] [--json FILE]

--photos: folder of JPEGs of any size, repeated to 1,000 rows: resized to 256 by both filters, quality 95.
--small:  folder of small images, repeated to 5,000 rows: their bytes are copied; `cp` of the same files beside it.
--mnist:  folder with MNIST's training files, .gz: 60,000 images to png and raw records.

Method: each case is a program, and all programs run in turn, round after round. A whole process is timed, its start
included, with the bytecode of its modules, as an installed program has it. --mnist times the packing alone,
`PackReport.duration_s`.

It needs recordkit[mxnet,parity]. It does not show a cold page cache, other CPUs, or slower disks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from _run import compare_commands, write
from PIL import Image

HERE = Path(__file__).parent
PACK = [sys.executable, str(HERE / "_pack.py")]
IM2REC = [sys.executable, str(HERE / "peers" / "im2rec_py.py")]


def write_list(path: Path, folder: Path, n_rows: int, *, min_side: int = 0) -> Path:
    """Write a list that repeats a folder's images, those with a side below `min_side` pixels left out."""
    images = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if min_side:
        images = [image for image in images if min(Image.open(image).size) >= min_side]
    rows = (f"{key}\t{key % 10}\t{images[key % len(images)].relative_to(folder)}\n" for key in range(n_rows))
    path.write_text("".join(rows))
    return path


def copy_digits(folder: Path, scratch: Path) -> Path:
    """Copy MNIST's training files, without those of its tests, and return their folder."""
    digits = scratch / "mnist"
    digits.mkdir()
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        shutil.copy(folder / name, digits / name)
    return digits


def photos(folder: Path, scratch: Path, rounds: int) -> dict[str, object]:
    """Time decoding, resizing and encoding."""
    n_rows = 1000
    rows = write_list(scratch / "photos.lst", folder, n_rows)
    options = ["--resize", "256", "--quality", "95"]
    im2rec = [*IM2REC, str(n_rows), *options, "--num-thread", "2", str(rows.with_suffix("")), str(folder)]
    pack = [*PACK, str(rows), str(scratch / "recordkit"), "--root", str(folder), *options, "--threads", "2"]
    commands = {"im2rec.py, 2 processes": im2rec} | {
        f"recordkit {engine}, {resize_filter}": [*pack, "--filter", resize_filter, "--engine", engine]
        for resize_filter in ("bilinear", "antialias")
        for engine in ("native", "python")
    }
    return compare_commands("1,000 photos, short side to 256, q95", commands, "img/s", rounds=rounds)


def small(folder: Path, scratch: Path, rounds: int) -> dict[str, object]:
    """Time copying of encoded bytes."""
    n_rows = 5000
    rows, copy = write_list(scratch / "small.lst", folder, n_rows), scratch / "copy"
    im2rec = [*IM2REC, str(n_rows), "--pass-through", "--num-thread", "2", str(rows.with_suffix("")), str(folder)]
    pack = [*PACK, str(rows), str(scratch / "recordkit"), "--root", str(folder), "--threads", "2"]
    cp = f"rm -rf {copy}; mkdir {copy}; cut -f3 {rows} | (cd {folder}; xargs cp -t {copy}); echo '{{\"n\": {n_rows}}}'"
    commands = {
        "im2rec.py, 2 processes": im2rec,
        "recordkit native": [*pack, "--engine", "native"],
        "recordkit python": [*pack, "--engine", "python"],
        "cp of the same files": ["sh", "-c", cp],
    }
    return compare_commands("5,000 small images, copied", commands, "img/s", rounds=rounds)


def mnist(folder: Path, scratch: Path, rounds: int) -> dict[str, object]:
    """Time packing of pixels as png and raw."""
    train = copy_digits(folder, scratch)
    pack = [*PACK, "--report", str(train), str(scratch / "recordkit")]
    commands = {
        f"recordkit {engine}, {encoding}": [*pack, "--encoding", encoding, "--engine", engine]
        for encoding in ("png", "raw")
        for engine in ("native", "python")
    }
    return compare_commands("60,000 MNIST images from .gz", commands, "img/s", rounds=rounds)


def main() -> None:
    """Time everything there is data for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for question in (photos, small, mnist):
        parser.add_argument(f"--{question.__name__}", type=Path, metavar="DIR")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the first round writes it
    facts = []
    for question in (photos, small, mnist):
        folder = getattr(options, question.__name__)
        if folder is not None:
            with tempfile.TemporaryDirectory() as scratch:
                facts.append(question(folder.resolve(), Path(scratch), options.repeats))
    write(options.json, facts)


if __name__ == "__main__":
    main()
