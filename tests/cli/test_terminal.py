"""Text from outside reaches the terminal through one function, which escapes what would control the terminal."""

import ast
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from recordkit.cli import progress
from recordkit.cli.console import as_json_text
from recordkit.cli.program import run
from recordkit.errors import FormatError, printable, quoted

ROOT = Path(__file__).parents[2] / "recordkit"
# An escape sequence that sets the title, one of C1, a line of its own, text that runs backwards, and an invisible tag.
HOSTILE = "cat\x1b]0;owned\x07\x9b2J\x7f\nok\u202egnp\u2066\U000e0041"
SHOWN = r"cat\x1b]0;owned\x07\x9b2J\x7f\nok\u202egnp\u2066\U000e0041"


def is_safe(text):
    """Return True if each line has printable characters and tabs only."""
    return all(line.replace("\t", "").isprintable() for line in text.split("\n"))


# Files that may use a standard stream, and the attributes that they use.
STREAMS = {
    "cli/terminal.py": {"sys.stdout", "sys.stderr"},
    "cli/progress.py": {"sys.stderr"},  # for tqdm
    "cli/commands/cluster.py": {"sys.stderr"},  # for what Ray prints
    "cli/commands/predict.py": {"sys.stdout", "sys.stderr"},  # to ask whether it is a terminal
}
STANDARD = {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
WRITERS = {"print", "input", "pprint", "tqdm.write", "logging.basicConfig"}
WRITERS |= {f"click.{name}" for name in ("echo", "secho", "echo_via_pager", "prompt", "confirm", "progressbar")}
WRITERS |= {f"traceback.{name}" for name in ("print_exc", "print_exception", "print_stack", "print_tb")}


def writes_of(path):
    """Return the names by which a module could write to the terminal."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in WRITERS:
            yield ast.unparse(node.func)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in STANDARD:
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and node.module in ("sys", "click", "traceback", "pprint"):
            names = {f"{node.module}.{name.name}" for name in node.names}
            yield from names & (WRITERS | STANDARD | {"pprint.pprint"})


def test_no_other_function_writes_to_the_terminal():
    found = {}
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if names := set(writes_of(path)) - STREAMS.get(name, set()):
            found[name] = names
    assert found == {}


def test_a_text_is_shown_with_escapes():
    assert printable(HOSTILE) == SHOWN
    harmless = "caf\xe9\t\u65e5\u672c \U0001f469\u200d\U0001f4bb"
    assert printable(harmless) == harmless
    assert printable("\ud800\udc9b") == r"\ud800\udc9b"
    assert all(len(printable(chr(code))) > 1 for code in [*range(9), *range(10, 32), *range(127, 160)])


def test_an_error_keeps_its_text_for_programs():
    assert str(FormatError(HOSTILE, path="a.rec")) == f"a.rec: {HOSTILE}"


@pytest.fixture
def packed(cli, tiny_folder, tmp_path):
    assert cli("pack", tiny_folder, tmp_path / "out")[0] == 0
    return tmp_path / "out.rec"


def test_class_names_of_a_description_are_shown_with_escapes(cli, packed):
    description = packed.with_suffix(".json")
    facts = json.loads(description.read_text())
    facts["classes"] = {HOSTILE: 0, "dog": 1}
    description.write_text(json.dumps(facts))
    code, out, error = cli("info", packed)
    assert code == 0 and SHOWN in out and is_safe(out) and is_safe(error)
    code, out, _ = cli("info", packed, "--json")
    assert code == 0 and is_safe(out) and HOSTILE in json.loads(out)["classes"]


def test_labels_that_im2rec_prints_are_shown_with_escapes(im2rec, tiny_folder, tmp_path):
    (tiny_folder / "cat").rename(tiny_folder / "\x9b2J\x1b]0;owned\x07")
    code, out, error = im2rec("--list", "--recursive", tmp_path / "out", tiny_folder)
    assert code == 0 and r"\x9b2J\x1b]0;owned\x07 2" in out and is_safe(out) and is_safe(error)


@pytest.mark.parametrize("words", [[HOSTILE], ["info", HOSTILE], ["pack", "--" + HOSTILE], ["pack", HOSTILE, "out"]])
def test_words_of_the_command_line_are_shown_with_escapes(cli, words):
    code, out, error = cli(*words)
    assert code in (1, 2) and out == "" and is_safe(error) and error.count("\n") == 1 and r"\x1b]0;owned\x07" in error


def test_warnings_are_shown_with_escapes(program):
    def main():
        warnings.simplefilter("default")
        run(lambda: warnings.warn(HOSTILE, stacklevel=1), "tool")

    assert program(main) == (0, "", "tool: warning: " + SHOWN.replace(r"\n", " ") + "\n")


def test_a_traceback_is_shown_with_escapes(program):
    def fail():
        raise LookupError(HOSTILE)

    code, out, error = program(lambda: run(fail, "tool"))
    assert (code, out) == (1, "") and error.startswith("Traceback") and is_safe(error) and r"\x1b]0;owned\x07" in error


def test_progress_is_shown_with_escapes(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_FIRST_LINE_S", 0.0)
    progress.open_bar(10, HOSTILE).update(1, HOSTILE)
    error = capsys.readouterr().err
    assert error.startswith(SHOWN) and error.endswith(f"{SHOWN}\n")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bar = progress.open_bar(10, HOSTILE)
    bar.update(1, HOSTILE)
    bar._bar.refresh()
    bar.close()
    shown = capsys.readouterr().err
    assert SHOWN in shown and "\x1b]" not in shown and "\x9b" not in shown


def test_json_stays_valid_with_every_character():
    text = "".join(map(chr, range(0x250))) + HOSTILE
    assert is_safe(as_json_text({text: text})) and json.loads(as_json_text({text: text})) == {text: text}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    "name", ["a b.rec", "a'b\x1b[2J.rec", "\\x\n'\".rec", "\udcff\x01A.rec", "caf\xe9\u202e$(id)`id`.rec"]
)
def test_a_name_in_an_advised_command_reaches_the_program(name):
    word = quoted(name)
    assert is_safe(word) and "\n" not in word
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert done.stdout == name.encode("utf-8", "surrogateescape")


def test_an_advice_for_a_file_of_a_hostile_name_can_be_followed(cli, packed):
    hostile = packed.with_name("x\x1b]0;owned\x07'.rec")
    hostile.write_bytes(packed.read_bytes())
    hostile.with_suffix(".idx").write_text("no index\n")
    code, _, error = cli("verify", hostile)
    assert code == 1 and is_safe(error) and f"'recordkit reindex {quoted(hostile)}'" in error
