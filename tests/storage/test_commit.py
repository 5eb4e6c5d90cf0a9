"""Commits that are odd, damaged or another user's: a set stays readable, the next pack works, and no file is lost."""

import json
import os
import tempfile
import warnings
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from storage.faults import publish, recover

from recordkit import pack
from recordkit.codec import encode
from recordkit.errors import FormatError, PublishError
from recordkit.storage import commit
from recordkit.storage.commit import can_be_staged, describe_ignored_commits, find_commits, pack_commit, unpack_commit
from recordkit.storage.fileset import Fileset
from recordkit.storage.names import SUFFIXES, belongs_to
from recordkit.storage.staging import Staging
from recordkit.upkeep import verify

ODD = {
    "empty": b"",
    "cut": b'{"publish": ["a.r',
    "a list": b"[]",
    "nothing to publish": b'{"publish": [], "remove": []}',
    "no list to remove": b'{"publish": ["a.rec"]}',
    "a text": b'{"publish": "a.rec", "remove": []}',
    "numbers": b'{"publish": [1], "remove": [{}]}',
    "a name twice": b'{"publish": ["a.rec"], "remove": ["a.rec"]}',
    "a folder above": b'{"publish": ["a.rec"], "remove": ["../a.rec"]}',
    "a root": b'{"publish": ["/a.rec"], "remove": []}',
    "another set": b'{"publish": ["a.rec", "b.rec"], "remove": []}',
    "a longer name": b'{"publish": ["abc.rec"], "remove": []}',
    "another suffix": b'{"publish": ["a.rec"], "remove": ["a_notes.docx"]}',
    "a null byte": rb'{"publish": ["a_\u0000.rec"], "remove": []}',
    "half a character": rb'{"publish": ["a_\ud800.rec"], "remove": []}',
    "deep": b"[" * 100_000,
    "long": b'{"publish": ["a.rec"], "remove": []}' + b" " * (1 << 22),
}


def staged(folder, content, prefix="a"):
    """Write a staging folder with a record file and a commit."""
    staging = folder / f".{prefix}.staging"
    staging.mkdir()
    (staging / "a.rec").write_text("perhaps the only copy")
    (staging / "commit").write_bytes(content)
    return staging


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_an_odd_commit_is_ignored_and_the_next_pack_keeps_its_files(content, tmp_path):
    (tmp_path / "a.rec").write_text("old a.rec")
    staged(tmp_path, content)
    with pytest.warns(UserWarning, match=r"\.a\.staging/commit: expected .*; it is ignored"):
        assert Fileset(tmp_path / "a").path(".rec").read_text() == "old a.rec"
    with pytest.warns(UserWarning, match=r"commit: expected .*; the files of that pack are kept in .*/\.a\.damaged-1"):
        publish(tmp_path / "a", "new", ["a.rec"], [])
    assert Fileset(tmp_path / "a").path(".rec").read_text() == "new a.rec"
    assert (tmp_path / ".a.damaged-1" / "a.rec").read_text() == "perhaps the only copy"
    assert (tmp_path / ".a.damaged-1" / "commit").read_bytes() == content


def test_files_that_were_set_aside_are_never_overwritten(tmp_path):
    for _ in range(3):
        staged(tmp_path, b"{")
        with pytest.warns(UserWarning, match="kept in"):
            recover(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == [".a.damaged-1", ".a.damaged-2", ".a.damaged-3"]


@hypothesis.given(content=st.binary(max_size=60) | st.from_regex(rb'\{"publish": \["a[._a-z]*"(, "a\.[a-z]*")*\].*\}'))
def test_any_commit_leaves_a_set_readable_and_lets_the_next_pack_complete(content):
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        (folder / "a.rec").write_text("old a.rec")
        (folder / "precious").write_text("precious")
        staged(folder, content)
        assert Fileset(folder / "a").path(".rec").read_text() in ("old a.rec", "perhaps the only copy")
        publish(folder / "a", "new", ["a.rec"], [])
        assert Fileset(folder / "a").path(".rec").read_text() == "new a.rec"
        assert (folder / "precious").read_text() == "precious"


NAMES = st.lists(
    st.text("a_.b", min_size=1, max_size=4).flatmap(lambda stem: st.sampled_from(SUFFIXES).map(lambda s: stem + s))
)


@hypothesis.given(prefix=st.text("a_.b", min_size=1, max_size=3), publish=NAMES, remove=NAMES)
def test_readers_understand_each_commit_that_can_be_written(prefix, publish, remove):
    folder = Path(f".{prefix}.staging")
    try:
        content = pack_commit(folder, publish, remove)
    except FormatError:
        names = publish + remove
        allowed = all(can_be_staged(prefix, name) for name in names) and len(set(names)) == len(names)
        assert not (publish and allowed)
    else:
        assert unpack_commit(folder, content) == commit.Commit(folder, tuple(publish), tuple(remove))


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: Path(path).symlink_to("/dev/zero")])
def test_a_commit_that_is_no_file_is_ignored(make, tmp_path):
    (tmp_path / "a.rec").touch()
    (tmp_path / ".a.staging").mkdir()
    make(tmp_path / ".a.staging" / "commit")
    with pytest.warns(UserWarning, match=r"commit: expected the list .*, got no file; it is ignored"):
        assert Fileset(tmp_path / "a").path(".rec") == tmp_path / "a.rec"
    with pytest.warns(UserWarning, match="kept in"):
        publish(tmp_path / "a", "new", ["a.rec"], [])


