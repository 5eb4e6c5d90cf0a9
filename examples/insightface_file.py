"""Read a face dataset in InsightFace's layout, such as MS1M's train.rec.

Shows that the header and the identities, which are records without an image, are not samples, and how to read the
range of keys of an identity.

Run: python examples/insightface_file.py [PREFIX]    PREFIX of a train.rec and .idx; by default a small one is made
Prints: the numbers of images and identities, and the keys of the first identity. The files are in out/insightface_file.
"""

import sys
from pathlib import Path

import numpy as np

import recordkit as rk
from recordkit import recordio
from recordkit.recordio import IRHeader, MXIndexedRecordIO

prefix = (*sys.argv[1:], "out/insightface_file/train")[0]
if len(sys.argv) == 1:  # 3 identities with 4 images each, as rec_builder.py of InsightFace writes them
    Path(prefix).parent.mkdir(parents=True, exist_ok=True)
    with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w") as writer:
        for key in range(1, 13):
            image = np.full((112, 112, 3), 20 * key, np.uint8)
            writer.write_idx(key, recordio.pack_img(IRHeader(0, (key - 1) // 4, key, 0), image))
        for identity in range(3):
            keys = [1 + 4 * identity, 5 + 4 * identity]  # the first, and the one after the last
            writer.write_idx(13 + identity, recordio.pack(IRHeader(0, keys, 13 + identity, 0), b""))
        writer.write_idx(0, recordio.pack(IRHeader(0, [13, 16], 0, 0), b""))  # the identities' keys

dataset = rk.RecordDataset(f"{prefix}.rec")
with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "r") as reader:
    first_identity, end_of_identities = map(int, recordio.unpack(reader.read_idx(0))[0].label)
    begin, end = map(int, recordio.unpack(reader.read_idx(first_identity))[0].label)
print(f"{len(dataset)} images of {end_of_identities - first_identity} identities")
labels = np.unique([dataset.by_key(key).label for key in range(begin, end)])
print(f"the first identity has the keys {begin} to {end - 1} and the label {labels}")
assert len(dataset) == first_identity - 1 and len(labels) == 1

with rk.Loader(dataset, batch_size=4, transforms=[rk.Resize(112), rk.CenterCrop(112)], shuffle=True) as loader:
    batch = next(iter(loader))
print(f"a batch: {batch.data.shape}, keys {batch.key.tolist()}")
