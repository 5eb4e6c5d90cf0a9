"""How fast do batches arrive? Beside MXNet, DALI on the CPU, PyTorch, FFCV, TurboLoader, SPDL and LitData.

Usage: python benchmarks/compare_loading.py [--photos DIR] [--mnist DIR] [--peers NAMES] [--threads N] [--repeats N]
                                          [--epochs N] [--json FILE]

--photos: folder of JPEGs, repeated to 1,000 records; as they are, and packed at 256 pixels. Images with a side below
          224 pixels are left out.
--mnist:  folder with MNIST's training files, .gz; packed as png, jpg and raw.

Method: the peers, the check that all do the same work, and the turns of `recordkit bench`, on several files. On JPEGs,
libjpeg-turbo alone is timed too: it decodes and discards, which is a limit for loaders that decode in full. A peer that
is not installed or cannot do a workload is a row with the reason.

It needs recordkit[mxnet], nvidia-dali-cuda120, torch, ffcv, turboloader, litdata, and spdl with FFmpeg's libraries for
all peers, and g++ with libjpeg-turbo's header for the limit. It does not show a cold page cache, other CPUs, or a
training that uses the CPU too.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _run import write
from compare_packing import copy_digits, write_list

import recordkit as rk
from recordkit.bench.commands import time_commands
from recordkit.bench.plan import BenchPlan
from recordkit.bench.protocol import run_comparison
from recordkit.bench.table import report_lines
from recordkit.bench.workload import Workload, resolve_workload
from recordkit.cli.console import Console
from recordkit.sources import ListSource

PEERS = "image-record-iter,dali,torch,ffcv,turboloader,spdl,litdata,python,native"
# MXNet's wheel decodes JPEG, PNG and BMP only.
NOT_RAW = ("image-record-iter", "image-iter", "image-iter-lst", "gluon")


@dataclass(frozen=True)
class Question:
    """A workload on a file.

    Attributes
    ----------
    title : str
    workload : Workload
    encoding : {"jpg", "png", "raw"}
        Encoding of the payloads.
    """

    title: str
    workload: Workload
    encoding: str


def photos(folder: Path, scratch: Path, n_records: int = 1000) -> Iterator[Question]:
    """Pack photos in three ways and yield their workloads."""
    rows = write_list(scratch / "photos.lst", folder, n_records, min_side=224)
    plans = {
        "small": rk.PackPlan(resize=256, quality=95),
        "original": rk.PackPlan(),
        "raw": rk.PackPlan(resize=256, encoding="raw"),
    }
    for name, plan in plans.items():
        rk.pack(ListSource(rows, folder), scratch / name, plan=plan)
    for title, name, options in (
        ("256-px JPEGs, crop", "small", {"preset": "crop", "dtype": "float32"}),
        ("256-px JPEGs, crop", "small", {"preset": "crop", "dtype": "uint8"}),
        ("original JPEGs, resize and crop", "original", {"preset": "crop", "resize": 256, "dtype": "float32"}),
        ("original JPEGs, random-resized crop", "original", {"preset": "train", "dtype": "float32"}),
        ("original JPEGs, random-resized crop", "original", {"preset": "train", "dtype": "uint8"}),
        ("raw 256-px records, random-resized crop", "raw", {"preset": "train", "dtype": "uint8"}),
    ):
        workload = resolve_workload(scratch / f"{name}.rec", **options)
        yield Question(f"{title}, {workload.dtype}", workload, "raw" if name == "raw" else "jpg")


def mnist(folder: Path, scratch: Path) -> Iterator[Question]:
    """Pack digits in three encodings and yield their workloads."""
    digits = copy_digits(folder, scratch)
    for encoding in ("png", "jpg", "raw"):
        rk.pack(digits, scratch / encoding, plan=rk.PackPlan(encoding=encoding))
        workload = resolve_workload(scratch / f"{encoding}_train.rec")
        yield Question(f"MNIST digits as {encoding}, float32", workload, encoding)


def build_bare_decoder(scratch: Path) -> Path | None:
    """Compile the program that only decodes; None without a compiler or libjpeg-turbo."""
    program, source = scratch / "bare_jpeg", Path(__file__).parent / "peers/bare_jpeg.cpp"
    command = ["g++", "-O3", str(source), "-ljpeg", "-lpthread", "-o", str(program)]
    if shutil.which("g++") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    return program


def measure(question: Question, bare_decoder: Path | None, options: argparse.Namespace) -> dict[str, Any]:
    """Measure all peers, and the bare decoder on JPEGs; print the table and return the report as JSON."""
    names = [name for name in options.peers.split(",") if question.encoding != "raw" or name not in NOT_RAW]
    plan = BenchPlan(
        question.workload,
        names,
        (options.threads,),
        rounds=options.repeats,
        epochs=options.epochs,
        round_s=None,
        reference="image-record-iter",
    )
    with Console().progress(plan.n_steps, question.title, unit="turn") as progress:
        report = run_comparison(plan, progress=progress)
    if bare_decoder is not None and question.encoding == "jpg":
        channels = str(question.workload.shape[0])
        command = [str(bare_decoder), question.workload.path(".rec"), channels, str(options.threads)]
        title = "libjpeg-turbo, decoding alone"
        cases = time_commands({title: [*command, str(options.epochs)]}, rounds=options.repeats, threads=options.threads)
        report.cases += cases
    print(f"\n{question.title}")
    print("\n".join(report_lines(report)), flush=True)
    return {"question": question.title} | report.as_json()


def main() -> None:
    """Measure everything there is data for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for questions in (photos, mnist):
        parser.add_argument(f"--{questions.__name__}", type=Path, metavar="DIR")
    parser.add_argument("--peers", default=PEERS, help=f"names as in recordkit bench; default: {PEERS}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--epochs", type=int, default=6, help="epochs in a round")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        bare_decoder = build_bare_decoder(scratch)
        for questions in (photos, mnist):
            source = getattr(options, questions.__name__)
            if source is not None:
                results += [
                    measure(question, bare_decoder, options) for question in questions(source.resolve(), scratch)
                ]
    write(options.json, results)


if __name__ == "__main__":
    main()
