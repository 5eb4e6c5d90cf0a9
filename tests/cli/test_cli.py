"""The commands: their output, their exit codes, and one line for bad input."""

import collections
import dataclasses
import json
import os
import re
import struct
import subprocess
import sys
import zlib

import pytest
from conftest import gradient

from recordkit.cli.commands.pack import command as pack_command
from recordkit.codec import encode
from recordkit.formats import ubyte
from recordkit.packing import PackPlan
from recordkit.version import __version__


def one_line(error, *parts):
    """Assert that the error is one line that contains these texts."""
    assert error.startswith("recordkit: ")
    assert error.count("\n") == 1
    for part in parts:
        assert part in error, error


def test_help_lists_every_command_with_its_line(cli):
    code, out, _ = cli("--help")
    assert code == 0
    for name in ("list", "pack", "fetch", "info", "head", "verify", "reindex", "train", "eval", "doctor"):
        assert f"\n  {name} " in out


def test_a_folder_is_listed_packed_verified_and_described(cli, tiny_folder, tmp_path):
    out = tmp_path / "out"
    assert cli("list", tiny_folder, out)[:2] == (0, f"{out}: 12 images in 3 classes\n")
    code, output, _ = cli("pack", f"{out}.lst", out, "--root", tiny_folder)
    assert code == 0
    assert f"{out}.rec: 12 listed, 12 packed;" in output
    assert " engine, " in output
    assert cli("verify", f"{out}.rec", "--decode")[:2] == (
        0, f"{out}.rec: 12 records, ok (structure, images, description, checksums, index, list)\n",
    )  # fmt: skip
    code, output, _ = cli("info", f"{out}.rec")
    assert "12 records" in output
    assert "  owl\n" in output  # the pack has the class names of the list
    code, output, _ = cli("head", f"{out}.rec", "-n", 2)
    assert len(output.splitlines()) == 3


def test_listing_then_packing_is_packing(cli, tiny_folder, tmp_path):
    cli("list", tiny_folder, tmp_path / "a")
    cli("pack", tmp_path / "a.lst", tmp_path / "a", "--root", tiny_folder)
    cli("pack", tiny_folder, tmp_path / "b")
    for suffix in (".rec", ".idx", ".lst"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_ubyte_files_become_train_val_and_test(cli, tiny_mnist, tmp_path):
    code, output, _ = cli("pack", tiny_mnist, tmp_path / "m", "--val-ratio", 0.25, "--encoding", "png")
    assert code == 0
    assert [line.split(":")[0].rsplit("/")[-1] for line in output.splitlines()[:-1]] == [
        "m_val.rec", "m_train.rec", "m_test.rec",
    ]  # fmt: skip


def test_labels_come_from_file_names(cli, tmp_path):
    digits = tmp_path / "digits"
    digits.mkdir()
    for number, label in enumerate((5, 0, 4)):
        (digits / f"{number:06d}_{label}.jpg").write_bytes(encode(gradient(8, 8), "jpg"))
    assert cli("pack", digits, tmp_path / "d", "--no-shuffle")[0] == 0
    labels = [json.loads(line)["labels"] for line in cli("head", tmp_path / "d.rec", "--json")[1].splitlines()]
    assert labels == [[5.0], [0.0], [4.0]]
    assert cli("list", digits, tmp_path / "e", "--label-from", r"^(\d+)_", "--no-shuffle")[0] == 0
    assert (tmp_path / "e.lst").read_text().splitlines()[2] == "2\t2.000000\t000002_4.jpg"


def test_pack_reports_as_json(cli, tiny_folder, tmp_path):
    code, output, _ = cli("pack", tiny_folder, tmp_path / "out", "--json", "--engine", "python")
    facts = json.loads(output)
    assert (code, facts["ok"], facts["sets"][0]["n_packed"], facts["engine"]) == (0, True, 12, "python")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--resize", 72], ": --resize 72 enlarges smaller ones, such as the first, of 30 x 20 pixels; is that"),
        (["--resize", 20, "--encoding", "png"], "; is re-encoding"),
    ],
)
def test_a_set_that_is_larger_than_its_images_is_a_warning_with_the_reason(cli, tiny_folder, tmp_path, options, reason):
    code, _, error = cli("pack", tiny_folder, tmp_path / "out", *options)
    assert code == 0 and f"out.rec is larger than its images{reason} needed?\n" in error


