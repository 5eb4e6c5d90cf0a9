# Recognizes the images of a folder with OpenCV, or with mx.image: mnist_recognize.py PREFIX EPOCH FOLDER [mx]
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

for name in sorted(os.listdir(folder)):
    filepath = os.sep.join([folder, name])
    if "mx" in sys.argv:
        img = mx.image.imread(filepath, flag=0)  # (28, 28, 1)
        img = (img.astype(np.float32) - 128) * 0.00390625
        img = mx.nd.transpose(img, (2, 0, 1)).expand_dims(0)
    else:
        img = cv2.imread(filepath, cv2.IMREAD_GRAYSCALE)
        img = (img.astype(np.float) - 128) * 0.00390625
        img = mx.nd.array(img.reshape((1, 1) + img.shape))
    mod.forward(Batch([img]))
    prob = np.squeeze(mod.get_outputs()[0].asnumpy())
    pred_label = np.asscalar(np.argmax(prob))
    print("{} is predicted as {} ({:.3f})".format(name, pred_label, prob[pred_label]))
