"""Opening what is packed on a cluster: all that `recordkit.open_source` opens, and datasets in .rec files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.packed_sets import packed_set_error
from recordkit.errors import PlanError
from recordkit.sample import Source
from recordkit.sources import open_source
from recordkit.sources.records import RecordSource
from recordkit.storage.names import MANIFEST_SUFFIX
from recordkit.storage.remote.lookup import mirror_of
from recordkit.storage.remote.urls import Url, is_url


def open_input(path: str | Path, **arguments: Any) -> Source | dict[str, Source]:
    """Open a list, a folder, ubyte files, or a dataset in .rec files, whose records are packed anew.

    Parameters
    ----------
    path : str or Path
        As for `recordkit.open_source`, or a .rec file, a manifest, or the prefix of either.
    **arguments
        Those of `recordkit.open_source`; `decoders` and `progress` say nothing to .rec files, and others are refused
        with them.

    Raises
    ------
    PlanError
        An argument does not apply to .rec files.
    """
    if not _is_packed(path):
        return open_source(path, **arguments)
    for name, value in arguments.items():
        if value and name not in ("decoders", "progress", "extensions"):
            raise PlanError(
                "applies to images and lists, and this is a dataset in .rec files",
                path=str(path),
                argument=name,
                advice="leave it out",
            )
    return RecordSource(RecordDataset(path))


def _is_packed(path: str | Path) -> bool:
    """Tell whether a path or URL is that of a dataset in .rec files."""
    if not is_url(path):
        return not Path(path).is_dir() and packed_set_error(Path(path), "") is not None
    url = Url.parse(path)
    if url.name.endswith((".rec", MANIFEST_SUFFIX)) or not url.key:
        return bool(url.key)
    mirror = mirror_of(url)
    return any(mirror.facts(url.name + suffix) is not None for suffix in (".rec", MANIFEST_SUFFIX))
