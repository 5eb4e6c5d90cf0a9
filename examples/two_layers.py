"""Classify points in a plane with two layers: NDArrayIter, Module.fit, and a picture of the decision surface.

Shows the first network of many books. It needs no images and no packed files; recordkit only imports MXNet 1.9.1 on
current Python and NumPy.

Run: python examples/two_layers.py    (needs recordkit[mxnet,plot])
Prints: the accuracy on held-out points, at least 0.9. The picture is out/two_layers/surface.png.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from recordkit.interop import mxnet

mx = mxnet.load()
out = Path("out/two_layers")
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
np.random.seed(0)  # NDArrayIter and Xavier use NumPy's global generator
mx.random.seed(0)

# Two interleaved half moons.
angles = rng.uniform(0, np.pi, 400)
side = np.arange(400) % 2
points = np.stack([np.cos(angles) + side, np.sin(angles) * (1 - 2 * side) + 0.5 * side], axis=1)
points = (points + rng.normal(0, 0.12, points.shape)).astype(np.float32)
train = mx.io.NDArrayIter(points[:300], side[:300], batch_size=30, shuffle=True, label_name="softmax_label")
test = mx.io.NDArrayIter(points[300:], side[300:], batch_size=50, label_name="softmax_label")

net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=16)
net = mx.sym.FullyConnected(mx.sym.Activation(net, act_type="relu"), num_hidden=2)
module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
module.fit(
    train, optimizer="adam", optimizer_params={"learning_rate": 0.02}, initializer=mx.init.Xavier(), num_epoch=60
)
accuracy = dict(module.score(test, "acc"))["accuracy"]
print("accuracy:", accuracy)
assert accuracy >= 0.9

across, down = np.meshgrid(np.linspace(-1.6, 2.6, 210), np.linspace(-1.1, 1.6, 135))
grid = np.stack([across.ravel(), down.ravel()], axis=1).astype(np.float32)
grid_batches = mx.io.NDArrayIter(grid, np.zeros(len(grid)), batch_size=50, label_name="softmax_label")
surface = module.predict(grid_batches).asnumpy()[:, 1].reshape(across.shape)
figure = Figure(figsize=(6, 4), layout="constrained")
axes = figure.subplots()
surface_plot = axes.contourf(across, down, surface, levels=np.linspace(0, 1, 21), cmap="PuOr", alpha=0.7)
for label, color, marker in ((0, "#E66101", "o"), (1, "#5E3C99", "s")):
    axes.scatter(*points[side == label].T, s=12, color=color, marker=marker, label=f"class {label}", edgecolor="white")
figure.colorbar(surface_plot, label="probability of class 1")
axes.set_xlabel("x")
axes.set_ylabel("y")
axes.legend()
figure.savefig(out / "surface.png", dpi=130)
