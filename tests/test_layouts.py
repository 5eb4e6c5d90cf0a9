"""docs/layouts.md is true: every row of its tables is packed, and every advice of a row that stops is followed.

A row has a name, files and a result. ``a->b`` in the files is a link to ``b``, ``a/`` is an empty folder.
"""

import gzip
import itertools
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recordkit.formats import lst, ubyte

PAGE = (Path(__file__).parent.parent / "docs" / "layouts.md").read_text()
ROWS = re.findall(r"^\| ([^|`]+) \| `([^|]+)` \| (.+) \|$", PAGE, re.MULTILINE)


def expand(pattern):
    """Return the texts that a pattern with {a,b} stands for."""
    pieces = re.split(r"\{([^{}]*)\}", pattern)
    choices = [piece.split(",") if number % 2 else [piece] for number, piece in enumerate(pieces)]
    return ["".join(choice) for choice in itertools.product(*choices)]


def write_image(path, number):
    image = Image.fromarray(np.full((8, 8, 3), number % 256, np.uint8))
    image.save(path, Image.registered_extensions()[path.suffix.lower()])


def write_array(path):
    labels = np.array([[3, *range(7)], [1, *range(7)]], ">i4") if "idx2" in path.name else np.array([3, 1], np.uint8)
    array = labels if "labels" in path.name else np.zeros((2, 4, 4), np.uint8)
    if path.suffix == ".npz":
        np.savez(path, array)
        return
    content = ubyte.pack(array)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def make(root, patterns):
    names = [name for pattern in patterns.split() for name in expand(pattern)]
    for number, name in enumerate(names):
        name, _, target = name.partition("->")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        elif target:
            path.symlink_to(target)
        elif "ubyte" in name or "idx2" in name or path.suffix == ".npz":
            write_array(path)
        elif path.suffix.lower() in (".xml", ".txt", ".mat", ".json", ".csv") or path.name.startswith("._"):
            path.write_text("not an image")
        else:
            write_image(path, number)


def packed(out):
    """Return the rows of each set by the end of its name; the splits of a dataset have one class map."""
    sets, maps = {}, {}
    for path in sorted(out.parent.glob("*.rec")):
        with lst.ListFile(path.with_suffix(".lst")) as rows:
            sets[path.stem.removeprefix(out.name)] = sorted(
                (row.path, *row.labels) for row in rows.rows(range(len(rows)))
            )
        dataset = re.sub("_(train|val|test)$", "", path.stem)
        classes = json.loads(path.with_suffix(".json").read_text())["classes"]
        assert maps.setdefault(dataset, classes) == classes
    return sets


def is_in_class(path, name):
    if name == ".":
        return "/" not in path
    return re.search(rf"(^|/){re.escape(name)}(/|[_.]\d+\.)", path) is not None


def check(result, out):
    """Compare a result, such as "one set: cat 0, dog 1", with the files at a prefix."""
    names, _, labels = result.replace("one set", "``").partition(": ")
    sets = packed(out)
    assert sorted(sets) == sorted(re.findall(r"`([^`]*)`", names))
    if labels.startswith("labels "):
        (rows,) = sets.values()
        assert [label for _, label in rows] == [float(text) for text in labels.removeprefix("labels ").split(", ")]
    elif labels:
        classes = dict(pair.rsplit(" ", 1) for pair in labels.split(", "))
        for rows in sets.values():
            seen = {}
            for path, label in rows:
                (name,) = [name for name in classes if is_in_class(path, name)]
                seen[name] = label
                assert label == float(classes[name]), path
            assert seen.keys() == classes.keys()


@pytest.mark.parametrize(("name", "files", "result"), ROWS, ids=[row[0] for row in ROWS])
def test_a_layout_is_packed_as_the_page_says(name, files, result, engine, cli, tmp_path, monkeypatch):
    make(tmp_path / "root", files)
    monkeypatch.chdir(tmp_path / "root")
    out = tmp_path / "out" / "x"
    out.parent.mkdir()
    verdict, _, choice = result.partition("; ")
    code, _, error = cli("pack", ".", out, "--engine", engine)
    if not verdict.startswith("stops"):
        assert code == 0, error
        check(result, out)
        return
    arguments, _, result = choice.partition(": ")
    # Each step is what the error of the step before names: a folder, or an option with its value.
    folder, options = ".", []
    for step in re.findall(r"--\S+-from \S+|\S+", arguments.strip("`")):
        assert code == 1
        assert step in error, f"the error names what helps: {error}"
        if step.startswith("-"):
            options += shlex.split(step)
        else:
            folder = step
        code, _, error = cli("pack", folder, out, "--engine", engine, *options)
    if arguments:
        assert code == 0, error
        check(result, out)
    else:
        assert code == 1 and not list(out.parent.iterdir())


def test_the_page_has_many_layouts():
    assert len(ROWS) >= 25
