"""A trained model: a checkpoint, and what its images and labels are like.

A run of recordkit train records shape, normalization and classes in PREFIX-run.json. A model of another program,
written by MXNet's ``Module.fit`` or by Gluon's ``export``, has no such file, so the caller gives shape and
normalization. What the model predicts is read from its network, see `recordkit.training.model.output_layers`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError, TrainError, plural
from recordkit.interop.mxnet import reason
from recordkit.storage.fileset import fingerprint
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.target import Target
from recordkit.training.model.output_layers import find_target, prediction_symbol
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.record import RunRecord

LEVELS_AS_STORED = Normalization(mean=(0.0,), std=(1.0,), scale=1.0)
"""Pixels from 0 to 255, as ImageRecordIter gives them by default."""


# Images for which the network's shapes are computed: 2, because one number for a whole batch looks like one an image
# if there is only one.
_N_IMAGES = 2
# Numbers of channels that ImageRecordIter can decode.
_CHANNELS = (1, 3, 4)


class TrainedModel:
    """A checkpoint, and what its images and labels are like.

    Parameters
    ----------
    mx : module
    model_prefix : str or Path
        Prefix of the model.
    epoch : int, optional
        Epoch of the checkpoint; default is the last one.
    shape : tuple of int, optional
        (C, H, W) of an image; only for a model without a record.
    normalization : Normalization, optional
        Only for a model without a record; default is `LEVELS_AS_STORED`.

    Attributes
    ----------
    epoch : int
    model : Model
        Network, arg_params and aux_params.
    record : RunRecord
        The record of the run; without facts for a model of another program.
    shape : tuple of int
    normalization : Normalization

    Raises
    ------
    TrainError
        There is no model, or another program replaced the network of a run.
    PlanError
        `shape` or `normalization` is given for a model with a record; or `shape` is missing for another one, or its
        first number is no number of channels.
    FormatError, OSError
        A file is damaged or missing.

    Warns
    -----
    UserWarning
        The model has no record and `normalization` is not given.
    """

    def __init__(
        self,
        mx: Any,
        model_prefix: str | Path,
        *,
        epoch: int | None = None,
        shape: tuple[int, int, int] | None = None,
        normalization: Normalization | None = None,
    ) -> None:
        checkpoints = Checkpoints(model_prefix)
        checkpoints.complete()
        self._mx, self._symbol_path = mx, checkpoints.symbol_path
        self.epoch = checkpoints.last() if epoch is None else epoch
        self._params_path = checkpoints.params_path(self.epoch)
        self.model = checkpoints.load(mx, self.epoch)
        self.record = checkpoints.run_record()
        if self.record.facts:
            _check_network(self.record, checkpoints.symbol_path)
            _refuse_options(self.record, shape, normalization)
            self.shape, self.normalization = self.record.image_shape(), self.record.normalization()
            return
        if shape is None:
            raise PlanError(
                path=str(checkpoints),
                expected=f"the shape of its images, because there is no {checkpoints.run_path.name}",
                got="none",
                advice="give `shape`, for example 1,28,28",
            )
        _check_channels(shape)
        if normalization is None:
            warnings.warn(
                f"{checkpoints}: pixels are from 0 to 255, as stored; if the model was trained with others, give mean, "
                "std and scale as in its ImageRecordIter",
                UserWarning,
                stacklevel=3,
            )
        self.shape, self.normalization = shape, normalization or LEVELS_AS_STORED

    def target(self, n_labels: int | None = None) -> Target:
        """Return what the model predicts.

        Parameters
        ----------
        n_labels : int, optional
            Labels of an image, if known.

        Raises
        ------
        PlanError
            An output has a loss that is not supported.
        TrainError
            The network has no input ``data``, or network or parameters do not fit the shape of the images.
        """
        network = self.model[0]
        if "data" not in network.list_arguments():
            raise TrainError(path=str(self._symbol_path), expected="an input called 'data'", got="none")
        batch_shape = (_N_IMAGES, *self.shape)
        try:
            target = find_target(self._mx, network, batch_shape, n_labels=n_labels)
        except PlanError as error:
            raise error.located(path=str(self._symbol_path)) from None
        except self._mx.base.MXNetError as error:
            raise TrainError(
                path=str(self._symbol_path),
                expected=f"a network for images of {self.shape}",
                got=f"the error {reason(error)!r}",
                advice=self._shape_advice,
            ) from None
        self._check_params(prediction_symbol(self._mx, network, batch_shape), batch_shape)
        return target

    def _check_params(self, symbol: Any, batch_shape: tuple[int, ...]) -> None:
        arg_shapes, _, aux_shapes = symbol.infer_shape_partial(data=batch_shape)
        names = [*symbol.list_arguments(), *symbol.list_auxiliary_states()]
        params = self.model[1] | self.model[2]
        for name, shape in zip(names, [*arg_shapes, *aux_shapes], strict=True):
            if name != "data" and name not in params:
                raise TrainError(
                    path=str(self._params_path),
                    expected=f"the parameter {name!r} of {self._symbol_path.name}",
                    got="none",
                    advice="do both files belong to one model?",
                )
            if name != "data" and params[name].shape != shape:
                raise TrainError(
                    path=str(self._params_path),
                    expected=f"{name!r} of shape {shape} for images of {self.shape}",
                    got=params[name].shape,
                    advice=self._shape_advice,
                )

    @property
    def _shape_advice(self) -> str | None:
        if self.record.facts:
            return None
        name, n_channels = self._first_channels()
        if n_channels in (None, self.shape[0]):
            return "give another `shape`"
        return f"give another `shape`: {name!r} is for images of {plural(n_channels, 'channel')}"

    def _first_channels(self) -> tuple[str, int | None]:
        """Return the weight of the first convolution and the number of its input channels; None without any."""
        for name in self.model[0].list_arguments():
            weight = self.model[1].get(name)
            if weight is not None and weight.ndim == 4:
                return name, int(weight.shape[1])
        return "", None


def _check_network(record: RunRecord, symbol_path: Path) -> None:
    """Refuse the network of another program at the prefix of a run, because its images were normalized otherwise."""
    if record.facts.get("network_sha256") != fingerprint(symbol_path):
        raise TrainError(
            path=str(symbol_path),
            expected=f"the network that recordkit train wrote with {record.path.name}",
            got="another one",
            advice=f"if it is another program's, remove {record.path} and state the input of the model",
        )


def _check_channels(shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    if channels not in _CHANNELS:
        is_last = width in _CHANNELS
        raise PlanError(
            argument="shape",
            expected="1, 3 or 4 channels, height and width",
            got=f"{channels},{height},{width}",
            advice=f"channels come first: give `shape={width},{channels},{height}`" if is_last else None,
        )


def _refuse_options(record: RunRecord, shape: tuple[int, int, int] | None, normalization: Normalization | None) -> None:
    if shape is not None:
        raise PlanError(argument="shape", expected=f"none, because {record.path} has it", got=",".join(map(str, shape)))
    if normalization is not None:
        raise PlanError(
            expected=f"no `mean`, `std` or `scale`, because {record.path} has them", got="some", advice="leave them out"
        )
