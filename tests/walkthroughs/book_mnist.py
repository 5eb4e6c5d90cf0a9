"""The book's LeNet on a flat folder of digits: list, pack gray, ImageRecordIter, Module.fit, score, predict.

Usage: python book_mnist.py IMAGES OUT [EPOCHS]

IMAGES has files such as 000000_5.png, whose label is the number after the underscore. OUT receives the packed files, a
checkpoint for each epoch, train.log and curves.png. Shows: recordkit packs, its ImageRecordIter feeds MXNet's own
Module.fit with the book's augmentation, and plain MXNet loads a checkpoint.
"""

import logging
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import recordkit as rk
from recordkit import codec
from recordkit.interop import mxnet

mx = mxnet.load()
images, out, n_epochs = Path(sys.argv[1]), Path(sys.argv[2]), int((*sys.argv[3:], 6)[0])
out.mkdir(parents=True, exist_ok=True)
logging.basicConfig(filename=out / "train.log", level=logging.INFO)

# One call for im2rec --list and im2rec --color 0: it writes PREFIX_train.lst, .rec and .idx, and the same for _val.
rk.pack(images, out / "digits", plan=rk.PackPlan(val_ratio=0.2, channels=1, encoding="png"))
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
module.fit(
    train,
    eval_data=val,
    optimizer_params={"learning_rate": 0.02, "momentum": 0.9},
    initializer=mx.init.Xavier(),
    num_epoch=n_epochs,
    batch_end_callback=mx.callback.Speedometer(64, 10),
    epoch_end_callback=mx.callback.do_checkpoint(str(out / "lenet")),
)
subprocess.run([sys.executable, "-m", "recordkit", "plot-log", out / "train.log", "-o", out / "curves.png"], check=True)
print("accuracy:", dict(module.score(val, "acc"))["accuracy"])

# Plain MXNet loads the last checkpoint. A batch of 64 is timed, forward only.
model = mx.mod.Module(net)
model.bind(data_shapes=[("data", (64, 1, 28, 28))], label_shapes=[("softmax_label", (64,))], for_training=False)
model.set_params(*mx.model.load_checkpoint(str(out / "lenet"), n_epochs)[1:])
files = sorted(images.iterdir())[:64]
pixels = np.zeros((64, 1, 28, 28), np.float32)
for number, path in enumerate(files):
    pixels[number] = (codec.decode(path.read_bytes(), channels=1).transpose(2, 0, 1) - 128.0) / 256
batch = mx.io.DataBatch([mx.nd.array(pixels)], [mx.nd.zeros(64)])
for number in range(30):
    if number == 10:
        begin_s = time.perf_counter()
    model.forward(batch, is_train=False)
    model.get_outputs()[0].wait_to_read()
print(f"a batch of 64, forward: {(time.perf_counter() - begin_s) / 20 * 1000:.2f} ms")
for path, label in zip(files[:5], model.get_outputs()[0].asnumpy().argmax(axis=1), strict=False):
    print(path.name, label)
