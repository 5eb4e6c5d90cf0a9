"""Nodes of Ray as processes on this machine, and the processes of tasks that run on them."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OBJECT_STORE_BYTES = 200_000_000


def configure() -> None:
    """Set what Ray reads from the environment at its import: it reports its use to nobody."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}


@contextmanager
def running_nodes(n_nodes: int, *, cpus: int = 1) -> Iterator[str]:
    """Start nodes, yield the address of the cluster, and end them.

    Parameters
    ----------
    n_nodes : int
    cpus : int, default 1
        CPUs that each node says it has.
    """
    configure()
    logging.getLogger("ray").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        from ray.cluster_utils import Cluster

        facts = {"num_cpus": cpus, "object_store_memory": _OBJECT_STORE_BYTES, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=facts)
        try:
            for _ in range(n_nodes - 1):
                cluster.add_node(num_cpus=cpus, object_store_memory=_OBJECT_STORE_BYTES)
            yield str(cluster.address)
        finally:
            cluster.shutdown()


def task_processes(function: str) -> list[int]:
    """Return the processes that run a function as a task, of clusters that this process started.

    Parameters
    ----------
    function : str
        Its name, which Ray writes into the title of the process.
    """
    parents, titles = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_text()
                titles[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue  # it has ended
            parents[int(folder.name)] = int(status.rpartition(")")[2].split()[1])
    return [
        process
        for process, title in titles.items()
        if title.startswith("ray::") and function in title and os.getpid() in _ancestors(process, parents)
    ]


def _ancestors(process: int, parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    while process in parents and process not in found:
        found.add(process)
        process = parents[process]
    return found


def written_files(process: int, suffix: str) -> dict[Path, int]:
    """Return the files of a suffix that a process has open, with their sizes."""
    files = {}
    try:
        links = list(Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return {}  # it has ended
    for link in links:
        try:
            path = link.readlink()
            if path.suffix == suffix:
                files[path] = path.stat().st_size
        except OSError:
            pass  # closed or renamed since
    return files
