"""Folders of copies that processes share."""

import os

from recordkit.storage.remote.copies import CopyFolder, remove_unused


def test_folders_that_nobody_has_opened_for_30_days_are_removed(tmp_path):
    fresh, unused, other = tmp_path / ("a" * 24), tmp_path / ("b" * 24), tmp_path / "photos"
    for folder in (fresh, unused, other):
        CopyFolder(folder).replace("a.json", "1", lambda descriptor: os.write(descriptor, b"{}"))
        os.utime(folder, (0, 0))
    CopyFolder(fresh)
    remove_unused(tmp_path)
    assert (fresh.exists(), unused.exists(), other.exists()) == (True, False, True)
    remove_unused(tmp_path / "no folder")
