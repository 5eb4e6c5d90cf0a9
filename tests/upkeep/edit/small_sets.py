"""Small sets for the tests of edits, whose payloads tell their keys."""

import json
import warnings
from pathlib import Path

import numpy as np

from recordkit import RecordDataset
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
from recordkit.upkeep import verify


def write_set(prefix, labels, *, keys=None, classes=None, exact=None, has_list=True):
    """Write a set; `labels` has a number or a list of them for each record. Return the prefix."""
    keys = range(len(labels)) if keys is None else keys
    rows = [np.atleast_1d(label) for label in labels]
    with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w") as writer:
        for key, label in zip(keys, labels, strict=True):
            writer.write_idx(key, pack(IRHeader(0, label, key, 0), payload_of(key)))
    if has_list:
        lines = [
            f"{key}\t{chr(9).join(f'{label:f}' for label in row)}\t{key}.jpg\n"
            for key, row in zip(keys, rows, strict=True)
        ]
        Path(f"{prefix}.lst").write_text("".join(lines))
    if classes is not None:
        Path(f"{prefix}.json").write_text(json.dumps({"classes": classes}))
    if exact is not None:
        np.save(f"{prefix}.labels.npy", np.array(exact, np.int64))
    return prefix


def payload_of(key):
    """The payload of the record that was written with a key."""
    return f"image {key}".encode() * (1 + key % 3)


def payloads(prefix):
    """The payloads of a set, in order."""
    with RecordDataset(prefix) as dataset:
        return [bytes(sample.payload) for sample in dataset[np.arange(len(dataset))]] if len(dataset) else []


def facts(prefix):
    """Keys, labels and classes of a set that `verify` finds sound."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no stale index
        with RecordDataset(prefix, check=Path(f"{prefix}.crc").exists()) as dataset:
            values, bounds = dataset.ragged_labels()
            parts = np.split(values, bounds[1:-1].astype(int)) if len(dataset) else []
            labels = [part.tolist() if len(part) > 1 else part[0].item() for part in parts]
            return dataset.keys.tolist(), labels, dataset.classes


def is_sound(prefix):
    """Tell whether `verify` finds nothing to say about a set."""
    report = verify(prefix)
    return report.ok and not [note for note in report.notes if "no image" not in note]
