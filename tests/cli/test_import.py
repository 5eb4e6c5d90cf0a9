"""The command ``recordkit import``, which undoes ``recordkit export``."""

import json

import pytest


def same(prefix, other, suffixes=(".rec", ".idx", ".crc")):
    return all(prefix.with_suffix(s).read_bytes() == other.with_suffix(s).read_bytes() for s in suffixes)


def test_an_exported_folder_comes_back_with_its_order_keys_and_classes(cli, tiny_folder, tmp_path):
    cli("pack", tiny_folder, tmp_path / "a")
    assert cli("export", tmp_path / "a.rec", tmp_path / "files")[0] == 0
    code, output, _ = cli("import", tmp_path / "files", tmp_path / "b")
    assert code == 0 and output.startswith(f"{tmp_path / 'b'}.rec: 12 listed, 12 packed")
    assert same(tmp_path / "a", tmp_path / "b")
    classes = [json.loads((tmp_path / name).read_text())["classes"] for name in ("a.json", "b.json")]
    assert classes == [{"cat": 0, "dog": 1, "owl": 2}] * 2


def test_splits_become_sets(cli, tiny_mnist, tmp_path):
    cli("pack", tiny_mnist, tmp_path / "a")
    cli("export", tiny_mnist, tmp_path / "files")
    assert cli("import", tmp_path / "files", tmp_path / "b")[0] == 0
    assert same(tmp_path / "a_train", tmp_path / "b_train") and same(tmp_path / "a_test", tmp_path / "b_test")


def test_a_dry_run_counts_and_writes_nothing(cli, tiny_folder, tmp_path):
    before = sorted(tmp_path.iterdir())
    _, output, _ = cli("import", tiny_folder, tmp_path / "b", "--dry-run", "--json")
    document = json.loads(output)
    assert (document["format"], document["dry_run"], document["warnings"]) == ("folder", True, [])
    assert [each["n_images"] for each in document["sets"]] == [12]
    _, output, _ = cli("export", tiny_folder, tmp_path / "new", "--dry-run")
    assert output.splitlines()[-1] == "12 images would be written; a dry run writes nothing"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("prefix", "problem"),
    [
        ("edited", "edited.json: expected no file, or one as an earlier pack wrote it, got one that subset wrote"),
        ("noted", "noted.lst: expected no file, or one as an earlier pack wrote it, got another file"),
        ("noted.lst/a", "noted.lst: expected a folder, got a file; choose another folder"),
        ("a.rec", "a.rec: expected a prefix, got the name of a file"),
        ("folder", "folder: expected a file prefix, got a folder; add a name, as in"),
    ],
)
def test_a_dry_run_refuses_the_output_that_an_import_refuses(cli, tiny_folder, tmp_path, prefix, problem):
    cli("pack", tiny_folder, tmp_path / "a")
    cli("subset", tmp_path / "a", tmp_path / "edited", "--first", "3")
    (tmp_path / "noted.lst").write_text("mine")
    (tmp_path / "folder").mkdir()
    code, output, error = cli("import", tiny_folder, tmp_path / prefix, "--dry-run")
    assert code and problem in error and not output
    assert cli("import", tiny_folder, tmp_path / prefix) == (code, output, error)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("missing", "missing: expected a dataset, got nothing of that name"),
        ("notes.txt", "notes.txt: expected one of insightface"),
        ("a.rec", "a.rec: expected a dataset of another format, got a .rec dataset, which is packed already"),
        ("a", "a.rec: expected a dataset of another format, got a .rec dataset, which is packed already"),
        ("s", "s.manifest.json: expected a dataset of another format, got a .rec dataset, which is packed already"),
    ],
)
def test_what_cannot_be_imported_is_one_line(cli, tiny_folder, tmp_path, source, problem):
    (tmp_path / "notes.txt").write_text("text")
    cli("pack", tiny_folder, tmp_path / "a")
    cli("pack", tiny_folder, tmp_path / "s", "--shards", 2)
    code, _, error = cli("import", tmp_path / source, tmp_path / "b")
    assert code == 1 and problem in error and error.count("\n") == 1
