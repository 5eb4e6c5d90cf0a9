"""im2rec.py's command line: its forms, its files to the byte, and what differs on purpose."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from images import exif, noise, picture, pixels, png, save
from sources.folders import make

from recordkit import codec
from recordkit.cli.im2rec.script import normalise
from recordkit.formats import idx
from recordkit.formats.frame import RecordReader
from recordkit.formats.irheader import unpack

# Runs MXNet's own im2rec.py once for each command line that comes as JSON; it needs names that NumPy has removed.
REFERENCE = """
import builtins, contextlib, gc, json, runpy, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
for name in ("bool", "int", "float", "complex", "object", "str"):
    if name not in np.__dict__:
        setattr(np, name, getattr(builtins, name))
script = sys.argv[1]
for arguments, log in json.load(sys.stdin):
    sys.argv = ["im2rec.py", *arguments]
    with open(log, "w") as file, contextlib.redirect_stdout(file):
        runpy.run_path(script, run_name="__main__")
    gc.collect()  # closes the record files
"""

LISTS = [
    "--recursive",
    "--recursive --no-shuffle",
    "--recursive --chunks 3",
    "--recursive --chunks 999",
    "--recursive --train-ratio 0.8 --test-ratio 0.2",
    "--recursive --train-ratio 0.7 --test-ratio 0.2",
    "--recursive --train-ratio 0.5",
    "--recursive --train-ratio 0.75 --test-ratio 0.25 --chunks 2",
    "--recursive --train-ratio 0.9 --test-ratio 0.4",
    "--recursive --train-ratio 0 --test-ratio 0.4",
    "--recursive --test-ratio 0.4",
    "--recursive --exts .png .jpeg",
    "--exts .jpg",
    "",
    "--no-shuffle",
    "--train-ratio 0.6 --test-ratio 0.2",
]
# (tree, list, options): the same records to the byte
RECORDS = [
    ("odd", "odd", "--pass-through"),
    ("odd", "odd", "--pass-through --num-thread 2"),
    ("odd", "odd", ""),
    ("odd", "odd", "--num-thread 2"),
    ("odd", "8bit", "--color -1"),
    ("odd", "odd", "--center-crop"),
    ("odd", "odd", "--quality 70"),
    ("odd", "jpegs", "--color 0"),
    ("odd", "jpegs", "--color -1"),
    ("odd", "jpegs", "--color 0 --center-crop --num-thread 2"),
    ("odd", "multi", "--pass-through"),
    ("odd", "multi", "--pass-through --pack-label"),
    ("odd", "multi", "--pack-label --num-thread 2"),
    ("odd", "crlf", "--pass-through --pack-label"),
    ("odd", "sets", "--pass-through"),
    ("cifar", "cifar", "--pass-through"),
    ("cifar", "cifar", "--pass-through --num-thread 2"),
    ("cifar", "cifar", "--num-thread 2"),
    ("cifar", "cifar", "--color 0"),
    ("cifar", "cifar", "--color -1"),
    ("cifar", "sets", "--center-crop"),
]
# ... and the same pixels but for one grey level
RESIZED = [
    ("odd", "odd", "--resize 64 --encoding .png"),
    ("odd", "odd", "--resize 7 --center-crop --encoding .png"),
    ("odd", "jpegs", "--resize 15 --color 0 --encoding .png"),
    ("odd", "jpegs", "--resize 40 --color -1 --encoding .png"),
    ("cifar", "cifar", "--resize 64 --encoding .png"),
    ("cifar", "cifar", "--resize 20 --encoding .png --quality 1"),
]


def write_odd_tree(root):
    """Nested folders, odd names and every kind of image that both tools decode to the same bytes."""
    small = picture(pixels(21, 33))
    files = {
        "z.png": save(small, "PNG"),
        ".hidden.jpg": save(picture(noise(9, 8)), "JPEG"),
        "UPPER.JPG": save(small.convert("L"), "JPEG"),
        "with  spaces .jpg": save(small, "JPEG", quality=50),
        "10/1.jpg": save(small, "JPEG", progressive=True),
        "2/10.jpeg": save(small, "JPEG", exif=exif(6)),
        "2/2.jpeg": save(small, "JPEG", exif=exif(3)),
        "2/B.png": save(small.convert("L"), "PNG"),
        "B/deep/er/x.jpg": save(picture(noise(40, 17)), "JPEG", subsampling=0),
        "B/alpha.png": save(picture(pixels(12, 12, 4)), "PNG"),
        "B/16 bit.png": png(pixels(12, 15, 3).astype(np.uint16) * 257 + 3, 2),
        "B/palette.png": save(small.quantize(16), "PNG"),
        "é ü/ñ.jpg": save(small, "JPEG"),
        "a/notes.txt": b"no image",
        "a/b.c/d.e.jpg": save(small, "JPEG"),
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "empty").mkdir()
    (root / "2" / "folder.jpg").mkdir()
    (root / "2" / "gone.jpg").symlink_to(root / "nowhere")
    (root / "link").symlink_to(root / "B" / "deep")
    return root


def write_lists(folder, root):
    """Write the lists to pack, one folder each, without any tool under test."""
    names = [
        os.path.relpath(path, root) for path in root.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    ]
    names = sorted(name for name in names if (root / name).is_file())
    jpegs = [name for name in names if not name.endswith(".png")]
    rows = [f"{7 * key}\t{key % 10}.000000\t{name}\n" for key, name in enumerate(names)]
    multi = [
        f"{key}\t" + "\t".join(str(key + n / 4) for n in range(key % 3 + 1)) + f"\t{name}\n"
        for key, name in enumerate(names)
    ]
    half = len(rows) // 2
    lists = {
        "odd/c.lst": rows,
        "cifar/c.lst": rows,
        "jpegs/c.lst": [f"{key}\t{key}\t{name}\n" for key, name in enumerate(jpegs)],
        "8bit/c.lst": [row for row in rows if "16 bit" not in row],
        "multi/c.lst": multi,
        "crlf/c.lst": [row.replace("\n", "\r\n") for row in multi],
        "sets/c_train.lst": rows[:half],
        "sets/c_val.lst": rows[half:],
    }
    for name, lines in lists.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(lines), encoding="utf-8", newline="")


@pytest.fixture(scope="session")
def odd(tmp_path_factory):
    return write_odd_tree(tmp_path_factory.mktemp("odd"))


@pytest.fixture(scope="session")
def cifar(tmp_path_factory, real_data):
    """300 images of CIFAR-10's test set, 30 a class."""
    root = tmp_path_factory.mktemp("cifar")
    with tarfile.open(real_data / "cifar10-tree" / "test.tar") as archive:
        members = sorted((member for member in archive if member.isfile()), key=lambda member: member.name)
        for member in members[:: len(members) // 300]:
            path = root.joinpath(*Path(member.name).parts[1:])
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(archive.extractfile(member).read())
    return root


@pytest.fixture(scope="session")
def script():
    """The path of MXNet's im2rec.py, which imports cv2 too."""
    missing = [name for name in ("mxnet", "cv2") if importlib.util.find_spec(name) is None]
    if missing:
        reason = f"{' and '.join(missing)} not installed: no im2rec.py to compare with"
        if os.environ.get("RECORDKIT_REQUIRE_MXNET"):
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(importlib.util.find_spec("mxnet").origin).parent / "tools" / "im2rec.py"


@pytest.fixture(scope="session")
def reference(script, odd, request, tmp_path_factory):
    """The output folder of im2rec.py for every command line above, by (tree, list, options)."""
    trees = {"odd": odd}
    if "RECORDKIT_TEST_DATA" in os.environ:
        trees["cifar"] = request.getfixturevalue("cifar")
    base, jobs, folders = tmp_path_factory.mktemp("reference"), [], {}
    cases = [(tree, None, options) for tree in trees for options in LISTS]
    cases += [case for case in RECORDS + RESIZED if case[0] in trees]
    for tree in trees:
        write_lists(base / tree, trees[tree])
    for number, (tree, listed, options) in enumerate(cases):
        folder = folders[tree, listed, options] = base / str(number)
        if listed:
            shutil.copytree(base / tree / listed, folder)
        else:
            folder.mkdir()
        words = [*([] if listed else ["--list"]), folder / "c", trees[tree], *options.split()]
        jobs.append(([str(word) for word in words], str(folder / "log")))
    # The jobs that start processes run first: a fork may hang after OpenCV has started threads.
    jobs.sort(key=lambda job: "--num-thread" not in job[0])
    done = subprocess.run(
        [sys.executable, "-c", REFERENCE, script],
        input=json.dumps(jobs),
        env={**os.environ, "PYTHONUTF8": "1"},
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return trees, base, folders


def files(folder, suffixes=(".lst", ".rec", ".idx")):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in suffixes}


def records(path):
    """Header, and pixels as stored, of each record."""
    with RecordReader(path) as reader:
        for record in reader:
            header, payload = unpack(record)
            yield header, codec.decode(payload, channels="keep")


@pytest.mark.parametrize("options", LISTS)
@pytest.mark.parametrize("tree", ["odd", "cifar"])
def test_lists_and_printed_classes_are_equal_to_im2recs(im2rec, reference, tmp_path, tree, options):
    trees, _, folders = reference
    if tree not in trees:
        pytest.skip("RECORDKIT_TEST_DATA is not set: no CIFAR to list")
    theirs = folders[tree, None, options]
    code, out, err = im2rec("--list", tmp_path / "c", trees[tree], *options.split())
    if not any(files(theirs).values()):  # im2rec.py writes empty lists, which may replace good ones
        assert code == 1 and "expected images, got none" in err and files(tmp_path) == {}
        return
    # The broken link, which im2rec.py skips without a message.
    broken = tree == "odd" and "--recursive" in options and "--exts" not in options
    assert code == broken and ("2/gone.jpg: No such file or directory; left out" in err) == broken
    assert files(tmp_path) == files(theirs) != {}
    assert out == (theirs / "log").read_text(encoding="utf-8")


@pytest.mark.parametrize(("tree", "listed", "options"), RECORDS)
def test_records_and_indexes_are_equal_to_im2recs(im2rec, reference, tmp_path, tree, listed, options):
    trees, base, folders = reference
    if tree not in trees:
        pytest.skip("RECORDKIT_TEST_DATA is not set: no CIFAR to pack")
    ours = shutil.copytree(base / tree / listed, tmp_path / "ours")
    code, _, err = im2rec(ours / "c", trees[tree], *options.split())
    assert code == 0, err
    theirs = files(folders[tree, listed, options])
    assert files(ours) == theirs and any(name.endswith(".rec") for name in theirs)


@pytest.mark.parametrize(("tree", "listed", "options"), RESIZED)
def test_resized_pixels_are_within_1_level_of_im2recs(im2rec, reference, tmp_path, tree, listed, options):
    trees, base, folders = reference
    if tree not in trees:
        pytest.skip("RECORDKIT_TEST_DATA is not set: no CIFAR to pack")
    ours = shutil.copytree(base / tree / listed, tmp_path / "ours")
    assert im2rec(ours / "c", trees[tree], *options.split())[0] == 0
    theirs = list(records(folders[tree, listed, options] / "c.rec"))
    mine = list(records(ours / "c.rec"))
    assert [header for header, _ in mine] == [header for header, _ in theirs] != []
    for (_, image), (_, expected) in zip(mine, theirs, strict=True):
        assert image.shape == expected.shape
        assert np.abs(image.astype(int) - expected).max() <= 1


@pytest.fixture
def tree(tmp_path):
    """Two classes of two images."""
    root = tmp_path / "photos"
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(save(picture(pixels(12, 18)), "PNG" if name.endswith("png") else "JPEG"))
    return root


def rows(path):
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("arguments", "normalised"),
    [
        ("--list True P R", "--list P R"),
        ("--list=1 --recursive=1 P R", "--list --recursive P R"),
        ("--list True --recursive True --shuffle True P R", "--list --recursive P R"),
        ("P R --shuffle False --list", "P R --no-shuffle --list"),
        ("--shuffle=0 P R", "--no-shuffle P R"),
        ("--list False P R", "P R"),
        ("--no-shuffle=False P R", "P R"),
        ("--list some.lst P R", "--list P R"),
        ("--pass-through P R", "--pass-through P R"),
        ("--exts .jpg .png P R", "--exts=.jpg --exts=.png P R"),
        ("P R --exts .jpg", "P R --exts=.jpg"),
        ("--exts=.jpg P R", "--exts=.jpg P R"),
        ("--pass P R --enc .png --num 2", "--pass-through P R --encoding=.png --num-thread=2"),
        ("--resize=64 --color -1 P R", "--resize=64 --color=-1 P R"),
        ("P --test-ratio .2 R --train .8", "P --test-ratio=.2 R --train-ratio=.8"),
        ("--rec yes P R", "--recursive P R"),
        ("--pa P R", "--pa P R"),
    ],
)
def test_every_form_of_command_line_is_understood(arguments, normalised):
    assert normalise(arguments.split()) == normalised.split()


