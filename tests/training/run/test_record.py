"""The record of a run: what another program, an older version or an editor may have left in it."""

import json

import pytest

from recordkit.errors import TrainError
from recordkit.training.data.normalization import Normalization
from recordkit.training.run.record import RunRecord


def record(path, normalization):
    path.write_text(json.dumps({"normalization": normalization}))
    return RunRecord.read(path)


def test_a_normalization_is_read_as_it_was_written(tmp_path):
    written = Normalization((33.15,), (79.05,), 1.0)
    assert record(tmp_path / "run.json", written.facts()).normalization() == written


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "none; train again"),
        (7, "7; train again"),
        ({"mean": [0], "std": [1]}, "{'mean'"),
        ({"mean": 5, "std": [1], "scale": 1}, "{'mean'"),
        ({"mean": ["a"], "std": [1], "scale": 1}, "{'mean'"),
        ({"mean": [0.5], "std": [0.2], "scale": 1}, "{'mean'"),
    ],
)
def test_another_normalization_names_the_file(tmp_path, value, got):
    with pytest.raises(TrainError, match=rf"run\.json: expected the normalization of the model's images, .*got {got}"):
        record(tmp_path / "run.json", value).normalization()
