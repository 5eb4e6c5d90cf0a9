"""``recordkit bench``: the comparison while it runs, its end by a signal, and the verdicts on two reports."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bench.reports import report
from images import noise, picture, save, write

from recordkit.cli import progress
from recordkit.cli.program import TerminationSignal

RUN = "recordkit.cli.commands.bench.run_comparison"
NATIVE = "recordkit native, 2 threads"
# The signals that end a comparison, with the exit code and the last word on stderr.
ENDS = [
    pytest.param(KeyboardInterrupt(), 130, "interrupted", id="SIGINT"),
    pytest.param(TerminationSignal(signal.SIGTERM), 143, "terminated", id="SIGTERM"),
]


@pytest.fixture
def rec(tmp_path):
    return write(tmp_path / "photos.rec", [save(picture(noise(40, 50)), "JPEG") for _ in range(8)])


@pytest.fixture
def rounds(monkeypatch):
    """Replace the measurement by reports of 1, 2 and 4 rounds, and an end: a report or an exception."""

    def set_end(end):
        def run(plan, *, progress, on_round, **_):
            for n_rounds in (1, 2, 4):
                progress(plan.n_steps_per_round)
                on_round(report(n_rounds=n_rounds), 12)
            if isinstance(end, BaseException):
                raise end
            return end

        monkeypatch.setattr(RUN, run)

    set_end(report())
    return set_end


class TestWhileItRuns:
    def test_a_log_has_a_line_for_each_round(self, cli, rec, rounds):
        code, out, error = cli("bench", rec)
        assert code == 1 and "x9.98" in out  # the report has a peer that failed
        names = ("recordkit native", "MXNet ImageRecordIter", "MXNet ImageIter, .rec")
        ratios = (("x9.90", "x2.81"), ("x9.95 ±9.0%", "x2.82 ±9.0%"), ("x9.97 ±2.2%", "x2.83 ±2.2%"))
        assert error.splitlines() == [
            f"bench photos.rec: round {number}: {names[0]} {native}; {names[1]} {iterator}; {names[2]} 600 img/s"
            for number, (native, iterator) in zip((1, 2, 4), ratios, strict=True)
        ]

    def test_quiet_shows_no_round(self, cli, rec, rounds):
        assert cli("bench", rec, "--quiet") == (1, "", "")

    def test_a_terminal_shows_a_table_that_is_replaced(self, capsys, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setattr(sys.stderr, "fileno", lambda: 2)
        monkeypatch.setattr("os.get_terminal_size", lambda _descriptor: os.terminal_size((80, 5)))
        bar = progress.open_bar(10, "bench x", unit="turn")
        bar.show(["first", "second " * 20, "third", "too low"], "")
        bar.show(["fourth\x1b[2J"], "")
        bar.close()
        output = capsys.readouterr().err
        tables = re.split(r"\x1b\[J", output)
        assert f"first\n{('second ' * 20)[:79]}…\nthird\n" in tables[1] and "too low" not in output
        assert tables[1].endswith("\x1b[3A") and "fourth\\x1b[2J\n" in tables[2]
        assert tables[2].endswith("\x1b[1A") and tables[3].replace("\x1b[?7l", "").replace("\x1b[?7h", "") == ""


class TestInterrupt:
    @pytest.mark.parametrize(("end", "ends_with", "word"), ENDS)
    def test_the_complete_rounds_are_printed_and_written(self, cli, rec, rounds, tmp_path, end, ends_with, word):
        pytest.importorskip("jinja2", reason="jinja2 is not installed: nothing to render with")
        rounds(end)
        paths = {name: tmp_path / f"out.{name}" for name in ("report", "csv", "html")}
        code, out, error = cli("bench", rec, *(word for name, path in paths.items() for word in (f"--{name}", path)))
        assert code == ends_with and error.endswith(f"recordkit: {word}\n")
        assert "4 rounds of" in out and "Interrupted: the figures are of 4 complete rounds." in out
        assert json.loads(paths["report"].read_text())["protocol"]["interrupted"]
        assert paths["csv"].read_text().startswith("name,") and "of 4 complete rounds" in paths["html"].read_text()

    def test_json_has_them_too(self, cli, rec, rounds):
        rounds(KeyboardInterrupt())
        code, out, _ = cli("bench", rec, "--json")
        protocol = json.loads(out)["protocol"]
        assert (code, protocol["rounds"], protocol["interrupted"]) == (130, 4, True)

    @pytest.mark.parametrize(("end", "code", "word"), ENDS)
    def test_without_a_complete_round_nothing_is_written(self, cli, rec, monkeypatch, tmp_path, end, code, word):
        def run(_plan, **_):
            raise end

        monkeypatch.setattr(RUN, run)
        got = cli("bench", rec, "--csv", tmp_path / "a.csv", "--records", 5)
        assert (*got[:2], got[2].strip()) == (code, "", f"recordkit: {word}")
        assert not (tmp_path / "a.csv").exists()

    @pytest.mark.skipif(sys.platform == "win32", reason="a comparison needs signals")
    @pytest.mark.parametrize(
        ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
    )
    def test_a_real_comparison_ends_with_its_rounds(self, rec, number, code, word):
        words = ["bench", rec, "--peers", "python", "--shape", "3,32,32", "--records", "5", "--rounds", 1000, "--json"]
        program = subprocess.Popen(
            [sys.executable, "-m", "recordkit", *map(str, words), "--seconds", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        with program:
            for line in program.stderr:
                if "round 2: " in line:
                    break
            program.send_signal(number)
            out, error = program.communicate(timeout=60)
        facts = json.loads(out)
        assert program.returncode == code and error.endswith(f"recordkit: {word}\n")
        (case,) = facts["cases"]
        assert len(case["img_s"]) == len(case["first_batch_s"]) == facts["protocol"]["rounds"] >= 2


class TestCompare:
    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name, faster in (("old", 1.0), ("same", 1.0), ("slower", 0.9), ("faster", 1.2)):
            Path(name).write_text(json.dumps(report(faster=faster, n_rounds=20).as_json()))

    @pytest.mark.parametrize(
        ("new", "words", "code"),
        [
            ("slower", [], 1),
            ("slower", ["--fail-on", "slower"], 1),
            ("slower", ["--fail-on", "never"], 0),
            ("same", [], 0),
            ("faster", [], 0),
        ],
    )
    @pytest.mark.usefixtures("files")
    def test_the_exit_code_is_1_if_something_is_slower_for_certain(self, cli, new, words, code):
        got_code, out, error = cli("bench", "--compare", "old", new, *words)
        assert (got_code, error) == (code, "") and re.search(f"{NATIVE} +{new}", out)

    @pytest.mark.usefixtures("files")
    def test_what_cannot_be_told_is_no_failure(self, cli):
        Path("new").write_text(json.dumps(report(faster=0.9, n_rounds=1).as_json()))
        code, out, _ = cli("bench", "--compare", "old", "new")
        assert code == 0 and "cannot tell" in out

    @pytest.mark.usefixtures("files")
    def test_json_and_csv_have_the_verdicts(self, cli):
        code, out, _ = cli("bench", "--compare", "old", "slower", "--json", "--csv", "verdicts.csv")
        facts = json.loads(out)
        (case,) = [case for case in facts["cases"] if case["name"] == "native"]
        assert code == 1 and case["verdict"] == "slower"
        assert case["interval"][0] < case["change"] < case["interval"][1] < 0
        row, other = csv.DictReader(Path("verdicts.csv").read_text().splitlines())
        assert (row["name"], row["threads"], row["verdict"]) == ("native", "2", "slower") and other["verdict"] == "same"
        assert [float(row[name]) for name in ("low", "high")] == pytest.approx(case["interval"])

    @pytest.mark.usefixtures("files")
    def test_a_file_that_cannot_be_written_does_not_cost_the_table(self, cli):
        code, out, error = cli("bench", "--compare", "old", "slower", "--csv", "/dev/full")
        assert code == 1 and "slower" in out and "No space left on device" in error

    @pytest.mark.usefixtures("files")
    def test_csv_never_replaces_a_report(self, cli):
        code, _, error = cli("bench", "--compare", "old", "same", "--csv", "old")
        assert code == 2 and "which is taken" in error

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--html", "a.html"], "--html: expected a measurement, without --compare, got two reports"),
            (["--rounds", "5"], "--rounds: expected a measurement, without --compare, got two reports"),
            (["a.rec"], "--compare: expected two files and no REC, got a.rec"),
        ],
    )
    @pytest.mark.usefixtures("files")
    def test_options_of_a_measurement_are_refused(self, cli, words, message):
        assert cli("bench", "--compare", "old", "same", *words) == (2, "", f"recordkit: {message}\n")

    def test_a_measurement_fails_on_no_verdict(self, cli, rec):
        code, _, error = cli("bench", rec, "--fail-on", "never")
        assert code == 2 and "--fail-on: expected two reports with --compare, got a measurement" in error
