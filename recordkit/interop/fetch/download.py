"""Fetch a dataset: each file from the first source that has the right bytes.

A file that exists and has the right content is kept. Valid data with another checksum belongs to the user and is never
overwritten; a broken file is replaced. A download goes into a temporary folder and is renamed after its check.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from recordkit.errors import FetchError, FormatError, PlanError
from recordkit.formats.files import flush_to_disk
from recordkit.interop.fetch.content import content_sha256
from recordkit.interop.fetch.datasets import Dataset, RemoteFile, is_protected
from recordkit.interop.fetch.transfer import ProgressBar, copy, download
from recordkit.interop.fetch.unpack import unpack
from recordkit.storage.remote.urls import is_url
from recordkit.storage.replacement import new_folders


@dataclass(frozen=True)
class FetchedFile:
    """One file of a finished fetch.

    Attributes
    ----------
    name : str
        File name.
    path : str
        Path of the file.
    status : str
        "fetched", or "present" if the file already existed and was right.
    source : str or None
        Address or path that the file came from; None if it was present.
    failures : tuple of str
        Sources that were tried before, each with the reason why it failed.
    size_bytes : int
        Size of the file.
    sha256 : str
        SHA-256 of the decompressed bytes, or of a file whose size is known.
    published : bool
        Whether these are the published bytes. False is possible only with `any_checksum`.
    unpacked : tuple of str
        Paths of the files that were unpacked from it, if it is an archive.
    """

    name: str
    path: str
    status: Literal["fetched", "present"]
    source: str | None
    failures: tuple[str, ...]
    size_bytes: int
    sha256: str
    published: bool
    unpacked: tuple[str, ...] = ()


@dataclass(frozen=True)
class FetchReport:
    """The result of a fetch.

    Attributes
    ----------
    dataset : str
        Name of the dataset.
    folder : str
        The folder with its files.
    files : tuple of FetchedFile
        The files, in the dataset's order.
    """

    dataset: str
    folder: str
    files: tuple[FetchedFile, ...]


@dataclass(frozen=True)
class _Options:
    sources: tuple[str | Path, ...]
    any_checksum: bool
    attempts: int
    timeout_s: float
    progress: Callable[[str], ProgressBar] | None


class _OtherDataError(FormatError):
    """A well-formed file is not the published one."""


def fetch(
    dataset: Dataset,
    folder: str | Path,
    *,
    source: str | None = None,
    any_checksum: bool = False,
    attempts: int = 3,
    timeout_s: float = 30.0,
    progress: Callable[[str], ProgressBar] | None = None,
) -> FetchReport:
    """Download all files of a dataset into a folder, and check them.

    Parameters
    ----------
    dataset : Dataset
        The dataset, for example ``DATASETS["mnist"]``.
    folder : str or Path
        Target folder; created if it does not exist.
    source : str, optional
        A folder, or the http, https or file address of one, that holds the files under their published names. It
        replaces the mirrors. Without https, the checksums alone protect the bytes.
    any_checksum : bool, default False
        Accept well-formed data that differs from the published data, for example in its order or number. It needs
        a `source` that is a folder, on this machine, or has https.
    attempts : int, default 3
        Requests for each file and mirror. The wait between them grows from 1 s to 10 s.
    timeout_s : float, default 30.0
        A request ends after this time without a byte, in seconds, and after twice this time as soon as it is slower
        than 1,000 bytes per second.
    progress : callable, optional
        Called with the address at the start of each request; returns the bar to advance.

    Returns
    -------
    report : FetchReport

    Raises
    ------
    FetchError
        No source delivers the right bytes, the folder cannot be written, or other data has the file's name. Finished
        files remain; unfinished files are removed.
    PlanError
        The source is neither a folder nor an http, https or file address, or an option is out of range.

    Examples
    --------
    >>> import gzip, hashlib
    >>> from recordkit.interop.fetch import RemoteFile
    >>> labels = bytes([0, 0, 8, 1]) + (3).to_bytes(4, "big") + bytes([7, 2, 1])
    >>> file = RemoteFile("labels.gz", (3,), hashlib.sha256(labels).hexdigest())
    >>> copies = tempfile.mkdtemp()
    >>> _ = Path(copies, file.name).write_bytes(gzip.compress(labels))
    >>> report = fetch(Dataset("tiny", (), (file,)), Path(copies, "tiny"), source=copies)
    >>> report.files[0].name, report.files[0].status, report.files[0].published
    ('labels.gz', 'fetched', True)
    """
    if any_checksum and source is None:
        raise PlanError("`any_checksum` needs a source of your own", advice="give `source` too")
    if attempts < 1:
        raise PlanError(argument="attempts", expected="at least 1", got=attempts)
    if timeout_s <= 0:
        raise PlanError(argument="timeout_s", expected="more than 0 s", got=timeout_s)
    sources = dataset.mirrors if source is None else (_parse_source(source, any_checksum=any_checksum),)
    if not sources:
        raise PlanError(f"{dataset.name} has no mirrors", advice="name a copy of your own with `source`")
    if is_url(folder):
        raise PlanError(argument="folder", expected="a path of this machine", got=f"the URL {folder}")
    target_folder = Path(folder)
    options = _Options(sources, any_checksum, attempts, timeout_s, progress)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(new_folders(target_folder))
        except OSError as error:
            message = f"cannot make the folder: {error.strerror}"
            raise FetchError(message, path=str(target_folder), advice="choose another folder") from error
        files = tuple(_fetch_file(file, target_folder / file.name, options) for file in dataset.files)
    return FetchReport(dataset.name, str(target_folder), files)


def _parse_source(source: str, *, any_checksum: bool) -> str | Path:
    """Return the web address or the folder that the user gave."""
    if "://" not in source:
        return Path(source)
    expected = "a folder, or an http, https or file address"
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise PlanError(argument="source", expected=expected, got=f"{source} ({error})") from error
    if parts.username is not None or parts.password is not None:
        # The address is not in the message, because messages end in logs.
        message = "an address with a user name or password cannot be used"
        raise PlanError(message, argument="source", advice="download the files, then give their folder")
    if parts.scheme in ("http", "https") and parts.hostname:
        if any_checksum and not is_protected(source):
            raise PlanError(argument="source", expected="https, because `any_checksum` accepts any bytes", got=source)
        return source
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(url2pathname(parts.path))
    raise PlanError(argument="source", expected=expected, got=source)


def _fetch_file(file: RemoteFile, target: Path, options: _Options) -> FetchedFile:
    digest = _present_sha256(file, target, any_checksum=options.any_checksum)
    if digest is not None:
        return _describe(file, target, digest, None, [])
    failures: list[FetchError | FormatError] = []
    try:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as temporary:
            for folder in options.sources:
                source = folder / file.name if isinstance(folder, Path) else f"{folder.rstrip('/')}/{file.name}"
                try:
                    candidate = _get(source, Path(temporary), file, options)
                    digest = _checked_sha256(candidate, file, any_checksum=options.any_checksum)
                except (FetchError, FormatError) as error:
                    failures.append(error.located(path=str(source)))
                    continue
                _publish(candidate, target)
                return _describe(file, target, digest, str(source), failures)
    except OSError as error:
        message = f"cannot write: {error.strerror or error}"
        raise FetchError(message, path=str(target), advice="make room or choose another folder") from error
    raise _all_failed(target, failures, options)


def _describe(
    file: RemoteFile, target: Path, digest: str, source: str | None, failures: Sequence[Exception]
) -> FetchedFile:
    return FetchedFile(
        name=file.name,
        path=str(target),
        status="present" if source is None else "fetched",
        source=source,
        failures=tuple(map(str, failures)),
        size_bytes=target.stat().st_size,
        sha256=digest,
        published=digest == file.sha256,
        unpacked=tuple(map(str, unpack(target, file.members))) if file.members else (),
    )


def _present_sha256(file: RemoteFile, target: Path, *, any_checksum: bool) -> str | None:
    """Return the checksum of an existing file, or None if the file is missing or broken."""
    if not target.exists():
        return None
    try:
        digest = content_sha256(target, file)
    except FormatError:
        return None
    if digest != file.sha256 and not any_checksum:
        raise FetchError(
            path=str(target),
            expected=f"the published data, sha256 {file.sha256}{_how(file)}",
            got=f"other data, {digest}",
            advice="move it away, or keep it with `source` and `any_checksum`",
        )
    return digest


def _get(source: str | Path, folder: Path, file: RemoteFile, options: _Options) -> Path:
    """Copy or download a file into a folder, and return its path."""
    target = folder / file.name
    target.unlink(missing_ok=True)  # wrong bytes of an earlier source
    if isinstance(source, Path):
        copy(source, target, limit_bytes=file.limit_bytes)
    else:
        download(
            source,
            target,
            limit_bytes=file.limit_bytes,
            attempts=options.attempts,
            timeout_s=options.timeout_s,
            progress=options.progress,
        )
    return target


def _checked_sha256(path: Path, file: RemoteFile, *, any_checksum: bool) -> str:
    digest = content_sha256(path, file)
    if digest != file.sha256 and not any_checksum:
        raise _OtherDataError(expected=f"sha256 {file.sha256}{_how(file)}", got=digest)
    return digest


def _how(file: RemoteFile) -> str:
    return " unpacked" if file.n_bytes is None else ""


def _publish(path: Path, target: Path) -> None:
    copy_path = path.with_name(f"{path.name}.copy")
    shutil.copyfile(path, copy_path)  # pooch's file has mode 0600; the copy has the mode that the umask gives
    flush_to_disk(copy_path)
    copy_path.replace(target)
    flush_to_disk(target.parent)


def _all_failed(target: Path, failures: list[FetchError | FormatError], options: _Options) -> FetchError:
    sources = "1 source" if len(failures) == 1 else f"{len(failures)} sources"
    if isinstance(options.sources[0], Path) or options.any_checksum:
        advice = "put the right file there, or leave out `source`"
    else:
        advice = "try again later, or name a copy of your own with `source`"
    if any(isinstance(error, _OtherDataError) for error in failures):
        advice += "; `any_checksum` accepts a copy of your own in another order"
    return FetchError(f"not fetched from {sources}: {'; '.join(map(str, failures))}", path=str(target), advice=advice)
