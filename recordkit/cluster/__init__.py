"""Packing, reading and upkeep on the machines of a Ray cluster.

`pack` packs images into shards, and `write` the images of a Ray dataset. `read` gives the records of .rec files as a
Ray dataset, whose images `Decode` decodes and augments. `rank` tells a training process its share of an epoch.
`verify`, `stats` and `duplicates` give the reports of the functions of `recordkit.upkeep`, and `export` writes tar or
Parquet files. A name is imported when it is first used, and Ray with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recordkit.errors import MissingError
from recordkit.public_names import importer as _importer

if TYPE_CHECKING:
    from recordkit.cluster.decode import Decode
    from recordkit.cluster.packing.pack import pack
    from recordkit.cluster.ranks import rank
    from recordkit.cluster.reading import read
    from recordkit.cluster.upkeep.duplicates import duplicates
    from recordkit.cluster.upkeep.export import export
    from recordkit.cluster.upkeep.stats import stats
    from recordkit.cluster.upkeep.verify import verify
    from recordkit.cluster.writing import write

# The module of each public name.
_MODULES = {
    "Decode": "recordkit.cluster.decode",
    "duplicates": "recordkit.cluster.upkeep.duplicates",
    "export": "recordkit.cluster.upkeep.export",
    "pack": "recordkit.cluster.packing.pack",
    "rank": "recordkit.cluster.ranks",
    "read": "recordkit.cluster.reading",
    "stats": "recordkit.cluster.upkeep.stats",
    "verify": "recordkit.cluster.upkeep.verify",
    "write": "recordkit.cluster.writing",
}

__all__ = ["Decode", "duplicates", "export", "pack", "rank", "read", "stats", "verify", "write"]


_import_name = _importer(__name__, _MODULES)


def __getattr__(name: str) -> object:
    try:
        return _import_name(name)
    except ImportError as error:
        if isinstance(error, MissingError) or (error.name or "").startswith("recordkit"):
            raise
        raise MissingError(f"a cluster needs Ray: {error}", advice="pip install 'recordkit[cluster]'") from error
