"""--json prints one JSON document alone on stdout; --quiet prints warnings and errors only."""

import json
import math

import pytest
from bench.reports import report

from recordkit.cli.console import as_json_text
from recordkit.version import __version__


@pytest.fixture
def names(cli, tiny_folder, tmp_path):
    """Words of a command line that stand for paths: a folder with one unused file, a .rec file, a new prefix."""
    (tiny_folder / "cat" / "notes.txt").touch()  # causes a warning
    assert cli("pack", tiny_folder, tmp_path / "out", "--exts", ".jpg,.txt", "--on-error", "skip")[0] == 0
    for name in ("old", "new"):
        (tmp_path / name).write_text(json.dumps(report(n_rounds=20).as_json()))
    return {"FOLDER": tiny_folder, "REC": tmp_path / "out.rec"} | {
        word.upper(): tmp_path / word for word in ("prefix", "old", "new")
    }


COMMANDS = {
    "list": (["list", "FOLDER", "PREFIX"], {"prefix", "n_images", "n_failed", "classes", "warnings"}),
    "pack": (["pack", "FOLDER", "PREFIX"], {"engine", "n_threads", "duration_s", "rate_img_s", "ok", "sets"}),
    "info": (["info", "REC"], {"path", "n_bytes", "n_records", "formats", "mean_image_bytes"}),
    "head": (["head", "REC", "-n", "1"], {"offset", "key", "labels", "format", "n_bytes", "shape"}),
    "verify": (["verify", "REC"], {"ok", "n_records", "n_problems", "problems", "notes"}),
    "bench": (["bench", "--compare", "OLD", "NEW"], {"cases", "remarks"}),
    "doctor": (["doctor"], {"checks", "verdict"}),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_one_document_alone_on_stdout(cli, names, command):
    words, fields = COMMANDS[command]
    code, out, error = cli(*(names.get(word, word) for word in words), "--json")
    assert code == 0 and fields <= json.loads(out).keys()
    assert out.count("\n") == 1
    assert bool(error) == (command in ("list", "pack"))


@pytest.mark.parametrize("command", COMMANDS)
def test_quiet_leaves_warnings_and_json(cli, names, command):
    words = [names.get(word, word) for word in COMMANDS[command][0]]
    code, out, error = cli(*words, "--quiet")
    assert (code, out) == (0, "")
    assert all(line.startswith("recordkit: warning: ") for line in error.splitlines())
    assert bool(error) == (command in ("list", "pack"))
    code, out, _ = cli(*words, "--quiet", "--json")
    assert code == 0 and json.loads(out)


def test_quiet_hides_no_problem_and_no_error(cli, names, tmp_path):
    names["REC"].write_bytes(names["REC"].read_bytes()[:-4])
    code, out, error = cli("verify", names["REC"], "--quiet")
    assert (code, out) == (1, "") and error.startswith("recordkit: ")
    code, out, error = cli("verify", names["REC"], "--json")
    assert (code, error) == (1, "") and json.loads(out)["n_problems"] >= 1
    code, out, error = cli("info", tmp_path / "missing.rec", "--quiet", "--json")
    assert (code, out, error.count("\n")) == (1, "", 1)


def test_numbers_that_json_cannot_hold_become_null():
    facts = json.loads(as_json_text({"loss": math.nan, "interval": (1.0, -math.inf), "rows": [{"accuracy": 0.5}]}))
    assert facts == {"loss": None, "interval": [1.0, None], "rows": [{"accuracy": 0.5}]}


@pytest.mark.parametrize("fixture", ["cli", "im2rec"])
def test_the_version_is_one_line(request, fixture):
    assert request.getfixturevalue(fixture)("--version") == (0, f"recordkit {__version__}\n", "")


@pytest.mark.parametrize(("n", "text"), [(0, "1 record, ok"), (1, "2 records, ok")], ids=["one record", "two records"])
def test_a_single_thing_is_singular(cli, tiny_folder, tmp_path, n, text):
    for path in sorted(tiny_folder.rglob("*.jpg"))[n + 1 :]:
        path.unlink()
    cli("pack", tiny_folder, tmp_path / "out", "--threads", 1)
    assert text in cli("verify", tmp_path / "out.rec")[1]