@pytest.mark.parametrize(
    "words",
    [
        "--list --recursive --no-shuffle {prefix} {root}",
        "{prefix} {root} --list True --recursive=1 --shuffle False",
        "--list {prefix}.lst --recursive True {prefix} {root} --shuffle 0",
        "--lis --rec --no-s {prefix} {root}",
        "--list --exts .jpg .png --recursive --no-shuffle {prefix} {root}",
        "--list --recursive --no-shuffle --exts .jpg .png {prefix} {root}",
        "--list --recursive --no-shuffle {prefix} {root} --exts .PNG .JPG",
    ],
)
def test_lists_are_made_by_every_form_of_command_line(im2rec, tree, tmp_path, words):
    code, out, err = im2rec(*words.format(prefix=tmp_path / "p", root=tree).split())
    assert (code, out, err) == (0, "cat 0\ndog 1\n", "")
    assert rows(tmp_path / "p.lst") == [
        ["0", "0.000000", "cat/1.jpg"],
        ["1", "0.000000", "cat/2.jpg"],
        ["2", "1.000000", "dog/1.jpg"],
        ["3", "1.000000", "dog/2.png"],
    ]


@pytest.mark.parametrize("words", ["--pass {prefix} {root} --num-thread=2", "{prefix} {root} --pass-through True"])
def test_records_are_made_by_every_form_of_command_line(im2rec, tree, tmp_path, words):
    (tmp_path / "p.lst").write_text("5\t1\tcat/1.jpg\n")
    code, out, _ = im2rec(*words.format(prefix=tmp_path / "p", root=tree).split())
    assert code == 0 and f"Creating .rec file from {tmp_path / 'p.lst'}" in out
    assert "Total: 1 images processed" in out
    with RecordReader(tmp_path / "p.rec") as reader:
        header, payload = unpack(next(iter(reader)))
    assert (header.id, header.label, bytes(payload)) == (5, 1.0, (tree / "cat/1.jpg").read_bytes())
    assert list(idx.read(tmp_path / "p.idx").keys) == [5]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("P", "im2rec: ROOT is missing; see 'im2rec --help'\n"),
        ("--chunks 0 P R", "0 is not in the range"),
        ("--train-ratio 1.5 P R", "1.5 is not in the range"),
        ("--color 2 P R", "'2' is not one of"),
        ("--encoding jpg P R", "'jpg' is not one of"),
        ("--quality 101 P R", "101 is not in the range"),
        ("--quality 0 P R", "quality: expected a JPEG quality of 1 to 100, got 0"),
        ("--pa P R", "im2rec: unexpected option --pa; did you mean "),
        ("--engine fast P R", "'fast' is not one of"),
    ],
)
def test_a_wrong_command_line_is_an_error_of_exit_code_2(im2rec, words, message):
    code, out, err = im2rec(*words.split())
    assert code == 2 and out == "" and message in err


