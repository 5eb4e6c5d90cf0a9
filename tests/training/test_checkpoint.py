"""Files of checkpoints, tested without MXNet."""

import os
import platform
import signal
import stat
import subprocess
import sys

import pytest

from recordkit.errors import PlanError, PublishError, TrainError
from recordkit.storage.staging import Staging
from recordkit.training import checkpoint as checkpoint_module
from recordkit.training.checkpoint import Checkpoints


def test_the_states_are_written_before_the_params(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(checkpoint_module, "write_atomically", lambda path, _write: written.append(path.suffix))
    Checkpoints(tmp_path / "lenet").save(None, (None, {}, {}), b"", 1)
    assert written == [".states", ".params"]


def test_checkpoints_of_other_programs_are_not_removed(tmp_path):
    (tmp_path / "lenet-0001.params").touch()
    with pytest.raises(
        TrainError, match=r"got lenet-0001\.params without lenet-run\.json; choose another model_prefix"
    ):
        Checkpoints(tmp_path / "lenet").clear()
    assert (tmp_path / "lenet-0001.params").exists()


def test_a_file_of_the_user_is_not_removed(tmp_path):
    (tmp_path / "lenet-summary.json").write_text("mine")
    with pytest.raises(TrainError, match=r"got lenet-summary\.json without lenet-run\.json"):
        Checkpoints(tmp_path / "lenet").clear()


def test_a_prefix_without_a_name_is_refused():
    with pytest.raises(PlanError, match="model_prefix: expected the beginning of a name, as models/lenet, got '.'"):
        Checkpoints(".")


def test_clear_removes_the_files_of_a_killed_run_and_no_others(tmp_path):
    ours = [
        *(
            f".lenet-{ending}.0123abcd.tmp"
            for ending in ("0002.params", "run.json", "metrics.jsonl", "confusion-2.png")
        ),
        "lenet-0001.params",
        "lenet-0001.states",
        "lenet-run.json",
        "lenet-symbol.json",
        "lenet-metrics.jsonl",
        "lenet-summary.json",
        *(f"lenet-{name}.png" for name in ("samples", "curves", "confusion", "confusion-2", "predictions")),
    ]
    unrelated = ["lenet.log", "lenet-5-0001.params", "lenet-00001.params", ".lenet-5-0001.params.0123abcd.tmp"]
    for name in ours + unrelated:
        (tmp_path / name).touch()
    assert Checkpoints(tmp_path / "lenet").clear() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(unrelated)


def test_a_second_run_at_a_prefix_is_refused_and_told_of_the_first(tmp_path):
    with Checkpoints(tmp_path / "new" / "lenet").lock():
        for write in (Checkpoints(tmp_path / "new" / "lenet").lock, lambda: Staging(tmp_path / "new" / "lenet")):
            with pytest.raises(PublishError) as caught, write():
                pass
            assert str(caught.value) == (
                f"{tmp_path}/new/.lenet.staging: another process is writing to this prefix: a training run, process "
                f"{os.getpid()} on {platform.node()}; wait until it ends"
            )
        with Checkpoints(tmp_path / "new" / "lenet-5").lock():
            pass
    with Checkpoints(tmp_path / "new" / "lenet").lock():
        pass
    assert os.listdir(tmp_path / "new") == []


def test_a_run_at_a_prefix_that_is_being_packed_is_refused(tmp_path):
    with Staging(tmp_path / "a"), pytest.raises(PublishError, match="another process is writing to this prefix; wait"):
        with Checkpoints(tmp_path / "a").lock():
            pass


def test_the_lock_of_a_killed_run_ends_with_it(tmp_path):
    code = """
import os, signal, sys
from recordkit.training.checkpoint import Checkpoints
with Checkpoints(sys.argv[1]).lock():
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "lenet")], check=False)
    assert done.returncode == -signal.SIGKILL and os.listdir(tmp_path) == [".lenet.staging"]
    with Checkpoints(tmp_path / "lenet").lock():
        pass
    assert os.listdir(tmp_path) == []


def test_a_child_that_outlives_a_run_does_not_keep_its_lock(tmp_path):
    with Checkpoints(tmp_path / "lenet").lock():
        descriptors = {int(name) for name in os.listdir("/proc/self/fd")}
        kept = [os.dup(fd) for fd in descriptors if os.path.exists(f"/proc/self/fd/{fd}") and _is_folder(fd)]
    try:
        assert kept
        with Checkpoints(tmp_path / "lenet").lock():
            pass
    finally:
        for fd in kept:
            os.close(fd)


def _is_folder(fd):
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def test_a_model_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(PublishError, match="file/models: Not a directory"),
        Checkpoints(tmp_path / "file/models/a").lock(),
    ):
        pass
