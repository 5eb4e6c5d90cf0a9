"""Fetch a dataset: each file from the first source that has it whole and right.

A file that is there and right is left alone; one that is there and is well-formed but other data is
somebody's own and is never overwritten; one that is broken is replaced. Nothing gets its final name before
its bytes were checked.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from recordkit.errors import FetchError, PlanError
from recordkit.interop.fetch.content import WrongBytesError, content_sha256
from recordkit.interop.fetch.datasets import Dataset, RemoteFile
from recordkit.interop.fetch.partial import Part, open_part
from recordkit.interop.fetch.report import FetchedFile, FetchReport, Progress
from recordkit.interop.fetch.transfer import RefusedError, RetryPolicy, TransientError, copy_file, download

__all__ = ["fetch"]


def fetch(
    dataset: Dataset,
    folder: str | Path,
    *,
    source: str | None = None,
    any_checksum: bool = False,
    policy: RetryPolicy | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> FetchReport:
    """Bring all files of a dataset into a folder, checked.

    Parameters
    ----------
    dataset : Dataset
        What to fetch, for example ``DATASETS["mnist"]``.
    folder : str or Path
        Where to; made if it is not there.
    source : str, optional
        A folder, or an http, https or file address of one, that holds the files under their published names. It
        is then the only source.
    any_checksum : bool
        Accept other data than the published, as long as it is well-formed: a copy in another order, or a
        smaller one. Needs `source`.
    policy : RetryPolicy, optional
        Attempts, timeouts and waits.
    progress : callable, optional
        Called with what is going on; may raise to stop.

    Returns
    -------
    FetchReport
        What was done, file by file.

    Raises
    ------
    FetchError
        A file could not be had from any source, or cannot be written, or other data has its name. Files that were
        finished stay; a part that can be resumed stays as NAME.part.
    PlanError
        The source is neither a folder nor an http, https or file address; or `any_checksum` without a source.

    Examples
    --------
    >>> import gzip, hashlib, tempfile
    >>> from recordkit.interop.fetch import RemoteFile
    >>> labels = bytes([0, 0, 8, 1]) + (3).to_bytes(4, "big") + bytes([7, 2, 1])
    >>> file = RemoteFile("labels.gz", (3,), hashlib.sha256(labels).hexdigest())
    >>> with tempfile.TemporaryDirectory() as mine:
    ...     _ = Path(mine, file.name).write_bytes(gzip.compress(labels))
    ...     report = fetch(Dataset("tiny", (), (file,)), Path(mine, "tiny"), source=mine)
    >>> report.files[0].name, report.files[0].status, report.files[0].published
    ('labels.gz', 'fetched', True)
    """
    if any_checksum and source is None:
        raise PlanError("any checksum is accepted from a source of your own only; name it with --from")
    sources = dataset.mirrors if source is None else (_own_source(source),)
    if not sources:
        raise PlanError(f"{dataset.name} has no mirrors; name a copy of your own with --from")
    target_folder = Path(folder)
    try:
        target_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(f"{target_folder}: cannot make the folder: {error.strerror}; choose another") from error
    settings = _Settings(sources, any_checksum, policy or RetryPolicy(), progress or _ignore)
    files = tuple(_fetch_file(file, target_folder / file.name, settings) for file in dataset.files)
    return FetchReport(dataset.name, str(target_folder), files)


def _ignore(_progress: Progress) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class _Settings:
    """What is the same for all files of one fetch."""

    sources: tuple[str | Path, ...]
    any_checksum: bool
    policy: RetryPolicy
    progress: Callable[[Progress], None]


def _own_source(source: str) -> str | Path:
    """Return the web address, or the folder, that the user named."""
    if "://" not in source:
        return Path(source)
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise PlanError(f"{source}: not a usable address: {error}") from error
    if parts.username is not None or parts.password is not None:
        # Not repeated in the message, which may end in a log.
        raise PlanError(
            "an address with a user name or password cannot be used; download the files, then name their folder"
        )
    if parts.scheme in ("http", "https") and parts.hostname:
        return source
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(url2pathname(parts.path))
    raise PlanError(f"{source}: expected a folder or an http, https or file address")


def _fetch_file(file: RemoteFile, target: Path, settings: _Settings) -> FetchedFile:
    """Leave a right file alone; otherwise try one source after the other."""
    digest = _present_sha256(file, target, any_checksum=settings.any_checksum)
    if digest is not None:
        size = target.stat().st_size
        settings.progress(Progress(file.name, "present", size, size))
        return FetchedFile(file.name, str(target), "present", None, size, 0, digest, digest == file.sha256)
    failures: list[str] = []
    n_received = 0
    with open_part(target) as part:
        for source in _part_first([_address(source, file) for source in settings.sources], part):
            if failures:
                settings.progress(Progress(file.name, "next", note=failures[-1]))
            job = _Job(file, source, part, settings)
            try:
                digest = job.run()
            except RefusedError as error:
                failures.append(f"{source}: {error}")
                continue
            finally:
                n_received += job.received_bytes
            size = part.size_bytes
            part.publish(target)
            settings.progress(Progress(file.name, "done", size, size))
            published = digest == file.sha256
            return FetchedFile(file.name, str(target), "fetched", str(source), size, n_received, digest, published)
    raise FetchError(_all_failed(file, failures, settings))


def _present_sha256(file: RemoteFile, target: Path, *, any_checksum: bool) -> str | None:
    """Return the checksum of the file that is there, None if it is missing or broken."""
    if not target.exists():
        return None
    try:
        digest = content_sha256(target, file)
    except WrongBytesError:
        return None
    if digest == file.sha256 or any_checksum:
        return digest
    raise FetchError(
        f"{target}: expected the published data, sha256 {file.sha256} unpacked, got other data, {digest}; move it "
        "away, or keep it with --from and --any-checksum"
    )


def _address(source: str | Path, file: RemoteFile) -> str | Path:
    return source / file.name if isinstance(source, Path) else f"{source.rstrip('/')}/{file.name}"


def _part_first(addresses: list[str | Path], part: Part) -> list[str | Path]:
    """Put the source that the part came from first: any other would throw its bytes away."""
    return sorted(addresses, key=lambda address: not part.resumable_from(str(address)))


def _all_failed(file: RemoteFile, failures: list[str], settings: _Settings) -> str:
    n_sources = "1 source" if len(failures) == 1 else f"{len(failures)} sources"
    if isinstance(settings.sources[0], Path) or settings.any_checksum:
        advice = "put the right file there, or fetch without --from"
    else:
        advice = "try again later, or use --from with a copy of your own"
    if any("sha256" in failure for failure in failures) and not settings.any_checksum:
        advice += "; --any-checksum takes a copy of your own in another order"
    return f"{file.name}: not fetched from {n_sources}: {'; '.join(failures)}; {advice}"


@dataclass
class _Job:
    """One file and one source: attempts, waits and the check at the end."""

    file: RemoteFile
    source: str | Path
    part: Part
    settings: _Settings
    received_bytes: int = 0

    def run(self) -> str:
        """Fill the part with right bytes and return their checksum, or raise RefusedError."""
        policy = self.settings.policy
        start = self.part.size_bytes if self.part.resumable_from(str(self.source)) else 0
        self._say("start", str(self.source), start)
        n_failed = 0
        while True:
            try:
                return self._attempt()
            except TransientError as error:
                n_failed += 1
                if n_failed >= policy.attempts:
                    attempts = "1 attempt" if n_failed == 1 else f"{n_failed} attempts"
                    raise RefusedError(f"{error} ({attempts})") from error
                wait_s = policy.delay_s(n_failed, jitter=random.random(), asked_s=error.wait_s)
                self._say("retry", f"{error}; next attempt in {wait_s:.1f} s", self.part.size_bytes)
                policy.sleep(wait_s)

    def _attempt(self) -> str:
        limit = self.file.limit_bytes
        resumed = False
        if isinstance(self.source, Path):
            copy_file(self.source, self.part, limit_bytes=limit, tell=self._tell)
        else:
            timeout_s = self.settings.policy.timeout_s
            resumed = download(self.source, self.part, limit_bytes=limit, timeout_s=timeout_s, tell=self._tell)
        try:
            return self._checked_sha256()
        except WrongBytesError as error:
            self.part.begin(None)
            if resumed:  # the fault may lie in the bytes from before: once more, from the first byte
                raise TransientError(f"{error}, after a resume; starting over") from error
            raise RefusedError(str(error)) from error

    def _checked_sha256(self) -> str:
        digest = content_sha256(self.part.path, self.file)
        if digest != self.file.sha256 and not self.settings.any_checksum:
            raise WrongBytesError(f"expected sha256 {self.file.sha256} unpacked, got {digest}")
        return digest

    def _tell(self, n_bytes: int, total_bytes: int | None) -> None:
        self.received_bytes += n_bytes
        self.settings.progress(Progress(self.file.name, "bytes", self.part.size_bytes, total_bytes))

    def _say(self, state: Literal["start", "retry"], note: str, done_bytes: int) -> None:
        self.settings.progress(Progress(self.file.name, state, done_bytes, note=note))