def test_the_help_lists_the_intended_differences(im2rec):
    code, out, _ = im2rec("--help")
    assert code == 0 and "Intended differences" in " ".join(out.split())


def test_too_many_arguments_are_named(im2rec):
    code, _, error = im2rec("--resize", "3", "p", "photos", "more")
    assert code == 2 and error.startswith("im2rec: expected PREFIX and ROOT, got more too; see 'im2rec --help'")


def test_a_missing_image_is_left_out_and_named_and_makes_the_exit_code_1(im2rec, tree, tmp_path):
    (tmp_path / "p.lst").write_text("0\t0\tcat/1.jpg\n1\t0\tcat/none.jpg\n2\t1\tdog/1.jpg\n")
    before = (tmp_path / "p.lst").read_bytes()
    for options in ([], ["--num-thread", "2"], ["--pass-through"]):
        code, out, err = im2rec(*options, tmp_path / "p", tree)
        assert code == 1
        assert "im2rec: cat/none.jpg: No such file or directory; left out" in err
        assert "Total: 2 images processed" in out and f"1 left out (see {tmp_path / 'p'}.failed.tsv)" in out
        assert (tmp_path / "p.failed.tsv").read_text() == "1\tcat/none.jpg\tNo such file or directory\n"
        assert list(idx.read(tmp_path / "p.idx").keys) == [0, 2]
    assert (tmp_path / "p.lst").read_bytes() == before


