"""Write a transform: salt and pepper, which paints random pixels white or black.

Shows that a transform is a function of an image and of `draws`, whose numbers depend on the seed, the epoch and the
sample only: 1 thread and 4 threads give the same pixels. The library's own transforms before it run in native code.

Run: python examples/own_transform.py
Prints: the share of painted pixels, and that the epochs are equal or not. The files are in out/own_transform.
"""

from pathlib import Path

import numpy as np

import recordkit as rk
from recordkit import recordio


class SaltAndPepper:
    """Paint `n` random pixels black or white. Draws 3 numbers for each."""

    def __init__(self, n):
        self.n = n

    def __call__(self, image, draws):
        """Return a changed copy of the image, uint8 (H, W, C)."""
        image = image.copy()  # the loader may use the image again
        height, width = image.shape[:2]
        for _ in range(self.n):
            image[draws.below(height), draws.below(width)] = 255 * draws.below(2)
        return image


out = Path("out/own_transform")
out.mkdir(parents=True, exist_ok=True)
with recordio.MXIndexedRecordIO(out / "gray.idx", out / "gray.rec", "w") as writer:
    for key in range(64):
        image = np.full((40, 48, 3), 100 + key, np.uint8)
        writer.write_idx(key, recordio.pack_img(recordio.IRHeader(0, key % 2, key, 0), image, img_fmt=".png"))


def first_epochs(threads):
    """Return the pixels of two epochs, two arrays of shape (64, 32, 32, 3)."""
    transforms = [rk.RandomCrop(32), rk.RandomFlip(), SaltAndPepper(n=50)]
    with rk.Loader(out / "gray.rec", batch_size=16, transforms=transforms, seed=7, threads=threads) as loader:
        return [np.concatenate([batch.data for batch in loader]) for _ in range(2)]


first, second = first_epochs(threads=1)
again, _ = first_epochs(threads=4)
print(f"painted: {np.isin(first, (0, 255)).all(axis=3).mean():.1%} of the pixels")
print("1 and 4 threads:", "equal" if np.array_equal(first, again) else "different")
print("epochs 0 and 1:", "equal" if np.array_equal(first, second) else "different")
assert np.array_equal(first, again) and not np.array_equal(first, second)
