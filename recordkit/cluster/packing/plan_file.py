"""PREFIX.plan.json says what a pack on a cluster will write, so that a restart does the same and packs what is left.

The keys of the file, a JSON object:

    format       1
    set          the prefix, without its folder
    plan         the fields of the PackPlan, without threads
    memory       most memory that images of a shard may take, in bytes; a larger image counts as bad
    fingerprint  versions and digests of recordkit, its core and its codecs
    sources      for each source by its name: kind, root, number of samples and of bad rows, and a SHA-256 of the list,
                 or of keys, labels and names of all samples; for a Ray dataset also one of its images, "content"
    shards       for each shard, in order: its name, its source, and the range of its samples in the order of packing

It is created before the first shard, never changed, and stays beside the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from recordkit.cluster.fingerprint import describe_differences
from recordkit.cluster.packing.part import chunks
from recordkit.errors import FormatError, PublishError
from recordkit.formats import json_file
from recordkit.packing.plan import PackPlan
from recordkit.packing.planned_sets import PlannedSet
from recordkit.packing.steps import plan_facts
from recordkit.sample import Source
from recordkit.sources import ListSource, TableSource
from recordkit.storage.fileset import fingerprint as file_digest

_FORMAT = 1
_CHUNK = 1 << 14


def describe_plan(
    prefix_name: str,
    plan: PackPlan,
    planned_sets: Sequence[PlannedSet],
    *,
    memory: int,
    fingerprint: Mapping[str, str],
) -> dict[str, Any]:
    """Return the content of PREFIX.plan.json.

    Parameters
    ----------
    prefix_name : str
    plan : PackPlan
    planned_sets : sequence of PlannedSet
    memory : int
    fingerprint : mapping of str to str
        See `recordkit.cluster.fingerprint.take_fingerprint`.
    """
    sources = {planned.source_name: planned.source for planned in planned_sets}
    document = {
        "format": _FORMAT,
        "set": prefix_name,
        "plan": plan_facts(plan),
        "memory": memory,
        "fingerprint": dict(fingerprint),
        "sources": {name: _describe_source(source) for name, source in sources.items()},
        "shards": [
            {
                "name": planned.names.prefix.name,
                "source": planned.source_name,
                "begin": planned.begin,
                "end": planned.begin + len(planned.order),
            }
            for planned in planned_sets
        ],
    }
    value: dict[str, Any] = json.loads(json.dumps(document))  # as a restart reads it: without tuples
    return value


def pack_plan(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of the file."""
    return json.dumps(document, indent=1).encode() + b"\n"


def check_same_plan(content: bytes, document: Mapping[str, Any], path: str) -> None:
    """Compare the plan of an earlier pack with that of this one.

    Parameters
    ----------
    content : bytes
        Those of the earlier plan's file.
    document : mapping
        The plan of this pack.
    path : str
        The file.

    Raises
    ------
    PublishError
        They differ; the error says in what.
    """
    try:
        earlier = json_file.parse(content)
    except ValueError as error:
        raise FormatError(path=path, expected="the plan of a pack", got=error, advice="choose another prefix") from None
    if earlier == document:
        return
    difference = _describe_difference(earlier, document)
    raise PublishError(
        f"another pack began here: {difference}",
        path=path,
        advice="repeat that pack as it was, choose another prefix, or remove that file and the shards beside it",
    )


def _describe_difference(earlier: Any, document: Mapping[str, Any]) -> str:
    if not isinstance(earlier, dict):
        return "its plan is not readable"
    name = next((name for name in document if earlier.get(name) != document[name]), "format")
    old, new = earlier.get(name), document.get(name)
    if name == "fingerprint" and isinstance(old, dict):
        return f"with another recordkit: {describe_differences(old, document[name])}"
    if name == "sources" and isinstance(old, dict) and isinstance(new, dict):
        return f"its source had other samples or another root ({_first_difference(old, new)})"
    if isinstance(old, dict) and isinstance(new, dict):
        return f"its {_first_difference(old, new)}"
    if name == "shards":
        return "its shards had other samples"
    return f"its {name} is {old!r}, not {new!r}"


def _first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return the first fact that differs, as a text; facts in facts are named together: root of train."""
    for name in {**new, **old}:
        if old.get(name) != new.get(name):
            before, after = old.get(name), new.get(name)
            if isinstance(before, dict) and isinstance(after, dict):
                return _first_difference(before, after)
            return f"{name} is {before!r}, not {after!r}"
    return "order"


def _describe_source(source: Source) -> dict[str, Any]:
    root = getattr(source, "root", None)
    list_path = source.path if isinstance(source, ListSource | TableSource) else None
    classes = json.dumps(source.classes)
    content = getattr(source, "content_digest", None)
    return {
        **({} if content is None else {"content": content}),
        "kind": type(source).__name__,
        "root": None if root is None else os.path.realpath(root),
        "samples": len(source),
        "bad": len(source.bad),
        "classes": hashlib.sha256(classes.encode("utf-8", "surrogatepass")).hexdigest(),
        "sha256": _digest_entries(source) if list_path is None else file_digest(list_path),
    }


def _digest_entries(source: Source) -> str:
    """Return a digest of keys, labels and names of all samples."""
    digest = hashlib.sha256()
    for indices in chunks(len(source), _CHUNK):
        lines = [f"{entry.key}\t{entry.labels}\t{entry.name}\0" for entry in source.entries(indices)]
        digest.update("".join(lines).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