def test_a_damaged_image_is_left_out_and_named(im2rec, tree, tmp_path):
    (tree / "bad.jpg").write_bytes((tree / "cat/1.jpg").read_bytes()[:300])
    (tmp_path / "p.lst").write_text("0\t0\tbad.jpg\n1\t0\tcat/1.jpg\n")
    code, _, err = im2rec(tmp_path / "p", tree)
    assert code == 1 and "im2rec: bad.jpg: expected an image, got 300 bytes that do not decode" in err
    assert (tmp_path / "p.failed.tsv").read_text().startswith("0\tbad.jpg\texpected an image")


def test_a_pack_without_failures_removes_the_failure_file(im2rec, tree, tmp_path):
    (tmp_path / "p.lst").write_text("0\t0\tcat/none.jpg\n1\t0\tcat/1.jpg\n")
    assert im2rec(tmp_path / "p", tree)[0] == 1
    shutil.copy(tree / "cat/1.jpg", tree / "cat/none.jpg")
    assert im2rec(tmp_path / "p", tree)[0] == 0
    assert not (tmp_path / "p.failed.tsv").exists()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("# comment", "expected KEY, LABEL and PATH, separated by tabs, got 1 field: '# comment'"),
        ("7\tcat/1.jpg", "expected KEY, LABEL and PATH, separated by tabs, got 2 fields"),
        ("7.0\t0\tcat/1.jpg", "expected a whole number from 0 to 2**64 - 1 as KEY, got '7.0'"),
        ("-7\t0\tcat/1.jpg", "expected a whole number from 0 to 2**64 - 1 as KEY, got '-7'"),
        ("7\tcat\tcat/1.jpg", "expected a finite number as LABEL, got 'cat'"),
        ("7\tnan\tcat/1.jpg", "expected a finite number as LABEL, got 'nan'"),
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_and_named(im2rec, tree, tmp_path, row, reason):
    (tmp_path / "p.lst").write_text(f"0\t0\tcat/1.jpg\n{row}\n\n1\t1\tdog/1.jpg\n")
    code, _, err = im2rec("--pass-through", tmp_path / "p", tree)
    assert code == 1 and f"im2rec: {tmp_path}/p.lst: line 2: {reason}" in err
    assert list(idx.read(tmp_path / "p.idx").keys) == [0, 1]
    assert (tmp_path / "p.failed.tsv").read_text().startswith(f"\t{tmp_path}/p.lst: line 2\texpected")


