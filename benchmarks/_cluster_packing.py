"""A simulation of `recordkit.cluster.pack` by discrete events: driver, tasks, nodes that are slow or fail, and a store.

The way of a task::

    driver --> scheduler --> slot of a node: read sources ----\
    (serial)   (serial)                      decode, encode --+--> upload the shard --> put its .json --> driver
                                             at the same time                           (once only)      (serial)

The driver lists the samples of each task and keeps one task waiting for each slot, so that no slot waits for it.

Reading and uploading share the store: its requests and bytes per second are divided equally among the tasks that use
it, and no task gets more than its own network and requests at once allow. A failed node loses its tasks, which run
again elsewhere. A node that is only cut off goes on, so its tasks run twice, and the first .json of a shard counts.

The simulation adds to the closed formulas of `_cluster_model.py` what they leave out: waiting, uneven tasks, the last
tasks of a run, and failures.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from _cluster_costs import Costs
from _cluster_model import Cluster, Job, Store, bounds, count_shards, listing, task_demand

_DAY_S = 86_400
_MAX_LOSSES = 20
"""A task that is lost more often ends the pack."""
_DRIVER_BYTES = 200e6
_SOURCE_BYTES = {"objects": 40, "pages": 16}
"""Memory of the driver per row of a list with its place in the order, and per record of an index, as documented."""


class _Shared:
    """A capacity that its users share equally, each limited to `most` per second.

    All users have the same rate, so one virtual clock counts what each has received, and a user ends when the clock
    reaches a value that is known when it begins.
    """

    def __init__(self, capacity: float, most: float) -> None:
        self.capacity, self.most = capacity, most
        self.n = 0
        self.clock = self.now_s = self.peak = 0.0
        self.ends: list[tuple[float, int, _Attempt]] = []

    def rate(self) -> float:
        return min(self.most, self.capacity / self.n) if self.n else 0.0

    def _advance(self, now_s: float) -> None:
        self.clock += (now_s - self.now_s) * self.rate()
        self.now_s = now_s

    def add(self, now_s: float, amount: float, attempt: _Attempt) -> None:
        self._advance(now_s)
        self.n += 1
        self.peak = max(self.peak, self.n * self.rate())
        attempt.uses = self
        heapq.heappush(self.ends, (self.clock + amount, attempt.number, attempt))

    def remove(self, now_s: float, attempt: _Attempt) -> None:
        self._advance(now_s)
        self.n -= 1
        attempt.uses = None

    def next_s(self) -> float:
        while self.ends and self.ends[0][2].uses is not self:
            heapq.heappop(self.ends)
        if not self.ends:
            return math.inf
        return max(self.now_s, self.now_s + (self.ends[0][0] - self.clock) / self.rate())

    def pop(self, now_s: float) -> _Attempt:
        attempt = heapq.heappop(self.ends)[2]
        self.remove(now_s, attempt)
        return attempt


class _Attempt:
    """A task on a node. It packs when both reading and computing are done."""

    __slots__ = ("begin_s", "cpu_s", "is_cut_off", "is_over", "n_open", "node", "number", "shard", "uses")

    def __init__(self, number: int, shard: int, node: int) -> None:
        self.number, self.shard, self.node = number, shard, node
        self.uses: _Shared | None = None
        self.begin_s, self.cpu_s, self.n_open = math.inf, 0.0, 2
        self.is_over = self.is_cut_off = False


@dataclass
class Outcome:
    """Result of a simulated pack."""

    seconds: float = 0.0
    n_images: float = 0.0
    n_published: int = 0
    n_attempts: int = 0
    n_lost: int = 0
    n_twice: int = 0
    n_failures: int = 0
    n_given_up: int = 0
    useful_cpu_s: float = 0.0
    wasted_cpu_s: float = 0.0
    driver_s: float = 0.0
    peak_gets_s: float = 0.0
    peak_puts_s: float = 0.0


class _Packing:
    """The state of a simulated pack."""

    def __init__(self, job: Job, cluster: Cluster, store: Store, costs: Costs, seed: int) -> None:
        self.random = random.Random(seed)
        self.cluster, self.store = cluster, store
        self.demand = task_demand(job, cluster, store, costs)
        n_shards = count_shards(job, costs)
        self.n_shards = n_shards
        # Shards differ by one image at most, as a division by rows gives them.
        self.images = [job.n_images // n_shards + (shard < job.n_images % n_shards) for shard in range(n_shards)]
        self.waiting = deque(range(n_shards))
        self.n_tries: Counter[int] = Counter()
        self.free = deque(node for _ in range(cluster.node_tasks) for node in range(cluster.nodes))
        slow = self.random.sample(range(cluster.nodes), round(cluster.slow_share * cluster.nodes))
        self.factors = [cluster.slow_factor if node in set(slow) else 1.0 for node in range(cluster.nodes)]
        self.on_node: list[set[_Attempt]] = [set() for _ in range(cluster.nodes)]
        self.published: set[int] = set()
        self.acknowledged: set[int] = set()
        self.events: list[tuple[float, int, str, Any]] = []
        self.n_events = 0
        self.ready: deque[int] = deque()
        self.n_submitted = 0
        self.driver_free_s = self.scheduler_free_s = 0.0
        task = self.demand
        self.reading = _Shared(
            min(store.get_s * store.source_prefixes, store.bytes_s / task.get_bytes), task.most_gets_s
        )
        self.writing = _Shared(
            min(store.put_s * store.target_prefixes, store.bytes_s / task.put_bytes), task.most_puts_s
        )
        self.outcome = Outcome()
        for node in range(cluster.nodes):
            self._plan_failure(0.0, node)

    def run(self) -> Outcome:
        """Run until the driver knows that every shard is published."""
        names = ("ready", "computed", "put", "known", "fail", "lose", "back")
        steps = {name: getattr(self, f"_{name}") for name in names}
        self._submit(0.0)
        now_s = 0.0
        while len(self.acknowledged) < self.n_shards:
            read_s, write_s, event_s = self.reading.next_s(), self.writing.next_s(), self.events[0][0]
            now_s = min(read_s, write_s, event_s)
            if now_s == read_s:
                self._half_done(now_s, self.reading.pop(now_s))
            elif now_s == write_s:
                # Three small files go at once; the .json follows, so that a shard with .json is complete.
                self._push(now_s + 2 * self.store.latency_s, "put", self.writing.pop(now_s))
            else:
                _, _, name, value = heapq.heappop(self.events)
                steps[name](now_s, value)
        outcome = self.outcome
        outcome.seconds, outcome.n_published = now_s, len(self.published)
        outcome.peak_gets_s, outcome.peak_puts_s = self.reading.peak, self.writing.peak
        return outcome

    def _push(self, at_s: float, name: str, value: Any) -> None:
        self.n_events += 1
        heapq.heappush(self.events, (at_s, self.n_events, name, value))

    def _serve(self, now_s: float, seconds: float) -> float:
        """Return when the driver, which does one thing at a time, has done this."""
        self.driver_free_s = max(now_s, self.driver_free_s) + seconds
        self.outcome.driver_s += seconds
        return self.driver_free_s

    def _submit(self, now_s: float) -> None:
        """Keep as many tasks submitted as the driver may have ahead."""
        most = self.cluster.tasks_ahead * self.cluster.slots
        while self.waiting and self.n_submitted - len(self.acknowledged) < most:
            self.n_submitted += 1
            submitted_s = self._serve(now_s, self.demand.submit_s)
            self.scheduler_free_s = max(submitted_s, self.scheduler_free_s) + 1 / self.cluster.scheduled_tasks_s
            self._push(self.scheduler_free_s, "ready", self.waiting.popleft())

    def _ready(self, now_s: float, shard: int) -> None:
        self.ready.append(shard)
        self._start(now_s)

    def _start(self, now_s: float) -> None:
        """Give free slots to tasks that are ready."""
        while self.ready and self.free:
            attempt = _Attempt(self.outcome.n_attempts, self.ready.popleft(), self.free.popleft())
            attempt.begin_s = now_s
            self.outcome.n_attempts += 1
            self.on_node[attempt.node].add(attempt)
            if attempt.shard in self.published:  # by an earlier attempt on a node that was cut off
                self._push(now_s + self.store.latency_s, "put", attempt)
                continue
            share = self.images[attempt.shard] / self.demand.n_images
            noise = math.exp(self.random.gauss(-(self.cluster.spread**2) / 2, self.cluster.spread))
            attempt.cpu_s = self.demand.cpu_s * share * noise * self.factors[attempt.node]
            self.reading.add(now_s, self.demand.gets * share, attempt)
            self._push(now_s + attempt.cpu_s, "computed", attempt)

    def _computed(self, now_s: float, attempt: _Attempt) -> None:
        if not attempt.is_over:
            self._half_done(now_s, attempt)

    def _half_done(self, now_s: float, attempt: _Attempt) -> None:
        attempt.n_open -= 1
        if not attempt.n_open:
            self.writing.add(now_s, self.demand.puts, attempt)

    def _put(self, now_s: float, attempt: _Attempt) -> None:
        """Put the .json: the first one of a shard counts, another changes nothing."""
        if attempt.is_over:
            return
        outcome = self.outcome
        if attempt.shard in self.published:
            outcome.n_twice += attempt.cpu_s > 0
            outcome.wasted_cpu_s += attempt.cpu_s
        else:
            self.published.add(attempt.shard)
            outcome.n_images += self.images[attempt.shard]
            outcome.useful_cpu_s += attempt.cpu_s
        self._end(attempt)
        if not attempt.is_cut_off:
            self.free.append(attempt.node)
            self._start(now_s)
            self._push(self._serve(now_s, self.demand.result_s), "known", attempt.shard)

    def _known(self, now_s: float, shard: int) -> None:
        self.acknowledged.add(shard)
        self._submit(now_s)

    def _end(self, attempt: _Attempt) -> None:
        attempt.is_over = True
        self.on_node[attempt.node].discard(attempt)

    def _plan_failure(self, now_s: float, node: int) -> None:
        self._push(now_s + self.random.expovariate(1 / (self.cluster.days_to_failure * _DAY_S)), "fail", node)

    def _fail(self, now_s: float, node: int) -> None:
        """Take a node away: its tasks end, or go on unseen if it is only cut off."""
        is_cut_off = self.random.random() < self.cluster.cut_off_share
        self.outcome.n_failures += 1
        self.free = deque(other for other in self.free if other != node)
        attempts = sorted(self.on_node[node], key=lambda attempt: attempt.number)
        for attempt in attempts:
            attempt.is_cut_off = True
            if not is_cut_off:
                self._cancel(now_s, attempt)
        self._push(now_s + self.cluster.lost_s, "lose", [attempt.shard for attempt in attempts])
        self._push(now_s + self.cluster.replace_s, "back", node)

    def _cancel(self, now_s: float, attempt: _Attempt) -> None:
        if attempt.uses is not None:
            attempt.uses.remove(now_s, attempt)
        self.outcome.wasted_cpu_s += min(attempt.cpu_s, max(0.0, now_s - attempt.begin_s))
        self._end(attempt)

    def _lose(self, now_s: float, shards: list[int]) -> None:
        """Ray learns of lost tasks, and runs them before those that wait."""
        for shard in reversed(shards):
            self.n_tries[shard] += 1
            self.outcome.n_lost += 1
            self.outcome.n_given_up += self.n_tries[shard] == _MAX_LOSSES + 1
            self.ready.appendleft(shard)
        self._start(now_s)

    def _back(self, now_s: float, node: int) -> None:
        for attempt in sorted(self.on_node[node], key=lambda attempt: attempt.number):
            self._cancel(now_s, attempt)  # a node that was cut off starts afresh
        self.free.extend([node] * self.cluster.node_tasks)
        self._plan_failure(now_s, node)
        self._start(now_s)


def simulate(job: Job, cluster: Cluster, store: Store, costs: Costs, *, seed: int = 0) -> dict[str, Any]:
    """Simulate a pack and return its figures.

    The driver plans first and writes the manifest last. Both are counted in the time.
    """
    outcome = _Packing(job, cluster, store, costs, seed).run()
    n_tasks, task = count_shards(job, costs), task_demand(job, cluster, store, costs)
    per_image = listing(job, costs)
    plan_s = cluster.driver_factor * job.n_images * per_image.plan_s
    least = bounds(job, cluster, store, costs)
    limit = max(least, key=lambda name: least[name])
    if plan_s > outcome.seconds:
        limit = "plan of the driver"
    elif outcome.seconds > 1.5 * least[limit]:
        limit = "last and slow tasks"
    n_ahead = min(n_tasks, cluster.tasks_ahead * cluster.slots)
    memory = _DRIVER_BYTES + n_tasks * costs.shard_driver_bytes
    memory += n_ahead * (costs.task_driver_bytes + task.n_images * per_image.part_bytes)
    if per_image.plan_s:
        memory += job.n_images * _SOURCE_BYTES[job.sources]
    seconds = outcome.seconds
    return {
        "sources": job.sources,
        "nodes": cluster.nodes,
        "shard_bytes": job.shard_bytes,
        "n_shards": n_tasks,
        "hours": (plan_s + seconds) / 3600,
        "plan_s": plan_s,
        "least_hours": (plan_s + max(least.values())) / 3600,
        "limit": limit,
        "images_s": job.n_images / seconds,
        "gets_s": n_tasks * task.gets / seconds,
        "puts_s": n_tasks * task.puts / seconds,
        "peak_gets_s": outcome.peak_gets_s,
        "peak_puts_s": outcome.peak_puts_s,
        "read_bytes_s": n_tasks * task.gets * task.get_bytes / seconds,
        "write_bytes_s": n_tasks * task.puts * task.put_bytes / seconds,
        "processors_share": outcome.useful_cpu_s / (seconds * cluster.slots),
        "driver_share": min(1, outcome.driver_s / seconds),
        "driver_bytes": memory,
        "n_images": outcome.n_images,
        "n_published": outcome.n_published,
        "n_attempts": outcome.n_attempts,
        "n_failures": outcome.n_failures,
        "n_lost": outcome.n_lost,
        "n_twice": outcome.n_twice,
        "n_given_up": outcome.n_given_up,
        "wasted_share": outcome.wasted_cpu_s / outcome.useful_cpu_s,
    }
