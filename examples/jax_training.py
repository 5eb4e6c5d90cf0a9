"""Train a digit classifier with JAX.

Shows that JAX shares the memory of a batch through DLPack, and that padded batches of one shape are compiled once.
`n_valid` tells how many samples of a batch are not padding.

Run: python examples/jax_training.py    (needs jax and scikit-learn)
Prints: the accuracy on held-out digits, at least 0.9, and the compiled shape. The files are in out/jax_training.
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

import recordkit as rk

out = Path("out/jax_training")
digits = load_digits()
images = (digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8)
rk.pack((images, digits.target), out / "digits", plan=rk.PackPlan(val_ratio=0.2))

options = {"channels": 1, "transforms": [rk.Normalize(127.5, 127.5)], "dtype": "float32", "label_dtype": "int64"}
load = partial(rk.Loader, batch_size=64, last_batch="pad", **options)


def predict(weights, data):
    return jax.nn.relu(data.reshape(len(data), -1) @ weights["hidden"]) @ weights["out"]


traced = []


@jax.jit
def step(weights, data, label, n_valid):
    traced.append(data.shape)  # runs only when JAX compiles `step` for a new shape

    def loss(weights):
        losses = -jnp.take_along_axis(jax.nn.log_softmax(predict(weights, data)), label[:, None], axis=1)[:, 0]
        return jnp.where(jnp.arange(len(data)) < n_valid, losses, 0).sum() / n_valid

    return jax.tree.map(lambda weight, slope: weight - 0.1 * slope, weights, jax.grad(loss)(weights))


keys = jax.random.split(jax.random.key(0))
weights = {"hidden": jax.random.normal(keys[0], (64, 64)) / 8, "out": jax.random.normal(keys[1], (64, 10)) / 8}
train, val = load(out / "digits_train.rec", shuffle=True), load(out / "digits_val.rec")
for _ in range(10):
    for batch in train:
        weights = step(weights, jax.dlpack.from_dlpack(batch.data), batch.label, batch.n_valid)
hits = [(predict(weights, batch.data).argmax(axis=1) == batch.label)[: batch.n_valid] for batch in val]
accuracy = np.concatenate(hits).mean()
print(f"accuracy on {len(val.dataset)} held-out digits: {accuracy:.3f}; compiled for batches of shape {traced}")
assert accuracy >= 0.9 and traced == [(64, 8, 8, 1)]