def test_lists_of_the_same_run_are_never_removed(im2rec, cli, tree, tmp_path):
    assert cli("pack", tree, tmp_path / "a", "--val-ratio", 0.5)[0] == 0
    assert im2rec("--list", "--recursive", tmp_path / "a", tree)[0] == 0
    assert im2rec("--pass-through", tmp_path / "a", tree)[0] == 0
    for name in ("a", "a_train", "a_val"):
        assert (tmp_path / f"{name}.lst").exists() and (tmp_path / f"{name}.rec").exists()


def test_an_empty_list_is_not_packed_and_causes_a_warning(im2rec, tree, tmp_path):
    (tmp_path / "a.lst").write_text("0\t0\tcat/1.jpg\n")
    (tmp_path / "a_val.lst").touch()
    code, _, err = im2rec("--pass-through", tmp_path / "a", tree)
    assert code == 1 and "a_val.lst is empty and is not packed" in err
    assert (tmp_path / "a.rec").exists() and not (tmp_path / "a_val.rec").exists()


def test_without_recursive_a_tree_has_no_images_and_the_existing_list_stays(im2rec, tree, tmp_path):
    (tmp_path / "a.lst").write_text("0\t0\tcat/1.jpg\n")
    code, _, err = im2rec("--list", tmp_path / "a", tree)
    assert code == 1 and "expected images, got none; --recursive includes the folders below" in err
    assert (tmp_path / "a.lst").read_text() == "0\t0\tcat/1.jpg\n"


@pytest.mark.parametrize("option", [("--train-ratio", "nan"), ("--test-ratio", "nan"), ("--chunks", 10**20)])
def test_impossible_ratios_and_chunks_are_an_error_of_exit_code_2(im2rec, tree, tmp_path, option):
    code, _, err = im2rec("--list", "--recursive", *option, tmp_path / "a", tree)
    assert code == 2 and err.count("\n") == 1


def test_new_lists_remove_the_class_names_of_older_lists(im2rec, cli, tree, tmp_path):
    cli("list", tree, tmp_path / "a")
    assert (tmp_path / "a.classes.json").exists()
    im2rec("--list", "--recursive", tmp_path / "a", tree)
    assert not (tmp_path / "a.classes.json").exists()


def test_a_list_of_a_flat_folder_causes_one_warning_about_its_labels(im2rec, tree, tmp_path):
    code, out, err = im2rec("--list", tmp_path / "p", tree / "cat")
    text = "warning: all images have the label 0; 'recordkit list --label-from' reads labels from names"
    assert (code, out, err) == (0, "", f"im2rec: {text}\n")
    assert "the label 0" not in im2rec("--list", "--recursive", tmp_path / "p", tree)[2]


