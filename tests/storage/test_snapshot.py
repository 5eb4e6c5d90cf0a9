"""Files that are read together are of one set, whatever packs do meanwhile."""

import contextlib
import itertools
import os
import shutil
import time
from pathlib import Path

import pytest
from storage.faults import publish, recover
from storage.interleaved import interleave

from recordkit.errors import FormatError
from recordkit.storage import snapshot
from recordkit.storage.fileset import SUFFIXES, Fileset
from recordkit.storage.snapshot import find_files, read_set, read_sets
from recordkit.storage.staging import Staging

ALL = ["a.rec", "a.idx", "a.lst", "a.labels.npy", "a.json"]
WITHOUT_LABELS = ["a.rec", "a.idx", "a.lst", "a.json"]


def contents(files, _stack):
    """Read every file of a set; return the generation and the suffix in each."""
    got = []
    for suffix in SUFFIXES:
        try:
            generation, name = files.path(suffix).read_text().split()
        except FileNotFoundError:
            continue
        got.append((generation, name))
    return got


def expect(generation, names):
    return [(generation, name) for name in sorted(names, key=lambda name: SUFFIXES.index(name[1:]))]


def read(prefix):
    return read_set(prefix, contents)


@pytest.mark.parametrize(("old", "new"), [(ALL, ALL), (ALL, WITHOUT_LABELS), (WITHOUT_LABELS, ALL)])
def test_a_pack_between_two_system_calls_gives_the_old_set_or_the_new_one(old, new, tmp_path):
    for at in itertools.count(1):
        publish(tmp_path / "a", "old", old, ALL)
        got, was_called = interleave(lambda: read(tmp_path / "a"), lambda: publish(tmp_path / "a", "new", new, ALL), at)
        if not was_called:
            break
        assert got in (expect("old", old), expect("new", new)), at
    assert at > 30 and got == expect("old", old)


def test_a_reader_without_the_check_mixes_sets(tmp_path):
    got = set()
    for at in range(1, 30):
        publish(tmp_path / "a", "old", ALL, ALL)
        files, _ = interleave(
            lambda: contents(Fileset(tmp_path / "a"), None), lambda: publish(tmp_path / "a", "new", ALL, ALL), at
        )
        got.add(len({generation for generation, _ in files}))
    assert got == {1, 2}


