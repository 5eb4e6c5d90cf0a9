"""How fast are images loaded whose colours change? Beside MXNet's ImageRecordIter and DALI on the CPU.

Usage: python benchmarks/compare_colors.py [--photos DIR] [--mnist DIR] [--peers NAMES] [--threads N] [--repeats N]
                                           [--epochs N] [--json FILE]

--photos: folder of JPEGs, packed at 256 pixels and repeated to 1,000 records: random crop of 224 pixels, mirror,
          float32; with brightness, contrast, saturation, hue and PCA noise, and with hue, saturation and lightness
          alone. Images with a side below 224 pixels are left out.
--mnist:  folder with MNIST's training files, .gz, packed as png: brightness and contrast, which alone change gray.
          MXNet's iterator fails on gray images with any of these options.

Method: the check, the turns and the rounds of `recordkit bench`, with the peers in `peers/colors.py`. The check loads
the images without the changes, whose random numbers are each library's own. The recordkit rows are the Loader with both
engines, and recordkit.ImageRecordIter with MXNet's parameters.

It needs recordkit[mxnet] and nvidia-dali-cuda120 for all peers. It does not show that the changes are equal: tests
compare those of recordkit with MXNet's formulas.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _run import write
from compare_packing import copy_digits, write_list

import recordkit as rk
from recordkit.bench.plan import BenchPlan
from recordkit.bench.protocol import run_comparison
from recordkit.bench.table import report_lines
from recordkit.bench.workload import Workload, resolve_workload
from recordkit.cli.console import Console
from recordkit.sources import ListSource

PEERS = "mxnet,native,python,face,dali"
PEER_FILE = Path(__file__).parent / "peers" / "colors.py"


def photos(folder: Path, scratch: Path) -> Iterator[tuple[str, str, Workload]]:
    """Pack photos and yield titles, names of colours in `PEER_FILE`, and workloads."""
    rows = write_list(scratch / "photos.lst", folder, 1000, min_side=224)
    rk.pack(ListSource(rows, folder), scratch / "photos", plan=rk.PackPlan(resize=256, quality=95))
    workload = resolve_workload(scratch / "photos.rec", preset="crop")
    yield "photos: brightness, contrast, saturation, hue, PCA noise", "colors", workload
    yield "photos: hue, saturation and lightness (HSL)", "hsl", workload


def mnist(folder: Path, scratch: Path) -> Iterator[tuple[str, str, Workload]]:
    """Pack digits, and yield the same."""
    digits = copy_digits(folder, scratch)
    rk.pack(digits, scratch / "digits")
    yield "digits: brightness and contrast", "gray", resolve_workload(scratch / "digits_train.rec", preset="crop")


def measure(title: str, colors: str, workload: Workload, options: argparse.Namespace) -> dict[str, Any]:
    """Measure all peers; print the table and return the report as JSON."""
    plan = BenchPlan(
        workload,
        [f"{PEER_FILE}:{name}_{colors}" for name in options.peers.split(",")],
        (options.threads,),
        rounds=options.repeats,
        epochs=options.epochs,
        reference=f"{PEER_FILE}:mxnet_{colors}",
    )
    with Console().progress(plan.n_steps, title, unit="turn") as progress:
        report = run_comparison(plan, progress=progress)
    report.reference = report.reference.rpartition(":")[2]
    for case in report.cases:
        case.name = case.name.rpartition(":")[2]
    print(f"\n{title}")
    print("\n".join(report_lines(report)), flush=True)
    return {"question": title} | report.as_json()


def main() -> None:
    """Measure everything there is data for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for questions in (photos, mnist):
        parser.add_argument(f"--{questions.__name__}", type=Path, metavar="DIR")
    parser.add_argument("--peers", default=PEERS, help=f"default: {PEERS}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--epochs", type=int, default=2, help="epochs in a round, of at least 1 s")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for questions in (photos, mnist):
            folder = getattr(options, questions.__name__)
            if folder is not None:
                results += [measure(*question, options) for question in questions(folder.resolve(), Path(scratch))]
    write(options.json, results)


if __name__ == "__main__":
    main()
