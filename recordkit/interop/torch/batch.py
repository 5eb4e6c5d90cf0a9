"""A batch of samples as tensors.

``default_collate_fn_map`` is imported from a private module of torch, where the documentation of
``torch.utils.data.default_collate`` extends it; checked with torch 2.13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import torch
from torch.utils.data._utils.collate import default_collate_fn_map

from recordkit.dataset.notebook.sheet import N_SHOWN, show_batch
from recordkit.errors import PlanError
from recordkit.loading.batch import batch_captions, describe_batch


@dataclass(frozen=True, eq=False, repr=False)
class Batch:
    """Samples as tensors. It unpacks to two: ``data, label = batch``, which are ``batch[0]`` and ``batch[1]`` too.

    Attributes
    ----------
    data : Tensor, shape (B, C, H, W) or (B, H, W, C)
        uint8, float16 or float32, as the loader's `dtype` and `layout` say.
    label : Tensor, shape (B,) or (B, w), or list of B tensors, shape (w_i,)
        int64 or float32, as the loader's `label_dtype` says; a list if its `label` is "list".
    key : Tensor of int64, shape (B,)
        Keys. torch hardly supports uint64, so keys of 2**63 and more appear here reduced by 2**64.
    n_valid : int, 0 to B
        Number of samples that are not padding; they come first.
    index : Tensor of int64, shape (B,)
        Index of each sample in the dataset.
    state : dict of str to int or str
        Position after this batch, for `Loader.load_state_dict`; the same on all ranks.
    n_labels : Tensor of int64, shape (B,), or None
        Number of labels of each sample; None unless the loader's `label` is "pad" or "list".
    """

    data: torch.Tensor
    label: Any
    key: torch.Tensor
    n_valid: int
    index: torch.Tensor
    state: dict[str, int | str]
    n_labels: torch.Tensor | None = None

    def __iter__(self) -> Iterator[Any]:
        yield self.data
        yield self.label

    def __repr__(self) -> str:
        return describe_batch(self)

    def _repr_html_(self) -> str:
        """Return the first images as HTML, for notebooks."""
        first = self.data[:N_SHOWN].detach().cpu().numpy()
        return show_batch(repr(self), first, batch_captions(self, N_SHOWN), len(self.data))

    def __getitem__(self, number: int) -> Any:
        """Return the data for 0 and the label for 1, as of a pair."""
        return (self.data, self.label)[number]

    def to(self, device: torch.device | str | int, *, non_blocking: bool = False) -> Batch:
        """Return the batch with data, label and `n_labels` on a device; keys and indices stay where they are.

        Parameters
        ----------
        device : torch.device, str or int
        non_blocking : bool, default False
            Return before the copy is done, if the batch is in pinned memory.
        """
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Return the batch with data, label and `n_labels` in pinned memory, as a DataLoader asks for."""
        return self._mapped(torch.Tensor.pin_memory)

    def _mapped(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Batch:
        data = change(self.data)
        label = [change(each) for each in self.label] if isinstance(self.label, list) else change(self.label)
        n_labels = None if self.n_labels is None else change(self.n_labels)
        return replace(self, data=data, label=label, n_labels=n_labels)


def _refuse_to_collate(_batches: object, **_options: object) -> NoReturn:
    raise PlanError(
        argument="batch_size",
        expected="None for a DataLoader, because the loader makes the batches",
        got="a number of batches to join",
        advice="write DataLoader(loader, batch_size=None), or iterate over the loader itself",
    )


default_collate_fn_map.update({Batch: _refuse_to_collate})
