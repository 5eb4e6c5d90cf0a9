"""Train a digit classifier with NumPy alone.

Shows that a batch is NumPy arrays, so a training needs no framework, and that two runs of it are equal.

Run: python examples/numpy_training.py    (needs scikit-learn, for its 1,797 digits)
Prints: the accuracy on held-out digits, at least 0.9. The files are in out/numpy_training.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import recordkit as rk

out = Path("out/numpy_training")
digits = load_digits()
images = (digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8)
rk.pack((images, digits.target), out / "digits", plan=rk.PackPlan(val_ratio=0.2))

options = {"batch_size": 32, "channels": 1, "dtype": "float32", "transforms": [rk.Normalize(127.5, 127.5)]}


def train(n_epochs):
    """Return the weights of a softmax regression after stochastic gradient descent."""
    weights = np.zeros((8 * 8, 10), np.float32)
    with rk.Loader(out / "digits_train.rec", shuffle=True, seed=1, **options) as loader:
        for _ in range(n_epochs):
            for batch in loader:  # one epoch; the next loop is the next epoch, in another order
                pixels = batch.data.reshape(len(batch), -1)
                scores = np.exp(pixels @ weights)
                error = scores / scores.sum(axis=1, keepdims=True) - np.eye(10)[batch.label.astype(int)]
                weights -= 0.05 * pixels.T @ error.astype(np.float32) / len(batch)
    return weights


weights = train(n_epochs=10)
hits = []
with rk.Loader(out / "digits_val.rec", **options) as loader:
    for batch in loader:
        predicted = np.argmax(batch.data.reshape(len(batch), -1) @ weights, axis=1)
        hits.extend(predicted == batch.label)
accuracy = np.mean(hits)
print(f"accuracy on {len(hits)} held-out digits: {accuracy:.3f}")
assert accuracy >= 0.9
assert np.array_equal(weights, train(n_epochs=10))
