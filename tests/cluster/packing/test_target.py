"""Publishing shards in a folder: names are created once, with one content, also where there are no hard links."""

import errno
import os
import subprocess
import sys

import pytest

from recordkit.cluster.packing.scratch import locked_folder
from recordkit.cluster.packing.target import FolderTarget
from recordkit.errors import ClusterError


@pytest.fixture(params=["links", "no links"])
def target(tmp_path, request, monkeypatch):
    """A target whose prefix is held."""
    if request.param == "no links":

        def refuse(_path, final):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(final))

        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "out").mkdir()
    target = FolderTarget(tmp_path / "out" / "a")
    with target.hold():
        yield target


def written(target, scratch, **contents):
    """Publish files from a task's folder."""
    with target.scratch(scratch) as folder:
        paths = [folder / f"a_0.{suffix}" for suffix in contents]
        for path, content in zip(paths, contents.values(), strict=True):
            path.write_bytes(content)
        target.publish(paths)


@pytest.mark.parametrize("has_scratch", [False, True])
def test_a_task_that_runs_twice_changes_nothing(target, tmp_path, has_scratch):
    scratch = tmp_path if has_scratch else None
    written(target, scratch, rec=b"records", json=b"{}")
    inodes = {name: (target.folder / name).stat().st_ino for name in ("a_0.rec", "a_0.json")}
    written(target, scratch, rec=b"records", json=b"{}")
    assert {name: (target.folder / name).stat().st_ino for name in inodes} == inodes
    assert target.names() - {".a.parts", ".a.staging"} == {"a_0.rec", "a_0.json"}
    assert (target.read("a_0.rec"), target.size("a_0.rec"), target.read("a_1.rec")) == (b"records", 7, None)
    assert list(tmp_path.glob("recordkit-*")) == list(target.parts.iterdir()) == []


def test_other_bytes_of_a_shard_are_refused_and_the_first_stay(target):
    written(target, None, rec=b"records", json=b"{}")
    with pytest.raises(ClusterError, match=r"a_0\.rec: expected the same bytes from each task .*, got others; the im"):
        written(target, None, rec=b"others!", json=b"{}")
    assert target.read("a_0.rec") == b"records"


def test_files_that_another_driver_removes_meanwhile_are_published_again(target, monkeypatch):
    names, removed = FolderTarget.names, []

    def late_names(self):
        if not removed:
            removed.append((self.folder / "a_0.rec").unlink())
        return names(self)

    monkeypatch.setattr(FolderTarget, "names", late_names)
    written(target, None, rec=b"records", json=b"{}")
    assert target.read("a_0.rec") == b"records"


def test_a_small_file_is_created_once(target):
    assert target.create("a.plan.json", b"1") and not target.create("a.plan.json", b"2")
    assert target.read("a.plan.json") == b"1"
    target.remove("a.plan.json")
    target.remove("a.plan.json")
    assert target.size("a.plan.json") is None


def test_a_missing_output_folder_is_made_and_stays_if_it_has_files(tmp_path):
    with FolderTarget(tmp_path / "new" / "a").hold():
        pass
    assert not (tmp_path / "new").exists()
    with FolderTarget(tmp_path / "new" / "a").hold():
        (tmp_path / "new" / "a_0.rec").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a_0.rec"]


def test_parts_of_killed_tasks_are_removed_when_the_next_driver_begins_and_ends(tmp_path):
    target = FolderTarget(tmp_path / "a")
    (target.parts / "recordkit-shard-x").mkdir(parents=True)
    with target.hold():
        assert list(target.parts.iterdir()) == []
        (target.parts / "recordkit-shard-y").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_scratch_of_killed_tasks_is_removed_and_that_of_living_ones_stays(tmp_path):
    code = f"""
import os, sys
from pathlib import Path
from recordkit.cluster.packing.scratch import locked_folder
with locked_folder(Path({str(tmp_path)!r})) as folder:
    (folder / "a_0.rec").write_bytes(b"half")
    print(folder, flush=True)
    sys.stdin.read()
    os._exit(9)
"""
    child = [sys.executable, "-c", code]
    with subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        theirs = process.stdout.readline().strip()
        with locked_folder(tmp_path) as own:
            assert {str(path) for path in tmp_path.iterdir()} == {theirs, str(own)}
        process.stdin.close()
    assert os.listdir(theirs) == ["a_0.rec"]
    with locked_folder(tmp_path) as own:
        assert list(tmp_path.iterdir()) == [own]
    assert list(tmp_path.iterdir()) == []
