"""Every command that reads a .rec file, on every kind of bad file: one line, the right exit code, nothing lost."""

import os

import numpy as np
import pytest

from recordkit.cli.main import COMMANDS
from recordkit.codec import encode
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack

# The words of each command: REC is the bad file, GOOD another one, OUT a name that does not exist.
CASES = {
    "append": ["append", "REC", "GOOD", "--renumber"],
    "append MORE": ["append", "GOOD", "REC", "--renumber"],
    "append --shard": ["append", "REC", "GOOD", "--renumber", "--shard"],
    "diff": ["diff", "GOOD", "REC"],
    "duplicates": ["duplicates", "GOOD", "REC"],
    "export": ["export", "REC", "OUT", "--to", "webdataset"],
    "export --to folder": ["export", "REC", "OUT", "--to", "folder"],
    "head": ["head", "REC"],
    "import": ["import", "REC", "OUT", "--from", "insightface"],
    "info": ["info", "REC"],
    "merge": ["merge", "GOOD", "REC", "OUT", "--renumber"],
    "reindex": ["reindex", "REC"],
    "relabel": ["relabel", "REC", "OUT", "--map", "1=7"],
    "repair": ["repair", "REC", "OUT"],
    "shuffle": ["shuffle", "REC", "OUT"],
    "split": ["split", "REC", "OUT", "--ratios", "a=0.5,b=0.5"],
    "split --shards": ["split", "REC", "OUT", "--shards", "2"],
    "stats": ["stats", "REC"],
    "subset": ["subset", "REC", "OUT", "--where", "width > 1"],
    "verify": ["verify", "REC"],
    "view": ["view", "REC", "SHEET"],
}
# Commands that read no .rec file, or that need a model, a training or MXNet.
OTHERS = {
    "list",
    "pack",
    "fetch",
    "bench",
    "train",
    "eval",
    "predict",
    "plot-log",
    "plot-net",
    "mxnet",
    "doctor",
    "cluster",
}
WRITERS = ["merge", "relabel", "repair", "shuffle", "split", "split --shards", "subset"]
# Commands for which a file without records is a dataset as any other; for the others of the table, an argument is at
# fault, because they have nothing to choose from.
FINE_WITHOUT_RECORDS = {"append", "append --shard", "duplicates", "head", "info", "merge", "reindex"}
AT_FAULT_WITHOUT_RECORDS = {"diff", "export", "export --to folder", "import", "repair", "stats", "verify", "view"}
# Commands that read the records in the order of the file.
NO_INDEX = {"head", "info", "repair"}

pytestmark = pytest.mark.filterwarnings("default")  # as for users, who see them on stderr


def write(path, keys):
    """Write a .rec file of small images, each another one, and its index; return the offsets."""
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = []
        for key in keys:
            image = encode(np.full((2, 3, 3), key, np.uint8), "png")
            offsets.append(writer.write(pack(IRHeader(float(key % 3), key), image)))
    path.with_suffix(".idx").write_bytes(idx.lines(list(keys), offsets))
    return offsets


def remove(path, _offsets):
    path.unlink()


def make_a_folder(path, _offsets):
    path.unlink()
    path.mkdir()


def make_a_pipe(path, _offsets):
    path.unlink()
    os.mkfifo(path)


def make_an_image(path, _offsets):
    path.write_bytes(encode(np.zeros((9, 9, 3), np.uint8), "png"))


def fill_with_zeros(path, _offsets):
    path.write_bytes(bytes(path.stat().st_size))


def cut(path, _offsets):
    os.truncate(path, path.stat().st_size - 6)


def damage(path, offsets):
    content = bytearray(path.read_bytes())
    content[offsets[2]] ^= 0xFF
    path.write_bytes(content)


def lengthen_a_record(path, offsets):
    content = bytearray(path.read_bytes())
    content[offsets[2] + 4 : offsets[2] + 8] = b"\xff\xff\xff\x1f"
    path.write_bytes(content)


def leave(_path, _offsets):
    pass


def empty(path, _offsets):
    path.write_bytes(b"")
    path.with_suffix(".idx").write_bytes(b"")


def take_another_index(path, _offsets):
    path.with_suffix(".idx").write_bytes(b"100\t0\n101\t999999\n102\t1234567\n")


def link_to_the_other_file(path, _offsets):
    path.unlink()
    path.symlink_to("good.rec")


UNREADABLE = [remove, make_a_folder, make_a_pipe, make_an_image, fill_with_zeros]
DAMAGED = [cut, damage, lengthen_a_record]


