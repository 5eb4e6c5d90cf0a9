"""Trainers: MXNet's Module or Gluon makes the updates; network, initial parameters and optimizer are the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from recordkit.errors import PlanError
from recordkit.training.data.target import Target

APIS = ("module", "gluon")

Model = tuple[Any, dict[str, Any], dict[str, Any]]
"""A triple as in MXNet's own functions: the symbol with its output layers, arg_params and aux_params."""

# Discards the messages of MXNet's modules.
_QUIET = logging.getLogger(f"{__name__}.mxnet")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A network, its input and its target: everything that a trainer is built from.

    Attributes
    ----------
    mx : module
    symbol : mxnet.symbol.Symbol
        The network with its output layers, see `recordkit.training.model.output_layers`.
    target : Target
    batch_shape : tuple of int
        (B, C, H, W).
    context : mxnet.context.Context
    """

    mx: Any
    symbol: Any
    target: Target
    batch_shape: tuple[int, ...]
    context: Any

    @property
    def label_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the network's inputs for labels by their names."""
        return self.target.label_shapes(self.batch_shape[0])

    def initial_model(self, seed: int) -> Model:
        """Return a model with random parameters, drawn by Xavier's method.

        Raises
        ------
        PlanError
            The network does not fit the images, or a parameter has no initializer.
        """
        mx, symbol = self.mx, self.symbol
        inputs = {"data": self.batch_shape, **self.label_shapes}
        arg_shapes, _, aux_shapes = symbol.infer_shape(**inputs)
        mx.random.seed(seed)
        attributes, params = symbol.attr_dict(), []
        for names, sizes in ((symbol.list_arguments(), arg_shapes), (symbol.list_auxiliary_states(), aux_shapes)):
            params.append(
                {
                    name: self._initial(name, shape, attributes.get(name))
                    for name, shape in zip(names, sizes, strict=True)
                    if name not in inputs
                }
            )
        return symbol, params[0], params[1]

    def heads(self, outputs: Sequence[Any]) -> list[Any]:
        """Return those of the network's outputs that are heads of the target."""
        return [outputs[head.output] for head in self.target.heads]

    def _initial(self, name: str, shape: tuple[int, ...], attributes: dict[str, str] | None) -> Any:
        mx, array = self.mx, self.mx.nd.zeros(shape)
        try:
            mx.init.Xavier()(mx.init.InitDesc(name, attributes), array)
        except ValueError:
            raise PlanError(
                argument="network",
                expected="a parameter that ends in weight, bias, gamma or beta, or has an init",
                got=repr(name),
                advice="give it one of these names",
            ) from None
        return array


