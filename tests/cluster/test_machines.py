"""A cluster without a machine for its tasks is awaited for some minutes, at the start and later, and not for ever."""

import warnings
from types import SimpleNamespace

import pytest

from recordkit.cluster.machines import LIMIT_S, Machines
from recordkit.cluster.tasks import TaskCall, Tasks
from recordkit.errors import ClusterError, PlanError


class Cluster:
    """Machines with CPUs, and a clock."""

    def __init__(self, *cpus):
        self.cpus, self.now_s = cpus, 0.0

    def nodes(self):
        lost = {"Alive": False, "Resources": {"CPU": 64.0}}
        return [lost, *({"Alive": True, "Resources": {"CPU": n} if n else {}} for n in self.cpus)]

    def machines(self, n_cpus=1):
        return Machines(self, n_cpus, clock=lambda: self.now_s)


def check_after(cluster, machines, *seconds):
    """Look at the machines at these times, and return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for cluster.now_s in seconds:
            machines.check()
    return [str(warning.message) for warning in caught]


def test_machines_that_start_late_are_awaited_with_one_note():
    cluster = Cluster(0)
    machines = cluster.machines(2)
    machines.refuse_too_small()
    notes = check_after(cluster, machines, 10, 30, 60, LIMIT_S - 1)
    assert notes == ["no machine of the cluster has 2 CPUs now; waiting up to 10 minutes for one"]
    cluster.cpus = (0, 2)
    assert check_after(cluster, machines, LIMIT_S + 1, 2 * LIMIT_S) == []


@pytest.mark.parametrize("lost", [(), (0,), (1,)])
def test_machines_that_vanish_are_awaited_for_ten_minutes(lost):
    cluster = Cluster(0, 4)
    machines = cluster.machines(2)
    machines.refuse_too_small()
    check_after(cluster, machines, 1000)
    cluster.cpus = lost
    assert len(check_after(cluster, machines, 1010, 1000 + LIMIT_S - 5)) == 1
    with pytest.raises(ClusterError, match="expected a machine with 2 CPUs in the cluster, got none for 10 minutes;"):
        check_after(cluster, machines, 1000 + LIMIT_S)


def test_machines_that_are_all_too_small_are_refused_at_once():
    with pytest.raises(PlanError, match="threads: expected at most 1, the CPUs of the largest machine"):
        Cluster(0, 1).machines(2).refuse_too_small()


def test_tasks_are_started_without_a_machine_and_end_if_none_comes(monkeypatch):
    cluster, started = Cluster(0), []
    errors = SimpleNamespace(RayError=RuntimeError)
    ray = SimpleNamespace(
        nodes=cluster.nodes,
        cluster_resources=dict,
        exceptions=errors,
        cancel=lambda *_a, **_k: None,
        wait=lambda references, **_options: ([], references),
    )
    tasks = Tasks(ray, 1, poll=lambda: setattr(cluster, "now_s", cluster.now_s + 5))
    tasks._machines = cluster.machines()
    calls = (TaskCall(number, lambda number=number: started.append(number) or number) for number in range(9))
    with pytest.warns(UserWarning, match="no machine"), pytest.raises(ClusterError, match="none for 10 minutes"):
        list(tasks.run(calls))
    assert started == [0, 1]  # an autoscaler sees tasks that wait
    assert tasks.n_abandoned == 2
