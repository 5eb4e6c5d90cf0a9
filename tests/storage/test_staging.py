"""Publishing a set of files: the result is all old or all new, at whatever point the process is killed."""

import contextlib
import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest
from PIL import Image
from storage.faults import publish, publish_folder, recover

from recordkit.errors import InUseError, PublishError
from recordkit.storage.fileset import Fileset, fingerprint
from recordkit.storage.names import SUFFIXES
from recordkit.storage.published_sets import published_sets
from recordkit.storage.staging import Staging, _describe_unless_empty


def names_of(*sets, suffixes=(".rec", ".idx", ".lst", ".json")):
    return [name + suffix for name in sets for suffix in suffixes]


# Prefix, files of the old set, files of the new set. The first file of the new set is the pivot.
CASES = {
    "a-first-set": ("a", [], names_of("a")),
    "replacing-a-set-of-more-files": ("a", names_of("a", suffixes=SUFFIXES), names_of("a")),
    "replacing-a-set-of-fewer-files": ("a", names_of("a"), names_of("a", suffixes=SUFFIXES)),
    "replacing-parts-with-one-part-more": (
        "x",
        names_of("x_train", "x_test", suffixes=(".rec", ".idx", ".failed.tsv")),
        names_of("x_train", "x_val", "x_test", suffixes=(".rec", ".idx", ".json")),
    ),
    "replacing-one-set-with-parts": ("x", names_of("x"), names_of("x_train", "x_test")),
}
# Sets of many files make many system calls, so their cases run with bin/test --all only.
MANY_FILES = pytest.param("replacing-parts-with-one-part-more", marks=pytest.mark.slow)
QUICK_AND_SLOW = [pytest.param(case, marks=pytest.mark.slow if "parts" in case else ()) for case in CASES]


