"""The cluster, the store and the job of `simulate_cluster.py`, and closed formulas for the time of a pack.

`bounds` has the least time that each resource needs, and `scaling_limits` the number of nodes from which each resource
that does not grow with the nodes sets the time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from _cluster_costs import PAGE_BYTES, Costs

_SMALL_FILES = 4
"""Files beside the .rec that a task puts: .idx, .lst, .crc and .json."""
_MANY_NODES = 100_000
"""A resource that lasts for more nodes than these sets no limit."""
_MULTIPART_REQUESTS = 2
"""Requests that begin and end a multipart upload."""


@dataclass(frozen=True)
class Store:
    """An object store; docs/guides/cluster-size.md has the source of each number.

    Attributes
    ----------
    get_s, put_s : float
        Requests per second of one prefix.
    source_prefixes, target_prefixes : int
        Prefixes that the store divides the sources and the shards into.
    bytes_s : float
        Bytes per second of the whole store, for reading and for writing each.
    latency_s, stream_bytes_s : float
        Time to the first byte of a request, and bytes per second of one connection afterwards.
    n_requests : int
        Requests of one process at once.
    part_bytes : float
        Size of the parts of an upload.
    """

    get_s: float = 5500
    put_s: float = 3500
    source_prefixes: int = 100
    target_prefixes: int = 1
    bytes_s: float = 125e9
    latency_s: float = 0.1
    stream_bytes_s: float = 90e6
    n_requests: int = 32
    part_bytes: float = PAGE_BYTES

    def slower(self, factor: float) -> Store:
        """Return a store with a fraction of the requests and bytes per second."""
        return replace(self, get_s=self.get_s / factor, put_s=self.put_s / factor, bytes_s=self.bytes_s / factor)

    def task_requests_s(self, n_bytes: float) -> float:
        """Return requests per second of a process that always has `n_requests` under way, by Little's law."""
        return self.n_requests / (self.latency_s + n_bytes / self.stream_bytes_s)


@dataclass(frozen=True)
class Cluster:
    """Equal nodes; a few are slow, and each fails at random.

    Attributes
    ----------
    nodes, cores, task_cores : int
        A node runs ``cores // task_cores`` tasks at once.
    network_bytes_s : float
        Network of a node, in each direction.
    slow_share, slow_factor : float
        Share of nodes that need `slow_factor` times as long.
    spread : float
        Standard deviation of the logarithm of a task's time.
    days_to_failure : float
        Mean days until a node fails.
    cut_off_share : float
        Share of failures in which the node goes on without the driver.
    lost_s, replace_s : float
        Time until the driver notices a failure, and until the node is back.
    tasks_ahead : int
        Tasks that the driver submits for each slot: one that runs and others that wait.
    scheduled_tasks_s : float
        Tasks per second that Ray starts.
    driver_factor : float
        Times as long as measured that the driver takes.
    """

    nodes: int
    cores: int = 16
    task_cores: int = 4
    network_bytes_s: float = 1.25e9
    slow_share: float = 0.02
    slow_factor: float = 3
    spread: float = 0.1
    days_to_failure: float = 264
    cut_off_share: float = 0.1
    lost_s: float = 65
    replace_s: float = 600
    tasks_ahead: int = 2
    scheduled_tasks_s: float = 582
    driver_factor: float = 1

    @property
    def node_tasks(self) -> int:
        """Tasks that a node runs at once."""
        return self.cores // self.task_cores

    @property
    def slots(self) -> int:
        """Tasks that all nodes run at once."""
        return self.nodes * self.node_tasks


@dataclass(frozen=True)
class Job:
    """The images to pack.

    Attributes
    ----------
    n_images : int
    shard_bytes : float
        Bytes of a .rec file.
    sources : {"objects", "pages"}
        "objects": each image is an object, named by a list. "pages": images lie in shards, which are read in pages.
    """

    n_images: int = 10**8
    shard_bytes: float = 1e9
    sources: str = "objects"


class Demand(NamedTuple):
    """Needs of one task, and the highest rate of its requests."""

    n_images: float
    cpu_s: float
    gets: float
    puts: float
    most_gets_s: float
    most_puts_s: float
    get_bytes: float
    put_bytes: float
    submit_s: float
    result_s: float


