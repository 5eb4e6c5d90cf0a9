"""Edits replace files that are in the way only on request, and say which; never an input."""

import pytest
from upkeep.edit.small_sets import facts, write_set

from recordkit import upkeep
from recordkit.errors import PublishError
from recordkit.upkeep import Ratios, Selection, Shards

EDITS = {
    "merge": lambda source, prefix, **options: upkeep.merge([source], prefix, **options),
    "relabel": lambda source, prefix, **options: upkeep.relabel(source, prefix, {0: 7}, **options),
    "repair": upkeep.repair,
    "shuffle": upkeep.shuffle,
    "split": lambda source, prefix, **options: upkeep.split(source, prefix, Ratios({"a": 1, "b": 1}), **options),
    "subset": lambda source, prefix, **options: upkeep.subset(source, prefix, Selection(first=2), **options),
}


@pytest.fixture
def source(tmp_path):
    """A set of three records."""
    return write_set(tmp_path / "all", [0, 1, 0])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_replaces_what_is_in_the_way_only_on_request(edit, source, tmp_path):
    new = "new_a" if edit is EDITS["split"] else "new"
    for suffix in (".rec", ".labels.npy"):
        (tmp_path / f"{new}{suffix}").write_text("mine")
    before = contents(tmp_path)
    for options in ({}, {"dry_run": True}):
        with pytest.raises(
            PublishError,
            match=rf"{new}.rec: expected no file, got one of that name; .* replace it with overwrite=True$",
        ):
            edit(source, tmp_path / "new", **options)
    preview = edit(source, tmp_path / "new", overwrite=True, dry_run=True)
    assert contents(tmp_path) == before
    report = edit(source, tmp_path / "new", overwrite=True)
    for each in (preview.as_json(), report.as_json()):
        assert each["replaced"] == [f"{tmp_path}/{new}.rec"]
        assert each["removed"] == [f"{tmp_path}/{new}.labels.npy"]
    assert not (tmp_path / f"{new}.labels.npy").exists() and upkeep.verify(tmp_path / new).ok
    after = contents(tmp_path)
    assert {name: after[name] for name in before if name.startswith("all")} == {
        name: content for name, content in before.items() if name.startswith("all")
    }


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_input_is_never_replaced(edit, source, tmp_path):
    upkeep.split(source, tmp_path / "parts", Shards(count=2))
    before = contents(tmp_path)
    for path, prefix in (("all", "all"), ("parts_0.rec", "parts"), ("parts_0.rec", "parts_0")):
        with pytest.raises(PublishError, match="expected no file, got the file that is read; choose another name$"):
            edit(tmp_path / path, tmp_path / prefix, overwrite=True)
    assert contents(tmp_path) == before


def test_an_input_that_is_a_link_is_never_replaced(source, tmp_path):
    for suffix in (".rec", ".idx"):
        (tmp_path / f"link{suffix}").symlink_to(f"all{suffix}")
    before = contents(tmp_path)
    with pytest.raises(PublishError, match="all.rec: expected no file, got the file that is read"):
        upkeep.shuffle(tmp_path / "link.rec", tmp_path / "all", overwrite=True)
    assert contents(tmp_path) == before


def test_a_list_or_class_map_that_is_read_is_never_replaced(source, tmp_path):
    (tmp_path / "new.lst").write_text("0\t5\tx.jpg\n1\t5\tx.jpg\n2\t5\tx.jpg\n")
    (tmp_path / "names.json").write_text('{"cat": 0, "dog": 1}')
    for edit in (
        lambda: upkeep.relabel(source, tmp_path / "new", tmp_path / "new.lst", overwrite=True),
        lambda: upkeep.subset(source, tmp_path / "new", Selection(listed=tmp_path / "new.lst"), overwrite=True),
        lambda: upkeep.relabel(source, tmp_path / "names", classes=tmp_path / "names.json", overwrite=True),
    ):
        with pytest.raises(PublishError, match="got the file that is read"):
            edit()


def test_a_folder_is_not_replaced(source, tmp_path):
    (tmp_path / "new_a").mkdir()
    with pytest.raises(PublishError, match="new_a: expected no file, got a folder of that name; choose another name$"):
        upkeep.split(source, tmp_path / "new", Ratios({"a": 1, "b": 1}), overwrite=True)


@pytest.mark.parametrize(
    ("name", "shard"), [("all.json", False), ("all", False), ("all.manifest.json", False), ("all.manifest.json", True)]
)
def test_append_replaces_a_file_that_is_none_of_the_set_only_on_request(name, shard, source, tmp_path):
    more = write_set(tmp_path / "more", [1], keys=[9])
    (tmp_path / name).write_text('{"mine": 1}')
    if name == "all.manifest.json":
        upkeep.split(more, tmp_path / "other", Shards(count=1))
        (tmp_path / "other.manifest.json").rename(tmp_path / name)
    before = contents(tmp_path)
    with pytest.raises(PublishError, match=f"{name}: expected no file, got another file; .* with overwrite=True$"):
        upkeep.append(tmp_path / "all.rec", more, shard=shard)
    assert contents(tmp_path) == before
    preview = upkeep.append(tmp_path / "all.rec", more, shard=shard, overwrite=True, dry_run=True)
    report = upkeep.append(tmp_path / "all.rec", more, shard=shard, overwrite=True)
    for each in (preview, report):
        assert tmp_path / name in (each.replaced if shard or name == "all.json" else each.removed)
        assert (tmp_path / "all.rec" in each.replaced) != shard
    assert facts(tmp_path / "all.rec")[0] == ([0, 1, 2] if shard else [0, 1, 2, 9])
    assert (tmp_path / name).exists() == (shard or name == "all.json")


def test_a_dry_run_prints_what_would_be_replaced_and_removed(cli, source, tmp_path):
    for name in ("new.rec", "new.labels.npy"):
        (tmp_path / name).write_text("mine")
    code, output, _ = cli("shuffle", source, tmp_path / "new", "--dry-run", "--overwrite")
    assert code == 0 and output.splitlines()[1:] == [
        f"{tmp_path}/new.rec: would be replaced",
        f"{tmp_path}/new.labels.npy: would be removed",
    ]
