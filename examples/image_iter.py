"""Read the same images with three iterators: MXNet's ImageIter and ImageRecordIter, and recordkit's ImageRecordIter.

Shows that one .lst file serves ImageIter and the .rec file, and that all three give the same labels and almost the same
pixels in the same order.

Run: python examples/image_iter.py PHOTOS    with a folder per class (needs recordkit[mxnet])
Prints: images per second and the differences of the first batch, at most 1 grey level on average. The files are in
out/image_iter.
"""

import sys
import time
from pathlib import Path

import numpy as np

import recordkit as rk
from recordkit.interop import mxnet

mx = mxnet.load()
photos, out = Path(sys.argv[1]), Path("out/image_iter")
out.mkdir(parents=True, exist_ok=True)
n = rk.pack(photos, out / "photos").n_packed
path = str(out / "photos")
shape, batch_size = (3, 28, 28), 8

iterators = {
    "mx.image.ImageIter": mx.image.ImageIter(
        batch_size,
        shape,
        path_imglist=f"{path}.lst",
        path_root=str(photos),
        aug_list=mx.image.CreateAugmenter(shape, resize=32, inter_method=1),
    ),
    "mx.io.ImageRecordIter": mx.io.ImageRecordIter(
        path_imgrec=f"{path}.rec", data_shape=shape, batch_size=batch_size, resize=32, verbose=False
    ),
    "recordkit's": mxnet.ImageRecordIter(path_imgrec=f"{path}.rec", data_shape=shape, batch_size=batch_size, resize=32),
}
first_batches = {}
for name, iterator in iterators.items():
    batch = next(iterator)
    first_batches[name] = batch.data[0].asnumpy(), batch.label[0].asnumpy()  # MXNet uses a batch's memory again
    begin_s = time.perf_counter()
    iterator.reset()  # begins to read ahead
    for batch in iterator:
        batch.data[0].wait_to_read()
    print(f"{name}: {n} images, {n / (time.perf_counter() - begin_s):,.0f} img/s")
expected_data, expected_label = first_batches["mx.io.ImageRecordIter"]
for name, (data, label) in first_batches.items():
    difference = np.abs(data - expected_data)
    print(f"{name}: mean pixel difference {difference.mean():.2f}, largest {difference.max():.0f}")
    assert (label == expected_label).all() and difference.mean() <= 1
