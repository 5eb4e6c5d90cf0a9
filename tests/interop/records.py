""".rec files for the tests of conversions."""

import json

import numpy as np

import recordkit as rk
from recordkit import codec
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack


def write_records(prefix, records, classes=None):
    """Write a .rec with (key, label or labels, payload) of each record, and perhaps class names; return the dataset."""
    with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w") as writer:
        for key, label, payload in records:
            writer.write_idx(key, pack(IRHeader(0, label, key, 0), payload))
    if classes is not None:
        prefix.with_suffix(".json").write_text(json.dumps({"classes": classes}))
    return rk.RecordDataset(prefix)


def image(level=0, encoding="png", channels=3):
    """Return an encoded image of one level."""
    return codec.encode(np.full((4, 5, channels), level, np.uint8), encoding)
