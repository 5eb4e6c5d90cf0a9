"""Order and augmentation of one epoch, and the normalization of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.training.augment import Augment

NORMALIZATION = {"mean_r": 128, "mean_g": 128, "mean_b": 128, "scale": 1 / 256}
"""Pixels become (x - 128) / 256, as in the book's LeNet."""

# MXNet's iterator adds up to a batch size to a seed and stores the sum in 32 bits.
_MAX_SEED = 2**30


@dataclass(frozen=True, slots=True)
class Shuffle:
    """Order and augmentation of one epoch.

    Attributes
    ----------
    seed : int
        Seed of the run.
    epoch : int
        Number of the epoch. Each epoch has another order; a resumed run repeats the order of the same epoch.
    augment : Augment
    """

    seed: int
    epoch: int
    augment: Augment

    def seeds(self) -> tuple[int, int]:
        """Return the seeds of the order and of the augmentation."""
        order, augmentation = np.random.SeedSequence([self.seed, self.epoch]).generate_state(2) % _MAX_SEED
        return int(order), int(augmentation)

    def iterator_options(self, border: int) -> dict[str, Any]:
        """Return the parameters of ImageRecordIter for this epoch.

        Parameters
        ----------
        border : int
            See `Augment.iterator_options`.
        """
        order, augmentation = self.seeds()
        augment = self.augment.iterator_options(border=border)
        return {"shuffle": True, "seed": order, **({"seed_aug": augmentation} if augment else {}), **augment}


def normalize(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the pixels of an image as the network's input.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)

    Returns
    -------
    pixels : ndarray of float32, shape (C, H, W)

    Examples
    --------
    >>> normalize(np.array([[[0], [192]]], np.uint8)).tolist()
    [[[-0.5, 0.25]]]
    """
    levels = image.transpose(2, 0, 1).astype(np.float32)
    pixels: NDArray[np.float32] = (levels - np.float32(NORMALIZATION["mean_r"])) * np.float32(NORMALIZATION["scale"])
    return pixels


def denormalize(pixels: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """Return the images of a batch of normalized pixels.

    Parameters
    ----------
    pixels : ndarray of float32, shape (B, C, H, W)

    Returns
    -------
    images : list of ndarray of uint8, shape (H, W, C)
    """
    levels = np.rint(pixels / NORMALIZATION["scale"] + NORMALIZATION["mean_r"]).clip(0, 255).astype(np.uint8)
    return list(levels.transpose(0, 2, 3, 1))