def test_doctor_lists_what_is_installed(cli):
    code, output, _ = cli("doctor", "--json")
    assert code == 0
    facts = json.loads(output)
    names = {check["name"] for check in facts["checks"]}
    assert names >= {"recordkit", "numpy", "pillow", "engine python", "engine native", "mxnet", "pyarrow"}
    assert facts["verdict"].startswith("recordkit ")


def test_doctor_names_graphviz_or_the_command_that_installs_it(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("recordkit.cli.native_install._OS_RELEASE", tmp_path / "os-release")
    (tmp_path / "os-release").write_text("ID=fedora\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    def dot():
        checks = json.loads(cli("doctor", "--json")[1])["checks"]
        return next((check["ok"], check["message"]) for check in checks if check["name"] == "dot")

    assert dot() == (False, "not installed; dnf install graphviz")
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho 'dot - graphviz version 2.43.0 (0)' >&2\n")
    program.chmod(0o755)
    assert dot() == (True, "Graphviz 2.43.0")
    program.write_text("#!/bin/sh\nexit 1\n")
    assert dot() == (False, "does not run: Command '['dot', '-V']' returned non-zero exit status 1.")


def test_doctor_ends_with_a_verdict_about_the_native_engine(cli, require_native):
    code, output, _ = cli("doctor")
    assert code == 0 and output.splitlines()[-1] == "recordkit is ready, with its native engine"


def test_doctor_without_the_native_engine_ends_with_the_command_that_installs_it(cli, no_native):
    code, output, _ = cli("doctor")
    last = "recordkit works, but slowly, without its native engine: "
    assert code == 0 and output.splitlines()[-1].startswith(last) and " -m pip install " in output.splitlines()[-1]
    assert "note    engine native  native engine: not built\n" in output
    assert json.loads(cli("doctor", "--json")[1])["verdict"] == output.splitlines()[-1]


def test_doctor_runs_without_pillow(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.features", None)
    monkeypatch.setattr("recordkit.cli.commands.doctor._REQUIRED_PACKAGES", ("no-such-package",))
    code, output, _ = cli("doctor")
    assert code == 1
    assert output.splitlines()[-1] == "recordkit does not work without no-such-package"


def test_doctor_exits_1_if_a_needed_package_is_missing(cli, monkeypatch):
    monkeypatch.setattr("recordkit.cli.commands.doctor._REQUIRED_PACKAGES", ("numpy", "no-such-package"))
    code, output, _ = cli("doctor")
    assert code == 1 and "MISSING no-such-package not installed; pip install no-such-package\n" in output
    assert output.splitlines()[-1] == "recordkit does not work without no-such-package"


def test_bad_images_are_named_counted_and_exit_1_unless_allowed(cli, tiny_folder, tmp_path):
    (tiny_folder / "cat/zero.jpg").touch()
    code, out, error = cli("pack", tiny_folder, tmp_path / "out")
    assert code == 1
    assert "13 listed, 12 packed, 1 failed (see " in out
    one_line(error, "cat/zero.jpg: expected an image, got 0 bytes; left out")
    assert cli("pack", tiny_folder, tmp_path / "out", "--on-error", "skip")[0] == 0
    code, _, error = cli("pack", tiny_folder, tmp_path / "new", "--on-error", "raise")
    assert code == 1
    one_line(error, "nothing was packed")


def png_header(width, height, depth=8, color=2):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


BAD_IMAGES = {
    "zero.jpg": (b"", "expected an image, got 0 bytes"),
    "text.jpg": (b"hello there", "that do not decode (no known format)"),
    "cut.jpg": (encode(gradient(40, 40), "jpg")[:-90], "that do not decode (image file is truncated"),
    "bomb.png": (png_header(60_000, 60_000), "pixels"),
    "none.png": (png_header(0, 5), "do not decode"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_image_files_are_one_line_each(cli, tiny_folder, tmp_path, name):
    content, reason = BAD_IMAGES[name]
    (tiny_folder / "cat" / name).write_bytes(content)
    code, out, error = cli("pack", tiny_folder, tmp_path / "out", "--resize", 16)
    assert code == 1
    assert "13 listed, 12 packed, 1 failed" in out
    one_line(error, f"cat/{name}: ", reason)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1\tcat/0.jpg", "line 2: expected KEY, LABEL and PATH, separated by tabs, got 2 fields"),
        ("1 0 cat/0.jpg", "line 2: expected KEY, LABEL and PATH, separated by tabs, got 1 field"),
        ("1\tnan\tcat/0.jpg", "line 2: expected a finite number as LABEL, got 'nan'"),
        ("1\tinf\tcat/0.jpg", "line 2: expected a finite number as LABEL, got 'inf'"),
        ("1\t1e39\tcat/0.jpg", "key 1: expected a label that float32 can hold, got 1e+39"),
        ("1\t17186135\tcat/0.jpg", "key 1: expected a label that float32 can hold, got 17186135"),
        ("-1\t1\tcat/0.jpg", "line 2: expected a whole number from 0 to 2**64 - 1 as KEY, got '-1'"),
        ("0\t1\tcat/0.jpg", "expected each KEY once, got 0 in rows 1 and 2"),
    ],
)
def test_bad_rows_are_one_line_with_their_location(cli, tiny_folder, tmp_path, row, reason):
    (tmp_path / "a.lst").write_text(f"0\t1\tcat/0.jpg\n{row}\n")
    code, _, error = cli("pack", tmp_path / "a.lst", tmp_path / "out", "--root", tiny_folder)
    assert code == 1
    one_line(error, "a.lst" if "line" in reason else "", reason)
    assert not list(tmp_path.glob("out*"))


def test_a_list_with_bom_crlf_and_spaces_in_names_is_packed(cli, tiny_folder, tmp_path):
    (tiny_folder / "cat/a b.jpg").write_bytes((tiny_folder / "cat/0.jpg").read_bytes())
    (tmp_path / "a.lst").write_bytes(b"\xef\xbb\xbf0\t1\tcat/a b.jpg\r\n1\t2\tdog/0.jpg\r\n")
    assert cli("pack", tmp_path / "a.lst", tmp_path / "out", "--root", tiny_folder)[0] == 0


def test_a_wrong_root_is_an_error_before_anything_is_packed(cli, tiny_folder, tmp_path):
    (tmp_path / "a.lst").write_text("0\t1\tcat/0.jpg\n")
    code, _, error = cli("pack", tmp_path / "a.lst", tmp_path / "out")
    assert code == 1
    one_line(error, "the image 'cat/0.jpg' does not exist in", f"; they are in {tiny_folder}: give it as --root")


def flip_magic(folder):
    (folder / "train-images-idx3-ubyte").write_bytes(b"\x89PNG" + bytes(100))


def too_few(folder):
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])


def other_count(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(__import__("numpy").zeros(7, "u1")))


def no_labels(folder):
    (folder / "train-labels-idx1-ubyte").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_magic, "train-images-idx3-ubyte: byte 0: expected the magic number of an ubyte file"),
        (too_few, "train-images-idx3-ubyte: expected 15680 bytes after the header, got 15679"),
        (other_count, "expected as many labels as images, got 7 labels and 20 images"),
        (no_labels, "expected train-labels-idx1-ubyte beside"),
    ],
)
def test_damaged_ubyte_files_are_one_line(cli, tiny_mnist, tmp_path, damage, reason):
    damage(tiny_mnist)
    code, _, error = cli("pack", tiny_mnist, tmp_path / "m")
    assert code == 1
    one_line(error, reason)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda rec: rec.unlink(), "expected a .rec file, got nothing of that name"),
        (lambda rec: rec.write_bytes(rec.read_bytes()[:-50]), "expected"),
        (
            lambda rec: rec.write_bytes(b"\0" + rec.read_bytes()[1:]),
            "byte 0: expected magic 0xced7230a, got 0xced72300",
        ),
        (
            lambda rec: rec.write_bytes(encode(gradient(9, 9), "png")),
            "expected a .rec file, got a PNG image; 'recordkit pack' packs folders and lists of images",
        ),
    ],
    ids=["missing", "truncated", "flipped", "png"],
)
def test_damaged_rec_files_are_one_line(cli, tiny_folder, tmp_path, damage, reason):
    cli("pack", tiny_folder, tmp_path / "out")
    damage(tmp_path / "out.rec")
    code, _, error = cli("info", tmp_path / "out.rec")
    assert code == 1
    one_line(error, "out.rec", reason)
    code, _, error = cli("verify", tmp_path / "out.rec")
    assert code == 1
    assert "Traceback" not in error


