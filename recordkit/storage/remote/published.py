"""The set that a store has already: a pack of other options or classes is refused before it reads an image.

Nothing in a store is overwritten, and the files of a pack are compared with it at the end. What decides about their
content and is known before is compared here, with PREFIX.json and the list of a publishing that was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from recordkit.errors import PublishError, enumerate_some
from recordkit.formats import json_file
from recordkit.storage.names import MANIFEST_SUFFIX
from recordkit.storage.remote.publish import claim_name, other_publishing
from recordkit.storage.remote.store import Store
from recordkit.storage.remote.urls import Url


class ExpectedSet(NamedTuple):
    """A set that a pack will write.

    Attributes
    ----------
    name, rec_name : str
        Name of the set, and of its record file.
    dataset : str or None
        Name of the dataset whose shard it is.
    facts : mapping
        The keys "plan" and "classes" of its PREFIX.json.
    """

    name: str
    rec_name: str
    dataset: str | None
    facts: Mapping[str, Any]


def refuse_other_pack(
    store: Store, prefix: Url, names: Collection[str], plan_sets: Callable[[], Sequence[ExpectedSet]]
) -> None:
    """Compare a pack with what is at its prefix in a store.

    Parameters
    ----------
    store : Store
    prefix : Url
    names : collection of str
        Names of the objects in the folder of the prefix.
    plan_sets : callable
        It returns the sets to be packed. It is called if the folder has objects of that prefix.

    Raises
    ------
    PublishError
        A set or a publishing there is one of other options, other classes or another number of shards.
    """
    if not any(name.removeprefix(".").startswith(prefix.name) for name in names):
        return
    sets = plan_sets()
    rec_names = {each.rec_name for each in sets}
    for each in sets:
        name = f"{each.name}.json"
        if name in names:
            url = prefix.with_name(name)
            _compare(url, _read(store, url), each.facts)
        # The last file of this publishing, and that of one with shards in place of one file, or the reverse.
        last, other = name, each.name + MANIFEST_SUFFIX
        if each.dataset is not None:
            last, other = each.dataset + MANIFEST_SUFFIX, f"{each.dataset}.json"
        if other in names:
            raise _other(prefix.with_name(other), "one in another number of shards")
        for claim in map(claim_name, (last, other)):
            listed = _read(store, prefix.with_name(claim)) if claim in names else ()
            if {url.rpartition("/")[2] for url in listed if url.endswith(".rec")} - rec_names:
                raise other_publishing(prefix.with_name(claim))


def _read(store: Store, url: Url) -> Mapping[str, Any]:
    """Read a JSON object; one of another program counts as an empty one."""
    facts = store.find(url.key)
    if facts is None or facts.size > json_file.MAX_BYTES:
        return {}
    try:
        content = json_file.parse(store.read(url.key, max_bytes=json_file.MAX_BYTES)[0])
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _compare(url: Url, description: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    own = json.loads(json.dumps(expected))
    packed = description.get("plan")
    if not isinstance(packed, dict):
        raise _other(url, "one that no pack wrote")
    options = sorted(name for name in {*packed, *own["plan"]} if packed.get(name) != own["plan"].get(name))
    if options:
        raise _other(url, f"one of another {enumerate_some(options)}")
    if description.get("classes") != own["classes"]:
        raise _other(url, "one of other classes")


def _other(url: Url, got: str) -> PublishError:
    advice = "choose another prefix, or remove the objects"
    return PublishError(path=str(url), expected="no set, or one of the same pack", got=got, advice=advice)
