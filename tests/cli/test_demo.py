"""The demo, end to end: real digits to the required accuracy, reported in six lines."""

import re

import pytest

from recordkit import native
from recordkit.cli.demo import main


@pytest.mark.slow
def test_digits_reach_the_required_accuracy_in_six_lines(mx, program, tmp_path):
    pytest.importorskip("sklearn")
    code, output, _ = program(main, "--output", tmp_path / "out", "--more-seeds", 0)
    lines = output.splitlines()
    assert code == 0
    assert len(lines) == 6
    assert "packed 1437 + 360 images" in lines[0]
    assert float(re.fullmatch(r"accuracy: (0\.9\d{3}|1\.0000)", lines[5])[1]) >= 0.97
    engine = "native" if native.available() else "python"
    assert lines[4] == f"packed by the {engine} engine, loaded by the {engine} engine"


@pytest.mark.slow
def test_data_that_cannot_be_learned_fails_the_gate(mx, program, engine, tiny_mnist, tmp_path):
    code, output, error = program(main, "--data", tiny_mnist, "--output", tmp_path / "out", "--engine", engine)
    assert code == 1
    assert f"\npacked by the {engine} engine, loaded by the {engine} engine\n" in output
    assert output.splitlines()[-1].startswith("accuracy: 0.")
    assert "expected an accuracy of at least 0.985, got 0." in error


def test_a_folder_without_the_four_files_is_one_line(mx, program, tiny_folder, tmp_path):
    code, _, error = program(main, "--data", tiny_folder, "--output", tmp_path / "out")
    assert (code, error.count("\n")) == (1, 1)
    assert "expected the four ubyte files of MNIST or Fashion-MNIST" in error
