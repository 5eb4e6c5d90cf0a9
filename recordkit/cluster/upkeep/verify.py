"""Checking the shards of a dataset on the machines of a Ray cluster, a shard in each task."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from recordkit.cluster.connection import connect
from recordkit.cluster.tasks import TaskCall, Tasks
from recordkit.errors import PlanError, quoted
from recordkit.storage.manifest import Listing
from recordkit.storage.names import MANIFEST_SUFFIX
from recordkit.storage.remote.lookup import local_path
from recordkit.storage.remote.settings import current, using
from recordkit.storage.snapshot import read_manifest
from recordkit.upkeep.check.report import VerifyReport
from recordkit.upkeep.check.shards import verify_manifest
from recordkit.upkeep.check.verify import verify_listed


def verify(
    path: str | Path,
    *,
    decode: bool = False,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
    address: str | None = None,
) -> VerifyReport:
    """Check a manifest and all its shards on a cluster, as `recordkit.upkeep.verify` does on one machine.

    Parameters
    ----------
    path : str or Path
        The manifest, or its prefix, which all machines see under the same path or URL.
    decode : bool, default False
        Also decode every image.
    threads : int, default 0
        Threads, and CPUs, of a task; 0 is 1.
    progress : callable, optional
        Called with the number of bytes of the shards that were checked since the last call.
    address : str, optional
        See `recordkit.cluster.connection.connect`.

    Returns
    -------
    report : VerifyReport
        That of `recordkit.upkeep.verify`.

    Raises
    ------
    NotFoundError, FormatError
        There is no manifest, or it is damaged.
    PlanError
        `path` is a single set.
    ClusterError, MissingError
        The cluster cannot be reached, or Ray is missing.

    Examples
    --------
    >>> recordkit.cluster.verify("out/train.manifest.json").ok  # doctest: +SKIP
    True
    """
    files, manifest = read_manifest(path)
    if manifest is None:
        raise PlanError(
            path=str(path),
            expected="a manifest of shards",
            got="one set",
            advice=f"run 'recordkit verify {quoted(path)}'",
        )
    manifest_path = files.path(MANIFEST_SUFFIX).absolute()
    location = str(manifest_path) if files.mirror is None else str(files.mirror.url.join(manifest_path.name))
    listings = [Listing(manifest_path, manifest, number) for number in range(len(manifest.shards))]
    n_threads = threads or 1
    reports: dict[int, VerifyReport] = {}
    with connect(address) as ray:
        shared = ray.put((location, manifest, current()))
        tasks = Tasks(ray, n_threads)
        task = tasks.remote(_verify_shard)

        def calls() -> Iterator[TaskCall]:
            for number in range(len(listings)):

                def start(number: int = number) -> Any:
                    return task.remote(shared, number, decode, n_threads)

                yield TaskCall(number, start)

        with contextlib.closing(tasks.run(calls())) as results:
            for number, shard_report in results:
                reports[number] = shard_report
                if progress is not None:
                    progress(manifest.shards[number].n_bytes)
    report = verify_manifest(listings[0])
    for number in sorted(reports):
        report.include(reports[number])
    return report


def _verify_shard(shared: Any, number: int, decode: bool, n_threads: int) -> VerifyReport:  # noqa: FBT001 (Ray's call)
    """Check one shard. This is a task."""
    location, manifest, settings = shared
    with using(settings):
        listing = Listing(Path(local_path(location)), manifest, number)  # of a store, this machine has its own copy
        return verify_listed(listing, decode=decode, threads=n_threads)
