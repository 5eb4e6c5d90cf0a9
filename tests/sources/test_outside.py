"""Paths of lists stay below the root: a list of a stranger cannot have other files packed."""

import os

import numpy as np
import pytest

from recordkit import RecordDataset, pack
from recordkit.codec import encode
from recordkit.errors import ImageError, SourceError
from recordkit.sources import ListSource, TableSource

IMAGE = encode(np.zeros((2, 2, 1), np.uint8), "png")
SECRET = encode(np.full((2, 2, 1), 9, np.uint8), "png")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with images, beside a secret one, and with a link that its owner made to a third folder."""
    for name in ("photos/a.png", "photos/cat/b.png", "disk/c.png", "secret.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET if name == "secret.png" else IMAGE)
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "disk")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def open_list(root, *names, **options):
    path = root.parent / "some.lst"
    path.write_text("".join(f"{key}\t{key}\t{name}\n" for key, name in enumerate(names)))
    return ListSource(path, root, **options)


def open_table(root, *names, **options):
    path = root.parent / "some.csv"
    path.write_text("".join(f"{name},{key}\n" for key, name in enumerate(names)))
    return TableSource(path, root, columns="path,label", **options)


def contents(source):
    return source.contents(source.entries(range(len(source))))


OUTSIDE = [
    "../secret.png",
    "cat/../../secret.png",
    "..\\secret.png",
    "cat\\..\\..\\secret.png",
    " ../secret.png ",
    "/../secret.png",
    "link/../secret.png",  # the parent of the folder to which the link leads
    "ABSOLUTE",
    " ABSOLUTE",
    "ABSOLUTE ",
    "BACKSLASHES",
]


@pytest.mark.parametrize("opened", [open_list, open_table])
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_path_that_leads_out_stops_the_pack_before_anything_is_packed(root, opened, name):
    absolute = str(root.parent / "secret.png")
    name = name.replace("ABSOLUTE", absolute).replace("BACKSLASHES", absolute.replace("/", "\\"))
    with pytest.raises(
        SourceError, match=r"some.*: line 2: expected paths inside the folder .*photos, got 2 paths outside"
    ) as caught:
        opened(root, "a.png", name, "cat/b.png", name)
    assert caught.value.line == 2 and "give allow_outside=True if you trust it" in str(caught.value)
    source = opened(root, "a.png", name, allow_outside=True)
    assert contents(source) == [IMAGE, SECRET]


@pytest.mark.parametrize("opened", [open_list, open_table])
def test_paths_that_stay_inside_are_read(root, opened):
    names = ["a.png", "cat/../a.png", "cat\\b.png", "link/c.png", f"{root}/a.png", f"{root}/cat/../a.png", "./a.png"]
    assert contents(opened(root, *names)) == [IMAGE] * len(names)
    (root / "x..png").write_bytes(IMAGE)
    (root / "..y.png").write_bytes(IMAGE)
    assert contents(opened(root, "x..png", "..y.png")) == [IMAGE] * 2


def test_a_root_behind_a_link_is_inside_by_both_names(root):
    (root.parent / "shortcut").symlink_to(root)
    names = [f"{root}/a.png", f"{root.parent}/shortcut/a.png"]
    assert contents(open_list(root.parent / "shortcut", *names)) == [IMAGE] * 2


def test_a_slash_at_the_beginning_means_the_root_where_the_images_are_there(root):
    """The lists of Places365 have it; a missing image is no reason to look elsewhere."""
    secret = str(root.parent / "secret.png")
    source = open_list(root, "/a.png", "/cat/b.png", secret, "/missing.png")
    first, second, *others = contents(source)
    assert first == second == IMAGE and all(isinstance(other, ImageError) for other in others)


@pytest.mark.parametrize("folder", ["", "/"])
def test_an_empty_root_and_the_root_of_all_mean_absolute_paths(root, folder):
    (root.parent / "some.lst").write_text(f"0\t0\t{root.parent}/secret.png\n")
    assert contents(ListSource(root.parent / "some.lst", folder)) == [SECRET]


def test_a_list_that_changes_after_it_was_opened_cannot_lead_out(root):
    source = open_list(root, "cat/../a.png")
    path = root.parent / "some.lst"
    entry = source.entries([0])[0]._replace(name="../secret.png")
    path.write_text("0\t0\t../secret.png\n")
    (error,) = source.contents([entry])
    assert isinstance(error, ImageError) and str(error).startswith("expected a path inside the folder")


@pytest.mark.parametrize("engine", ["python", "native"])
def test_nothing_is_written_for_a_list_that_leads_out(root, cli, im2rec, engine):
    (root.parent / "some.lst").write_text("0\t0\ta.png\n1\t1\t../secret.png\n2\t2\t/etc/passwd\n")
    (root.parent / "some.csv").write_text("a.png,0\n../secret.png,1\n")
    text = (
        "some.lst: line 2: expected paths inside the folder photos, got 2 paths outside, the first is '../secret.png'"
    )
    before = sorted(os.listdir())
    code, _, error = cli("pack", "some.lst", "out", "--root", "photos", "--engine", engine)
    assert code == 1 and text in error and error.endswith("or give --allow-outside if you trust it\n")
    code, _, error = cli("pack", "some.csv", "out", "--root", "photos", "--columns", "path,label", "--engine", engine)
    assert code == 1 and "some.csv: line 2: expected paths inside" in error
    code, _, error = cli("export", "some.lst", "out", "--root", "photos")
    assert code == 1 and text in error
    code, _, error = im2rec("--pass-through", "--engine", engine, "some", "photos")
    assert code == 1 and text in error and error.endswith("or give --allow-outside if you trust it\n")
    code, _, error = im2rec("some.lst", "photos", "out.rec", "unchanged=1", f"engine={engine}")
    assert code == 1 and text in error and error.endswith("or give allow_outside=True if you trust it\n")
    assert sorted(os.listdir()) == before


def test_every_face_allows_them_on_request(root, cli, im2rec):
    (root.parent / "some.lst").write_text(f"0\t0\ta.png\n1\t1\t../secret.png\n2\t2\t{root.parent}/secret.png\n")
    assert cli("pack", "some.lst", "a", "--root", "photos", "--allow-outside")[0] == 0
    assert cli("export", "some.lst", "exported", "--root", "photos", "--allow-outside", "--name", "{key}")[0] == 0
    assert im2rec("--pass-through", "--allow-outside", "some", "photos")[0] == 0
    assert im2rec("some.lst", "photos", "b.rec", "unchanged=1", "allow_outside=True")[0] == 0
    assert im2rec("some.lst", "photos", "c.rec", "allow_outside=1")[0] == 0
    assert "allow_outside: expected 0 or 1, got 'x'" in im2rec("some.lst", "photos", "d.rec", "allow_outside=x")[2]
    for name in ("a.rec", "some.rec", "b.rec", "c.rec"):
        with RecordDataset(name) as dataset:
            assert len(dataset) == 3
    assert len(list((root.parent / "exported").iterdir())) == 3


def test_it_applies_to_lists_only(root, cli):
    assert "allow-outside: applies to a list" in cli("pack", root, "out", "--allow-outside")[2]
    pack(open_list(root, "a.png"), "out")
    assert "--allow-outside applies to a list" in cli("export", "out.rec", "folder", "--allow-outside")[2]
