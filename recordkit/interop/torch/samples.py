"""Single samples as pairs of tensors, by index, for the samplers and the DataLoader of torch."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch.utils.data import Dataset, Subset

from recordkit.dataset.dataset import RecordDataset as ArrayDataset
from recordkit.errors import FormatError, enumerate_some, plural, with_places
from recordkit.interop.torch.transforms import on_tensors
from recordkit.loading.engine import BatchArrays, Engine, Request, with_sample_location
from recordkit.loading.labels import LabelReader
from recordkit.loading.native import choose_engine
from recordkit.loading.plan import LoadPlan
from recordkit.loading.probe import find_batch_format
from recordkit.memory import MemoryBudget, choose_memory
from recordkit.sampling.state import check_epoch


class RecordDataset(Dataset):
    """Samples of .rec files as pairs of tensors, by index.

    A DataLoader loads a whole batch with one call. Random draws depend on the seed, the epoch and the index of a
    sample, so call `set_epoch` before each epoch; otherwise all epochs have the same crops.

    Parameters
    ----------
    path : str, Path, or sequence of them
        Path as for `recordkit.RecordDataset`.
    transforms, seed, engine, dtype, channels, label, label_dtype, layout, check
        Arguments of `recordkit.Loader`, but the defaults of layout, channels and label_dtype are "NCHW", "keep" and
        "auto", types may be those of torch, and transforms may be modules of torch, such as those of torchvision,
        which get tensors. ``label="pad"`` makes the samples that a DataLoader loads at once as wide as the widest.

    Attributes
    ----------
    dataset : recordkit.RecordDataset
        Dataset with the keys and labels of all samples.

    Raises
    ------
    PlanError, FormatError, ImageError, NotFoundError, MissingError
        Errors of `recordkit.Loader`.

    Examples
    --------
    >>> import numpy as np, recordkit as rk, tempfile, torch
    >>> prefix = tempfile.mkdtemp() + "/digits"
    >>> _ = rk.pack((np.zeros((6, 28, 28), np.uint8), np.arange(6)), prefix)
    >>> from recordkit.interop.torch import RecordDataset
    >>> dataset = RecordDataset(prefix)
    >>> image, label = dataset[5]
    >>> image.shape, label
    (torch.Size([1, 28, 28]), tensor(5))
    >>> for data, label in torch.utils.data.DataLoader(dataset, batch_size=4):
    ...     print(data.shape, label)
    torch.Size([4, 1, 28, 28]) tensor([0, 1, 2, 3])
    torch.Size([2, 1, 28, 28]) tensor([4, 5])
    """

    def __init__(  # noqa: PLR0913 (those of `recordkit.Loader`; keyword-only)
        self,
        path: str | Path | Sequence[str | Path],
        *,
        transforms: Sequence[object] = (),
        seed: int = 0,
        engine: str = "auto",
        dtype: str | torch.dtype | None = None,
        layout: str = "NCHW",
        channels: int | str = "keep",
        label: str = "array",
        label_dtype: str | torch.dtype = "auto",
        check: bool = False,
    ) -> None:
        plan = LoadPlan(on_tensors(transforms), dtype, layout, channels, seed)
        self.dataset = ArrayDataset(path, check=check)
        if not len(self.dataset):
            raise FormatError(path=str(self.dataset.files[0]), expected="samples", got="none")
        batch_format = find_batch_format(self.dataset, plan, label=label, label_dtype=label_dtype)
        self._plan, self._item = batch_format.plan, batch_format.item
        self._labels = LabelReader(self.dataset, batch_format.labels)
        self._engine_name = engine
        self._engine = self._make_engine()
        # The epoch is in shared memory, because the workers of a DataLoader may be running already.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __repr__(self) -> str:
        files = enumerate_some(self.dataset.files, limit=3)
        kind = f"{self._item.dtype} {self._item.shape}"
        return with_places(f"<RecordDataset of {plural(len(self), 'sample')} as tensors: {kind}: {files}>")

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def classes(self) -> dict[str, int] | None:
        """Class name to label; None if the dataset has no class names."""
        return self.dataset.classes

    def set_epoch(self, epoch: int) -> None:
        """Draw random numbers for this epoch from now on, also in workers that were started before.

        Raises
        ------
        PlanError
            `epoch` is not 0 to 2**32 - 1.
        """
        check_epoch(epoch)
        self._epoch.fill_(epoch)

    @overload
    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]: ...
    @overload
    def __getitem__(self, index: slice) -> Subset[Any]: ...
    def __getitem__(self, index: Any) -> Any:
        """Return the image and the label at an index, and for a slice a `torch.utils.data.Subset`.

        Parameters
        ----------
        index : int or slice
            Negative indices count from the end.

        Raises
        ------
        IndexError
            The index is out of range, or of another type.
        """
        if isinstance(index, slice):
            return Subset(self, range(*index.indices(len(self))))
        try:
            number = operator.index(index)
        except TypeError:
            advice = "torch.utils.data.Subset(dataset, indices) has several samples"
            raise IndexError(f"expected an index or a slice, got {index!r}; {advice}") from None
        return self.__getitems__([number])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the images and labels at several indices, loaded with one call of the engine.

        Parameters
        ----------
        indices : sequence of int
            Indices; negative ones count from the end.

        Returns
        -------
        samples : list of (Tensor, Tensor)
            Images of shape (C, H, W) or (H, W, C); labels of shape () or (w,), int64 or float32.

        Raises
        ------
        IndexError
            An index is out of range.
        ImageError, FormatError
            A sample cannot be loaded. The error has its file and key.
        PlanError
            A label is a fraction, but all are to be int64.
        """
        n = len(self)
        index_array = np.array([operator.index(index) for index in indices], np.int64)
        if len(outside := index_array[(index_array < -n) | (index_array >= n)]):
            raise IndexError(f"expected indices from {-n} to {n - 1}, got {outside[0]}")
        index_array %= n
        data = np.empty((len(index_array), *self._item.shape), self._item.dtype)
        labels = np.empty((len(index_array), self._labels.n_columns), np.float32)
        errors = self._engine.load(
            Request(int(self._epoch), index_array, index_array, bytearray(1)), BatchArrays(data, labels)
        )
        if errors:
            row, error = next(iter(errors.items()))
            raise with_sample_location(error, self.dataset, int(index_array[row]))
        label, _ = self._labels.read(labels, index_array)
        rows = [torch.from_numpy(each) for each in label] if isinstance(label, list) else torch.from_numpy(label)
        return list(zip(torch.from_numpy(data), rows, strict=True))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_engine"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._epoch.share_memory_()  # the tensor is shared in a worker, but not in a copy
        self._engine = self._make_engine()

    def _make_engine(self) -> Engine:
        """Return the engine of this process. A worker loads in one thread, so an image may take the whole budget."""
        budget = MemoryBudget(choose_memory(None), 1)
        return choose_engine(self._engine_name)(self.dataset, self._plan, self._item, budget)
