"""Order and augmentation of one epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recordkit.training.augment import Augment

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
