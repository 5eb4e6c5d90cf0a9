# The two iterators over the same list: image_iter.py LIST ROOT REC
import sys
import time

import mxnet as mx
import numpy as np

path_imglist, path_root, path_imgrec = sys.argv[1:]
batch_size, data_shape = 16, (3, 28, 28)

aug_list = mx.image.CreateAugmenter(data_shape, resize=32, rand_crop=True, rand_mirror=True, mean=True)
aug_list.append(mx.image.BrightnessJitterAug(0.1))
for aug in aug_list:
    print(aug.dumps()[:40])
train = mx.image.ImageIter(
    batch_size=batch_size,
    data_shape=data_shape,
    label_width=1,
    path_imglist=path_imglist,
    path_root=path_root,
    shuffle=True,
    aug_list=aug_list,
)
tic = time.time()
n = 0
for batch in train:
    n += batch_size - batch.pad
print("ImageIter: %d images, %s %s" % (n, batch.data[0].shape, batch.label[0].shape))

plain = mx.image.ImageIter(
    batch_size,
    data_shape,
    path_imglist=path_imglist,
    path_root=path_root,
    aug_list=[mx.image.ResizeAug(32, 1), mx.image.CenterCropAug((28, 28)), mx.image.CastAug()],
)
record = mx.io.ImageRecordIter(
    path_imgrec=path_imgrec, data_shape=data_shape, batch_size=batch_size, resize=32, preprocess_threads=2
)
labels, difference = 0, []
for a, b in zip(plain, record):
    m = batch_size - b.pad
    labels += int((a.label[0][:m] == b.label[0][:m]).sum().asscalar())
    difference.append(np.abs(a.data[0][:m].asnumpy() - b.data[0][:m].asnumpy()).mean())
print("ImageRecordIter: %d equal labels, mean difference %.2f" % (labels, np.float(np.mean(difference))))
