"""Files of checkpoints, tested without MXNet."""

import pytest

from recordkit.errors import PlanError, TrainError
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