@pytest.mark.parametrize("step", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_a_pack_that_is_killed_between_two_system_calls_gives_the_old_set_or_the_new_one(step, faults, tmp_path):
    """With step 0 each step of the pack is combined with every sixth of the reader, otherwise with one."""
    prefix, generations = tmp_path / "a", set()
    for kill in itertools.count(1):
        outcome = None
        for at in range(1 + kill % 6, 60, 6) if step == 0 else [1 + 7 * kill % 45]:
            recover(prefix)
            publish(prefix, "old", ALL, ALL)

            def kill_pack(kill=kill):
                nonlocal outcome
                outcome = faults("publish", str(prefix), "new", WITHOUT_LABELS, ALL, at=kill)

            got, _ = interleave(lambda: read(prefix), kill_pack, at)
            assert got in (expect("old", ALL), expect("new", WITHOUT_LABELS)), (kill, at)
            assert read(prefix) in (got, expect("new", WITHOUT_LABELS))
            generations.add(got[0][0])
        if outcome == "done":
            break
    assert kill > 30 and generations == {"old", "new"}


def test_a_mix_of_sets_that_share_a_pack_is_never_read(tmp_path):
    names = [f"a_{n}{suffix}" for n in (0, 1) for suffix in (".rec", ".idx")]

    def pack(generation):
        publish(tmp_path / "a", generation, names, names)

    def read():
        paths = [tmp_path / "a_0", tmp_path / "a_1"]
        return read_sets(lambda: paths, lambda sets, stack: [contents(files, stack) for files in sets])

    for at in itertools.count(1, 3):
        pack("old")
        got, was_called = interleave(read, lambda: pack("new"), at)
        assert len({generation for files in got for generation, _ in files}) == 1 and list(map(len, got)) == [2, 2]
        if not was_called:
            break


def test_another_number_of_shards_is_found_whole(tmp_path):
    def pack(n):
        remove = [f"a_{number}.rec" for number in range(4)]
        publish(tmp_path / "a", f"of{n}", [f"a_{number}.rec" for number in range(n)], remove)

    def read():
        return read_sets(
            lambda: find_files(f"{tmp_path}/a_*.rec"),
            lambda sets, _: [files.path(".rec").read_text().split() for files in sets],
        )

    for at in itertools.count(1, 4):
        pack(4)
        got, was_called = interleave(read, lambda: pack(2), at)
        n = len(got)
        assert n in (2, 4) and got == [[f"of{n}", f"a_{number}.rec"] for number in range(n)], at
        if not was_called:
            break


def test_shards_of_a_killed_pack_match_a_pattern(faults, tmp_path):
    names = [f"a_{number}.rec" for number in range(3)]
    for kill in itertools.count(1, 2):
        recover(tmp_path / "a")
        publish(tmp_path / "a", "old", names, names)
        outcome = faults("publish", str(tmp_path / "a"), "new", names, names, at=kill)
        for pattern in ("a_*.rec", "**/a_*.rec", "a_?.*"):
            assert find_files(f"{tmp_path}/{pattern}") == [f"{tmp_path}/{name}" for name in names], kill
        if outcome != "killed":
            break


@pytest.mark.parametrize("new", [ALL, WITHOUT_LABELS])
def test_files_that_the_next_pack_is_writing_are_not_read(new, faults, tmp_path, monkeypatch):
    """A reader makes its Fileset while a set is being published, and reads while the next pack writes to the folder."""
    prefix, take_state, n_started = tmp_path / "a", snapshot._state, 0
    with contextlib.ExitStack() as stack:

        def take_late_state(sets):
            nonlocal n_started
            if not n_started:
                recover(prefix)
                next_pack = stack.enter_context(Staging(prefix))
                for name in ALL:
                    next_pack.create(name).close()
            n_started += 1
            return take_state(sets)

        monkeypatch.setattr(snapshot, "_state", take_late_state)
        for kill in itertools.count(1):
            stack.close()
            recover(prefix)
            publish(prefix, "old", ALL, ALL)
            assert faults("publish", str(prefix), "new", new, ALL, at=kill) == "killed"
            if len(Fileset(prefix).staged_paths()) >= len(ALL) - 1:
                break
        n_started = 0
        assert read(prefix) == expect("new", new)


def test_an_error_of_a_set_that_stays_is_raised_at_once_and_its_files_are_closed(tmp_path):
    publish(tmp_path / "a", "old", ALL, ALL)
    closed = []

    def fail(_files, stack):
        stack.callback(closed.append, True)
        raise FormatError("damaged")

    with pytest.raises(FormatError, match="damaged"):
        read_set(tmp_path / "a", fail)
    assert closed == [True]


def test_an_error_while_a_set_was_replaced_is_not_raised_and_what_was_opened_is_closed(tmp_path):
    publish(tmp_path / "a", "old", ALL, ALL)
    attempts, closed = [], []

    def fail_once(files, stack):
        attempts.append(files)
        stack.callback(closed.append, len(attempts))
        if len(attempts) == 1:
            publish(tmp_path / "a", "new", ALL, ALL)
            raise FormatError("damaged")
        return contents(files, stack)

    assert read_set(tmp_path / "a", fail_once) == expect("new", ALL)
    assert closed == [1]  # the second one's belongs to the result


def test_a_set_that_is_always_replaced_is_an_error_after_some_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "_MAX_WAIT_S", 0.5)
    pauses = []
    monkeypatch.setattr(snapshot.time, "sleep", pauses.append)
    publish(tmp_path / "a", "0", ALL, ALL)
    with pytest.raises(FormatError) as caught:
        read_set(tmp_path / "a", lambda *_: publish(tmp_path / "a", "0", ALL, ALL))
    prefix = tmp_path / "a"
    assert str(caught.value) == f"{prefix}: a pack is replacing this set; open it again when the pack has ended"
    assert pauses[0] == 0 and pauses == sorted(pauses) and max(pauses) <= snapshot._MAX_PAUSE_S


def test_files_of_nobody_a_folder_and_a_pipe_are_left_to_the_reader(tmp_path):
    os.mkfifo(tmp_path / "pipe.rec")
    (tmp_path / "folder.rec").mkdir()
    for name in ("none", "pipe", "folder"):
        begin = time.monotonic()
        assert read_set(tmp_path / name, lambda files, _: files.path(".rec").name) == f"{name}.rec"
        assert time.monotonic() - begin < 60  # a wait for a writer of the pipe would not end


def test_only_some_of_many_sets_are_held_open(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "_MAX_HELD", 2)
    names = [f"a_{number}.rec" for number in range(5)]
    publish(tmp_path / "a", "old", names, [])

    def n_open(sets, _stack):
        targets = [Path(f"/proc/self/fd/{name}").resolve() for name in os.listdir("/proc/self/fd")]
        return len(sets), sum(path.parent == tmp_path and path.suffix == ".rec" for path in targets)

    if Path("/proc/self/fd").exists():
        assert read_sets(lambda: [tmp_path / name for name in names], n_open) == (5, 2)


def test_a_set_that_was_removed_is_missing(tmp_path):
    publish(tmp_path / "a", "old", ALL, ALL)

    def remove(files, _stack):
        if files.path(".rec").exists():
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()
        return files.path(".rec").exists()

    assert read_set(tmp_path / "a", remove) is False
