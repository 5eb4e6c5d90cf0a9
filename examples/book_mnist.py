"""Train the book's LeNet with MXNet's Module.fit: list, pack gray, ImageRecordIter, fit, score, checkpoint, predict.

Shows that recordkit's ImageRecordIter feeds Module.fit with the book's augmentation, and that plain MXNet loads a
checkpoint.

Run: python examples/book_mnist.py    (needs recordkit[mxnet,plot] and scikit-learn)
Prints: the accuracy on held-out digits, at least 0.5 after so few steps, and five predictions. The files, among them
train.log and curves.png, are in out/book_mnist.
"""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import recordkit as rk
from recordkit import codec
from recordkit.interop import mxnet

mx = mxnet.load()
out, n_epochs = Path("out/book_mnist"), 6
(out / "images").mkdir(parents=True, exist_ok=True)
logging.basicConfig(filename=out / "train.log", filemode="w", level=logging.INFO)
for number, (image, digit) in enumerate(zip(*load_digits(return_X_y=True), strict=True)):  # 8 x 8, enlarged to 28 x 28
    large = np.pad(np.kron(image.reshape(8, 8) * (255 / 16), np.ones((3, 3))), 2).astype(np.uint8)
    (out / "images" / f"{number:06}_{digit}.png").write_bytes(codec.encode(large[:, :, None], "png"))

# One call for im2rec --list and im2rec --color 0: it writes PREFIX_train.lst, .rec and .idx, and the same for _val.
rk.pack(out / "images", out / "digits", plan=rk.PackPlan(val_ratio=0.2, channels=1, encoding="png"))
common = {"data_shape": (1, 28, 28), "batch_size": 64, "mean_r": 128, "scale": 1 / 256}
book = {"rand_crop": True, "min_crop_size": 24, "max_crop_size": 28, "max_rotate_angle": 15, "fill_value": 0}
train = mxnet.ImageRecordIter(path_imgrec=str(out / "digits_train.rec"), shuffle=True, **book, **common)
val = mxnet.ImageRecordIter(path_imgrec=str(out / "digits_val.rec"), **common)

net = mx.sym.Variable("data")
for n_filters in (20, 50):
    net = mx.sym.Activation(mx.sym.Convolution(net, kernel=(5, 5), num_filter=n_filters), act_type="relu")
    net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2))
net = mx.sym.Activation(mx.sym.FullyConnected(mx.sym.flatten(net), num_hidden=500), act_type="relu")
net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=10), name="softmax")
module = mx.mod.Module(net, context=mx.cpu())
sgd = {"learning_rate": 0.02, "momentum": 0.9}
speed, save = mx.callback.Speedometer(64, 10), mx.callback.do_checkpoint(str(out / "lenet"))
module.fit(train, val, "acc", save, speed, optimizer_params=sgd, initializer=mx.init.Xavier(), num_epoch=n_epochs)
subprocess.run([sys.executable, "-m", "recordkit", "plot-log", out / "train.log", "-o", out / "curves.png"], check=True)
accuracy = dict(module.score(val, "acc"))["accuracy"]
print("accuracy:", accuracy)
assert accuracy >= 0.5

model = mx.mod.Module.load(str(out / "lenet"), n_epochs)
model.bind(val.provide_data, val.provide_label, for_training=False)
val.reset()
model.forward(next(val), is_train=False)
print("predictions:", model.get_outputs()[0].asnumpy().argmax(axis=1)[:5])