def test_a_staging_folder_with_an_empty_prefix_redirects_nothing(tmp_path):
    staged(tmp_path, b'{"publish": ["a.rec"], "remove": ["a.idx"]}', prefix="")
    assert (tmp_path / "..staging").is_dir()
    assert Fileset(tmp_path / "a").path(".rec") == tmp_path / "a.rec" and not find_commits(tmp_path / "a").commits


@pytest.mark.parametrize("prefix", ["t", "tr", "train_v", "train_v2_x"])
def test_a_prefix_that_is_only_a_beginning_of_the_name_is_another_one(prefix, tmp_path):
    staged(tmp_path, b'{"publish": ["train_v2.rec"], "remove": []}', prefix=prefix)
    assert find_commits(tmp_path / "train_v2").commits == []


@pytest.mark.parametrize("prefix", ["train", "train_v2"])
def test_the_commit_of_a_set_is_found_by_its_prefix_and_by_that_of_all_splits(prefix, tmp_path):
    folder = staged(tmp_path, b'{"publish": ["train_v2.rec"], "remove": []}', prefix=prefix)
    assert [each.folder for each in find_commits(tmp_path / "train_v2").commits] == [folder]


def test_ignored_commits_are_described_for_a_report(tmp_path):
    staged(tmp_path, b"{")
    (problem,) = describe_ignored_commits(tmp_path / "a_train")
    assert problem.startswith(f"{tmp_path}/.a.staging/commit: expected the list of files of a pack that was cut short")


def test_verify_reports_a_commit_that_is_ignored(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1_1.png").write_bytes(encode(np.zeros((4, 4, 1), np.uint8), "png"))
    pack(tmp_path / "photos", tmp_path / "a")
    (tmp_path / ".a.staging").mkdir()
    (tmp_path / ".a.staging" / "commit").touch()
    with pytest.warns(UserWarning, match="it is ignored"):
        report = verify(tmp_path / "a")
    assert report.ok and any("commit: expected the list of files" in note for note in report.notes)


@pytest.mark.parametrize("name", ["images.rec", "a.txt", "ab.rec", "../a.rec", "a_/../x.rec", ""])
def test_a_name_of_another_set_is_refused_before_a_file_is_written(name, tmp_path):
    with Staging(tmp_path / "a") as staging:
        with pytest.raises(PublishError, match="expected a with a suffix of a set, got"):
            staging.create(name)
        assert os.listdir(staging.folder) == []


def test_the_name_of_the_commit_is_no_name_of_a_set(tmp_path):
    with Staging(tmp_path / "commit", allow_folder=True) as staging:
        for create in (lambda: staging.create("commit"), staging.create_folder):
            with pytest.raises(PublishError, match="expected commit with a suffix of a set, got 'commit'"):
                create()
        staging.create("commit.rec").close()
        staging.commit()
    assert os.listdir(tmp_path) == ["commit.rec"]


def test_a_commit_of_too_many_names_is_refused_and_the_old_set_stays(tmp_path, monkeypatch):
    publish(tmp_path / "a", "old", ["a.rec"], [])
    monkeypatch.setattr(commit, "_MAX_BYTES", 20)
    with pytest.raises(PublishError, match="expected names of up to 20 bytes, got .*; nothing was published"):
        publish(tmp_path / "a", "new", ["a.rec", "a.idx"], [])
    assert (tmp_path / "a.rec").read_text() == "old a.rec" and os.listdir(tmp_path) == ["a.rec"]


@hypothesis.given(prefix=st.text(max_size=3), name=st.text(max_size=12))
def test_a_name_of_a_prefix_is_a_plain_name(prefix, name):
    if belongs_to(prefix, name):
        assert prefix and name.startswith(prefix) and Path("x", name).name == name


def test_a_commit_survives_names_that_are_not_unicode():
    folder, name = Path(".\udc80.staging"), "\udc80_train.rec"
    assert unpack_commit(folder, pack_commit(folder, [name], [])).publish == (name,)
    assert json.loads(pack_commit(folder, [name], []))["publish"] == [name]
