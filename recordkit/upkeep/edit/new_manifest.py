"""The manifest of the shards that an edit has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recordkit.errors import PublishError
from recordkit.storage.manifest import Manifest, Shard, pack
from recordkit.storage.staging import Staging
from recordkit.upkeep.edit.old_files import EarlierShards


@dataclass(frozen=True)
class WrittenShard:
    """A set that was written, as its manifest describes it.

    Attributes
    ----------
    shard : Shard
    label_width : tuple of int
        Smallest and largest number of labels of its records.
    """

    shard: Shard
    label_width: tuple[int, int]


def write_manifest(
    staging: Staging,
    written: Sequence[WrittenShard],
    earlier: EarlierShards | None,
    edit: Mapping[str, object],
    classes: Mapping[str, int] | None,
) -> None:
    """Write the manifest into the staging folder of its shards.

    Raises
    ------
    PublishError
        It cannot be written.
    """
    name = staging.prefix.name
    old = Manifest(name, name, ()) if earlier is None else earlier.manifest
    widths = [each.label_width for each in written] + ([old.label_width] if old.n_records else [])
    manifest = Manifest(
        name,
        name,
        (*old.shards, *(each.shard for each in written)),
        classes=classes,
        label_width=(min(low for low, _ in widths), max(high for _, high in widths)),
        edit=edit,
    )
    try:
        with staging.create(manifest.file_name) as file:
            file.write(pack(manifest))
    except OSError as error:
        raise PublishError(
            error.strerror or str(error), path=manifest.file_name, advice="nothing was published"
        ) from error
