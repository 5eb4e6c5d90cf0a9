"""``recordkit plot-net``: a picture of a network, by MXNet's visualisation and graphviz."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from recordkit.cli.program import examples, parse_shape
from recordkit.errors import MissingError, PlanError
from recordkit.interop import mxnet as bridge
from recordkit.training.checkpoint import Checkpoints
from recordkit.training.networks import find
from recordkit.training.results.pictures import SUFFIXES

_N_CLASSES = 10


@click.command(epilog=examples("recordkit plot-net book -o book.png", "recordkit plot-net mnist_train-model/mnist"))
@click.argument("network", metavar="NETWORK|MODEL_PREFIX")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Picture.  [./NETWORK.png]")
@click.option(
    "--data-shape",
    "shape",
    callback=lambda _ctx, _option, text: parse_shape(text),
    help="C,H,W.  [the model's; 1,28,28]",
)
def command(network: str, output: Path | None, shape: tuple[int, int, int] | None) -> None:
    """Draw a network with the shapes of what flows through it.

    NETWORK is book, four-conv, article, six-conv or FILE.py, as of recordkit train; or the prefix of a trained model.
    """
    output = output or Path(f"{Path(network).stem}.png")
    if output.suffix not in SUFFIXES:
        raise PlanError(f"{output}: expected a name that ends in {', '.join(SUFFIXES)}")
    if shutil.which("dot") is None:
        raise MissingError("graphviz is not installed; apt-get install graphviz")
    try:
        import graphviz  # noqa: F401 (MXNet imports it, and says less)
    except ImportError:
        raise MissingError("Python's graphviz is not installed; pip install 'recordkit[plot]'") from None
    mx = bridge.load()
    checkpoints = Checkpoints(network)
    trained = checkpoints.symbol.exists()
    about = checkpoints.describe()
    shape = shape or (about.image_shape() if trained else (1, 28, 28))
    shapes: dict[str, tuple[int, ...]] = {"data": (1, *shape)}
    if about.facts:  # not beside models that others trained
        shapes["softmax_label"] = about.target().label_shape(1)
    try:
        net = checkpoints.load_symbol(mx) if trained else find(network).draw(mx, _N_CLASSES, shape)
        drawn = mx.viz.plot_network(net, shape=shapes, node_attrs={"fixedsize": "false"})
    except mx.base.MXNetError as error:
        raise PlanError(f"{network}: expected a network for images of {shape}, got: {bridge.reason(error)}") from None
    drawn.format = output.suffix[1:]
    output.write_bytes(drawn.pipe())
    click.echo(str(output))
