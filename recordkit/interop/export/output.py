"""The new folder of an export, which appears when it is complete or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from recordkit.errors import PublishError
from recordkit.storage.remote.urls import refuse_unwritable
from recordkit.storage.staging import Staging

SHARD_BYTES = 1 << 29
"""Size of a shard that a caller does not choose: that of Hugging Face."""


class NewFolder(NamedTuple):
    """A folder that is being written.

    Attributes
    ----------
    staging : Staging
        Creates files beside the folder, which are published with it.
    staged : Path
        The folder until it is published.
    """

    staging: Staging
    staged: Path


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[NewFolder]:
    """Publish a new folder, and files beside it, at the end of the ``with`` block. An error leaves nothing.

    Folders above it are created.

    Raises
    ------
    PublishError
        The folder has files, or the system has an error inside the block, for example because the disk is full.
    """
    refuse_unwritable(folder)
    with Staging(folder, allow_folder=True) as staging, as_publish_errors(folder):
        yield NewFolder(staging, staging.create_folder())
        staging.commit()


def check_new_file(path: Path) -> None:
    """Refuse a path at which something is.

    Raises
    ------
    PublishError
        It is no path of a new file.
    """
    refuse_unwritable(path)
    if path.exists() or path.is_symlink():
        raise PublishError(path=str(path), expected="a new file", got="one that exists", advice="choose another name")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Staging]:
    """Publish a new file at the end of the ``with`` block, which creates and closes it. An error leaves nothing.

    Folders above it are created.

    Raises
    ------
    PublishError
        There is a file at `path`, or the system has an error inside the block, for example because the disk is full.
    """
    check_new_file(path)
    with Staging(path) as staging, as_publish_errors(path):
        yield staging
        staging.commit()


@contextlib.contextmanager
def as_publish_errors(folder: Path) -> Iterator[None]:
    """Turn the system's errors inside the block into PublishErrors."""
    try:
        yield
    except PublishError:
        raise
    except OSError as error:
        path = str(error.filename or folder)
        raise PublishError(error.strerror or str(error), path=path, advice="nothing was written") from error
