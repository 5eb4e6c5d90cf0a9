"""Trainers: MXNet's Module or Gluon makes the updates; network, initial parameters and optimizer are the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from recordkit.errors import PlanError
from recordkit.interop.mxnet import reason
from recordkit.training.data.target import Target

APIS = ("module", "gluon")

Model = tuple[Any, dict[str, Any], dict[str, Any]]
"""A triple as in MXNet's own functions: the symbol with its loss layer, arg_params and aux_params."""

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
    logits : mxnet.symbol.Symbol
        See `recordkit.training.networks.Network`.
    target : Target
    batch_shape : tuple of int
        (B, C, H, W).
    context : mxnet.context.Context
    """

    mx: Any
    logits: Any
    target: Target
    batch_shape: tuple[int, ...]
    context: Any

    def initial_model(self, seed: int) -> Model:
        """Return a model with random parameters, drawn by Xavier's method.

        Raises
        ------
        PlanError
            The network does not fit the images or the target.
        """
        mx, symbol = self.mx, self.target.symbol(self.mx, self.logits)
        arg_shapes, _, aux_shapes = self._infer_shapes(symbol)
        mx.random.seed(seed)
        attributes, params = symbol.attr_dict(), []
        for names, sizes in ((symbol.list_arguments(), arg_shapes), (symbol.list_auxiliary_states(), aux_shapes)):
            params.append(
                {
                    name: self._initial(name, shape, attributes.get(name))
                    for name, shape in zip(names, sizes, strict=True)
                    if name not in ("data", "softmax_label")
                }
            )
        return symbol, params[0], params[1]

    def _infer_shapes(self, symbol: Any) -> Any:
        """Return the shapes of the arguments, outputs and auxiliary states."""
        inputs = self.logits.list_arguments()
        if "data" not in inputs:
            raise PlanError(
                argument="network", expected="an input mx.sym.Variable('data')", got=", ".join(inputs) or "none"
            )
        n, label_shape = self.batch_shape[0], self.target.label_shape(self.batch_shape[0])
        try:
            shapes = symbol.infer_shape(data=self.batch_shape, softmax_label=label_shape)
        except self.mx.base.MXNetError as error:
            raise PlanError(
                argument="network",
                expected=f"one for images of {self.batch_shape[1:]}",
                got=f"the error {reason(error)!r}",
                advice="give another `shape`",
            ) from None
        outputs = self.logits.infer_shape(data=self.batch_shape)[1]
        if outputs != [(n, self.target.n_outputs)]:
            raise PlanError(
                argument="network",
                expected=f"one output of {self.target.n_outputs} numbers an image, before any softmax",
                got=", ".join(str(output[1:]) for output in outputs),
            )
        return shapes

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
            Outputs of `Target.symbol` before the update. MXNet may still be computing them.
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
        self._wait = spec.mx.nd.waitall
        self._module = spec.mx.mod.Module(symbol, context=spec.context, logger=_QUIET)
        label_shape = spec.target.label_shape(spec.batch_shape[0])
        self._module.bind(data_shapes=[("data", spec.batch_shape)], label_shapes=[("softmax_label", label_shape)])
        self._module.set_params(arg_params, aux_params)
        names = [name for name in symbol.list_arguments() if name in arg_params]
        self._optimizer = create(dict(enumerate(names)))
        self._module.init_optimizer(kvstore=None, optimizer=self._optimizer)

    def step(self, batch: Any) -> list[Any]:
        """See `Trainer`."""
        self._module.forward_backward(batch)
        self._module.update()
        outputs: list[Any] = self._module.get_outputs()
        return outputs

    def model(self) -> Model:
        """See `Trainer`."""
        self._wait()  # the backward pass writes BatchNorm's statistics, and copying does not wait for that
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
    """Updates by a block, autograd and ``gluon.Trainer``. Parameters: see `ModuleTrainer`."""

    def __init__(self, spec: ModelSpec, model: Model, create: Callable[[dict[int, str]], Any]) -> None:
        mx, (self._symbol, arg_params, aux_params) = spec.mx, model
        self._spec, self._aux_names = spec, set(aux_params)
        self._net = mx.gluon.SymbolBlock(spec.logits, mx.sym.Variable("data", dtype="float32"))
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
        spec, mx = self._spec, self._spec.mx
        data, label = (arrays[0].as_in_context(spec.context) for arrays in (batch.data, batch.label))
        with mx.autograd.record():
            logits = self._net(data)
            loss = spec.target.gluon_loss(mx, logits, label)
        loss.backward()
        self._trainer.step(1)  # rescale_grad of the optimizer has the batch size
        return spec.target.probabilities(mx, logits)

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