@pytest.fixture
def folders(tmp_path):
    """Make a folder with good.rec and with bad.rec, which a function spoils."""

    def make(spoil):
        folder = tmp_path / spoil.__name__
        folder.mkdir()
        write(folder / "good.rec", range(100, 103))
        spoil(folder / "bad.rec", write(folder / "bad.rec", range(4)))
        return folder

    return make


@pytest.fixture
def call(cli):
    """Run a case; return its exit code, the warnings and notes it prints on stderr, and the other lines there."""

    def run(case, folder, **names):
        names = {"REC": "bad.rec", "GOOD": "good.rec", "OUT": "out", "SHEET": "sheet.png"} | names
        code, _output, err = cli(*(folder / names[word] if word in names else word for word in CASES[case]))
        lines = [line.removeprefix("recordkit: ") for line in err.splitlines()]
        warnings = [line for line in lines if line.startswith(("warning: ", "note: "))]
        return code, warnings, [line for line in lines if line not in warnings]

    return run


def state(folder):
    """Return the content of every file of a folder."""
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def test_every_command_is_in_the_table():
    assert {words[0] for words in CASES.values()} | OTHERS == set(COMMANDS)


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_one_line_and_changes_nothing(call, folders, case):
    for spoil in UNREADABLE + (DAMAGED if case != "repair" else []):
        folder = folders(spoil)
        before = state(folder)
        code, _, lines = call(case, folder)
        assert code == 1, (spoil, lines)
        assert len(lines) == 1 or case == "verify", (spoil, lines)  # verify has a line for each damage
        assert all("bad." in line for line in lines), (spoil, lines)
        assert state(folder) == before, spoil


@pytest.mark.parametrize("spoil", DAMAGED)
def test_repair_saves_what_is_whole_and_tells_what_is_lost(call, folders, spoil):
    folder = folders(spoil)
    before = state(folder)
    code, _, lines = call("repair", folder)
    assert code == 0 and len(lines) == 1 and "bytes lost; key " in lines[0]
    after = state(folder)
    assert before.items() <= after.items() and len(after["out.idx"].splitlines()) == 3


@pytest.mark.parametrize("case", WRITERS)
def test_an_output_that_exists_or_is_below_a_file_is_refused(call, folders, case):
    folder = folders(leave)
    before = state(folder)
    for out, problem in (
        ("bad", "expected no file, got the file that is read; choose another name"),
        ("good", "expected no file, got "),
        ("bad.rec/out", "expected a folder, got a file"),
    ):
        code, _, lines = call(case, folder, OUT=out)
        assert code == 1 and len(lines) == 1 and problem in lines[0], lines
        assert state(folder) == before


@pytest.mark.parametrize(("case", "out"), [("export --to folder", "."), ("import", "bad"), ("export", "bad.rec")])
def test_a_conversion_never_replaces_what_it_reads(call, folders, case, out):
    folder = folders(leave)
    before = state(folder)
    code, _, lines = call(case, folder, OUT=out)
    assert code == 1 and len(lines) == 1 and "expected no file, got the f" in lines[0], lines
    assert state(folder) == before


@pytest.mark.parametrize("case", [case for case, words in CASES.items() if "GOOD" in words])
def test_two_inputs_that_are_one_file_are_refused(call, folders, case):
    folder = folders(link_to_the_other_file)
    before = state(folder)
    code, _, lines = call(case, folder)
    assert code == 2 and len(lines) == 1 and "expected each .rec file once" in lines[0], lines
    assert state(folder) == before


@pytest.mark.parametrize("case", CASES)
def test_an_index_of_another_file_is_told_and_not_used(call, folders, case):
    folder = folders(take_another_index)
    code, warnings, lines = call(case, folder)
    assert code == (1 if case in ("diff", "verify") else 0), lines
    assert any("bad.idx" in line for line in warnings + lines) or case in NO_INDEX, (warnings, lines)
    written = [*folder.glob("out*.idx"), *([folder / "bad.idx"] if case == "reindex" else [])]
    assert all(b"999999" not in path.read_bytes() for path in written)


@pytest.mark.parametrize("case", CASES)
def test_a_file_without_records_is_no_crash(call, folders, case):
    folder = folders(empty)
    before = state(folder)
    code, _, lines = call(case, folder)
    assert code == (0 if case in FINE_WITHOUT_RECORDS else 1 if case in AT_FAULT_WITHOUT_RECORDS else 2), lines
    if code:
        assert len(lines) == (0 if case == "diff" else 1) and state(folder) == before
