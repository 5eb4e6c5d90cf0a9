"""Tasks of a cluster: those that a machine cannot run, and those that are run again."""

import sys
import types

import pytest

from recordkit.cluster.tasks import TaskCall, Tasks
from recordkit.errors import ClusterError, RemoteError


def run(ray, task, *arguments):
    """Run a task to its end, and return its result and the number of repetitions."""
    tasks = Tasks(ray, 1)
    ((_, result),) = tasks.run([TaskCall(3, lambda: task.remote(*arguments))])
    return result, tasks.n_repeated


def test_a_machine_without_the_package_is_one_line(ray, monkeypatch):
    module = types.ModuleType("only_here")
    exec("def function():\n    pass", vars(module))
    monkeypatch.setitem(sys.modules, "only_here", module)
    with pytest.raises(ClusterError) as caught:
        run(ray, ray.remote(module.function))
    assert str(caught.value) == (
        "shard 3: a machine cannot run the task: ModuleNotFoundError: No module named 'only_here'; install the same "
        "recordkit on all machines"
    )


def test_an_error_of_a_disk_or_network_is_tried_twice_more_and_a_fault_is_not(ray, tmp_path):
    @ray.remote
    def task(path, n_failures, kind, **fields):
        with open(path, "a+") as file:
            file.write("x")
            file.seek(0)
            if len(file.read()) <= n_failures:
                raise kind("no answer", **fields)
        return "done"

    assert run(ray, task, tmp_path / "a", 2, OSError) == ("done", 2)
    assert run(ray, task, tmp_path / "b", 2, RemoteError) == ("done", 2)
    with pytest.raises(RemoteError, match="no answer"):
        run(ray, task, tmp_path / "c", 3, RemoteError)
    with pytest.raises(ClusterError, match="shard 3: ZeroDivisionError: no answer"):
        run(ray, task, tmp_path / "d", 1, ZeroDivisionError)


def test_tasks_that_end_by_themselves_are_not_cancelled(ray, monkeypatch):
    @ray.remote
    def task(number):
        if number == 0:
            raise ValueError("the first")

    monkeypatch.setattr(ray, "cancel", lambda *_arguments, **_options: pytest.fail("cancelled"))
    tasks = Tasks(ray, 1)
    with pytest.raises(ClusterError, match="the first"):
        list(tasks.run(TaskCall(number, lambda number=number: task.remote(number)) for number in range(9)))
    assert tasks.n_abandoned == 0
