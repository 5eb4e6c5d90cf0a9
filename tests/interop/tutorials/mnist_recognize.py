# Recognizes the images of a folder, read with OpenCV and with mx.image: mnist_recognize.py PREFIX EPOCH FOLDER
import os
import sys
from collections import namedtuple

import cv2
import mxnet as mx
import numpy as np

Batch = namedtuple("Batch", ["data"])
prefix, epoch, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
mod = mx.mod.Module.load(prefix, epoch, context=mx.gpu(2))
mod.bind(data_shapes=[("data", (1, 1, 28, 28))], for_training=False)


def read_with_opencv(filepath):
    img = cv2.imread(filepath, cv2.IMREAD_GRAYSCALE)
    img = (img.astype(np.float) - 128) * 0.00390625
    return mx.nd.array(img.reshape((1, 1) + img.shape))


def read_with_mxnet(filepath):
    img = mx.image.imread(filepath, flag=0)  # (28, 28, 1)
    img = (img.astype(np.float32) - 128) * 0.00390625
    return mx.nd.transpose(img, (2, 0, 1)).expand_dims(0)


for read in read_with_opencv, read_with_mxnet:
    for name in sorted(os.listdir(folder)):
        filepath = os.sep.join([folder, name])
        mod.forward(Batch([read(filepath)]))
        prob = np.squeeze(mod.get_outputs()[0].asnumpy())
        pred_label = np.asscalar(np.argmax(prob))
        print("{} is predicted as {} ({:.3f})".format(name, pred_label, prob[pred_label]))
