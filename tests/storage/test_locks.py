"""Locks on folders, by flock and, as on Windows, by a file."""

import threading

import pytest
from storage.users import as_nobody, needs_root

from recordkit.storage import locks
from recordkit.storage.locks import lock_folder


@pytest.fixture(params=["flock", "file"])
def folder(request, tmp_path, monkeypatch):
    """A folder to lock, on a system with `flock` and on one without."""
    if request.param == "file":
        monkeypatch.setattr(locks, "fcntl", None)
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def test_a_lock_without_wait_is_refused_until_the_other_is_released(folder):
    lock = lock_folder(folder, wait=False)
    with pytest.raises(BlockingIOError):
        lock_folder(folder, wait=False)
    lock.release()
    lock_folder(folder, wait=False).release()
    assert list(folder.parent.rglob("*")) == [folder]


def test_a_lock_with_wait_comes_after_the_release(folder):
    lock = lock_folder(folder, wait=True)
    events = []

    def release():
        events.append("released")
        lock.release()

    timer = threading.Timer(0.1, release)
    timer.start()
    other = lock_folder(folder, wait=True)
    events.append("locked")
    other.release()
    timer.join()
    assert events == ["released", "locked"]


def test_a_folder_that_was_removed_is_not_in_place(folder):
    lock = lock_folder(folder, wait=False)
    assert lock.is_in_place()
    folder.rmdir()
    assert not lock.is_in_place()
    lock.release()


def test_a_file_that_a_killed_process_left_is_named_after_a_minute(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "_MAX_WAIT_S", 0.0)
    left = tmp_path / ".recordkit.lock"
    left.touch()
    with pytest.raises(TimeoutError, match="for a minute; remove it if that process was killed") as caught:
        lock_folder(tmp_path, wait=True)
    assert caught.value.filename == str(left)


@needs_root
@pytest.mark.parametrize("wait", [True, False])
def test_a_folder_that_takes_no_lock_file_is_an_error_of_permission(wait, shared_folder, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    folder = shared_folder / "folder"
    folder.mkdir()
    shared_folder.chmod(0o755)
    with as_nobody(), pytest.raises(PermissionError, match="Permission denied"):
        lock_folder(folder, wait=wait)


def test_a_folder_that_a_stranger_keeps_locked_is_named_after_a_minute(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_MAX_WAIT_S", 0.0)
    lock = lock_folder(tmp_path, wait=True)
    with pytest.raises(TimeoutError, match="held the lock of this folder for a minute") as caught:
        lock_folder(tmp_path, wait=True)
    lock.release()
    assert caught.value.filename == str(tmp_path)
