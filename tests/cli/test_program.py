"""How programs end: exit codes, error lines, closed pipes, odd names, signals; and the help texts."""

import errno
import os
import signal
import subprocess
import sys
import time
import warnings

import click
import pytest

from recordkit import errors
from recordkit.cli.program import Command, TerminationSignal, option_name, run
from recordkit.errors import MissingError, PlanError
from recordkit.formats import irheader
from recordkit.formats.frame import RecordWriter

COMMANDS = ["list", "pack", "fetch", "info", "head", "verify", "reindex", "train", "eval", "doctor"]


@pytest.fixture
def packed(cli, tiny_folder, tmp_path):
    assert cli("pack", tiny_folder, tmp_path / "out")[0] == 0
    return tmp_path / "out.rec"


def with_closed_stdout(*arguments, stderr=subprocess.PIPE):
    """Run recordkit with a stdout whose reader has closed the pipe; return exit code and stderr."""
    end, pipe = os.pipe()
    os.close(end)
    command = [sys.executable, "-m", "recordkit", *map(str, arguments)]
    done = subprocess.run(command, stdout=pipe, stderr=pipe if stderr is None else stderr, text=True)
    os.close(pipe)
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", [["head"], ["info"], ["verify"], ["verify", "--json"]])
def test_a_closed_pipe_is_no_error(packed, command):
    assert with_closed_stdout(*command, packed) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_an_output_that_cannot_be_written_is_named(packed):
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "recordkit", "info", packed]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "recordkit: stdout: No space left on device\n")


def test_help_is_given_whatever_stands_before_it(cli):
    assert cli("pack", "", "b", "c", "--help") == cli("pack", "--help")


def test_a_pack_with_closed_pipes_still_packs(tiny_folder, tmp_path):
    (tiny_folder / "notes.txt").touch()  # causes a warning
    assert with_closed_stdout("pack", tiny_folder, tmp_path / "out", stderr=None) == (0, None)
    assert (tmp_path / "out.rec").exists()


def test_bad_data_is_exit_1_with_and_without_a_reader(packed, tiny_folder, tmp_path):
    packed.write_bytes(packed.read_bytes()[:-4])
    code, error = with_closed_stdout("verify", packed)
    assert code == 1 and "out.rec" in error
    assert with_closed_stdout("verify", packed, stderr=None)[0] == 1
    (tiny_folder / "cat" / "empty.jpg").touch()
    assert with_closed_stdout("pack", tiny_folder, tmp_path / "out")[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["1", "2", "0", "1>&- 2"])