class Trainer(Protocol):
    """Updates the parameters of a model, batch by batch."""

    def step(self, batch: Any) -> list[Any]:
        """Make an update from a batch.

        Returns
        -------
        outputs : list of mxnet.ndarray.NDArray
            Output of each head of the target, before the update. MXNet may still be computing them.
        """

    def model(self) -> Model:
        """Return the current model."""

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last update."""

    def states(self) -> bytes:
        """Return the state of the optimizer."""

    def set_states(self, states: bytes) -> None:
        """Restore a state that `states` returned."""


class ModuleTrainer:
    """Updates by ``mx.mod.Module``.

    Parameters
    ----------
    spec : ModelSpec
    model : Model
    create : callable
        Takes the names of the parameters by their numbers; returns MXNet's optimizer.
    """

    def __init__(self, spec: ModelSpec, model: Model, create: Callable[[dict[int, str]], Any]) -> None:
        symbol, arg_params, aux_params = model
        self._spec, labels = spec, spec.label_shapes
        self._module = spec.mx.mod.Module(symbol, label_names=[*labels], context=spec.context, logger=_QUIET)
        self._module.bind(data_shapes=[("data", spec.batch_shape)], label_shapes=[*labels.items()])
        self._module.set_params(arg_params, aux_params)
        names = [name for name in symbol.list_arguments() if name in arg_params]
        self._optimizer = create(dict(enumerate(names)))
        self._module.init_optimizer(kvstore=None, optimizer=self._optimizer)

    def step(self, batch: Any) -> list[Any]:
        """See `Trainer`."""
        labels = self._spec.target.label_arrays(batch.label[0])
        self._module.forward_backward(self._spec.mx.io.DataBatch(data=batch.data, label=labels))
        self._module.update()
        return self._spec.heads(self._module.get_outputs())

    def model(self) -> Model:
        """See `Trainer`."""
        # The backward pass writes BatchNorm's statistics, and copying does not wait for that.
        self._spec.mx.nd.waitall()
        return self._module.symbol, *self._module.get_params()

    @property
    def learning_rate(self) -> float:
        """See `Trainer`."""
        return float(self._optimizer.learning_rate)

    def states(self) -> bytes:
        """See `Trainer`."""
        states: bytes = self._module._updater.get_states(dump_optimizer=False)
        return states

    def set_states(self, states: bytes) -> None:
        """See `Trainer`."""
        self._module._updater.set_states(states)


class GluonTrainer:
    """Updates by a block, autograd and ``gluon.Trainer``. Parameters: see `ModuleTrainer`.

    The block has the network's own output layers, whose gradients are those of their losses.
    """

    def __init__(self, spec: ModelSpec, model: Model, create: Callable[[dict[int, str]], Any]) -> None:
        mx, (self._symbol, arg_params, aux_params) = spec.mx, model
        self._spec, self._aux_names = spec, set(aux_params)
        inputs = [mx.sym.Variable(name, dtype="float32") for name in ("data", *spec.label_shapes)]
        self._net = mx.gluon.SymbolBlock(self._symbol, inputs)
        self._parameters = dict(self._net.collect_params())
        for name, value in (arg_params | aux_params).items():
            parameter = self._parameters[name]
            parameter.shape = value.shape
            parameter.initialize(ctx=spec.context)
            parameter.set_data(value)
            if not name.endswith(("_weight", "_gamma")):
                parameter.wd_mult = 0.0  # as Module does
        self._net.hybridize(static_alloc=True)
        self._optimizer = create({})
        self._trainer = mx.gluon.Trainer(self._parameters, self._optimizer, kvstore=None)

    def step(self, batch: Any) -> list[Any]:
        """See `Trainer`."""
        spec, autograd = self._spec, self._spec.mx.autograd
        data, labels = (arrays[0].as_in_context(spec.context) for arrays in (batch.data, batch.label))
        with autograd.record():
            outputs = self._net(data, *spec.target.label_arrays(labels))
        heads = spec.heads(outputs if isinstance(outputs, (list, tuple)) else [outputs])
        autograd.backward(heads)
        self._trainer.step(1)  # rescale_grad of the optimizer has the batch size
        return heads

    def model(self) -> Model:
        """See `Trainer`."""
        self._spec.mx.nd.waitall()  # see ModuleTrainer.model
        cpu = self._spec.mx.cpu()
        values = {name: parameter.data().copyto(cpu) for name, parameter in self._parameters.items()}
        arg_params = {name: value for name, value in values.items() if name not in self._aux_names}
        return self._symbol, arg_params, {name: values[name] for name in self._aux_names}

    @property
    def learning_rate(self) -> float:
        """See `Trainer`."""
        return float(self._optimizer.learning_rate)

    def states(self) -> bytes:
        """See `Trainer`."""
        states: bytes = self._trainer._updaters[0].get_states(dump_optimizer=False)
        return states

    def set_states(self, states: bytes) -> None:
        """See `Trainer`."""
        self._trainer._updaters[0].set_states(states)


TRAINERS: dict[str, Callable[[ModelSpec, Model, Callable[[dict[int, str]], Any]], Trainer]] = {
    "module": ModuleTrainer,
    "gluon": GluonTrainer,
}
