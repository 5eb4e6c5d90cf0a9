"""The names of a run's files: one list for those that write, publish and remove them."""

import pytest

from recordkit.storage.commit import can_be_staged
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.names import FILE, PICTURES, RECORD, RESULTS, SYMBOL

ENDINGS = ["0001.params", "0001.states", SYMBOL, RECORD, *RESULTS, *(f"{name}-12.png" for name in PICTURES)]


@pytest.mark.parametrize("prefix", ["lenet", "lenet-5", "a-run.json", "lenet-curves", "[a]*\n"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_file_of_a_run_can_be_published_listed_and_removed(ending, prefix, tmp_path):
    name = f"{prefix}-{ending}"
    assert can_be_staged(prefix, name) and FILE.fullmatch(name)["prefix"] == prefix
    checkpoints = Checkpoints(tmp_path / prefix)
    for epoch_file in (name, f"{prefix}-0001.params"):
        (tmp_path / epoch_file).touch()
    assert tmp_path / name in checkpoints.files()
    temporary = tmp_path / f".{name}.0123abcd.tmp"
    temporary.touch()
    checkpoints.remove_temporary_files()
    assert not temporary.exists()


@pytest.mark.parametrize("ending", ["notes.txt", "mine.png", "confusion-of-mine.png", "00001.params", "5-0001.params"])
def test_other_files_are_none_of_a_run(ending, tmp_path):
    (tmp_path / f"lenet-{ending}").touch()
    (tmp_path / f".lenet-{ending}.0123abcd.tmp").touch()
    checkpoints = Checkpoints(tmp_path / "lenet")
    checkpoints.remove_temporary_files()
    assert checkpoints.files() == [] and len(list(tmp_path.iterdir())) == 2