def test_closed_standard_files_change_nothing(tiny_folder, tmp_path, closed):
    for words in (f"pack {tiny_folder} {tmp_path}/out", f"verify {tmp_path}/out.rec", "--help", "doctor"):
        line = f"{sys.executable} -m recordkit {words} {closed}>&-"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), line
    assert (tmp_path / "out.rec").exists()


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_class_names_of_any_script_are_printed_in_any_encoding(tiny_folder, tmp_path, encoding):
    (tiny_folder / "cat").rename(tiny_folder / "\u65e5\u672c")
    (tiny_folder / "dog").rename(tiny_folder / os.fsdecode(b"caf\xe9"))
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    for command in (["pack", tiny_folder, tmp_path / "out"], ["info", tmp_path / "out.rec"]):
        words = [sys.executable, "-m", "recordkit", *map(str, command)]
        done = subprocess.run(words, env=environment, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
    assert ("\u65e5\u672c".encode() if encoding == "utf-8" else b"\\u65e5\\u672c") in done.stdout or encoding == "ascii"
    words = [sys.executable, "-m", "recordkit.cli.im2rec.main", "--list", "--recursive", tmp_path / "l", tiny_folder]
    done = subprocess.run(words, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_error_is_one_line_even_if_a_name_has_two(cli, tiny_folder, tmp_path):
    (tiny_folder / "cat" / "two\nlines.jpg").touch()
    code, _, error = cli("pack", tiny_folder, tmp_path / "out")
    assert code == 1
    assert [line.split(":")[0] for line in error.splitlines()] == ["recordkit"]
    code, _, error = cli("list", tiny_folder, tmp_path / "out")
    assert code == 1
    assert [line.split(":")[0] for line in error.splitlines()] == ["recordkit"]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_shows_examples_each_on_its_own_line(cli, command):
    code, output, _ = cli(*command, "--help")
    assert code == 0
    _, _, end = output.partition("\n  Example:\n")
    lines = end.splitlines()
    assert lines and all(line.startswith("    " + " ".join(["recordkit", *command])) for line in lines)


def test_a_warning_is_one_line(program):
    def main():
        warnings.simplefilter("default")
        run(lambda: warnings.warn("look here", stacklevel=1), "tool")

    assert program(main) == (0, "", "tool: warning: look here\n")


def test_help_of_im2rec_shows_examples(im2rec):
    _, output, _ = im2rec("--help")
    assert "\n    im2rec --resize 256 --num-thread 2 data/photos photos/\n" in output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_program_after_its_cleanup(number, code, capsys):
    before = signal.getsignal(number)
    cleaned = []

    def program():
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        finally:
            cleaned.append(True)

    signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as end:
            run(program, "recordkit")
    finally:
        signal.signal(number, before)
    assert end.value.code == code and cleaned
    assert capsys.readouterr().err == "recordkit: terminated\n"


@pytest.mark.parametrize(
    ("signal_", "code", "end"),
    [(KeyboardInterrupt(), 130, "interrupted"), (TerminationSignal(signal.SIGTERM), 143, "terminated")],
)
def test_a_signal_after_a_set_was_published_names_the_set(cli, packed, monkeypatch, tmp_path, signal_, code, end):
    def print_report(*_):
        raise signal_

    monkeypatch.setattr("recordkit.cli.commands.merge.print_report", print_report)
    arguments = ["merge", packed, tmp_path / "all"]
    for options, more in ([["--dry-run"], ""], [[], f"; {tmp_path}/all was written before"]):
        got, output, error = cli(*arguments, *options, "--quiet")
        assert (got, output, error.lstrip("\n")) == (code, "", f"recordkit: {end}{more}\n")  # click ends the line of ^C
    monkeypatch.undo()
    assert cli("verify", tmp_path / "all.rec", "--quiet")[0] == 0


def test_an_interrupt_while_python_ends_changes_nothing():
    lines = (
        "import atexit, os, signal",
        "signal.signal(signal.SIGINT, signal.default_int_handler)",
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)",
        "from recordkit.cli.program import run",
        "run(lambda: print('done'), 'tool')",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_hang_up_is_ignored_under_nohup(capsys):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as end:
            run(lambda: os.kill(os.getpid(), signal.SIGHUP), "recordkit")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert end.value.code == 0


def test_too_many_threads_are_a_fault_of_the_command_line(cli, packed):
    code, _, error = cli("verify", packed, "--threads", 2_000_000_000)
    assert code == 2 and "0<=x<=1024" in error


@pytest.mark.parametrize("prefix", [".", "/"])
@pytest.mark.parametrize("command", ["pack", "list"])
def test_an_output_without_a_name_is_one_line(cli, tiny_folder, tmp_path, monkeypatch, prefix, command):
    monkeypatch.chdir(tmp_path)
    code, _, error = cli(command, tiny_folder, prefix)
    assert code == 1 and error.startswith("recordkit: ") and "expected a file prefix, got a folder" in error


def test_info_and_head_of_odd_labels_are_valid_json_and_plain_text(cli, tmp_path):
    with open(tmp_path / "x.rec", "wb") as file:
        writer = RecordWriter(file)
        for label in (float("nan"), 0.5, -0.5, 1234567.0):
            writer.write(irheader.pack(irheader.IRHeader(label, 0), b"\xff\xd8\xff"))
    for command in ("info", "head"):
        code, output, _ = cli(command, tmp_path / "x.rec", "--json")
        assert code == 0 and "NaN" not in output
        code, output, _ = cli(command, tmp_path / "x.rec")
        assert code == 0 and "1234567" in output and "-0.5" in output


def test_pack_as_json_names_the_failures(cli, tiny_folder, tmp_path):
    import json

    (tiny_folder / "cat" / "empty.jpg").touch()
    code, output, _ = cli("pack", tiny_folder, tmp_path / "out", "--json")
    (done,) = json.loads(output)["sets"]
    assert (code, done["n_failed"], done["failed_tsv"]) == (1, 1, f"{tmp_path}/out.failed.tsv")
    assert done["failures"] == [{"key": 4, "name": "cat/empty.jpg", "reason": "expected an image, got 0 bytes"}]


def test_a_missing_engine_is_a_fault_of_the_command_line(cli, tiny_folder, tmp_path, no_native):
    code, _, error = cli("pack", tiny_folder, tmp_path / "out", "--engine", "native")
    assert code == 2 and error.startswith("recordkit: native engine: ")


def test_a_label_too_large_for_float32_and_int64_is_refused_without_advice(cli, tiny_folder, tmp_path):
    (tmp_path / "a.lst").write_text("0\t1e39\tcat/0.jpg\n")
    code, _, error = cli("pack", tmp_path / "a.lst", tmp_path / "a", "--root", tiny_folder)
    assert code == 1 and "expected a label that float32 can hold, got 1e+39\n" in error


def test_wide_labels_cause_no_warning_about_the_size_of_the_rec_file(cli, tiny_folder, tmp_path):
    labels = "\t".join("1" for _ in range(2000))
    (tmp_path / "a.lst").write_text(f"0\t{labels}\tcat/0.jpg\n")
    code, _, error = cli("pack", tmp_path / "a.lst", tmp_path / "b", "--root", tiny_folder)
    assert (code, error) == (0, "")


def raising(error):
    """Return a function that raises this error."""

    def function():
        raise error

    return function


def run_failing(error):
    """Return a console script `tool` whose command raises this error."""
    return lambda: run(lambda: failing(error).main(["photos"], prog_name="tool", standalone_mode=False), "tool")


def failing(error):
    """Return a command that raises this error, with every kind of parameter."""

    @click.command("tool", cls=Command)
    @click.argument("source")
    @click.argument("records", metavar="REC|FOLDER", required=False)
    @click.option("--root")
    @click.option("-t", "--threads", type=int)
    @click.option("--num-epochs", "epochs", type=int)
    @click.option("--exact-labels", is_flag=True)
    @click.option("--pictures/--no-pictures", default=True)
    @click.option("--val-ratio", type=float)
    def command(**options):
        raise error

    return command


@pytest.mark.parametrize(
    ("argument", "option"),
    [
        ("val_ratio", "--val-ratio"),
        ("threads", "--threads"),
        ("epochs", "--num-epochs"),
        ("source", "SOURCE"),
        ("records", "REC|FOLDER"),
        ("exact_labels=True", "--exact-labels"),
        ("exact_labels=False", "no --exact-labels"),
        ("root=photos", "--root photos"),
        ("root=None", "no --root"),
        ("pictures=True", "--pictures"),
        ("pictures=False", "--no-pictures"),
        ("pictures", "--pictures"),
        ("chunk_bytes", "chunk_bytes"),
        ("chunk_bytes=8", "chunk_bytes=8"),
    ],
)
def test_an_error_names_the_options_of_the_command_that_ran(program, argument, option):
    name = argument.partition("=")[0]
    error = PlanError(argument=name, expected="another", got=1, advice=f"give `{argument}`")
    label = option_name(failing(error), name)
    assert program(run_failing(error)) == (2, "", f"tool: {label}: expected another, got 1; give {option}\n")


def test_the_recordkit_group_names_the_options_of_its_command(cli, tiny_folder, tmp_path, monkeypatch):
    def open_source(*_, **__):
        raise PlanError(argument="label_from", message="it matches nothing", advice="give `root=photos` or `source`")

    monkeypatch.setattr("recordkit.cli.commands.pack.open_source", open_source)
    code, _, text = cli("pack", tiny_folder, tmp_path / "out")
    assert (code, text) == (2, "recordkit: --label-from: it matches nothing; give --root photos or SOURCE\n")


def test_im2rec_names_its_own_options(im2rec, tiny_folder, tmp_path, monkeypatch):
    def pack(*_, **__):
        raise PlanError(argument="num_thread", expected="0 to 1024", got=-1, advice="or give `chunks=2`")

    (tmp_path / "a.lst").write_text("0\t1\tcat/0.jpg\n")
    monkeypatch.setattr("recordkit.cli.im2rec.script.pack_list", pack)
    code, _, text = im2rec("--resize", 8, tmp_path / "a", tiny_folder)
    assert (code, text) == (2, "im2rec: --num-thread: expected 0 to 1024, got -1; or give --chunks 2\n")


@pytest.mark.parametrize("kind", [getattr(errors, name) for name in errors.__all__ if "Warning" not in name])
def test_each_error_class_has_its_exit_code(kind, program):
    expected = 2 if kind in (PlanError, MissingError) else 1
    assert program(run_failing(kind("it failed"))) == (expected, "", "tool: it failed\n")
    assert program(lambda: run(raising(kind("it failed")), "tool")) == (expected, "", "tool: it failed\n")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.rec"), 1, "tool: a.rec: No such file or directory\n"),
        (OSError("it failed"), 1, "tool: it failed\n"),
        (
            OSError(errno.EMFILE, "Too many open files", "a.rec"),
            1,
            "tool: a.rec: Too many open files; raise the limit of open files, as 'ulimit -n 4096' does\n",
        ),
        (MemoryError(), 1, "tool: out of memory\n"),
        (KeyboardInterrupt(), 130, "tool: interrupted\n"),
        (click.Abort(), 130, "tool: interrupted\n"),
        (click.exceptions.Exit(3), 3, ""),
        (click.UsageError("No such option."), 2, "tool: no such option\n"),
    ],
)
def test_other_errors_are_one_line_and_an_exit_code(program, error, code, text):
    assert program(lambda: run(raising(error), "tool")) == (code, "", text)
