"""Transforms of PyTorch users in a loader's list: modules, such as those of torchvision, get tensors.

A module gets a uint8 tensor of shape (C, H, W) on the memory of the decoded image. Any other callable gets the array
(H, W, C), as torchvision's ToTensor does, and may return a tensor. A result of three dimensions counts as (C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from recordkit.transforms import Normalize
from recordkit.transforms.transform import takes_draws


@dataclass(frozen=True, repr=False)
class _OnTensors:
    """A module or a function that may return tensors, as a function from array to array."""

    function: Callable[[Any], Any]

    def __repr__(self) -> str:
        return " ".join(repr(self.function).split())  # a module's has several lines

    def __call__(self, image: Any) -> Any:
        """Return the result as an array, of shape (H, W, C) if it has three dimensions."""
        is_module = isinstance(self.function, torch.nn.Module)
        with torch.no_grad():
            result = self.function(_to_tensor(image) if is_module else image)
        if not isinstance(result, torch.Tensor):
            return result
        values = result.detach().cpu().numpy()
        return values.transpose(1, 2, 0) if values.ndim == 3 else values


def _to_tensor(values: Any) -> torch.Tensor:
    array = np.asarray(values)
    return torch.from_numpy(array.transpose(2, 0, 1) if array.ndim == 3 else array)


def on_tensors(transforms: Sequence[object]) -> Sequence[object]:
    """Return a list of transforms whose modules get tensors; anything but a list unchanged, for the loader to refuse.

    Examples
    --------
    >>> double = on_tensors([lambda image: torch.from_numpy(image * 2).permute(2, 0, 1)])[0]
    >>> double(np.ones((4, 5, 3), np.uint8)).shape
    (4, 5, 3)
    """
    if not isinstance(transforms, list | tuple):
        return transforms
    return [step if _is_arrays_alone(step) else _OnTensors(step) for step in transforms]


def _is_arrays_alone(step: object) -> bool:
    return isinstance(step, Normalize | type) or not callable(step) or takes_draws(step)
