"""Encoded images in memory to a batch, as a loader does it for records of a file."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit import native
from recordkit.errors import FormatError, ImageError, PlanError
from recordkit.loading.native import CoreLoader, Finisher, choose_engine
from recordkit.loading.plan import LoadPlan
from recordkit.loading.probe import format_of_size
from recordkit.loading.python import load_image
from recordkit.memory import MemoryBudget, choose_memory


class Payloads(NamedTuple):
    """Encoded images.

    Attributes
    ----------
    data : ndarray of uint8, shape (m,)
    bounds : ndarray of uint64, shape (n + 1,)
        Image i is ``data[bounds[i]:bounds[i + 1]]``.
    positions : ndarray of uint64, shape (n,)
        Numbers on which random draws depend, in place of the positions in the order of an epoch.
    """

    data: NDArray[np.uint8]
    bounds: NDArray[np.uint64]
    positions: NDArray[np.uint64]

    def rows(self, begin: int, end: int) -> Payloads:
        """Return the images `begin` to `end - 1`."""
        return Payloads(self.data, self.bounds[begin : end + 1], self.positions[begin:end])


class PayloadDecoder:
    """Decodes and transforms images in memory. Pixels and errors are those of a `recordkit.Loader`.

    Parameters
    ----------
    plan : LoadPlan
    size : (int, int)
        Height and width of the images after the transforms.
    engine : {"auto", "native", "python"}
    n_threads : int
    memory : int, str or None
        Most memory that images under way may take; see `recordkit.Loader`.

    Raises
    ------
    MissingError
        The engine is not built.

    Examples
    --------
    >>> from recordkit.codec import encode
    >>> image = encode(np.full((2, 3, 3), 7, np.uint8), "png")
    >>> payloads = Payloads(np.frombuffer(image, np.uint8), np.array([0, len(image)]), np.array([0]))
    >>> data, errors = PayloadDecoder(LoadPlan(), (2, 3), "auto", 1, None).decode(payloads, epoch=0)
    >>> data.shape, int(data[0, 0, 0, 0]), errors
    ((1, 2, 3, 3), 7, {})
    """

    def __init__(
        self, plan: LoadPlan, size: tuple[int, int], engine: str, n_threads: int, memory: int | str | None
    ) -> None:
        self._plan = plan
        self._item = format_of_size(plan, size)
        self._n_threads = n_threads
        self._budget = MemoryBudget(choose_memory(memory), n_threads)
        self._core = CoreLoader(plan, self._item) if choose_engine(engine).name == "native" else None

    def decode(self, payloads: Payloads, epoch: int) -> tuple[NDArray[Any], dict[int, Exception]]:
        """Return a batch of the images, and the errors of those that cannot be loaded, by row."""
        n = len(payloads.positions)
        data = np.empty((n, *self._item.shape), self._item.dtype)
        cuts = np.arange(self._n_threads + 1) * n // self._n_threads
        shares = [(begin, end) for begin, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True) if begin < end]

        def load(share: tuple[int, int]) -> dict[int, Exception]:
            begin, end = share
            errors = self._load(payloads.rows(begin, end), epoch, data[begin:end])
            return {begin + row: error for row, error in errors.items()}

        if len(shares) < 2:
            return data, load(shares[0]) if shares else {}
        with ThreadPoolExecutor(self._n_threads) as pool:
            return data, {row: error for errors in pool.map(load, shares) for row, error in errors.items()}

    def _load(self, payloads: Payloads, epoch: int, data: NDArray[Any]) -> dict[int, Exception]:
        core = self._core
        if core is None:
            return self._load_rows(range(len(data)), payloads, epoch, data)
        plan_errors: dict[int, PlanError] = {}
        images, limits = native.load().Payloads(*payloads, epoch), (self._budget, bytearray(1))
        if core.fills_batches:
            rows = core.loader.load_payloads(images, data, *limits).tolist()
        else:
            finisher = Finisher(self._plan, data, epoch, payloads.positions, n_native_steps=core.n_native_steps)
            rows = core.loader.payload_images(images, finisher, *limits).tolist()
            rows, plan_errors = sorted([*rows, *finisher.failed_rows]), finisher.plan_errors
        return self._load_rows(rows, payloads, epoch, data) | plan_errors

    def _load_rows(
        self, rows: Iterable[int], payloads: Payloads, epoch: int, data: NDArray[Any]
    ) -> dict[int, Exception]:
        """Load some rows with Pillow and NumPy, which define the result and word the errors."""
        errors: dict[int, Exception] = {}
        bounds, positions = payloads.bounds.tolist(), payloads.positions.tolist()
        for row in rows:
            payload = memoryview(payloads.data)[bounds[row] : bounds[row + 1]]
            try:
                data[row] = load_image(payload, self._plan, self._item, self._budget, epoch, positions[row])
            except (FormatError, ImageError, PlanError) as error:
                errors[row] = error
        return errors