def test_a_list_may_be_given_by_its_own_name(im2rec, tree, tmp_path):
    (tmp_path / "p.lst").write_text("0\t0\tcat/1.jpg\n")
    assert im2rec("--pass-through", tmp_path / "p.lst", tree)[0] == 0
    assert list(idx.read(tmp_path / "p.idx").keys) == [0]


def test_checksums_are_written_only_if_asked_for(im2rec, tree, tmp_path):
    (tmp_path / "p.lst").write_text("0\t0\tcat/1.jpg\n")
    for options in (["--pass-through"], []):
        assert im2rec(*options, tmp_path / "p", tree)[0] == 0
        assert not (tmp_path / "p.crc").exists()
        assert im2rec("--checksums", *options, tmp_path / "p", tree)[0] == 0
        assert (tmp_path / "p.crc").stat().st_size == 4
        assert im2rec("--check", *options, tmp_path / "p", tree)[0] == 2  # like other own options, never abbreviated


def test_a_broken_link_is_named_and_gets_no_key(im2rec, tree, tmp_path):
    (tree / "cat" / "0.jpg").symlink_to("nowhere")
    code, _, err = im2rec("--list", "--recursive", "--no-shuffle", tmp_path / "p", tree)
    assert code == 1 and "im2rec: warning: cat/0.jpg: No such file or directory; left out" in err
    assert [row[0] for row in rows(tmp_path / "p.lst")] == ["0", "1", "2", "3"]


def test_without_a_list_the_exit_code_is_1_and_the_error_is_one_line(im2rec, tree, tmp_path):
    code, out, err = im2rec(tmp_path / "p", tree)
    assert (code, out) == (1, "")
    assert err == (
        f"im2rec: {tmp_path / 'p'}: expected lists such as {tmp_path / 'p'}.lst, got none; make them with --list\n"
    )


@pytest.mark.parametrize("options", [[], ["--recursive"]])
def test_a_root_that_is_missing_is_an_error(im2rec, tmp_path, options):
    code, _, err = im2rec("--list", *options, tmp_path / "p", tmp_path / "none")
    assert code == 1 and "none: expected a folder of images, got nothing of that name" in err
    assert not (tmp_path / "p.lst").exists()


def test_a_wrong_root_is_one_error_and_not_one_for_each_image(im2rec, tree, tmp_path):
    (tmp_path / "p.lst").write_text("0\t0\tcat/1.jpg\n1\t0\tcat/2.jpg\n")
    code, _, err = im2rec(tmp_path / "p", tmp_path)
    assert code == 1 and err.count("\n") == 1 and "none of the first 2 images exists" in err
    assert not (tmp_path / "p.rec").exists()


def test_lists_whose_name_only_begins_with_the_prefix_are_not_packed(im2rec, tree, tmp_path):
    for name in ("p", "p2", "p_train", "p_0_val", "p_old"):
        (tmp_path / f"{name}.lst").write_text("0\t0\tcat/1.jpg\n")
    code, _, err = im2rec("--pass-through", tmp_path / "p", tree)
    assert code == 0
    assert {path.stem for path in tmp_path.glob("*.rec")} == {"p", "p_train", "p_0_val"}
    for name in ("p2", "p_old"):
        assert f"warning: {tmp_path / name}.lst is not a list of p and is not packed; pack it by its own name" in err


def test_a_prefix_that_is_a_folder_means_all_lists_in_it(im2rec, tree, tmp_path):
    (tmp_path / "lists").mkdir()
    for name in ("a", "b.c"):
        (tmp_path / "lists" / f"{name}.lst").write_text("0\t0\tcat/1.jpg\n")
    assert im2rec("--pass-through", tmp_path / "lists", tree)[0] == 0
    assert {path.name for path in (tmp_path / "lists").glob("*.rec")} == {"a.rec", "b.c.rec"}


