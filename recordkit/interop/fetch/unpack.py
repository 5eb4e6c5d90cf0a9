"""Unpack the files of a fetched archive beside it."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from recordkit.errors import FetchError
from recordkit.storage.replacement import write_atomically

# The largest file of the known archives has 180 MB.
_MAX_BYTES = 1 << 30
_BLOCK_BYTES = 1 << 20


def unpack(archive: Path, pattern: str) -> list[Path]:
    """Write the files of an archive into its folder, without the folders of the archive.

    Parameters
    ----------
    archive : Path
        A zip file, or a gzip-compressed tar file.
    pattern : str
        Regular expression for the names of the files, without folders; all others are left out.

    Returns
    -------
    paths : list of Path
        The files, sorted. One that is there already is not written again.

    Raises
    ------
    FetchError
        The archive is damaged, has no such file, or one that is too large; or another file has its name.
    OSError
        A file cannot be written.
    """
    paths = []
    try:
        for name, n_bytes, content in _members(archive):
            base = name.rpartition("/")[2]
            if re.fullmatch(pattern, base) is None:
                continue
            if n_bytes > _MAX_BYTES:
                raise FetchError(path=str(archive), expected=f"files of at most {_MAX_BYTES} bytes", got=n_bytes)
            target = archive.with_name(base)
            if not target.exists():
                write_atomically(target, partial(_copy, content))
            elif not _has_content(target, content):
                raise FetchError(
                    path=str(target),
                    expected=f"no file, or {base} of {archive.name}",
                    got="another file",
                    advice="move it away, or fetch into another folder",
                )
            paths.append(target)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FetchError(
            f"cannot be unpacked: {error}", path=str(archive), advice="remove it, and fetch again"
        ) from None
    if not paths:
        raise FetchError(path=str(archive), expected="files of the dataset in it", got="none")
    return sorted(paths)


def _has_content(path: Path, content: IO[bytes]) -> bool:
    """Tell whether a file has the bytes of a stream."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        while block := content.read(_BLOCK_BYTES):
            if file.read(len(block)) != block:
                return False
        return not file.read(1)


def _copy(content: IO[bytes], file: IO[bytes]) -> None:
    shutil.copyfileobj(content, file)


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield the name, the size and the content of each file of an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                with packed.open(info) as content:
                    yield info.filename, info.file_size, content
        return
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, member.size, stream
