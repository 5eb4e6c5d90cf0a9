"""Train your own network on your own folder of photos, with one folder per class, on the command line.

Shows that one command resizes, splits and packs, and that a network is a file with `get_symbol`, as in MXNet's example
scripts.

Run: python examples/own_folders.py PHOTOS    (needs recordkit[mxnet])
Prints: the accuracy of each epoch, and of each class at the end. The files are in out/own_folders.
"""

import subprocess
import sys
from pathlib import Path

photos, out = sys.argv[1], Path("out/own_folders")
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


recordkit("pack", photos, out / "photos", "--resize", 32, "--val-ratio", 0.2)
recordkit(
    *("train", out / "photos_train.rec", "--val", out / "photos_val.rec", "--network", out / "my_net.py"),
    *("--data-shape", "3,28,28", "--num-epochs", 6, "--random-crop", "--random-mirror"),
    *("--max-random-h", 18, "--max-random-s", 20, "--max-random-l", 20, "--model-prefix", out / "model" / "my_net"),
)
recordkit("eval", out / "model" / "my_net", out / "photos_val.rec")