def test_lists_and_records_may_stand_beside_a_folder_of_their_name(im2rec, tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree.rename("photos")
    assert (
        im2rec("--list", "--recursive", "photos", "photos/")[0] == 0 == im2rec("--pass-through", "photos", "photos/")[0]
    )
    assert list(idx.read(tmp_path / "photos.idx").keys)
    assert sorted(path.name for path in tmp_path.glob("photos.*")) == [
        f"photos.{x}" for x in ("idx", "json", "lst", "rec")
    ]


@pytest.mark.parametrize("prefix", ["photos/", "."])
def test_a_list_is_not_named_after_a_folder_that_the_prefix_can_only_be(im2rec, tree, tmp_path, monkeypatch, prefix):
    tree.rename(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    code, _, err = im2rec("--list", "--recursive", prefix, "photos")
    assert code == 1 and "expected a file prefix, got a folder; add a name" in err


@pytest.mark.parametrize("label", ["17186135", "17186135.0", "1e300"])
def test_a_label_that_float32_would_change_is_refused(im2rec, tree, tmp_path, label):
    (tmp_path / "p.lst").write_text(f"0\t0\tcat/1.jpg\n1\t{label}\tcat/2.jpg\n")
    code, _, err = im2rec("--pass-through", tmp_path / "p", tree)
    assert code == 1 and "cat/2.jpg: key 1: expected a label that float32 can hold, got" in err
    assert not (tmp_path / "p.rec").exists()


@pytest.mark.parametrize(
    "arguments", [("--pass-through", "{}/p", "{}/root"), ("{}/p.lst", "{}/root", "{}/p.rec", "unchanged=1")]
)
def test_the_advice_for_such_a_label_is_a_command_that_packs_it(im2rec, cli, tree, tmp_path, arguments):
    (tmp_path / "root").symlink_to(tree)
    (tmp_path / "p.lst").write_text("0\t17186135\tcat/1.jpg\n")
    code, _, err = im2rec(*(argument.format(tmp_path) for argument in arguments))
    advice = "keep such labels with 'recordkit pack --exact-labels', or number the classes from 0\n"
    assert code == 1 and err.endswith(f"float32 can hold, got 17186135; {advice}")
    code, _, err = cli("pack", tmp_path / "p.lst", tmp_path / "p", "--root", tree, "--exact-labels")
    assert code == 0, err


@pytest.mark.parametrize(
    ("rows", "widths"),
    [("0\t1\t2\tcat/1.jpg\n", "2 labels"), ("0\t1\tcat/1.jpg\n1\t1\t2\t3\tcat/2.jpg\n", "1 to 3 labels")],
)
def test_dropped_labels_cause_one_warning(im2rec, tree, tmp_path, engine, rows, widths):
    (tmp_path / "p.lst").write_text(rows)
    options = "--pass-through", "--engine", engine
    code, _, err = im2rec(*options, tmp_path / "p", tree)
    advice = f"rows have {widths}, and only the first is packed; --pack-label packs all"
    assert (code, err) == (0, f"im2rec: warning: {tmp_path}/p.lst: {advice}\n")
    code, _, err = im2rec(*options, "--pack-label", tmp_path / "p", tree)
    assert code == 0 and (err == "") == (widths == "2 labels")
    assert err == "" or f"warning: records have {widths}: batches and MXNet's ImageRecordIter" in err


def test_png_is_compressed_at_level_3_and_above_9_counts_as_9(im2rec, tree, tmp_path):
    sizes = []
    for options in ([], ["--quality", "3"], ["--quality", "9"], ["--quality", "95"]):
        (tmp_path / "p.lst").write_text("0\t0\tcat/1.jpg\n")
        assert im2rec("--encoding", ".png", *options, tmp_path / "p", tree)[0] == 0
        sizes.append((tmp_path / "p.rec").read_bytes())
    assert sizes[0] == sizes[1] and sizes[2] == sizes[3]


def test_surprising_splits_cause_a_warning(im2rec, tree, tmp_path):
    _, _, err = im2rec("--list", "--recursive", "--test-ratio", "0.5", tmp_path / "p", tree)
    assert "the test ratio has no effect because the train ratio is 1" in err
    _, _, err = im2rec("--list", "--recursive", "--train-ratio", ".7", "--test-ratio", ".3", tmp_path / "q", tree)
    assert "1 of 4 images is in no list; sizes are rounded down, as in im2rec" in err
    _, _, err = im2rec("--list", "--recursive", "--chunks", "3", tmp_path / "r", tree)
    assert "r_2.lst is empty" in err


def test_an_exif_rotation_that_is_passed_through_causes_a_warning(im2rec, tree, tmp_path):
    (tree / "cat/1.jpg").write_bytes(save(picture(), "JPEG", exif=exif(6)))
    (tmp_path / "p.lst").write_text("0\t0\tcat/1.jpg\n")
    code, _, err = im2rec("--pass-through", tmp_path / "p", tree)
    assert code == 0 and "warning: 1 image: rotated by EXIF only" in err


def test_a_file_that_is_not_an_image_is_passed_through_with_a_warning(im2rec, tree, tmp_path):
    (tree / "text.jpg").write_text("just text")
    (tmp_path / "p.lst").write_text("0\t0\ttext.jpg\n")
    code, _, err = im2rec("--pass-through", tmp_path / "p", tree)
    assert code == 0 and "warning: 1 image: not an image by its first bytes, copied all the same" in err


def test_a_file_name_that_a_list_cannot_hold_causes_a_warning(im2rec, tree, tmp_path):
    (tree / "cat" / "t\tab.jpg").touch()
    code, _, err = im2rec("--list", "--recursive", tmp_path / "p", tree)
    assert code == 1 and "a .lst row cannot hold it; left out" in err
    assert len(rows(tmp_path / "p.lst")) == 4


def test_16_bit_images_become_8_bit_as_stored_too(im2rec, tree, tmp_path):
    deep = pixels(5, 4, 1).astype(np.uint16) * 256 + 99
    (tree / "deep.png").write_bytes(png(deep, 0))
    (tmp_path / "p.lst").write_text("0\t0\tdeep.png\n")
    assert im2rec("--color", "-1", "--encoding", ".png", tmp_path / "p", tree)[0] == 0
    ((_, image),) = records(tmp_path / "p.rec")
    assert np.array_equal(image, pixels(5, 4, 1))


def test_suffixes_in_upper_case_count_in_lower_case_too(im2rec, tree, tmp_path):
    assert im2rec("--list", "--recursive", tmp_path / "p", tree, "--exts", ".PNG")[0] == 0
    assert [row[2] for row in rows(tmp_path / "p.lst")] == ["dog/2.png"]


def test_a_list_that_cannot_be_written_is_one_line(im2rec, tree, tmp_path):
    code, _, err = im2rec("--list", tmp_path / "none" / "p", tree)
    assert code == 1 and err.startswith("im2rec: ") and err.count("\n") == 1


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cv2", "mxnet"):
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Blocker())
from recordkit.cli.im2rec.main import main
main()
"""


def test_it_works_without_mxnet_and_opencv(tree, tmp_path):
    for words in (["--list", "--recursive", "p", tree], ["p", tree, "--resize", "8"], ["p.lst", tree, "q.rec"]):
        command = [sys.executable, "-W", "error", "-c", BLOCKED, *map(str, words)]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert {path.name for path in tmp_path.iterdir()} >= {"p.lst", "p.rec", "p.idx", "q.rec", "q.idx"}


def test_folders_of_splits_are_classes_as_in_im2rec_and_are_named(im2rec, tmp_path):
    root = make(tmp_path / "photos", "train/cat/1.jpg", "test/cat/2.jpg")
    code, out, error = im2rec("--list", "--recursive", tmp_path / "x", root)
    assert (code, out) == (0, "test/cat 0\ntrain/cat 1\n")
    warning = "test, train look like splits, not classes; 'recordkit list' makes a list for each split"
    assert error == f"im2rec: warning: {warning}\n"


def test_folders_that_programs_made_are_named_once(im2rec, tmp_path):
    copies = ("cat/thumbs/1.jpg", "cat/.ipynb_checkpoints/1.jpg", "__MACOSX/cat/1.jpg")
    root = make(tmp_path / "photos", "cat/1.jpg", "dog/1.jpg", *copies)
    _, _, error = im2rec("--list", "--recursive", tmp_path / "x", root)
    assert error.count("warning") == 1 and "other programs made" in error


def test_folders_below_a_class_are_classes_as_in_im2rec_and_are_named(im2rec, tmp_path):
    root = make(tmp_path / "photos", "cat/2019/1.jpg", "cat/2020/2.jpg", "dog/1.jpg")
    code, out, error = im2rec("--list", "--recursive", tmp_path / "x", root)
    assert (code, out) == (0, "cat/2019 0\ncat/2020 1\ndog 2\n")
    warning = "cat/2019, cat/2020 are classes of their own; 'recordkit list' takes the first folder for the class"
    assert error == f"im2rec: warning: {warning}\n"
    assert (
        im2rec("--list", "--recursive", tmp_path / "x", make(tmp_path / "b", "cat/images/1.jpg", "dog/1.jpg"))[2] == ""
    )
    assert (
        im2rec("--list", "--recursive", tmp_path / "x", make(tmp_path / "c", "all/cat/1.jpg", "all/dog/1.jpg"))[2] == ""
    )


@pytest.mark.parametrize("names", [("bus/1.jpg", "train/1.jpg"), ("cat/1.jpg", "dog/2019/1.jpg", ".ipynb/1.jpg")])
def test_folders_that_are_no_splits_make_no_warning(im2rec, tmp_path, names):
    assert "splits" not in im2rec("--list", "--recursive", tmp_path / "x", make(tmp_path / "photos", *names))[2]