def test_a_folder_instead_of_a_file_is_one_line(cli, tmp_path):
    code, _, error = cli("info", tmp_path)
    assert code == 1
    one_line(error)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--resize", 16, "--pass-through"), "--pass-through copies bytes"),
        (("--filter", "bilinear"), "--filter 'bilinear' needs a resize"),
        (("--encoding", "jpg", "--quality", 0), "quality: expected a JPEG quality of 1 to 100, got 0"),
        (("--val-ratio", 0.7, "--test-ratio", 0.7), "expected fractions from 0 to 1"),
        (("--root", "/"), "--root: applies to a list"),
    ],
)
def test_options_that_contradict_each_other_exit_2(cli, tiny_folder, tmp_path, arguments, reason):
    code, _, error = cli("pack", tiny_folder, tmp_path / "out", *arguments)
    assert code == 2
    one_line(error, reason)


def test_an_empty_list_of_suffixes_exits_2(cli, tiny_folder, tmp_path):
    code, _, error = cli("pack", tiny_folder, tmp_path / "out", "--exts", ",")
    assert code == 2 and "exts: expected suffixes such as .jpg,.png, got ','" in error


@pytest.mark.parametrize("command", ["info", "head", "verify", "reindex"])
def test_a_pipe_is_not_read(cli, tiny_folder, tmp_path, command):
    os.mkfifo(tmp_path / "pipe.rec")
    code, _, error = cli(command, tmp_path / "pipe.rec")
    assert code == 1 and "pipe.rec: expected a file, got a pipe or device" in error
    cli("pack", tiny_folder, tmp_path / "out")
    (tmp_path / "out.json").unlink()
    os.mkfifo(tmp_path / "out.json")
    assert cli(command, tmp_path / "out.rec")[0] == (command != "reindex")


