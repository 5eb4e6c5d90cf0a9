"""Progress of long work: a bar on a terminal, lines in a log, nothing with --quiet, and never a colour."""

import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios

import pytest

from recordkit.cli import progress
from recordkit.cli.console import Console


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test advances."""

    class Clock:
        now_s = 100.0

    monkeypatch.setattr(progress, "monotonic", lambda: Clock.now_s)
    monkeypatch.setattr(progress, "_FIRST_LINE_S", 3.0)
    return Clock


def lines_of(capsys, clock, bar, steps):
    """Advance by each (seconds, units); return the lines printed."""
    for seconds, n in steps:
        clock.now_s += seconds
        bar.update(n)
    return capsys.readouterr().err.splitlines()


def test_lines_come_after_3_seconds_and_then_every_10(clock, capsys):
    bar = progress.open_bar(50_000, "pack x")
    assert lines_of(capsys, clock, bar, [(1, 1000)] * 2) == []
    assert lines_of(capsys, clock, bar, [(1, 1000)]) == ["pack x: 3,000 of 50,000 img, 1,000 img/s, 47 s left"]
    assert lines_of(capsys, clock, bar, [(1, 1000)] * 9) == []
    assert lines_of(capsys, clock, bar, [(1, 1000)]) == ["pack x: 13,000 of 50,000 img, 1,000 img/s, 37 s left"]


def test_lines_become_rare_in_long_work_but_come_every_minute(clock, capsys):
    bar = progress.open_bar(100_000, "train")
    n_lines = [len(lines_of(capsys, clock, bar, [(1, 1)] * 600)) for _ in range(6)]
    assert n_lines[0] < 60 and n_lines[-1] == 10


def test_lines_show_bytes_as_megabytes_and_slow_units_as_seconds(clock, capsys):
    bar = progress.open_bar(400_000_000, "verify x.rec", unit="B")
    assert lines_of(capsys, clock, bar, [(4, 100_000_000)]) == ["verify x.rec: 100.0 of 400.0 MB, 25.0 MB/s, 12 s left"]
    bar = progress.open_bar(10, "bench x", unit="turn")
    assert lines_of(capsys, clock, bar, [(120, 1)]) == ["bench x: 1 of 10 turn, 120 s each, 18 min left"]


def test_a_total_may_be_unknown_or_become_known(clock, capsys):
    bar = progress.open_bar(None, "find images")
    assert lines_of(capsys, clock, bar, [(5, 1000)]) == ["find images: 1,000 img, 200 img/s"]
    bar.total = 11_000
    assert lines_of(capsys, clock, bar, [(10, 2000)]) == ["find images: 3,000 of 11,000 img, 200 img/s, 40 s left"]


def test_work_beyond_the_total_has_no_time_left(clock, capsys):
    bar = progress.open_bar(10, "x")
    assert lines_of(capsys, clock, bar, [(4, 12)]) == ["x: 12 of 10 img, 3 img/s, 0 s left"]


def test_a_reset_counts_from_0_again(clock, capsys):
    bar = progress.open_bar(10, "x")
    bar.update(5)
    bar.reset()
    assert lines_of(capsys, clock, bar, [(5, 10)]) == ["x: 10 of 10 img, 2 img/s, 0 s left"]


def test_a_note_ends_the_line(clock, capsys):
    with Console().progress(10, "epoch 1") as advance:
        clock.now_s += 5
        advance(5, "loss 0.100")
    assert capsys.readouterr().err == "epoch 1: 5 of 10 img, 1 img/s, 5 s left, loss 0.100\n"


def test_quiet_shows_nothing(clock, capsys):
    assert lines_of(capsys, clock, progress.open_bar(10, "x", quiet=True), [(60, 5)]) == []


def on_terminal(*words, **environment):
    """Run recordkit on a terminal of 80 columns; return its output."""
    pid, terminal = pty.fork()
    if not pid:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.environ.update(environment)
        os.execv(sys.executable, [sys.executable, "-m", "recordkit", *map(str, words)])
    output = b""
    try:
        while block := os.read(terminal, 4096):
            output += block
    except OSError:  # the program has closed the terminal
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, output
    return output


def test_a_terminal_shows_a_bar_without_colours(tiny_folder, tmp_path):
    output = on_terminal("pack", tiny_folder, tmp_path / "out", TERM="xterm-256color", FORCE_COLOR="1")
    assert b"pack out:" in output and (b"12/12" in output or b"0/12" in output)
    assert b"\x1b[" not in output  # so NO_COLOR has nothing to switch off


def test_a_dumb_terminal_shows_no_bar(tiny_folder, tmp_path):
    output = on_terminal("pack", tiny_folder, tmp_path / "out", TERM="dumb")
    assert b"pack out:" not in output and b"\r\n" in output and b"\r" not in output.replace(b"\r\n", b"")


def test_a_quiet_pack_on_a_terminal_prints_nothing(tiny_folder, tmp_path):
    assert on_terminal("pack", tiny_folder, tmp_path / "out", "--quiet") == b""


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (["pack", "FOLDER", "NEW"], "pack new: "),
        (["list", "FOLDER", "NEW"], "find images in "),
        (["export", "REC", "NEW"], "export out.rec: "),
        (["info", "REC"], "info out.rec: "),
        (["verify", "REC"], "verify out.rec: "),
        (["repair", "REC", "NEW"], "repair out.rec: "),
        (["reindex", "REC"], "reindex out.rec: "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.parametrize("output", ["", "--json", "--quiet"])
def test_long_commands_show_lines_in_a_log(cli, tiny_folder, tmp_path, monkeypatch, words, label, output):
    assert cli("pack", tiny_folder, tmp_path / "out")[0] == 0
    monkeypatch.setattr(progress, "_FIRST_LINE_S", 0.0)
    monkeypatch.setattr("recordkit.sources.image_tree._N_PER_PROGRESS", 1)
    names = {"FOLDER": tiny_folder, "NEW": tmp_path / "new", "REC": tmp_path / "out.rec"}
    code, out, error = cli(*(names.get(word, word) for word in words), *filter(None, [output]))
    assert code == 0
    assert (label in error) == (output != "--quiet")
    assert output != "--json" or json.loads(out)


def test_im2rec_shows_lines_in_a_log(im2rec, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_FIRST_LINE_S", 0.0)
    monkeypatch.setattr("recordkit.sources.image_tree._N_PER_PROGRESS", 1)
    _, _, error = im2rec("--list", "--recursive", tmp_path / "a", tiny_folder)
    assert f"find images in {tiny_folder}: 1 img, " in error
    _, _, error = im2rec(tmp_path / "a", tiny_folder)
    assert re.search(r"im2rec a: \d+ of 12 img, ", error)
    for words in (["--list", "--recursive"], []):
        assert im2rec(*words, "--quiet", tmp_path / "a", tiny_folder) == (0, "", "")
