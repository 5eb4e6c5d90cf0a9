"""Files of records whose payloads are their keys."""

import recordkit as rk
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack


def make(path, labels, keys=None):
    """Write a .rec file and its index; the payload of each record is its key."""
    keys = range(len(labels)) if keys is None else keys
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        rows = zip(labels, keys, strict=True)
        offsets = [writer.write(pack(IRHeader(label, key), b"%d" % key)) for label, key in rows]
    path.with_suffix(".idx").write_bytes(idx.lines(list(keys), offsets))
    return path


def keys_of(prefix):
    """Return the keys of a set, whose payloads must be these keys."""
    with rk.RecordDataset(prefix, check=True) as dataset:
        samples = dataset[list(range(len(dataset)))]
        assert [bytes(sample.payload) for sample in samples] == [b"%d" % key for key in dataset.keys]
        return dataset.keys.tolist()
