"""Writing the files of a run: an earlier run is whole until the first checkpoint takes its place."""

import contextlib
import itertools
import os
import platform
import signal
import stat
import subprocess
import sys

import pytest
from storage.faults import act_before_call
from training.bars import RecordingObserver, plan

from recordkit.errors import InUseError, PublishError, TrainError
from recordkit.storage import claim, staging
from recordkit.storage.staging import Staging
from recordkit.training import fit
from recordkit.training.fit import train
from recordkit.training.model.trained_model import TrainedModel
from recordkit.training.run import writer as run_writer
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.writer import RunWriter


def writer(prefix, *, resume=False):
    return RunWriter(Checkpoints(prefix), resume=resume)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def interrupted(*_, **__):
    raise KeyboardInterrupt


class Network:
    """A network that is text alone."""

    def tojson(self):
        return "{}"


@pytest.fixture
def no_mxnet(monkeypatch):
    """Arrays are written as text, without MXNet."""
    monkeypatch.setattr(run_writer, "_save_arrays", lambda _mx, file, arrays: file.write(repr(arrays).encode()))


def save(run, epoch):
    run.save(None, (None, {}, {}), b"", epoch)


@pytest.mark.usefixtures("no_mxnet")
def test_the_states_are_written_before_the_params(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(run_writer, "write_atomically", lambda path, _write: written.append(path.suffix))
    with writer(tmp_path / "lenet", resume=True) as run:
        save(run, 1)
    assert written == [".states", ".params"]


@pytest.mark.usefixtures("no_mxnet")
def test_the_first_checkpoint_replaces_the_earlier_run_and_no_other_files(tmp_path):
    old = [
        *(
            f".lenet-{ending}.0123abcd.tmp"
            for ending in ("0002.params", "run.json", "metrics.jsonl", "confusion-2.png")
        ),
        *("lenet-0001.params", "lenet-0001.states", "lenet-0007.params", "lenet-0007.states"),
        *("lenet-run.json", "lenet-symbol.json", "lenet-metrics.jsonl", "lenet-summary.json"),
        *(f"lenet-{name}.png" for name in ("samples", "curves", "confusion", "confusion-2", "predictions")),
    ]
    unrelated = ["lenet.log", "lenet-5-0001.params", "lenet-00001.params", ".lenet-5-0001.params.0123abcd.tmp",
                 "lenet-confusion-of-mine.png"]  # fmt: skip
    for name in old + unrelated:
        (tmp_path / name).write_text("old")
    with writer(tmp_path / "lenet") as run:
        assert run.begin(Network(), {"seed": 0}) == 2 and not run.has_checkpoint
        run.write("metrics.jsonl", b"new")
        assert {name: text for name, text in contents(tmp_path).items() if text != b"old"} == {}
        save(run, 2)
        assert run.has_checkpoint
        run.write("metrics.jsonl", b"newer")
        with pytest.raises(PublishError, match="a training run"):
            writer(tmp_path / "lenet")
    new = ["lenet-0002.params", "lenet-0002.states", "lenet-metrics.jsonl", "lenet-run.json", "lenet-symbol.json"]
    assert sorted(os.listdir(tmp_path)) == sorted(unrelated + new)
    assert (tmp_path / "lenet-metrics.jsonl").read_bytes() == b"newer"


@pytest.mark.usefixtures("no_mxnet")
def test_no_other_run_begins_between_any_two_calls_of_the_first_checkpoint(memory_path):
    refused = []

    def begin_another():
        with pytest.raises(InUseError, match="another process is writing to this prefix"), writer(memory_path / "a"):
            pass
        refused.append(at)

    for at in itertools.count(1):
        with writer(memory_path / "a") as run:
            run.begin(Network(), {})
            try:
                count = act_before_call(at, begin_another)
                save(run, 1)
            finally:
                sys.setprofile(None)
        if count() < at:
            break
    assert refused == list(range(1, at)) and at > 30


def test_a_second_process_is_refused_after_the_first_checkpoint(no_mxnet, tmp_path):
    code = "import sys; from recordkit.storage.staging import Staging; Staging(__import__('pathlib').Path(sys.argv[1]))"
    with writer(tmp_path / "lenet") as run:
        run.begin(Network(), {})
        save(run, 1)
        done = subprocess.run([sys.executable, "-c", code, tmp_path / "lenet"], stderr=subprocess.PIPE, text=True)
    assert "another process is writing to this prefix: a training run, process " in done.stderr


@pytest.mark.usefixtures("no_mxnet")
def test_a_run_whose_first_checkpoint_is_interrupted_after_its_commit_has_a_checkpoint(tmp_path, monkeypatch):
    with contextlib.suppress(KeyboardInterrupt), writer(tmp_path / "lenet") as run:
        run.begin(Network(), {})
        assert not run.has_checkpoint
        with monkeypatch.context() as patch:
            patch.setattr(staging, "finish", interrupted)
            save(run, 1)
    assert run.has_checkpoint and Checkpoints(tmp_path / "lenet").epochs() == [1]


@pytest.mark.usefixtures("no_mxnet")
def test_a_run_that_is_killed_while_it_replaces_another_is_completed(tmp_path, monkeypatch):
    (tmp_path / "lenet-0003.params").write_text("old")
    (tmp_path / "lenet-run.json").write_text("old")

    def killed(*_):
        raise SystemExit

    with monkeypatch.context() as patch, contextlib.suppress(SystemExit), writer(tmp_path / "lenet") as run:
        run.begin(Network(), {})
        patch.setattr(claim.Folder, "move", killed)
        patch.setattr(claim.FolderLock, "move", killed)
        save(run, 1)
    checkpoints = Checkpoints(tmp_path / "lenet")
    assert checkpoints.epochs() == []
    checkpoints.complete()
    assert checkpoints.epochs() == [1] and os.listdir(tmp_path).count(".lenet.staging") == 0


def test_an_error_before_the_first_checkpoint_leaves_the_earlier_run_as_it_was(mx, rec, tmp_path, monkeypatch):
    train(plan(rec, tmp_path / "m", epochs=3, checkpoint_every=1))
    before = contents(tmp_path / "m")
    update, epochs = fit._Run._update, []

    def fails_in_epoch_2(run, trainer, epoch):
        epochs.append(Checkpoints(tmp_path / "m" / "lenet").epochs())
        assert TrainedModel(mx, tmp_path / "m" / "lenet").epoch == 3  # as eval and predict find it
        if epoch == 2:
            raise run._diverged(epoch, "a finite loss", "NaN")
        return update(run, trainer, epoch)

    monkeypatch.setattr(fit._Run, "_update", fails_in_epoch_2)
    observer = RecordingObserver()
    with pytest.raises(TrainError, match="no checkpoint was written"):
        train(plan(rec, tmp_path / "m", epochs=3, checkpoint_every=3, seed=1), observer)
    assert observer.lines[0].endswith("lenet: the first checkpoint will replace an earlier run with 3 checkpoints")
    assert epochs == [[1, 2, 3]] * 2 and contents(tmp_path / "m") == before


def test_a_full_disk_at_the_first_checkpoint_leaves_the_earlier_run_as_it_was(mx, rec, tmp_path, monkeypatch):
    train(plan(rec, tmp_path / "m", epochs=2))
    before = contents(tmp_path / "m")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_writer, "_save_arrays", full)
    with pytest.raises(PublishError, match="No space left on device; nothing was published"):
        train(plan(rec, tmp_path / "m", epochs=1, seed=1))
    assert contents(tmp_path / "m") == before and len(os.listdir(tmp_path / "m")) == len(before)