def test_an_unknown_option_exits_2(cli, tiny_folder, tmp_path):
    code, _, error = cli("pack", tiny_folder, tmp_path / "out", "--reszie", 3)
    assert code == 2
    one_line(error, "unexpected option --reszie; did you mean '--resize'?; see 'recordkit pack --help'")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["packk"], "unexpected command packk; did you mean 'pack'?; see 'recordkit --help'"),
        (["verfy", "a.rec"], "unexpected command verfy; did you mean 'verify'?; see 'recordkit --help'"),
        (["mxnet", "--cpuu", "a.py"], "unexpected option --cpuu; did you mean '--cpu'?; see 'recordkit mxnet --help'"),
        (["cluster", "pakc", "a"], "unexpected command pakc; did you mean 'pack'?; see 'recordkit cluster --help'"),
        (["pack", "a", "b", "--no-shufle"], "did you mean '--no-shuffle'?; see 'recordkit pack --help'"),
        (["im2rec", "a", "b"], "unexpected command im2rec; im2rec is a program of its own: see 'im2rec --help'"),
        (["zip"], "unexpected command zip; see 'recordkit --help'"),
        (["info"], "REC is missing; see 'recordkit info --help'"),
        (["bench", "a.rec", "b.rec"], "expected REC, got b.rec too; see 'recordkit bench --help'"),
        (["pack", "1.jpg", "2.jpg", "3.jpg", "x"], "expected SOURCE and PREFIX, got 3.jpg, x too; see"),
        (["doctor", "a"], "expected no argument, got a; see 'recordkit doctor --help'"),
        (["pack", "", "out"], "expected a name for SOURCE, got an empty one; is a variable of the shell not set?; see"),
        (["merge", "a.rec", "", "out"], "expected a name for REC, got an empty one; is a variable of the shell not"),
        (["pack", "a", "b", "--jpeg"], "unexpected option --jpeg; see 'recordkit pack --help'"),
        (["verify", "a.rec", "--threads", "x"], "--threads: 'x' is not a whole number; see"),
        (["pack", "a", "b", "--val-ratio", "0,1"], "--val-ratio: '0,1' is not a number; see"),
        (["bench", "a.rec", "--shape", "3x2"], "--shape: expected C,H,W as in 1,28,28, got '3x2'; see"),
        (["fetch", "imagenet", "x"], "DATASET"),
        (["verify", "a.rec", "--threads"], "ption '--threads' requires an argument"),
        (["view", "a.rec", "-o", "x.png"], "unexpected option -o; the picture is the argument after REC, as"),
        (["help", "packk"], "unexpected command packk; did you mean 'pack'?"),
        (["--nonsense"], "unexpected option --nonsense; see 'recordkit --help'"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_one_line_that_names_the_help(cli, words, text):
    code, out, error = cli(*words)
    assert (code, out) == (2, "")
    one_line(error, text)


@pytest.mark.parametrize("words", [(), ("pack",), ("cluster", "pack")], ids=" ".join)
def test_help_of_a_command_is_what_its_option_prints(cli, words):
    assert cli("help", *words) == cli(*words, "--help")


def test_no_arguments_show_the_help(cli):
    code, out, error = cli()
    assert (code, out) == (2, "") and "\n  pack " in error


@pytest.mark.parametrize("source", ["nothing", "notes.txt", "empty"])
def test_a_source_without_images_is_one_line(cli, tmp_path, source):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    code, _, error = cli("pack", tmp_path / source, tmp_path / "out")
    assert code == 1
    one_line(error, f"{tmp_path / source}: expected")


def test_an_output_folder_that_cannot_be_made_or_is_read_only_is_one_line(cli, tiny_folder):
    for prefix in ("/proc/new/out", "/proc/out"):  # not even root can write there
        code, _, error = cli("pack", tiny_folder, prefix)
        assert code == 1
        one_line(error, "/proc", "nothing was published")


def test_the_command_works_as_a_module():
    done = subprocess.run([sys.executable, "-m", "recordkit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"recordkit {__version__}\n"


def test_every_option_of_pack_that_names_a_field_of_the_plan_reaches_it():
    options = {parameter.name for parameter in pack_command.params}
    fields = {field.name for field in dataclasses.fields(PackPlan)}
    assert fields - options == {"any_file", "first_label_in_header", "write_list"}  # im2rec alone sets these


@pytest.mark.parametrize(("text", "channels"), [("1", 1), ("3", 3), ("keep", "keep")])
def test_the_channels_of_a_pack_are_kept_in_its_description(cli, tiny_folder, tmp_path, text, channels):
    assert cli("pack", tiny_folder, tmp_path / "out", "--channels", text)[0] == 0
    assert json.loads((tmp_path / "out.json").read_text())["plan"]["channels"] == channels


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--root", "x"], "--root: applies to a list, and this is a folder of images; leave it out"),
        (["--label-from", "("], "--label-from: expected a regular expression, got '(' ("),
        (["--label-from", "_(.)"], "--label-from applies to images directly in the folder"),
        (["--classes", "{classes}"], "expected one of the 1 names in --classes, got folder 'cat'"),
    ],
)
def test_an_error_about_the_source_names_the_option(cli, tiny_folder, tmp_path, arguments, reason):
    (tmp_path / "classes").write_text("zebra\n")
    arguments = [argument.format(classes=tmp_path / "classes") for argument in arguments]
    code, _, error = cli("pack", tiny_folder, tmp_path / "out", *arguments)
    assert code != 0
    one_line(error, reason)


def test_a_dry_run_of_pack_says_what_would_be_written_and_removed(cli, tiny_folder, tmp_path):
    out = tmp_path / "new" / "out"
    words = ("pack", tiny_folder, out, "--val-ratio", 0.25, "--dry-run")
    code, output, _ = cli(*words)
    assert code == 0 and output.splitlines() == [
        f"{out}_val.rec: 3 images, with .idx, .lst, .crc, .json",
        f"{out}_train.rec: 9 images, with .idx, .lst, .crc, .json",
        "12 images would be packed; a dry run writes nothing",
    ]
    assert not out.parent.exists()
    cli("pack", tiny_folder, out, "--shards", 2, "--no-checksums")
    output = cli(*words)[1]
    assert f"{out}_0.rec: would be removed\n" in output and f"{out}.manifest.json: would be removed\n" in output
    document = json.loads(cli(*words, "--json")[1])
    assert document["dry_run"] and [each["n_images"] for each in document["sets"]] == [3, 9]
    assert (tmp_path / "new" / "out.manifest.json").exists()


def test_a_dry_run_of_pack_stops_where_the_pack_stops(cli, tiny_folder, tmp_path):
    (tiny_folder / "x.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "out.rec").touch()
    for words in ((tiny_folder, tmp_path / "a"), (tiny_folder, tmp_path / "out", "--class-from", "first")):
        code, output, error = cli("pack", *words, "--dry-run")
        assert code and not output
        assert cli("pack", *words)[::2] == (code, error)


def test_pack_overwrites_on_request(cli, tiny_folder, tmp_path):
    (tmp_path / "out.rec").touch()
    code, _, error = cli("pack", tiny_folder, tmp_path / "out")
    assert code == 1
    one_line(error, "out.rec: expected no file, or one as an earlier pack wrote it, got records without a description;")
    assert error.endswith("; choose another name, or replace it with --overwrite\n")
    assert cli("pack", tiny_folder, tmp_path / "out", "--overwrite")[0] == 0


@pytest.mark.parametrize("command", ["verify", "info", "head"])
def test_several_files_are_all_looked_at_and_their_problems_counted(cli, tiny_folder, tmp_path, command):
    for name in ("a", "b"):
        cli("pack", tiny_folder, tmp_path / name)
    missing = tmp_path / "none.rec"
    files = [tmp_path / "a.rec", missing, tmp_path / "b.rec"]
    code, output, error = cli(command, *files)
    assert code == 1 and output.endswith("3 datasets, 1 problem\n")
    assert f"{files[0]}:" in output and f"{files[2]}:" in output
    one_line(error, f"{missing}: expected")
    code, output, _ = cli(command, *files, "--json")
    documents = collections.defaultdict(list)
    for line in output.splitlines():
        documents[json.loads(line)["path"]].append(json.loads(line))
    assert code == 1 and list(documents) == [str(path) for path in files]
    assert documents[str(missing)][0].keys() == {"path", "error"}
    code, output, error = cli(command, files[0], files[2])
    assert (code, error) == (0, "") and output.endswith("2 datasets, 0 problems\n")
    for path in (files[0], files[2]):  # the lines about a dataset do not depend on the others
        alone = cli(command, path, "--json")[1]
        assert list(map(json.loads, alone.splitlines())) == documents[str(path)]
        assert len(documents[str(path)]) == (10 if command == "head" else 1)


def test_the_problems_of_several_files_are_added(cli, tiny_folder, tmp_path):
    for name in ("a", "b"):
        cli("pack", tiny_folder, tmp_path / name)
        with open(tmp_path / f"{name}.rec", "ab") as file:
            file.write(bytes(8))
    numbers = [len(json.loads(cli("verify", tmp_path / name, "--json")[1])["problems"]) for name in ("a", "b")]
    code, output, _ = cli("verify", tmp_path / "a", tmp_path / "b")
    assert code == 1 and output.splitlines()[-1] == f"2 datasets, {sum(numbers)} problems"


def test_one_thing_is_never_called_several(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("one")
    with open("one/7_cat.png", "wb") as file:
        file.write(encode(gradient(8, 8)[:, :, :1], "png"))
    for words in (
        "pack one new/a --label-from {key}_{class} --dry-run",
        "pack one new/a --label-from {key}_{class} --threads 1",
        "list one new/b --label-from {key}_{class}",
        *(f"{command} new/a.rec" for command in ("info", "head", "stats", "verify --decode", "reindex", "duplicates")),
        "shuffle new/a.rec new/c",
        "diff new/a.rec new/c.rec",
        "repair new/a.rec new/d --threads 1",
        "export new/a.rec new/e",
        "import new/e new/f --threads 1",
    ):
        code, output, error = cli(*words.split())
        assert code == 0, error
        assert not re.search(r"(?<![\d.,])1 (?!is |was |has )[a-z]+[^s\W]s\b", output + error), output + error