class Listing(NamedTuple):
    """Costs of an image to the driver: seconds when it plans, seconds and bytes for the task that packs it."""

    plan_s: float
    part_s: float
    part_bytes: float


def listing(job: Job, costs: Costs) -> Listing:
    """Return what the driver needs to list an image of a list, or one of a packed dataset."""
    if job.sources == "objects":
        return Listing(costs.list_row_cpu_s, costs.part_row_cpu_s, costs.part_row_bytes)
    return Listing(costs.list_record_cpu_s, costs.part_record_cpu_s, costs.part_record_bytes)


def count_shards(job: Job, costs: Costs) -> int:
    """Return the number of shards, which is the number of tasks."""
    return max(1, round(job.n_images * costs.record_bytes / job.shard_bytes))


def task_demand(job: Job, cluster: Cluster, store: Store, costs: Costs) -> Demand:
    """Return what an average task needs."""
    n = job.n_images / count_shards(job, costs)
    by_page = job.sources == "pages"
    gets = n * costs.source_bytes / PAGE_BYTES if by_page else n
    get_bytes = n * costs.source_bytes / gets
    read_cpu_s = n * costs.source_bytes * costs.byte_cpu_s if by_page else gets * costs.get_cpu_s
    parts = max(1, n * costs.record_bytes / store.part_bytes)
    puts = parts + _MULTIPART_REQUESTS + _SMALL_FILES
    put_bytes = n * costs.record_bytes / puts
    network = cluster.network_bytes_s / cluster.node_tasks
    n_ahead = min(count_shards(job, costs), cluster.tasks_ahead * cluster.slots)
    task_s = costs.task_driver_s + n_ahead * costs.waiting_task_driver_s
    driver_s = (
        cluster.driver_factor * (task_s / 2 + n * listing(job, costs).part_s),
        cluster.driver_factor * (task_s / 2 + costs.shard_driver_s),
    )
    return Demand(
        n,
        (n * costs.pack_cpu_s + read_cpu_s + n * costs.record_bytes * costs.sent_byte_cpu_s) / cluster.task_cores,
        gets,
        puts,
        min(store.task_requests_s(get_bytes), network / get_bytes),
        min(store.task_requests_s(put_bytes), network / put_bytes),
        get_bytes,
        put_bytes,
        *driver_s,
    )


def bounds(job: Job, cluster: Cluster, store: Store, costs: Costs) -> dict[str, float]:
    """Return the least seconds that each resource needs if it is never waited for.

    The nodes have one entry, named after what keeps them busy: processors, requests at once, or their network.
    """
    n_tasks, task = count_shards(job, costs), task_demand(job, cluster, store, costs)
    n_slots = min(n_tasks, cluster.slots)
    read_s, write_s = task.gets / task.most_gets_s, task.puts / task.most_puts_s
    nodes = "processors"
    if read_s > task.cpu_s:
        waits = task.most_gets_s == store.task_requests_s(task.get_bytes)
        nodes = "requests at once" if waits else "network of the nodes"
    n_bytes = max(task.gets * task.get_bytes, task.puts * task.put_bytes)
    return {
        nodes: n_tasks * (max(task.cpu_s, read_s) + write_s + 2 * store.latency_s) / n_slots,
        "GETs of the store": n_tasks * task.gets / (store.get_s * store.source_prefixes),
        "PUTs of the store": n_tasks * task.puts / (store.put_s * store.target_prefixes),
        "bytes of the store": n_tasks * n_bytes / store.bytes_s,
        "driver": n_tasks * (task.submit_s + task.result_s),
        "scheduler": n_tasks / cluster.scheduled_tasks_s,
    }


def scaling_limits(job: Job, cluster: Cluster, store: Store, costs: Costs) -> dict[str, float]:
    """Return the number of nodes from which each resource that does not grow with the nodes sets the time."""
    n_tasks = count_shards(job, costs)
    # One node with as many tasks as it has slots: what the nodes themselves need, times the number of nodes.
    own, *fixed = bounds(job, replace(cluster, nodes=1), store, costs).items()
    limits = {name: own[1] / seconds for name, seconds in fixed}
    limits["number of shards"] = n_tasks / cluster.node_tasks
    if plan_s := job.n_images * listing(job, costs).plan_s:
        limits["plan of the driver"] = own[1] / plan_s
    return {name: value for name, value in limits.items() if value < _MANY_NODES}
