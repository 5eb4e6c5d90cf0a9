"""Forward passes of a trained model, and how long they take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.training.data.batches import BatchReader
from recordkit.training.model.output_layers import prediction_symbol
from recordkit.training.trainer import Model

# The book times batches of this size.
_TIMED_BATCH_SIZE = 64
_N_TIMED, _N_WARM_UP = 50, 10


class Inference:
    """A model that computes outputs and is not trained.

    It has a module of its own, so that a module in training is not changed.

    Parameters
    ----------
    mx : module
    model : Model
        Network, arg_params and aux_params, as `Checkpoints.load` returns them.
    batch_shape : tuple of int
        (B, C, H, W).
    context : mxnet.context.Context
    """

    def __init__(self, mx: Any, model: Model, batch_shape: tuple[int, ...], context: Any) -> None:
        network, arg_params, aux_params = model
        self._mx, self._context, self._batch_shape = mx, context, batch_shape
        symbol = prediction_symbol(mx, network, batch_shape)
        self._module = mx.mod.Module(symbol, label_names=None, context=context)
        self._module.bind(data_shapes=[("data", batch_shape)], for_training=False)
        self._module.set_params(arg_params, aux_params, allow_extra=True)  # of outputs that are not looked at

    def outputs(self, data: Any, n_valid: int) -> list[NDArray[np.float32]]:
        """Return the outputs for the first images of a batch.

        Parameters
        ----------
        data : mxnet.ndarray.NDArray of float32, shape (B, C, H, W)
        n_valid : int
            Images that are not padding.

        Returns
        -------
        outputs : list of ndarray of float32, shape (n_valid, size) each
            Output of each head of the target: probabilities, or the predicted numbers.
        """
        self._module.forward(self._mx.io.DataBatch(data=[data]), is_train=False)
        return [output.asnumpy()[:n_valid] for output in self._module.get_outputs()]

    def batch_64_s(self) -> float:
        """Return the median seconds of a batch of 64 that is in memory: 50 forward passes after 10 to warm up."""
        data = self._mx.nd.zeros((_TIMED_BATCH_SIZE, *self._batch_shape[1:]), ctx=self._context)
        batch = self._mx.io.DataBatch(data=[data])
        times_s = []
        for _ in range(_N_WARM_UP + _N_TIMED):
            begin_s = time.perf_counter()
            self._module.forward(batch, is_train=False)
            for output in self._module.get_outputs():
                output.wait_to_read()
            times_s.append(time.perf_counter() - begin_s)
        return float(np.median(times_s[_N_WARM_UP:]))


def infer(
    mx: Any, model: Model, reader: BatchReader, context: Any
) -> Iterator[tuple[Any, list[NDArray[np.float32]], NDArray[np.float32]]]:
    """Yield each batch of a file, the model's outputs and the labels, without the padding of the last batch.

    Parameters
    ----------
    mx, model, context
        See `Inference`.
    reader : BatchReader

    Yields
    ------
    data : mxnet.ndarray.NDArray of float32, shape (B, C, H, W)
    outputs : list of ndarray of float32, shape (n_valid, size) each
    labels : ndarray of float32, shape (n_valid,) or (n_valid, n_labels)
    """
    inference = Inference(mx, model, reader.batch_shape, context)
    for batch, n_valid in reader.epoch():
        yield batch.data[0], inference.outputs(batch.data[0], n_valid), batch.label[0].asnumpy()[:n_valid]
