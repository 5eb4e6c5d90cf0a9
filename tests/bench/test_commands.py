"""Programs timed side by side."""

import sys

import pytest

from recordkit.bench.commands import time_commands
from recordkit.bench.table import rate_lines
from recordkit.errors import PlanError


def program(text):
    return [sys.executable, "-c", text]


def test_programs_run_once_more_than_the_rounds_and_have_a_rate_for_each_round(tmp_path):
    log = tmp_path / "log"
    write = f"open({str(log)!r}, 'a').write('x')"
    commands = {
        "constant": program(f'{write}; print(\'{{"n": 6, "seconds": 0.5}}\')'),
        "process": program("print('a line before'); print('{\"n\": 1}')"),
    }
    constant, process = time_commands(commands, rounds=3)
    assert constant.img_s == [12.0] * 3 and log.read_text() == "xxxx"
    assert len(process.img_s) == 3 and 0 < max(process.img_s) < 1000  # the start of the process counts


def test_a_program_that_fails_is_a_row_that_names_the_error():
    commands = {"good": program('print(\'{"n": 6, "seconds": 0.5}\')'), "bad": program("raise ValueError('wrong')")}
    good, bad = time_commands(commands, rounds=1)
    assert (bad.status, bad.note, bad.img_s) == ("failed", "ValueError: wrong", [])
    assert rate_lines([good, bad], "rec/s") == [
        "good              12 rec/s (12 to 12)  x1.00",
        "bad   failed: ValueError: wrong",
    ]


def test_no_rounds_are_refused():
    with pytest.raises(PlanError, match="rounds: expected at least 1, got 0"):
        time_commands({}, rounds=0)
