"""How fast is packing, beside MXNet's im2rec.py on the same machine? For an environment with recordkit[mxnet,parity].

Usage: python benchmarks/compare_packing.py [--photos DIR] [--small DIR] [--mnist DIR] [--repeats N] [--json FILE]

--photos: a folder of JPEGs of any size, repeated to 1,000 rows: resize to 256, both filters, quality 95.
--small:  a folder of small images, to 5,000 rows: their bytes are copied; beside it `cp` of the same files.
--mnist:  MNIST's training files, .gz: 60,000 images to png and raw records, as PackReport times it.

What it does not show: a cold page cache, other CPUs, slower disks.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from _run import Case, compare, write

HERE = Path(__file__).parent
PACK = [sys.executable, str(HERE / "_pack.py")]
IM2REC = [sys.executable, str(HERE / "peers" / "im2rec_py.py")]


def write_list(path: Path, folder: Path, n_rows: int) -> Path:
    """Write a list that repeats a folder's images."""
    images = sorted(one for one in folder.rglob("*") if one.suffix.lower() in (".jpg", ".jpeg", ".png"))
    rows = (f"{key}\t{key % 10}\t{images[key % len(images)].relative_to(folder)}\n" for key in range(n_rows))
    path.write_text("".join(rows))
    return path


def photos(folder: Path, work: Path, repeats: int) -> dict[str, object]:
    """Decode, resize, encode."""
    n = 1000
    listed = write_list(work / "photos.lst", folder, n)
    options = ["--resize", "256", "--quality", "95"]
    mine = [str(listed), str(work / "own"), "--root", str(folder), *options, "--threads", "2"]
    cases = [
        Case("im2rec.py, 2 processes", [*IM2REC, str(n), *options, "--num-thread", "2", str(listed)[:-4], str(folder)]),
        *(
            Case(f"recordkit {engine}, {name}", [*PACK, *mine, "--filter", name, "--engine", engine])
            for name in ("bilinear", "antialias")
            for engine in ("native", "python")
        ),
    ]
    return compare("1,000 photos, short side to 256, q95", cases, "img/s", repeats=repeats)


def small(folder: Path, work: Path, repeats: int) -> dict[str, object]:
    """Copy bytes."""
    n = 5000
    listed = write_list(work / "small.lst", folder, n)
    mine = [str(listed), str(work / "own"), "--root", str(folder), "--threads", "2"]
    copied = f"rm -rf {work}/copy; mkdir {work}/copy; cut -f3 {listed} | (cd {folder}; xargs cp -t {work}/copy)"
    cases = [
        Case(
            "im2rec.py, 2 processes",
            [*IM2REC, str(n), "--pass-through", "--num-thread", "2", str(listed)[:-4], str(folder)],
        ),
        *(Case(f"recordkit {engine}", [*PACK, *mine, "--engine", engine]) for engine in ("native", "python")),
        Case("cp of the same files", ["sh", "-c", f"""{copied}; echo '{{"n": {n}}}'"""]),
    ]
    return compare("5,000 small images, copied", cases, "img/s", repeats=repeats)


def mnist(folder: Path, work: Path, repeats: int) -> dict[str, object]:
    """Pixels to png and raw."""
    train = work / "mnist"
    train.mkdir()
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        shutil.copy(folder / name, train / name)
    cases = [
        Case(
            f"recordkit {engine}, {encoding}",
            [*PACK, "--report", str(train), str(work / "own"), "--encoding", encoding, "--engine", engine],
        )
        for encoding in ("png", "raw")
        for engine in ("native", "python")
    ]
    return compare("60,000 MNIST images from .gz", cases, "img/s", repeats=repeats)


def main() -> None:
    """Run what there is data for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for run in (photos, small, mnist):
        parser.add_argument(f"--{run.__name__}", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    facts = []
    for run in (photos, small, mnist):
        folder = getattr(given, run.__name__)
        if folder is not None:
            with tempfile.TemporaryDirectory() as work:
                facts.append(run(folder.resolve(), Path(work), given.repeats))
    write(given.json, facts)


if __name__ == "__main__":
    main()
