"""Logs in MXNet's format, read and written."""

import pytest

from recordkit.errors import FormatError
from recordkit.training.results.log import batch_line, epoch_lines, read_curves
from recordkit.training.results.report import EpochReport
from recordkit.training.results.score import Score

# Lines of Module.fit in mxnet 1.9.1, and of a Gluon example.
MXNET = """INFO:root:Epoch[0] Batch [0-20]\tSpeed: 2710.24 samples/sec\taccuracy=0.112351
INFO:root:Epoch[0] Train-accuracy=0.932000
INFO:root:Epoch[0] Time cost=6.132
INFO:root:Epoch[0] Validation-accuracy=0.961000
INFO:root:Epoch[1] Train-accuracy=nan
INFO:root:Epoch[1] Validation-accuracy=9.7e-01
"""
GLUON = """[Epoch 0] training: accuracy=0.81
[Epoch 0] validation: accuracy=0.85
"""
SCORES = Score(0.5, 1.25, 100, 1000.0), Score(0.75, 0.5, 10, 2000.0)


def test_mxnets_log_is_read(tmp_path):
    (tmp_path / "a.log").write_text(MXNET)
    curves = read_curves(tmp_path / "a.log")
    assert list(curves) == ["accuracy"]
    assert curves["accuracy"]["validation"] == {1: 0.961, 2: 0.97}
    assert curves["accuracy"]["train"][1] == 0.932 and str(curves["accuracy"]["train"][2]) == "nan"


def test_gluons_log_is_read(tmp_path):
    (tmp_path / "a.log").write_text(GLUON)
    assert read_curves(tmp_path / "a.log") == {"accuracy": {"train": {1: 0.81}, "validation": {1: 0.85}}}


def test_written_lines_can_be_read(tmp_path):
    lines = [line for epoch in (1, 2) for line in epoch_lines(EpochReport(epoch, 0.01, *SCORES, 3.5, 0.1))]
    (tmp_path / "a.log").write_text("\n".join([*lines, batch_line(2, 20, 123.4, SCORES[0])]))
    assert read_curves(tmp_path / "a.log") == {
        "accuracy": {"train": {1: 0.5, 2: 0.5}, "validation": {1: 0.75, 2: 0.75}},
        "cross-entropy": {"train": {1: 1.25, 2: 1.25}, "validation": {1: 0.5, 2: 0.5}},
    }
    assert batch_line(2, 20, 123.4, SCORES[0]).startswith(
        "Epoch[1] Batch [0-20]\tSpeed: 123.40 samples/sec\taccuracy=0.5"
    )


def test_a_repeated_epoch_drops_the_later_ones(tmp_path):
    (tmp_path / "a.log").write_text(
        "".join(f"Epoch[{n}] Train-accuracy=0.{m}\n" for n, m in ((0, 1), (1, 2), (2, 3), (0, 4)))
    )
    assert read_curves(tmp_path / "a.log") == {"accuracy": {"train": {1: 0.4}}}


def test_a_file_that_is_no_log_is_refused(tmp_path):
    (tmp_path / "a.log").write_text("hello")
    with pytest.raises(FormatError, match=r"a\.log: expected lines as 'Epoch\[0\] Train-accuracy=0\.95', got none"):
        read_curves(tmp_path / "a.log")
