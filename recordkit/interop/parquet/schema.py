"""The schema of an image dataset: its columns, and the features that `datasets` reads from the metadata.

``huggingface`` in the metadata is JSON: ``{"info": {"features": {"image": {"_type": "Image"}, "label": {"names": [...],
"_type": "ClassLabel"}}}}``. ``recordkit`` is JSON too: ``{"classes": {NAME: LABEL}}``, because ClassLabel has names for
0 to n - 1 only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from recordkit.formats import json_file
from recordkit.interop.export import LabelFacts
from recordkit.interop.parquet.library import import_pyarrow

IMAGE, LABEL, KEY = "image", "label", "key"
"""Names of the columns."""


def class_label_names(classes: Mapping[str, int] | None, facts: LabelFacts) -> list[str] | None:
    """Return the names of the labels 0 to n - 1, or None if the labels or the classes are others.

    Examples
    --------
    >>> facts = LabelFacts(1, 1, are_whole=True, first_labels={1}, max_key=9)
    >>> class_label_names({"dog": 1, "cat": 0}, facts), class_label_names({"dog": 1}, facts)
    (['cat', 'dog'], None)
    """
    if not classes or not facts.has_one_whole_label:
        return None
    names = sorted(classes, key=lambda name: classes[name])
    if [classes[name] for name in names] != [*range(len(names))] or not facts.first_labels <= {*range(len(names))}:
        return None
    return names


def make_schema(facts: LabelFacts, classes: Mapping[str, int] | None) -> Any:
    """Return the pyarrow schema of a dataset."""
    pyarrow, _ = import_pyarrow()
    number = pyarrow.int64() if facts.are_whole else pyarrow.float64()
    dtype = str(number).replace("double", "float64")
    label: dict[str, object] = {"dtype": dtype, "_type": "Value"}
    if facts.max_width > 1:
        label = {"feature": label, "_type": "Sequence"}
    elif names := class_label_names(classes, facts):
        label = {"names": names, "_type": "ClassLabel"}
    features = {IMAGE: {"_type": "Image"}, LABEL: label, KEY: {"dtype": "uint64", "_type": "Value"}}
    return pyarrow.schema(
        [
            (IMAGE, pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])),
            (LABEL, pyarrow.list_(number) if facts.max_width > 1 else number),
            (KEY, pyarrow.uint64()),
        ],
        metadata={
            "huggingface": json.dumps({"info": {"features": features}}),
            "recordkit": json.dumps({"classes": dict(classes) if classes else None}),
        },
    )


def read_classes(schema: Any, column: str) -> dict[str, int] | None:
    """Return the class names of a label column, or None if the metadata has none.

    Raises
    ------
    ValueError
        The metadata is no JSON, or is too large.
    """
    own = _read_json(schema, b"recordkit").get("classes")
    if column == LABEL and isinstance(own, dict) and all(type(label) is int for label in own.values()):
        return own
    info = _read_json(schema, b"huggingface").get("info")
    features = info.get("features") if isinstance(info, dict) else None
    feature = features.get(column) if isinstance(features, dict) else None
    names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
    if not isinstance(names, list) or len(set(map(str, names))) < len(names):
        return None
    return {str(name): label for label, name in enumerate(names)} or None


def _read_json(schema: Any, key: bytes) -> dict[str, Any]:
    text = (schema.metadata or {}).get(key, b"{}")
    if len(text) > json_file.MAX_BYTES:
        raise ValueError(f"metadata of {len(text)} bytes")
    value = json_file.parse(text)
    return value if isinstance(value, dict) else {}
