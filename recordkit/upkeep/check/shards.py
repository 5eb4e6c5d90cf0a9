"""Comparing the shards of a dataset with their manifest, for `recordkit.upkeep.verify`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

from recordkit.errors import FormatError, NotFoundError, plural
from recordkit.storage.fileset import Fileset, Fingerprint
from recordkit.storage.manifest import Listing
from recordkit.upkeep.check.report import VerifyReport

VerifySet: TypeAlias = Callable[[Fileset, Fingerprint], VerifyReport]


def verify_shards(shards: Sequence[Fileset], verify_set: VerifySet) -> VerifyReport:
    """Check every shard of a dataset and the manifest itself.

    Parameters
    ----------
    shards : sequence of Fileset
        All shards of one manifest, with their listings.
    verify_set : callable
        Checks one shard and its companions.

    Returns
    -------
    report : VerifyReport
        That of all shards together. A shard that cannot be read is a problem of the report.
    """
    report = verify_manifest(_listing(shards[0]))
    for files in shards:
        report.include(verify_shard(files, verify_set))
    return report


def verify_manifest(listing: Listing) -> VerifyReport:
    """Check a manifest itself, without its shards.

    Parameters
    ----------
    listing : Listing
        The place of any shard in it.

    Returns
    -------
    report : VerifyReport
        It may `include` the reports of the shards.
    """
    report = VerifyReport(str(listing.path), checked=["manifest"])
    expected_id = listing.manifest.expected_id
    if listing.manifest.id not in (None, expected_id):
        report.add(
            listing.path,
            f"expected {expected_id}, the id of the facts in it, got {listing.manifest.id}; was it edited?",
        )
    return report


def verify_shard(files: Fileset, verify_set: VerifySet) -> VerifyReport:
    """Check one shard, and compare it with its manifest.

    Parameters
    ----------
    files : Fileset
        The shard, with its listing.
    verify_set : callable
        Checks the shard and its companions. It may read the fingerprint of the .rec file, which it is given, in part.

    Returns
    -------
    report : VerifyReport
        A shard that cannot be read is a problem of the report.
    """
    with contextlib.closing(Fingerprint(files.path(".rec"))) as content:
        try:
            report = verify_set(files, content)
        except (FormatError, NotFoundError) as error:
            report = VerifyReport(files.name)
            report.add(error.path or files.name, error.problem, offset=error.offset)
            return report
        _check_shard(report, files, content)
    return report


def _listing(files: Fileset) -> Listing:
    if files.listing is None:
        raise ValueError(f"{files.name} is not a shard of a manifest")
    return files.listing


def _check_shard(report: VerifyReport, files: Fileset, content: Fingerprint) -> None:
    """Compare the facts in the manifest with those of the records, and its SHA-256 with that of the .rec file."""
    listing = _listing(files)
    shard, path = listing.shard, files.path(".rec")
    try:
        files.check_listing()
    except FormatError as error:
        report.add(error.path or path, error.problem)
        return
    if (sha256 := content.hexdigest()) != shard.sha256:
        report.add(path, f"expected SHA-256 {shard.sha256}, as {listing.path} says, got {sha256}")
    if report.n_records != shard.n_records:
        report.add(
            path, f"expected {plural(shard.n_records, 'record')}, as {listing.path} says, got {report.n_records}"
        )
    elif report.key_range != shard.keys:
        report.add(path, f"expected keys {_span(shard.keys)}, as {listing.path} says, got {_span(report.key_range)}")


def _span(keys: tuple[int, int] | None) -> str:
    return "none" if keys is None else f"{keys[0]} to {keys[1]}"
