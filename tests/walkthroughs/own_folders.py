"""Your own class folders and network, with augmentation, on the command line.

Usage: python own_folders.py PHOTOS OUT [EPOCHS]

PHOTOS has a folder per class. Shows: one command splits 0.8 to 0.2, resizes and packs, and a network comes from a file
with get_symbol, as in MXNet's example scripts.
"""

import subprocess
import sys
from pathlib import Path

photos, out, n_epochs = Path(sys.argv[1]), Path(sys.argv[2]), (*sys.argv[3:], "20")[0]
out.mkdir(parents=True, exist_ok=True)

(out / "my_net.py").write_text("""
import mxnet as mx

def get_symbol(num_classes, **kwargs):
    net = mx.sym.Variable("data")
    for n_filters in (16, 32, 64):
        net = mx.sym.Convolution(net, kernel=(3, 3), pad=(1, 1), num_filter=n_filters)
        net = mx.sym.Activation(mx.sym.BatchNorm(net, fix_gamma=False), act_type="relu")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2))
    net = mx.sym.Pooling(net, global_pool=True, pool_type="avg", kernel=(1, 1))
    net = mx.sym.FullyConnected(mx.sym.flatten(net), num_hidden=num_classes)
    return mx.sym.SoftmaxOutput(net, name="softmax")
""")


def recordkit(*words):
    """Run a command of recordkit."""
    subprocess.run([sys.executable, "-m", "recordkit", *map(str, words)], check=True)


recordkit("pack", photos, out / "photos", "--resize", 32, "--val-ratio", 0.2, "--threads", 2)
recordkit(
    *("train", out / "photos_train.rec", "--val", out / "photos_val.rec", "--network", out / "my_net.py"),
    *("--data-shape", "3,28,28", "--num-epochs", n_epochs, "--random-crop", "--random-mirror"),
    *("--max-random-h", 18, "--max-random-s", 20, "--max-random-l", 20, "--model-prefix", out / "model" / "my_net"),
)
recordkit("eval", out / "model" / "my_net", out / "photos_val.rec")
