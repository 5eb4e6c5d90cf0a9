"""Staging folders of other users: nothing in them is followed, overwritten or believed where they could not write."""

import json
import os
import stat

import pytest
from storage.faults import Faults, publish, recover
from storage.users import NOBODY, as_nobody, needs_root

from recordkit.errors import PublishError
from recordkit.storage import staging as staging_module
from recordkit.storage.commit import find_commits
from recordkit.storage.fileset import Fileset
from recordkit.storage.staging import Staging

COMMITTED = json.dumps({"publish": ["a.rec"], "remove": ["a.idx"]})


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def plant(folder):
    """Write a staging folder with a set that is committed."""
    staging = folder / ".a.staging"
    staging.mkdir()
    (staging / "a.rec").write_text("planted")
    (staging / "commit").write_text(COMMITTED)
    return staging


@pytest.fixture
def umask():
    """Return a function that sets the umask until the test ends."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "committed"), [(0o022, 0o755), (0o002, 0o755), (0o027, 0o750), (0o077, 0o700)])
def test_a_staging_folder_is_closed_until_the_commit_and_then_as_readable_as_its_files(
    mask, committed, tmp_path, umask, monkeypatch
):
    umask(mask)
    modes = []
    monkeypatch.setattr(staging_module, "finish", lambda commit, _lock, **_: modes.append(mode(commit.folder)))
    staging = Staging(tmp_path / "a")
    assert mode(staging.folder) == 0o700
    staging.create("a.rec").close()
    staging.commit()
    assert modes == [committed]


@needs_root
@pytest.mark.parametrize("left_over", [False, True])
def test_files_of_a_shared_folder_get_its_group(left_over, tmp_path):
    os.chown(tmp_path, 0, NOBODY)
    tmp_path.chmod(0o2775)
    if left_over:
        (tmp_path / ".a.staging").mkdir(0o777)
    with Staging(tmp_path / "a") as staging:
        staging.create("a.rec").close()
        staging.commit()
    assert (tmp_path / "a.rec").stat().st_gid == NOBODY


def test_a_folder_that_a_killed_pack_left_open_is_closed(tmp_path):
    (tmp_path / ".a.staging").mkdir(0o777)
    (tmp_path / ".a.staging").chmod(0o777)
    with Staging(tmp_path / "a") as staging:
        assert mode(staging.folder) == 0o700


def test_planted_links_in_a_staging_folder_are_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    staging = tmp_path / ".a.staging"
    staging.mkdir()
    for name in ("a.rec", "commit.new"):
        (staging / name).symlink_to(tmp_path / "secret")
    publish(tmp_path / "a", "new", ["a.rec"], [])
    assert (tmp_path / "secret").read_text() == "secret"
    assert sorted(os.listdir(tmp_path)) == ["a.rec", "secret"] and not (tmp_path / "a.rec").is_symlink()


def test_a_link_that_is_planted_during_a_pack_is_an_error(tmp_path):
    (tmp_path / "secret").write_text("secret")
    with Staging(tmp_path / "a") as staging:
        for name in ("a.rec", "commit.new"):
            (staging.folder / name).symlink_to(tmp_path / "secret")
        with pytest.raises(FileExistsError):
            staging.create("a.rec")
    with Staging(tmp_path / "a") as staging:
        staging.create("a.rec").close()
        (staging.folder / "commit.new").symlink_to(tmp_path / "secret")
        with pytest.raises(PublishError, match="File exists; nothing was published"):
            staging.commit()
    assert (tmp_path / "secret").read_text() == "secret" and os.listdir(tmp_path) == ["secret"]


def test_a_folder_that_is_exchanged_during_a_pack_receives_no_file(tmp_path):
    (tmp_path / "etc").mkdir()
    with Staging(tmp_path / "a") as staging:
        staging.folder.rename(tmp_path / "moved")
        staging.folder.symlink_to(tmp_path / "etc")
        staging.create("a.rec").close()
    assert os.listdir(tmp_path / "etc") == [] and os.listdir(tmp_path / "moved") == ["a.rec"]


@pytest.mark.parametrize("target", ["precious", "nothing"])
def test_a_link_at_a_final_name_is_replaced_and_its_target_stays(target, tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a.rec").symlink_to(target)
    publish(tmp_path / "a", "new", ["a.rec"], [])
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "a.rec").read_text() == "new a.rec" and not (tmp_path / "a.rec").is_symlink()


@needs_root
def test_the_staging_folder_of_another_user_is_refused_with_their_name(shared_folder):
    secret = shared_folder / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    with as_nobody():
        staging = shared_folder / ".a.staging"
        staging.mkdir()
        (staging / "a.rec").symlink_to(secret)
    with pytest.raises(
        PublishError, match=r"expected no pack of another user that was cut short, got one of the user n"
    ):
        publish(shared_folder / "a", "new", ["a.rec"], [])
    assert secret.read_text() == "secret" and os.listdir(staging) == ["a.rec"]


@needs_root
def test_a_closed_staging_folder_of_another_user_is_refused_with_their_name(shared_folder):
    (shared_folder / ".a.staging").mkdir(0o700)
    with as_nobody():
        with pytest.raises(PublishError, match=r"cut short, got one of the user root; choose another prefix, or let"):
            Staging(shared_folder / "a")
        assert Fileset(shared_folder / "a").path(".rec") == shared_folder / "a.rec"  # it has no commit to be seen


@needs_root
def test_a_commit_of_a_stranger_in_a_sticky_folder_is_not_believed(shared_folder):
    (shared_folder / "a.rec").write_text("mine")
    with as_nobody():
        staging = plant(shared_folder)
    with pytest.warns(
        UserWarning, match=r"commit: expected a commit of a trusted user, got one of the user nobody; it"
    ):
        assert Fileset(shared_folder / "a").path(".rec").read_text() == "mine"
    with as_nobody():  # the stranger believes their own
        assert Fileset(shared_folder / "a").path(".rec").read_text() == "planted"
    with pytest.raises(PublishError, match="got one of the user nobody"):
        recover(shared_folder / "a")
    assert (shared_folder / "a.rec").read_text() == "mine" and staging.exists()


@needs_root
@pytest.mark.parametrize("owner", [0, NOBODY])
def test_a_commit_of_root_or_of_the_owner_of_a_sticky_folder_is_believed(owner, shared_folder):
    os.chown(shared_folder, owner, owner)
    staging = plant(shared_folder)
    os.chown(staging, owner, owner)
    with as_nobody():
        assert Fileset(shared_folder / "a").path(".rec").read_text() == "planted"


@needs_root
def test_a_commit_in_a_folder_that_is_not_sticky_is_believed(shared_folder):
    shared_folder.chmod(0o777)
    with as_nobody():
        plant(shared_folder)
    assert Fileset(shared_folder / "a").path(".rec").read_text() == "planted"


@pytest.mark.parametrize(
    ("parent_mode", "folder_mode", "is_believed"),
    [
        (0o1777, 0o755, True),
        (0o1777, 0o775, False),
        (0o1777, 0o757, False),
        (0o755, 0o775, False),
        (0o755, 0o757, False),
        (0o775, 0o775, True),
        (0o775, 0o777, False),
        (0o777, 0o777, True),
    ],
)
def test_a_commit_is_believed_if_the_folder_gives_no_right_that_its_parent_does_not_give(
    parent_mode, folder_mode, is_believed, shared_folder
):
    (shared_folder / "a.rec").write_text("mine")
    plant(shared_folder).chmod(folder_mode)
    shared_folder.chmod(parent_mode)
    if is_believed:
        assert find_commits(shared_folder / "a").commits
        return
    with pytest.warns(
        UserWarning, match="commit of a trusted user, got one in a folder that others may write to; it is"
    ):
        assert Fileset(shared_folder / "a").path(".rec").read_text() == "mine"
    with pytest.warns(UserWarning, match="the files of that pack are kept in"):
        publish(shared_folder / "a", "new", ["a.rec"], [])
    assert (shared_folder / ".a.damaged-1" / "a.rec").read_text() == "planted"


@needs_root
def test_other_users_read_a_set_whose_publishing_was_cut_short(shared_folder, umask):
    with Faults() as faults:
        for at in range(1, 200):
            publish(shared_folder / "a", "old", ["a.rec", "a.idx"], [])
            end = faults("publish", str(shared_folder / "a"), "new", ["a.rec", "a.idx"], [], at=at)
            with as_nobody():
                files = Fileset(shared_folder / "a")
                read = [files.path(suffix).read_text().split()[0] for suffix in (".rec", ".idx")]
            assert read in (["old", "old"], ["new", "new"])
            if end == "done":
                break
    assert at > 30
