"""Files of checkpoints, tested without MXNet."""

import pytest

from recordkit.errors import PlanError, TrainError
from recordkit.training.run.checkpoint import Checkpoints


def test_checkpoints_of_other_programs_are_refused(tmp_path):
    (tmp_path / "lenet-0001.params").touch()
    with pytest.raises(
        TrainError, match=r"got lenet-0001\.params without lenet-run\.json; choose another model_prefix"
    ):
        Checkpoints(tmp_path / "lenet").check_owner()
    assert (tmp_path / "lenet-0001.params").exists()


def test_a_file_of_the_user_is_refused(tmp_path):
    (tmp_path / "lenet-summary.json").write_text("mine")
    with pytest.raises(TrainError, match=r"got lenet-summary\.json without lenet-run\.json"):
        Checkpoints(tmp_path / "lenet").check_owner()


def test_a_prefix_without_a_name_is_refused():
    with pytest.raises(PlanError, match="model_prefix: expected the beginning of a name, as models/lenet, got '.'"):
        Checkpoints(".")
