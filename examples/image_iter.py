"""Read the same images with three iterators: MXNet's ImageIter and ImageRecordIter, and recordkit's ImageRecordIter.

Shows that one .lst file serves ImageIter and the .rec file, and that all three give the same labels and almost the same
pixels in the same order.

Run: python examples/image_iter.py PHOTOS    with a folder per class (needs recordkit[mxnet])
Prints: images per second, and how the labels and pixels of all images differ from ImageRecordIter's: no label, and
pixels by at most 1 grey level on average. The files are in out/image_iter.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import recordkit as rk
from recordkit.interop import mxnet

mx = mxnet.load()
photos, out = Path(sys.argv[1]), Path("out/image_iter")
out.mkdir(parents=True, exist_ok=True)
path = str(out / "photos")
n = rk.pack(photos, path).n_packed
shape, batch_size = (3, 28, 28), min(32, n)  # MXNet's ImageRecordIter needs a whole batch
options = {"path_imgrec": f"{path}.rec", "data_shape": shape, "batch_size": batch_size, "resize": 32}


def image_iter():
    steps = mx.image.CreateAugmenter(shape, resize=32, inter_method=1)
    return mx.image.ImageIter(batch_size, shape, path_imglist=f"{path}.lst", path_root=str(photos), aug_list=steps)


iterators = {
    "mx.io.ImageRecordIter": lambda: mx.io.ImageRecordIter(**options, verbose=False),
    "mx.image.ImageIter": image_iter,
    "recordkit's": lambda: mxnet.ImageRecordIter(**options),
}
for name, start in iterators.items():
    begin_s = time.perf_counter()
    for batch in start():
        batch.data[0].wait_to_read()
    print(f"{name}: {n} images, {n / (time.perf_counter() - begin_s):,.0f} img/s")

# The epochs run side by side, because MXNet's ImageRecordIter overwrites a batch a few batches later.
n_read, n_labels, total, largest = 0, Counter(), Counter(), Counter()
for batches in zip(*(start() for start in iterators.values()), strict=True):
    n_valid = min(batch_size, n - n_read)  # the last batch is filled up with images that came before
    n_read += n_valid
    arrays = [[a[0].asnumpy()[:n_valid] for a in (batch.data, batch.label)] for batch in batches]
    for name, (data, label) in zip(iterators, arrays, strict=True):
        difference = np.abs(data - arrays[0][0])
        n_labels[name] += (label != arrays[0][1]).sum()
        total[name] += difference.sum(dtype=float) / difference[0].size
        largest[name] = max(largest[name], difference.max())
for name in list(iterators)[1:]:
    mean = total[name] / n_read
    print(f"{name}: {n_labels[name]} labels differ, mean pixel difference {mean:.2f}, largest {largest[name]:.0f}")
    assert n_read == n and n_labels[name] == 0 and mean <= 1
