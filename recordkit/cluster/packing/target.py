"""Publishing the shards of a pack: in a folder that all machines share, or in an object store.

A file is published by creating its name, which fails if the name exists already. Then the content must be the same:
every task that packs a shard makes the same bytes, so a task that was repeated, or runs twice, changes nothing.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from recordkit.cluster.packing.scratch import locked_folder, own_folder
from recordkit.errors import ClusterError
from recordkit.formats.files import flush_to_disk, read_file
from recordkit.storage.remote.urls import Url
from recordkit.storage.staging import Staging, as_publish_error

# Largest file that is read whole: the index of a shard of some 50 million records.
MAX_READ_BYTES = 1 << 30
# Errors of file systems that have no hard links.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK)
# A shard is published again if another process removes files of it meanwhile, as a driver does that begins anew.
_N_ROUNDS = 5


class Target(Protocol):
    """The place at which the files of a pack are published. It can be pickled."""

    @property
    def prefix_name(self) -> str:
        """The prefix that is packed, without a folder."""

    @property
    def prefix(self) -> Path:
        """The prefix as a path. For a store it is one at which no file exists."""

    def hold(self) -> contextlib.AbstractContextManager[None]:
        """Keep other packs from the prefix while the block runs, and remove what killed tasks left.

        Raises
        ------
        PublishError
            Nothing can be written there, or another pack is writing.
        """

    def location(self, name: str) -> Path | Url:
        """Return the path or URL of a file, for texts and reports."""

    def names(self) -> set[str]:
        """Return the names of all files there."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file that fits in memory; None if there is none of that name."""

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes; None if there is none of that name."""

    def create(self, name: str, content: bytes) -> bool:
        """Create a small file; return False if there is one of that name."""

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""

    def scratch(self, folder: Path | None) -> contextlib.AbstractContextManager[Path]:
        """Make a folder in which a task writes the files of a shard, in the scratch folder of its machine if given."""

    def publish(self, files: Sequence[Path]) -> None:
        """Publish the files of a shard from a task's folder, in this order.

        Raises
        ------
        ClusterError
            A name exists with another content.
        """


class FolderTarget:
    """A folder that all machines see under the same path.

    Parameters
    ----------
    prefix : Path
        Folder of the output, and the beginning of its file names.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.prefix_name = prefix.name
        self.folder = prefix.parent.absolute()  # tasks have other working folders

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """See `Target.hold`."""
        with Staging(self.folder / self.prefix_name, holder="a pack on a cluster"):
            shutil.rmtree(self.parts, ignore_errors=True)  # of tasks that were killed
            with as_publish_error(self.folder):
                self.parts.mkdir(exist_ok=True)
            try:
                yield
            finally:
                shutil.rmtree(self.parts, ignore_errors=True)

    @property
    def parts(self) -> Path:
        """The folder in which tasks write what is not published yet."""
        return self.folder / f".{self.prefix_name}.parts"

    def location(self, name: str) -> Path:
        """See `Target.location`."""
        return self.prefix.with_name(name)

    def names(self) -> set[str]:
        """See `Target.names`."""
        with contextlib.suppress(FileNotFoundError):
            return {path.name for path in self.folder.iterdir()}
        return set()

    def read(self, name: str) -> bytes | None:
        """See `Target.read`."""
        with contextlib.suppress(FileNotFoundError):
            return read_file(self.folder / name, max_bytes=MAX_READ_BYTES)
        return None

    def size(self, name: str) -> int | None:
        """See `Target.size`."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / name).stat().st_size
        return None

    def create(self, name: str, content: bytes) -> bool:
        """See `Target.create`."""
        with as_publish_error(self.folder), own_folder(self.parts) as folder:
            (folder / name).write_bytes(content)
            flush_to_disk(folder / name)
            is_new = _link(folder / name, self.folder / name)
            flush_to_disk(self.folder)
        return is_new

    def remove(self, name: str) -> None:
        """See `Target.remove`."""
        with as_publish_error(self.folder):
            (self.folder / name).unlink(missing_ok=True)

    def scratch(self, folder: Path | None) -> contextlib.AbstractContextManager[Path]:
        """See `Target.scratch`. Without a scratch folder, a task writes beside the output, and links publish."""
        return own_folder(self.parts) if folder is None else locked_folder(folder)

    def publish(self, files: Sequence[Path]) -> None:
        """See `Target.publish`."""
        with as_publish_error(self.folder), own_folder(self.parts) as folder:
            staged = [self._bring(path, folder) for path in files]
            for _ in range(_N_ROUNDS):
                for path in staged:
                    final = self.folder / path.name
                    if not _link(path, final):
                        _refuse_other_content(path, final)
                flush_to_disk(self.folder)
                if self.names().issuperset(path.name for path in files):
                    return
        where = str(self.location(files[-1].name))
        raise ClusterError("another process removes the files of this shard", path=where, advice="run the same again")

    def _bring(self, path: Path, folder: Path) -> Path:
        """Return the path of a file on the file system of the output, to which it is copied if it is on another."""
        if not path.is_relative_to(self.parts):
            path = Path(shutil.copyfile(path, folder / path.name))
        flush_to_disk(path)
        return path


def _link(path: Path, final: Path) -> bool:
    """Give a file another name, if no file has that name, and return whether it has it now."""
    try:
        os.link(path, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Here two tasks may both find nothing and move, one after the other: both move the same bytes.
        if final.exists():
            return False
        shutil.copyfile(path, copied := path.with_name(f"{path.name}.copy"))
        flush_to_disk(copied)
        copied.rename(final)
    return True


def _refuse_other_content(path: Path, final: Path) -> None:
    try:
        is_same = filecmp.cmp(path, final, shallow=False)
    except FileNotFoundError:  # removed meanwhile; the next round creates it
        return
    if not is_same:
        raise ClusterError(
            path=str(final),
            expected="the same bytes from each task that packs this shard",
            got="others",
            advice="the images may have changed meanwhile; remove the files of this shard and run the same again",
        )