def write_old_set(folder, names):
    """Write the files of the old generation."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text(f"old {name}")


def at_final_names(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def as_read(folder, names):
    """Read the sets that these files belong to, by Fileset."""
    sets = {name.split(".")[0] for name in names}
    paths = {name + suffix: Fileset(folder / name).path(suffix) for name in sets for suffix in SUFFIXES}
    return {name: path.read_text() for name, path in paths.items() if path.exists()}


def whole(generation, names):
    return {name: f"{generation} {name}" for name in names}


def check_whole(folder, old, new):
    """Assert that the whole old set or the whole new set is there, and return which."""
    final = at_final_names(folder)
    assert len({content.split()[0] for content in final.values()}) <= 1, final
    read = as_read(folder, old + new)
    assert read in (whole("old", old), whole("new", new))
    return "new" if read == whole("new", new) else "old"


def check_next_pack(folder, prefix, old, new, which):
    """Assert that the next pack first completes or removes the interrupted one, and then works."""
    recover(folder / prefix)
    expected = whole(which, new if which == "new" else old)
    assert at_final_names(folder) == expected
    assert sorted(os.listdir(folder)) == sorted(expected)
    publish(folder / prefix, "third", new, [*expected, *old])
    assert at_final_names(folder) == whole("third", new)
    assert sorted(os.listdir(folder)) == sorted(new)


def cut_everywhere(faults, tmp_path, case, how):
    """Publish with a fault at the first system call, then at the second, until no fault happens; yield each outcome."""
    prefix, old, new = CASES[case]
    for at in itertools.count(1):
        folder = tmp_path / str(at)
        write_old_set(folder, old)
        end = faults("publish", str(folder / prefix), "new", new, old, how=how, at=at)
        which = check_whole(folder, old, new)
        if end == "done":
            assert which == "new" and sorted(os.listdir(folder)) == sorted(new)
            assert at > 50  # the calls were counted
            return
        yield end, which
        check_next_pack(folder, prefix, old, new, which)
        shutil.rmtree(folder)


@pytest.mark.parametrize("case", QUICK_AND_SLOW)
def test_killed_at_any_system_call_the_set_is_old_or_new_and_the_next_pack_works(case, faults, tmp_path):
    outcomes = list(cut_everywhere(faults, tmp_path, case, "kill"))
    assert {end for end, _ in outcomes} == {"killed"}
    # After the commit, the set is always new.
    assert [which for which, _ in itertools.groupby(which for _, which in outcomes)] == ["old", "new"]


@pytest.mark.parametrize("case", ["a-first-set", MANY_FILES])
def test_interrupted_at_any_system_call_the_set_is_old_or_new_and_the_next_pack_works(case, faults, tmp_path):
    outcomes = list(cut_everywhere(faults, tmp_path, case, "interrupt"))
    assert {end for end, _ in outcomes} == {"KeyboardInterrupt: "}
    assert {which for _, which in outcomes} == {"old", "new"}


@pytest.mark.parametrize("case", ["a-first-set", MANY_FILES])
def test_a_failing_disk_at_any_system_call_leaves_old_or_new_and_says_which(case, faults, tmp_path):
    for end, which in cut_everywhere(faults, tmp_path, case, "error"):
        assert "Input/output error" in end and end.startswith(("PublishError: ", "OSError: "))
        assert which == "old" or "nothing was published" not in end
        assert which == "new" or "the new set is valid" not in end


@pytest.mark.parametrize("case", ["replacing-a-set-of-more-files", MANY_FILES])
def test_killed_while_completing_a_killed_pack_the_set_is_still_whole(case, faults, tmp_path):
    prefix, old, new = CASES[case]
    for killed_at in itertools.count(1):
        committed = tmp_path / f"committed{killed_at}"
        write_old_set(committed, old)
        assert faults("publish", str(committed / prefix), "new", new, old, at=killed_at) == "killed"
        if check_whole(committed, old, new) == "new":
            break
    for at in itertools.count(1):
        folder = tmp_path / str(at)
        shutil.copytree(committed, folder)
        end = faults("recover", str(folder / prefix), at=at)
        assert check_whole(folder, old, new) == "new"
        if end == "done":
            break
        check_next_pack(folder, prefix, old, new, "new")
    assert at_final_names(folder) == whole("new", new) and at > 30


@pytest.mark.parametrize("limit", [0, 5, 9])
def test_a_full_disk_leaves_the_old_set_and_no_stray_file(limit, faults, tmp_path):
    prefix, old, new = CASES["replacing-a-set-of-more-files"]
    write_old_set(tmp_path / "out", old)
    end = faults("publish", str(tmp_path / "out" / prefix), "new", new, old, how="limit", at=limit)
    assert end.startswith("OSError: ") and "File too large" in end
    assert at_final_names(tmp_path / "out") == whole("old", old)
    assert sorted(os.listdir(tmp_path / "out")) == sorted(old)


def test_a_disk_that_fills_up_at_the_commit_leaves_the_old_set(faults, tmp_path):
    prefix, old, new = CASES["replacing-a-set-of-more-files"]
    write_old_set(tmp_path / "out", old)
    end = faults("publish", str(tmp_path / "out" / prefix), "new", new, old, how="limit", at=20)
    assert end == f"PublishError: {tmp_path / 'out'}: File too large; nothing was published"
    assert sorted(os.listdir(tmp_path / "out")) == sorted(old)
    assert at_final_names(tmp_path / "out") == whole("old", old)


# A real pack, killed by the kernel.

# The calls that change a folder. All others only read, or change files that have no final name yet.
CALLS = ["renameat"]
if hypothesis.settings().max_examples > 25:  # the longer profiles
    CALLS += ["unlinkat", "rmdir", "mkdir", "flock", "fsync", "write"]


def strace_works():
    strace = shutil.which("strace")
    command = [strace, "-o", os.devnull, "true"]
    return strace and subprocess.run(command, capture_output=True, check=False).returncode == 0


def write_images(folder, level):
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        Image.new("L", (4, 4), level).save(folder / name / "1.png")


def as_packed(prefix):
    files = Fileset(prefix)
    return {suffix: fingerprint(files.path(suffix)) for suffix in (".rec", ".idx", ".lst")} | {
        "recorded": files.description().get("rec", {}).get("sha256")
    }


@pytest.mark.skipif(not strace_works(), reason="needs strace, and to be allowed to trace")
@pytest.mark.parametrize("call", CALLS)
def test_a_real_pack_killed_by_the_kernel_at_any_call_leaves_old_or_new(call, tmp_path):
    pack = [sys.executable, "-m", "recordkit", "pack"]
    for generation, level in (("old", 10), ("new", 200)):
        write_images(tmp_path / generation, level)
        (tmp_path / f"{generation}-set").mkdir()
        prefix = tmp_path / f"{generation}-set" / "a"
        subprocess.run([*pack, tmp_path / generation, prefix], check=True, capture_output=True)
    old, new = as_packed(tmp_path / "old-set" / "a"), as_packed(tmp_path / "new-set" / "a")
    assert old[".rec"] == old["recorded"] != new[".rec"]
    for at in itertools.count(1):
        prefix = tmp_path / str(at) / "a"
        shutil.copytree(tmp_path / "old-set", prefix.parent)
        strace = ["strace", "-f", "-o", os.devnull, "-e", f"inject={call}:signal=KILL:when={at}"]
        process = subprocess.run([*strace, *pack, tmp_path / "new", prefix], check=False, capture_output=True)
        assert as_packed(prefix) in (old, new)
        recover(prefix)
        assert as_packed(prefix) in (old, new)
        assert sorted(os.listdir(prefix.parent)) == ["a.crc", "a.idx", "a.json", "a.lst", "a.rec"]
        if process.returncode == 0:
            break
        assert process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), process.stderr
    assert at > 1 and as_packed(prefix) == new


# A set with a folder.


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_a_folder_and_its_list_are_published_together(make, tmp_path):
    make(tmp_path / "a")
    publish_folder(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == ["a", "a.lst"] and os.listdir(tmp_path / "a") == ["1.png"]


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (Path.touch, "a file"),
        (lambda path: path.symlink_to(path.parent / "elsewhere"), "a link"),
        (lambda path: (path / "mine").mkdir(parents=True), "a folder with files"),
    ],
)
def test_a_folder_replaces_nothing_but_an_empty_folder(make, got, tmp_path):
    make(tmp_path / "a")
    with pytest.raises(PublishError, match=rf"a: expected no file, or an empty folder, got {got}; choose another name"):
        publish_folder(tmp_path / "a")
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_that_replaces_one_is_whole_at_whatever_call_it_is_killed(faults, tmp_path):
    ends = []
    for at in itertools.count(1):
        parent = tmp_path / str(at)
        (parent / "a" / "sub").mkdir(parents=True)
        (parent / "a" / "sub" / "old.png").write_text("old")
        end = faults("replace_folder", str(parent / "a"), at=at)
        recover(parent / "a", folder=True)
        names = sorted(str(path.relative_to(parent)) for path in parent.rglob("*"))
        ends.append("old" if names == ["a", "a/sub", "a/sub/old.png"] else "new")
        assert ends[-1] == "old" or names == ["a", "a.lst", "a/1.png"], names
        shutil.rmtree(parent)
        if end == "done":
            break
    assert [each for each, _ in itertools.groupby(ends)] == ["old", "new"] and at > 40


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to(path.parent / "elsewhere")])
def test_a_folder_replaces_no_file_or_link(make, tmp_path):
    make(tmp_path / "a")
    with pytest.raises(
        PublishError, match="a: expected no file, or an empty folder, got a (file|link); choose another"
    ):
        publish_folder(tmp_path / "a", overwrite=True)


def test_a_folder_without_a_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PublishError, match="expected a name, got a folder; add a name, as in train$"):
        publish_folder(Path())


def test_the_root_of_a_file_system_is_not_replaced():
    assert _describe_unless_empty(Path("/proc")) == "the root of a file system"


def test_a_folder_that_a_killed_export_left_is_removed_or_completed(faults, tmp_path):
    outcomes = []
    for at in itertools.count(1):
        folder = tmp_path / str(at)
        folder.mkdir()
        end = faults("publish_folder", str(folder / "a"), at=at)
        if end == "done":
            break
        recover(folder / "a", folder=True)
        outcomes.append(sorted(os.listdir(folder)))
    assert [names for names, _ in itertools.groupby(outcomes)] == [[], ["a", "a.lst"]] and at > 20


# Publishing without faults.


def test_without_a_commit_the_old_files_are_unchanged(tmp_path):
    (tmp_path / "a.rec").write_text("old a.rec")
    with Staging(tmp_path / "a") as staging, staging.create("a.rec") as file:
        file.write(b"new a.rec")
    assert at_final_names(tmp_path) == {"a.rec": "old a.rec"} and os.listdir(tmp_path) == ["a.rec"]


def test_after_an_error_the_old_files_are_unchanged(tmp_path):
    def fail():
        with Staging(tmp_path / "a") as staging:
            staging.create("a.rec").close()
            raise RuntimeError("a bad image")

    with pytest.raises(RuntimeError, match="a bad image"):
        fail()
    assert os.listdir(tmp_path) == []


def test_files_of_other_sets_and_of_the_user_are_unchanged(tmp_path):
    for name in ("b.rec", "a2.rec", "a.txt", "notes"):
        (tmp_path / name).write_text("user file")
    publish(tmp_path / "a", "new", names_of("a"), [])
    publish(tmp_path / "a", "newer", names_of("a"), names_of("a"))
    assert {name: text for name, text in at_final_names(tmp_path).items() if text == "user file"} == dict.fromkeys(
        ("b.rec", "a2.rec", "a.txt", "notes"), "user file"
    )
    assert len(os.listdir(tmp_path)) == 8


@pytest.mark.parametrize("name", ["a.rec", "a.json"])
def test_a_folder_at_a_final_name_is_refused_before_anything_is_committed(name, tmp_path):
    (tmp_path / "a.idx").write_text("old")
    (tmp_path / name).mkdir()
    with pytest.raises(PublishError, match=rf"{name}: expected to write a file, got a folder of that name; rename it"):
        publish(tmp_path / "a", "new", names_of("a"), [])
    assert sorted(os.listdir(tmp_path)) == sorted(["a.idx", name])


def test_files_that_no_pack_wrote_are_never_removed_from_a_staging_folder(tmp_path):
    folder = tmp_path / ".a.staging"
    folder.mkdir()
    (folder / "a.rec").touch()
    (folder / "note.txt").write_text("user file")
    with pytest.raises(PublishError, match=r"note\.txt: no killed pack left this here; move it"):
        Staging(tmp_path / "a")
    assert sorted(os.listdir(folder)) == ["a.rec", "note.txt"]


def test_a_removed_file_that_is_also_published_is_published(tmp_path):
    write_old_set(tmp_path / "out", names_of("a"))
    publish(tmp_path / "out" / "a", "new", ["a.rec"], names_of("a"))
    assert at_final_names(tmp_path / "out") == {"a.rec": "new a.rec"}


def test_a_second_pack_to_the_same_prefix_is_refused_and_one_to_another_is_not(tmp_path):
    with Staging(tmp_path / "a"), Staging(tmp_path / "b"):
        with pytest.raises(PublishError, match=r"\.a\.staging: another process is writing to this prefix; wait until"):
            Staging(tmp_path / "a")
    recover(tmp_path / "a")


HOLD_THE_LOCK = """
import sys, time
from pathlib import Path
from recordkit.storage.staging import Staging
with Staging(Path(sys.argv[1])) as staging, staging.create("a.rec") as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(600)
"""


def test_a_prefix_that_is_held_takes_the_next_set_and_no_other_process(tmp_path):
    with Staging(tmp_path / "a", holder="a writer of two sets") as staging:
        for content in (b"first", b"second"):
            with staging.create("a.rec") as file:
                file.write(content)
            staging.commit(hold=True)
            assert at_final_names(tmp_path) == {"a.rec": content.decode()}
            with pytest.raises(InUseError, match="another process is writing to this prefix: a writer of two sets, p"):
                Staging(tmp_path / "a")
            assert stat.S_IMODE((tmp_path / ".a.staging").stat().st_mode) & 0o777 == 0o700
    recover(tmp_path / "a")
    assert os.listdir(tmp_path) == ["a.rec"]


def test_the_lock_of_a_killed_process_is_released(tmp_path):
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(tmp_path / "a")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        with pytest.raises(PublishError, match="another process is writing to this prefix"):
            Staging(tmp_path / "a")
        process.send_signal(signal.SIGKILL)
    publish(tmp_path / "a", "new", ["a.rec"], [])
    assert at_final_names(tmp_path) == {"a.rec": "new a.rec"}


def test_a_pack_does_not_touch_the_folder_of_the_next_one_after_it_published(tmp_path):
    with Staging(tmp_path / "a") as first:
        first.create("a.rec").close()
        first.commit()
        second = Staging(tmp_path / "a")
    with second:
        with second.create("a.rec") as file:
            file.write(b"second")
        second.commit()
    assert at_final_names(tmp_path) == {"a.rec": "second"}


def test_a_staging_that_cannot_start_keeps_no_lock(tmp_path):
    leftover = tmp_path / ".a.staging" / "a-folder"
    leftover.mkdir(parents=True)
    for _ in range(2):  # a lock that is still held would be reported as another pack
        with pytest.raises(PublishError, match="a-folder: no killed pack left this here"):
            Staging(tmp_path / "a")


def test_missing_folders_are_made_and_removed_again_without_a_commit(tmp_path):
    (tmp_path / "old").mkdir()
    for error in (None, ValueError, KeyboardInterrupt):
        with contextlib.suppress(BaseException), Staging(tmp_path / "old" / "new" / "out" / "a") as staging:
            staging.create("a.rec").close()
            if error:
                raise error
        assert list((tmp_path / "old").iterdir()) == []
    with Staging(tmp_path / "old" / "new" / "out" / "a") as staging:
        staging.create("a.rec").close()
        staging.commit()
    assert (tmp_path / "old" / "new" / "out" / "a.rec").exists()


def test_a_new_folder_with_files_of_others_stays(tmp_path):
    with Staging(tmp_path / "new" / "a"):
        (tmp_path / "new" / "notes.txt").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["notes.txt"]


def test_a_prefix_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match="file: expected a folder, got a file; choose another folder"):
        Staging(tmp_path / "file" / "a")


def test_a_prefix_that_is_a_folder_is_refused(tmp_path):
    with pytest.raises(PublishError, match="expected a file prefix, got a folder; add a name, as in .*/train$"):
        Staging(tmp_path)


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to(path.parent / "elsewhere")])
def test_a_file_or_link_named_like_the_staging_folder_is_refused(make, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    make(tmp_path / ".a.staging")
    with pytest.raises(PublishError, match=r"\.a\.staging: .*; nothing was published"):
        Staging(tmp_path / "a")
    assert (tmp_path / "elsewhere" / "precious").exists()


def test_a_folder_that_cannot_be_written_is_named():
    with pytest.raises(PublishError, match=r"^/proc/\.a\.staging: .*; nothing was published"):
        Staging(Path("/proc/a"))


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not apply to root")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PublishError, match="Permission denied; nothing was published"):
            Staging(tmp_path / "a")
    finally:
        tmp_path.chmod(0o755)


def test_every_suffix_is_published_after_the_records():
    assert SUFFIXES[0] == ".rec"


def interrupt_at(at):
    """Raise KeyboardInterrupt at the `at`-th place from now on at which Python answers a signal."""
    n_places = 0

    def count(_frame, event, _argument):
        nonlocal n_places
        n_places += event in ("call", "c_return")
        if n_places == at:
            sys.setprofile(None)
            raise KeyboardInterrupt

    sys.setprofile(count)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Path.iterdir leaves an iterator
@pytest.mark.parametrize("hold", [False, True])
def test_an_interrupt_between_any_two_calls_leaves_no_folder_and_no_lock_and_says_which(hold, memory_path):
    ends = set()
    for at in itertools.count(1):
        try:
            with published_sets() as prefixes:
                interrupt_at(at)
                publish(memory_path / "a", "new", ["a.rec"], [], hold)
        except KeyboardInterrupt:
            ends.add((memory_path / "a.rec").exists())
        else:
            break
        finally:
            sys.setprofile(None)
        if hold:
            recover(memory_path / "a")  # an interrupt of the end of the block leaves an empty folder without a lock
        assert not (memory_path / ".a.staging").exists(), at
        assert prefixes == [memory_path / "a"] * (memory_path / "a.rec").exists(), at
        (memory_path / "a.rec").unlink(missing_ok=True)
    assert at > 100 and ends == {True, False}


def test_a_block_inside_another_one_has_its_own_published_sets(tmp_path):
    with published_sets() as outer:
        publish(tmp_path / "a", "new", ["a.rec"], [])
        with published_sets() as inner:
            publish(tmp_path / "b", "new", ["b.rec"], [])
        publish(tmp_path / "c", "new", ["c.rec"], [])
    publish(tmp_path / "d", "new", ["d.rec"], [])
    assert ([path.name for path in outer], [path.name for path in inner]) == (["a", "c"], ["b"])
