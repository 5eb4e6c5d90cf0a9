"""The networks, each built as a symbol, for Module and Gluon alike. Those here have no output layer.

- "book", LeNet-5 as in the MXNet books and tutorials: 5x5 convolution with 20 filters, 2x2 max-pool, 5x5 with 50, 2x2
  max-pool, 500 fully connected, one output a class; relu. Some versions have tanh, or nothing, after the convolutions:
  on 10,000 training images of MNIST held out from the other 50,000, relu reaches 99.32% after 6 epochs, no activation
  99.25% (one seed each).
- "four-conv", for small gray images, trains faster to a higher accuracy: BatchNorm of the input; 5x5 convolution with
  16 filters, 2x2 max-pool, 3x3 with 32, 3x3 with 48, 2x2 max-pool, 3x3 with 64 and padding 1, 256 fully connected, one
  output a class; BatchNorm and relu after each layer but the last. Its numbers of filters are multiples of 8 or 16 and
  fill a CPU's vectors: MXNet has faster convolutions and pools for them than for 20 and 50. BatchNorm and relu follow
  the pools, where they have a quarter of the work.
- "article", LeNet as in Gluon's articles: 5x5 convolution with 6 filters, 2x2 max-pool, 3x3 with 16, 2x2 max-pool, 120
  and 84 fully connected, one output a class; relu.
- "six-conv", for color images: BatchNorm of the input, three pairs of 3x3 convolutions with 32, 64 and 96 filters, each
  pair followed by a 2x2 max-pool and dropout, 256 and 32 fully connected.
- FILE.py: the user's own network, ``get_symbol(num_classes, **kwargs)`` as in MXNet's examples. It may have output
  layers of its own, also several in an ``mx.sym.Group``; see `recordkit.training.model.output_layers`.

Source: LeCun et al., Gradient-based learning applied to document recognition, 1998; filter counts and max-pooling from
MXNet's LeNet example.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError


@dataclass(frozen=True, slots=True)
class Network:
    """A network.

    Attributes
    ----------
    name : str
    min_side : int
        Smallest height and width of an image, in pixels.
    build : callable
        Takes MXNet, the number of classes and the (C, H, W) of an image; returns a symbol whose input is ``data``,
        float32 (B, C, H, W). Without output layers its output is a number for each class, shape (B, n_classes).
    """

    name: str
    min_side: int
    build: Callable[[Any, int, tuple[int, int, int]], Any]

    def check_shape(self, shape: tuple[int, int, int]) -> None:
        """Refuse a shape (C, H, W) that the network cannot take.

        Raises
        ------
        PlanError
            There are not 1 or 3 channels, or a side is below `min_side`.
        """
        if shape[0] not in (1, 3) or min(shape[1:]) < self.min_side:
            raise PlanError(
                argument="shape",
                expected=f"1 or 3 channels and sides of at least {self.min_side}",
                got=",".join(map(str, shape)),
                advice="give another `shape`",
            )


def _book(mx: Any, n_classes: int, _shape: tuple[int, int, int]) -> Any:
    net = mx.sym.Variable("data")
    for name, n_filters in (("conv1", 20), ("conv2", 50)):
        net = mx.sym.Convolution(net, kernel=(5, 5), num_filter=n_filters, name=name)
        net = mx.sym.Activation(net, act_type="relu", name=f"{name}_relu")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"{name}_pool")
    net = mx.sym.FullyConnected(mx.sym.flatten(net), num_hidden=500, name="fc1")
    net = mx.sym.Activation(net, act_type="relu", name="fc1_relu")
    return mx.sym.FullyConnected(net, num_hidden=n_classes, name="fc2")


def _four_conv(mx: Any, n_classes: int, _shape: tuple[int, int, int]) -> Any:
    net = mx.sym.BatchNorm(mx.sym.Variable("data"), fix_gamma=True, name="bn_data")
    layers = ((16, 5, 0, True), (32, 3, 0, False), (48, 3, 0, True), (64, 3, 1, False))
    for number, (n_filters, side, pad, has_pool) in enumerate(layers, 1):
        name = f"conv{number}"
        net = mx.sym.Convolution(
            net, kernel=(side, side), pad=(pad, pad), num_filter=n_filters, no_bias=True, name=name
        )  # fmt: skip
        if has_pool:
            net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"{name}_pool")
        net = mx.sym.BatchNorm(net, fix_gamma=False, name=f"{name}_bn")
        net = mx.sym.Activation(net, act_type="relu", name=f"{name}_relu")
    net = mx.sym.FullyConnected(mx.sym.flatten(net), num_hidden=256, no_bias=True, name="fc1")
    net = mx.sym.BatchNorm(net, fix_gamma=False, name="fc1_bn")
    net = mx.sym.Activation(net, act_type="relu", name="fc1_relu")
    return mx.sym.FullyConnected(net, num_hidden=n_classes, name="fc2")


def _article(mx: Any, n_classes: int, _shape: tuple[int, int, int]) -> Any:
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix="lenet_")
    with net.name_scope():
        net.add(
            nn.Conv2D(channels=6, kernel_size=5, activation="relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Conv2D(channels=16, kernel_size=3, activation="relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Dense(120, activation="relu"),
            nn.Dense(84, activation="relu"),
            nn.Dense(n_classes),
        )
    return net(mx.sym.Variable("data"))


def _six_conv(mx: Any, n_classes: int, _shape: tuple[int, int, int]) -> Any:
    net = mx.sym.BatchNorm(mx.sym.Variable("data"), fix_gamma=True, name="bn_data")
    for stage, n_filters in enumerate((32, 64, 96), 1):
        for number in (1, 2):
            name = f"conv{stage}_{number}"
            net = mx.sym.Convolution(net, kernel=(3, 3), pad=(1, 1), num_filter=n_filters, name=name)
            net = mx.sym.Activation(net, act_type="relu", name=f"{name}_relu")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"pool{stage}")
        net = mx.sym.Dropout(net, p=0.2, name=f"dropout{stage}")
    net = mx.sym.flatten(net)
    for name, n_hidden in (("fc1", 256), ("fc2", 32)):
        net = mx.sym.FullyConnected(net, num_hidden=n_hidden, name=name)
        net = mx.sym.Activation(net, act_type="relu", name=f"{name}_relu")
    return mx.sym.FullyConnected(net, num_hidden=n_classes, name="fc3")


# The smallest sides leave one pixel before the fully connected layers: 16 with two 5x5 convolutions and 2x2 pools, 12
# if the second is 3x3; 16 with a 5x5, two 3x3 and two pools; 8 with three pools.
_ALL = (
    Network("book", 16, _book),
    Network("four-conv", 16, _four_conv),
    Network("article", 12, _article),
    Network("six-conv", 8, _six_conv),
)
NETWORKS = {network.name: network for network in _ALL}


def find_network(name: str) -> Network:
    """Return a network by its name, or the one in a file of the user.

    Raises
    ------
    PlanError
        There is no such network, or the file cannot be used.

    Examples
    --------
    >>> find_network("book").min_side
    16
    """
    if name in NETWORKS:
        return NETWORKS[name]
    path = Path(name)
    if path.suffix == ".py" and not path.is_file():
        raise PlanError(argument="network", expected="a Python file", got=f"no file called {name!r}")
    if path.suffix != ".py":
        advice = "MXNet's lenet is book" if name == "lenet" else None
        expected = f"{', '.join(NETWORKS)}, or a file FILE.py"
        raise PlanError(argument="network", expected=expected, got=repr(name), advice=advice)
    get_symbol = _load_get_symbol(path)
    return Network(name, 1, lambda mx, n_classes, shape: _build(mx, get_symbol, n_classes, shape, path))


def _load_get_symbol(path: Path) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise PlanError(argument="network", expected="a Python file", got=repr(str(path)))
    module = importlib.util.module_from_spec(spec)
    try:
        with _folder_importable(path):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _failed(path, f"{type(error).__name__}: {error}") from error
    get_symbol = getattr(module, "get_symbol", None)
    if not callable(get_symbol):
        raise _failed(path, "expected a function get_symbol(num_classes, **kwargs), got none")
    function: Callable[..., Any] = get_symbol
    return function


@contextlib.contextmanager
def _folder_importable(path: Path) -> Iterator[None]:
    """Let a file import modules from its folder, as it can when Python runs it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _build(mx: Any, get_symbol: Callable[..., Any], n_classes: int, shape: tuple[int, int, int], path: Path) -> Any:
    parameters = inspect.signature(get_symbol).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    options = {"num_classes": n_classes, "image_shape": ",".join(map(str, shape))}
    try:
        with _folder_importable(path):
            symbol = get_symbol(**{name: value for name, value in options.items() if takes_any or name in parameters})
    except Exception as error:
        raise _failed(path, f"get_symbol: {type(error).__name__}: {error}") from error
    if not isinstance(symbol, mx.sym.Symbol):
        raise _failed(path, f"expected an mx.sym.Symbol of get_symbol, got {type(symbol).__name__}")
    return symbol


def _failed(path: Path, message: str) -> PlanError:
    return PlanError(f"{path}: {message}", argument="network")
