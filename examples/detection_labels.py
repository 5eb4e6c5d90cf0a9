"""Pack and read object detection labels, whose length depends on the number of objects.

Shows MXNet's layout: the labels of an image are A, B, others up to width A, then B numbers for each object; here
A is 2 and an object is class, left, top, right, bottom as fractions of the image. `ragged_labels` reads them all.

Run: python examples/detection_labels.py
Prints: the number of objects and the last box of each image; all boxes are checked against the pixels. The files are
in out/detection_labels.
"""

from pathlib import Path

import numpy as np

import recordkit as rk
from recordkit import codec

# Dark images with one to three bright squares, and a list with one row for each: KEY, LABELS..., PATH.
rng = np.random.default_rng(0)
out = Path("out/detection_labels")
out.mkdir(parents=True, exist_ok=True)
rows = []
for key in range(6):
    image, objects = np.zeros((60, 80, 3), np.uint8), []
    for left in range(5, 5 + 25 * (1 + key % 3), 25):
        size, top = int(rng.integers(8, 20)), int(rng.integers(0, 40))
        image[top : top + size, left : left + size, key % 2] = 255
        objects += [key % 2, left / 80, top / 60, (left + size) / 80, (top + size) / 60]
    (out / f"{key}.png").write_bytes(codec.encode(image, "png"))
    rows.append("\t".join(map(str, [key, 2, 5, *objects, f"{key}.png"])))
(out / "squares.lst").write_text("\n".join(rows) + "\n")

report = rk.pack(out / "squares.lst", out / "squares")
assert report.ok and report.n_packed == 6

dataset = rk.RecordDataset(out / "squares.rec")
values, bounds = dataset.ragged_labels()  # the labels of all images, and where each image's begin
for index, sample in enumerate(dataset):
    label = values[bounds[index] : bounds[index + 1]]
    header_width, object_width = label[:2].astype(int)
    boxes = label[header_width:].reshape(-1, object_width)
    image = codec.decode(sample.payload)
    height, width = image.shape[:2]
    n_bright = 0
    for kind, *sides in boxes:
        left, top, right, bottom = np.rint(sides * np.array([width, height, width, height])).astype(int)
        assert (image[top:bottom, left:right, int(kind)] == 255).all()
        n_bright += (bottom - top) * (right - left)
    assert n_bright == (image == 255).sum()
    print(f"key {sample.key}: {len(boxes)} objects, the last in rows {top} to {bottom}, columns {left} to {right}")