def test_a_second_run_at_a_prefix_is_refused_and_told_of_the_first(tmp_path):
    with writer(tmp_path / "new" / "lenet"):
        for write in (lambda: writer(tmp_path / "new" / "lenet"), lambda: Staging(tmp_path / "new" / "lenet")):
            with pytest.raises(PublishError) as caught, write():
                pass
            assert str(caught.value) == (
                f"{tmp_path}/new/.lenet.staging: another process is writing to this prefix: a training run, process "
                f"{os.getpid()} on {platform.node()}; wait until it ends"
            )
        with writer(tmp_path / "new" / "lenet-5"):
            pass
    with writer(tmp_path / "new" / "lenet"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_run_at_a_prefix_that_is_being_packed_is_refused(tmp_path):
    with Staging(tmp_path / "a"), pytest.raises(PublishError, match="another process is writing to this prefix; wait"):
        with writer(tmp_path / "a"):
            pass


def test_the_lock_of_a_killed_run_ends_with_it(tmp_path):
    code = """
import os, signal, sys
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.writer import RunWriter
with RunWriter(Checkpoints(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "lenet")], check=False)
    assert done.returncode == -signal.SIGKILL and os.listdir(tmp_path) == [".lenet.staging"]
    with writer(tmp_path / "lenet"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_child_that_outlives_a_run_does_not_keep_its_lock(tmp_path):
    with writer(tmp_path / "lenet"):
        descriptors = {int(name) for name in os.listdir("/proc/self/fd")}
        kept = [os.dup(fd) for fd in descriptors if os.path.exists(f"/proc/self/fd/{fd}") and _is_folder(fd)]
    try:
        assert kept
        with writer(tmp_path / "lenet"):
            pass
    finally:
        for fd in kept:
            os.close(fd)


def _is_folder(fd):
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def test_a_model_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(PublishError, match="file: expected a folder, got a file"),
        writer(tmp_path / "file/models/a"),
    ):
        pass
