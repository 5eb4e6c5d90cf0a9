"""An edit that is killed, interrupted or without room: the folder has all files of the new sets or none."""

import pytest
from PIL import Image
from storage.faults import Faults

import recordkit as rk

NEW_FILES = sorted(f"b_{name}{suffix}" for name in "xy" for suffix in (".rec", ".idx", ".lst", ".crc", ".json"))


@pytest.fixture(scope="module")
def faults():
    with Faults() as started:
        yield started


@pytest.fixture
def folder(memory_path):
    """A folder with a packed set."""
    (memory_path / "images").mkdir()
    for number in range(3):
        Image.new("L", (4, 4), number).save(memory_path / "images" / f"{number}_{number}.png")
    rk.pack(memory_path / "images", memory_path / "a", plan=rk.PackPlan(threads=1), engine="python")
    return memory_path


def new_files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith((".b", "b")))


QUICK_AND_SLOW = [
    *(("kill", 89), ("interrupt", 113), ("fail", 101)),
    *(pytest.param(how, 1, marks=pytest.mark.slow) for how in ("kill", "interrupt", "fail")),
]


@pytest.mark.parametrize(("how", "step"), QUICK_AND_SLOW)
def test_an_edit_with_a_fault_publishes_both_sets_or_none(folder, faults, how, step):
    ends, states = [], set()
    at = 1
    while ends[-3:] != ["done"] * 3:  # some calls may fail, such as those that advise the system
        ends.append(faults("edit_sets", str(folder / "a"), str(folder / "b"), how=how, at=at))
        faults("recover", str(folder / "b"), at=0)
        names = new_files(folder)
        assert names in ([], NEW_FILES), (at, ends[-1])
        assert names or ends[-1] != "done"
        states.add(len(names))
        for name in names:
            (folder / name).unlink()
        at += step
    assert states == {0, len(NEW_FILES)}
    assert len(ends) > 5


@pytest.mark.parametrize("at", [1, 100, 200])
def test_a_full_disk_publishes_nothing(folder, faults, at):
    end = faults("edit_sets", str(folder / "a"), str(folder / "b"), how="limit", at=at)
    assert end.startswith("PublishError: "), end
    assert end.endswith("File too large; nothing was published"), end
    assert not new_files(folder)
