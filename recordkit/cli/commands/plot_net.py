"""``recordkit plot-net``: draw a network with graphviz."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console
from recordkit.cli.native_install import how_to_install_program
from recordkit.cli.options import examples, output_options, parse_shape, picture_option
from recordkit.errors import MissingError, PlanError
from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.storage.replacement import write_atomically
from recordkit.training.model.networks import Network, find_network
from recordkit.training.model.output_layers import find_target, unknown_inputs
from recordkit.training.results.diagram import draw_network
from recordkit.training.results.pictures import check_suffix
from recordkit.training.run.checkpoint import Checkpoints

_N_CLASSES = 10


@click.command(epilog=examples("recordkit plot-net book -o book.png", "recordkit plot-net mnist_train-model/mnist"))
@click.argument("network", metavar="NETWORK|MODEL_PREFIX", type=click.Path())
@click.option(
    "--data-shape",
    "shape",
    type=parse_shape,
    metavar="C,H,W",
    help="Channels, height and width of the input.  [default: the model's, or 1,28,28]",
)
@picture_option("NETWORK.png or MODEL_PREFIX-network.png")
@output_options
def command(network: str, output: Path | None, shape: tuple[int, int, int] | None, console: Console) -> None:
    """Draw a network, top down, with the names of its layers and the shapes of their outputs.

    Repeated blocks of a long network are drawn once, with all their names. NETWORK is book, four-conv, article,
    six-conv or FILE.py, as for recordkit train; or the prefix of a trained model.
    """
    output = output or _default_output(network)
    check_suffix(output)
    _require_graphviz()
    set_threads(0)  # and MXNet no longer says which backend it activates
    mx = bridge.load()
    checkpoints = Checkpoints(network)
    is_trained = checkpoints.symbol_path.exists()
    record = checkpoints.run_record()
    shape = shape or (record.image_shape() if record.facts else (1, 28, 28))
    batch_shape = (1, *shape)
    try:
        symbol = checkpoints.load_symbol(mx) if is_trained else _find(network).build(mx, _N_CLASSES, shape)
        shapes = {"data": batch_shape, **_label_shapes(mx, symbol, batch_shape)}
        if unknown := unknown_inputs(symbol, **shapes):
            raise PlanError(network, expected="the input 'data' alone", got=f"{', '.join(unknown)} of unknown shape")
        diagram = draw_network(symbol, shapes, f"{Path(network).name}, for images of {' x '.join(map(str, shape))}")
    except mx.base.MXNetError as error:
        raise PlanError(
            network, expected=f"a network for images of {shape}", got=f"the error {bridge.reason(error)!r}"
        ) from None
    picture = _draw(diagram, output.suffix[1:])
    write_atomically(output, lambda file: file.write(picture))
    console.report({"picture": str(output), "data_shape": list(shape)}, str(output))


def _default_output(network: str) -> Path:
    """Return the path beside the file or the model, where plot-log draws PREFIX.png for PREFIX.log."""
    checkpoints = Checkpoints(network)
    return checkpoints.path("network.png") if checkpoints.symbol_path.exists() else Path(network).with_suffix(".png")


def _find(name: str) -> Network:
    try:
        return find_network(name)
    except PlanError as error:
        if not name.endswith(".py"):
            error.expected = f"{error.expected}, or the prefix of a model"
        raise


def _label_shapes(mx: Any, symbol: Any, batch_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the network's inputs for labels; none if its output layers are of other kinds."""
    try:
        return find_target(mx, symbol, batch_shape).label_shapes(1)
    except PlanError:
        return {}


def _draw(diagram: str, format_name: str) -> bytes:
    import graphviz

    picture: bytes = graphviz.Source(diagram).pipe(format=format_name)
    return picture


def _require_graphviz() -> None:
    if shutil.which("dot") is None:
        raise MissingError("graphviz is not installed", advice=how_to_install_program("graphviz"))
    try:
        import graphviz  # noqa: F401 (only whether it imports matters)
    except ImportError:
        raise MissingError("Python's graphviz is not installed", advice="pip install 'recordkit[plot]'") from None
