"""One update after another, by MXNet's Module or by Gluon: the same network, the same beginning, the same optimiser.

A model is a triple as MXNet's own functions have it: the symbol with its end, arg_params and aux_params.
"""

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

# MXNet's modules log what the user has no use for.
_QUIET = logging.getLogger(f"{__name__}.mxnet")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


@dataclass(frozen=True, slots=True)
class Task:
    """What a learner is made for.

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

    def draw_parameters(self, seed: int) -> Model:
        """Return a model whose parameters are drawn with Xavier's method.

        Raises
        ------
        PlanError
            The network does not fit the images, or what is learnt of them.
        """
        mx, symbol = self.mx, self.target.symbol(self.mx, self.logits)
        if "data" not in self.logits.list_arguments():
            raise PlanError(
                "network: expected an input mx.sym.Variable('data'), got "
                f"{', '.join(self.logits.list_arguments()) or 'none'}"
            )
        try:
            shapes = symbol.infer_shape(
                data=self.batch_shape, softmax_label=self.target.label_shape(self.batch_shape[0])
            )
        except mx.base.MXNetError as error:
            raise PlanError(
                f"network: expected one for images of {self.batch_shape[1:]} ({reason(error)}); "
                "give another --data-shape"
            ) from None
        outputs = self.logits.infer_shape(data=self.batch_shape)[1]
        if outputs != [(self.batch_shape[0], self.target.n_outputs)]:
            raise PlanError(
                f"network: expected one output of {self.target.n_outputs} numbers an image, before any softmax, got "
                f"{', '.join(str(output[1:]) for output in outputs)}"
            )
        mx.random.seed(seed)
        attributes, parts = symbol.attr_dict(), []
        for names, sizes in ((symbol.list_arguments(), shapes[0]), (symbol.list_auxiliary_states(), shapes[2])):
            drawn = {}
            for name, shape in zip(names, sizes, strict=True):
                if name not in ("data", "softmax_label"):
                    drawn[name] = self._drawn(name, shape, attributes.get(name))
            parts.append(drawn)
        return symbol, parts[0], parts[1]

    def _drawn(self, name: str, shape: tuple[int, ...], attributes: dict[str, str] | None) -> Any:
        mx, array = self.mx, self.mx.nd.zeros(shape)
        try:
            mx.init.Xavier()(mx.init.InitDesc(name, attributes), array)
        except ValueError:
            raise PlanError(
                "network: expected a parameter that ends in weight, bias, gamma or beta, or has an init, "
                f"got {name!r}; give it one of these names"
            ) from None
        return array


class Learner(Protocol):
    """Changes the parameters of a model, batch by batch."""

    def learn(self, batch: Any) -> list[Any]:
        """Make an update; return the probabilities before it, as `Target.symbol` has them, not yet computed maybe."""

    def model(self) -> Model:
        """Return the model as it is now."""

    @property
    def learning_rate(self) -> float:
        """Of the last update."""

    def states(self) -> bytes:
        """Return the optimiser's state."""

    def set_states(self, states: bytes) -> None:
        """Take a state that `states` returned."""


class ModuleLearner:
    """By ``mx.mod.Module``.

    Parameters
    ----------
    task : Task
    model : tuple
    create : callable
        Takes the names of the parameters by their numbers; returns MXNet's optimiser.
    """

    def __init__(self, task: Task, model: Model, create: Callable[[dict[int, str]], Any]) -> None:
        symbol, arguments, auxiliaries = model
        self._wait = task.mx.nd.waitall
        self._module = task.mx.mod.Module(symbol, context=task.context, logger=_QUIET)
        labels = task.target.label_shape(task.batch_shape[0])
        self._module.bind(data_shapes=[("data", task.batch_shape)], label_shapes=[("softmax_label", labels)])
        self._module.set_params(arguments, auxiliaries)
        names = [name for name in symbol.list_arguments() if name in arguments]
        self._optimizer = create(dict(enumerate(names)))
        self._module.init_optimizer(kvstore=None, optimizer=self._optimizer)

    def learn(self, batch: Any) -> list[Any]:
        """See `Learner`."""
        self._module.forward_backward(batch)
        self._module.update()
        outputs: list[Any] = self._module.get_outputs()
        return outputs

    def model(self) -> Model:
        """See `Learner`."""
        self._wait()  # statistics of BatchNorm are written by the backward pass, which copying does not wait for
        return self._module.symbol, *self._module.get_params()

    @property
    def learning_rate(self) -> float:
        """See `Learner`."""
        return float(self._optimizer.learning_rate)

    def states(self) -> bytes:
        """See `Learner`."""
        states: bytes = self._module._updater.get_states(dump_optimizer=False)
        return states

    def set_states(self, states: bytes) -> None:
        """See `Learner`."""
        self._module._updater.set_states(states)


class GluonLearner:
    """By a block, autograd and ``gluon.Trainer``. Parameters: see `ModuleLearner`."""

    def __init__(self, task: Task, model: Model, create: Callable[[dict[int, str]], Any]) -> None:
        mx, (self._symbol, arguments, auxiliaries) = task.mx, model
        self._task, self._auxiliaries = task, set(auxiliaries)
        self._net = mx.gluon.SymbolBlock(task.logits, mx.sym.Variable("data", dtype="float32"))
        self._parameters = dict(self._net.collect_params())
        for name, value in (arguments | auxiliaries).items():
            parameter = self._parameters[name]
            parameter.shape = value.shape
            parameter.initialize(ctx=task.context)
            parameter.set_data(value)
            if not name.endswith(("_weight", "_gamma")):
                parameter.wd_mult = 0.0  # as Module has it
        self._net.hybridize(static_alloc=True)
        self._optimizer = create({})
        self._trainer = mx.gluon.Trainer(self._parameters, self._optimizer, kvstore=None)

    def learn(self, batch: Any) -> list[Any]:
        """See `Learner`."""
        task, mx = self._task, self._task.mx
        data, label = (arrays[0].as_in_context(task.context) for arrays in (batch.data, batch.label))
        with mx.autograd.record():
            logits = self._net(data)
            loss = task.target.gluon_loss(mx, logits, label)
        loss.backward()
        self._trainer.step(1)  # the optimiser knows of the size of a batch
        return task.target.probabilities(mx, logits)

    def model(self) -> Model:
        """See `Learner`."""
        self._task.mx.nd.waitall()  # see ModuleLearner
        cpu = self._task.mx.cpu()
        values = {name: parameter.data().copyto(cpu) for name, parameter in self._parameters.items()}
        arguments = {name: value for name, value in values.items() if name not in self._auxiliaries}
        return self._symbol, arguments, {name: values[name] for name in self._auxiliaries}

    @property
    def learning_rate(self) -> float:
        """See `Learner`."""
        return float(self._optimizer.learning_rate)

    def states(self) -> bytes:
        """See `Learner`."""
        states: bytes = self._trainer._updaters[0].get_states(dump_optimizer=False)
        return states

    def set_states(self, states: bytes) -> None:
        """See `Learner`."""
        self._trainer._updaters[0].set_states(states)


LEARNERS: dict[str, Callable[[Task, Model, Callable[[dict[int, str]], Any]], Learner]] = {
    "module": ModuleLearner,
    "gluon": GluonLearner,
}
