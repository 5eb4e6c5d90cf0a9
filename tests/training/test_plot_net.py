"""The command plot-net: a picture of a network."""

import json
import os
import re
import shutil

import pytest
from click.testing import CliRunner
from PIL import Image
from training.bars import images, write_rec

from recordkit.cli.commands.plot_net import command as plot_net
from recordkit.cli.commands.train import command as train_command
from recordkit.errors import FormatError, MissingError
from recordkit.training.model.networks import find_network

# A network of a user with names of their own: the layers of VGG-16, with few filters.
VGG = """
import mxnet as mx


def get_symbol(num_classes, **kwargs):
    net = mx.sym.Variable("data")
    for stage, (n_layers, n_filters) in enumerate(((2, 8), (2, 16), (3, 32), (3, 64), (3, 64)), 1):
        for number in range(1, n_layers + 1):
            name = f"{stage}_{number}"
            net = mx.sym.Convolution(net, num_filter=n_filters, kernel=(3, 3), pad=(1, 1), name=f"conv{name}")
            net = mx.sym.Activation(net, act_type="relu", name=f"relu{name}")
        net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max", name=f"pool{stage}")
    net = mx.sym.flatten(net, name="flat")
    for number in (6, 7):
        net = mx.sym.FullyConnected(net, num_hidden=64, name=f"fc{number}")
        net = mx.sym.Activation(net, act_type="relu", name=f"relu{number}")
        net = mx.sym.Dropout(net, p=0.5, name=f"drop{number}")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=num_classes, name="fc8"), name="softmax")
"""

# A residual network of 20 layers.
RESNET = """
import mxnet as mx


def conv(net, n_filters, name, stride=1, kernel=3):
    sizes = {"kernel": (kernel, kernel), "stride": (stride, stride), "pad": (kernel // 2, kernel // 2)}
    return mx.sym.BatchNorm(mx.sym.Convolution(net, num_filter=n_filters, name=name, **sizes), name=f"{name}_bn")


def get_symbol(num_classes, **kwargs):
    net = mx.sym.Activation(conv(mx.sym.Variable("data"), 4, "conv0"), act_type="relu", name="relu0")
    for stage, n_filters in enumerate((4, 8, 16), 1):
        for unit in (1, 2, 3):
            name, stride = f"stage{stage}_unit{unit}", 2 if stage > 1 and unit == 1 else 1
            branch = conv(net, n_filters, f"{name}_conv1", stride)
            branch = mx.sym.Activation(branch, act_type="relu", name=f"{name}_relu1")
            branch = conv(branch, n_filters, f"{name}_conv2")
            shortcut = net if stride == 1 else conv(net, n_filters, f"{name}_short", stride, 1)
            net = mx.sym.elemwise_add(branch, shortcut, name=f"{name}_add")
            net = mx.sym.Activation(net, act_type="relu", name=f"{name}_relu2")
    net = mx.sym.Pooling(net, global_pool=True, kernel=(8, 8), pool_type="avg", name="pool")
    net = mx.sym.FullyConnected(mx.sym.flatten(net, name="flat"), num_hidden=num_classes, name="fc")
    return mx.sym.SoftmaxOutput(net, name="softmax")
"""


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_drawing_may_be_of_a_network_or_a_model(mx, monkeypatch):
    monkeypatch.setattr("recordkit.cli.commands.plot_net._require_graphviz", lambda: None)
    error = run(plot_net, "nothing").exception
    assert "six-conv, or a file FILE.py, or the prefix of a model, got 'nothing'" in str(error)


@pytest.fixture
def dot():
    """Tests that draw with graphviz."""
    pytest.importorskip("graphviz")
    if shutil.which("dot") is None and not os.environ.get("RECORDKIT_REQUIRE_GRAPHVIZ"):
        pytest.skip("graphviz is not installed; Debian has it as graphviz")


@pytest.mark.usefixtures("dot")
@pytest.mark.parametrize("name", ["book", "four-conv", "article", "six-conv", "vgg.py"])
def test_a_network_is_drawn_top_down_on_one_screen(mx, tmp_path, name):
    (tmp_path / "vgg.py").write_text(VGG)
    network = tmp_path / name if name.endswith(".py") else name
    words = [network, "--data-shape", "3,32,32", "--json"]
    result = run(plot_net, *words, "-o", tmp_path / "net.png")
    assert json.loads(result.output) == {"picture": f"{tmp_path / 'net.png'}", "data_shape": [3, 32, 32]}
    with Image.open(tmp_path / "net.png") as picture:
        assert picture.width <= 1300 and picture.height <= 800  # at 96 dots an inch, as graphviz writes it
    run(plot_net, *words, "-o", tmp_path / "net.svg")
    rows = re.findall(r'<text [^>]*x="([-.\d]+)" y="([-.\d]+)"[^>]*>([^<]+)</text>', (tmp_path / "net.svg").read_text())
    at = {text: (float(x), float(y)) for x, y, text in rows}
    symbol = find_network(str(network)).build(mx, 10, (3, 32, 32))
    layers = [node["name"] for node in json.loads(symbol.tojson())["nodes"] if node["op"] != "null"]
    layers = [layer for layer in layers if not re.fullmatch(r"flatten\d+", layer)]  # MXNet counts those without a name
    assert set(layers) <= at.keys() and "data" in at
    order = sorted(layers, key=lambda layer: (at[layer][0] > at[layers[0]][0] + 100, at[layer][1]))
    assert order == layers  # down a column, then down the next one


@pytest.mark.usefixtures("dot")
def test_a_residual_network_is_drawn_on_one_screen_with_all_names(mx, tmp_path, capfd):
    (tmp_path / "resnet.py").write_text(RESNET)
    words = [tmp_path / "resnet.py", "--data-shape", "3,32,32"]
    assert run(plot_net, *words, "-o", tmp_path / "net.png").exception is None
    with Image.open(tmp_path / "net.png") as picture:
        assert picture.width <= 1600 and picture.height <= 1000
    run(plot_net, *words, "-o", tmp_path / "net.svg")
    assert "Warning" not in capfd.readouterr().err  # of texts that are larger than their boxes
    texts = re.findall(r"<text [^>]*>([^<]+)</text>", (tmp_path / "net.svg").read_text())
    assert texts.count("3 times") == 1 and texts.count("2 times") == 2
    symbol = find_network(str(tmp_path / "resnet.py")).build(mx, 10, (3, 32, 32))
    layers = {node["name"] for node in json.loads(symbol.tojson())["nodes"] if node["op"] != "null"}
    assert layers <= {name for text in texts for name in names_in(text)}


def names_in(text):
    begin, brace, rest = text.partition("{")
    middles, _, end = rest.partition("}")
    return [f"{begin}{middle}{end}" for middle in middles.split(",")] if brace else [text]


@pytest.mark.usefixtures("dot")
def test_a_trained_model_is_drawn_with_its_branches(mx, tmp_path, monkeypatch):
    monkeypatch.delenv("MXNET_SUBGRAPH_VERBOSE", raising=False)
    rec = write_rec(tmp_path / "two.rec", [((label, 1.0), image) for label, image in images(20)])
    run(train_command, rec, "--num-epochs", 1, "--model-prefix", tmp_path / "lenet", "--no-pictures")
    result = run(plot_net, tmp_path / "lenet", "-o", tmp_path / "net.svg", "--json")
    assert json.loads(result.output) == {"picture": f"{tmp_path / 'net.svg'}", "data_shape": [1, 28, 28]}
    text = (tmp_path / "net.svg").read_text()
    assert os.environ["MXNET_SUBGRAPH_VERBOSE"] == "0"  # else MXNet may print a line of its own
    for row in ("Convolution 5x5, 20", "20 x 24 x 24", "FullyConnected 500", "lenet, for images of 1 x 28 x 28"):
        assert row in text
    assert text.count("SoftmaxOutput") == 2


@pytest.mark.usefixtures("dot")
def test_the_picture_of_a_model_or_file_is_beside_it_and_not_at_the_name_of_the_curves(mx, rec, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "vgg.py").write_text(VGG)
    run(train_command, rec, "--num-epochs", 1, "--model-prefix", tmp_path / "lenet", "--no-pictures")
    shape = ("--data-shape", "3,32,32")
    words = ((tmp_path / "lenet",), (tmp_path / "vgg.py", *shape), ("book",))
    outputs = [run(plot_net, *one).output.strip() for one in words]
    assert outputs == [f"{tmp_path}/lenet-network.png", f"{tmp_path}/vgg.png", "book.png"]


def test_a_damaged_network_is_not_drawn(mx, rec, tmp_path):
    pytest.importorskip("graphviz")
    if shutil.which("dot") is None:
        pytest.skip("graphviz is not installed; Debian has it as graphviz")
    run(train_command, rec, "--num-epochs", 1, "--model-prefix", tmp_path / "lenet", "--no-pictures")
    (tmp_path / "lenet-symbol.json").write_bytes(b"\xff\xfe")
    result = run(plot_net, tmp_path / "lenet")
    assert isinstance(result.exception, FormatError) and "lenet-symbol.json" in str(result.exception)


def test_without_graphviz_the_error_names_its_package(monkeypatch):
    monkeypatch.setenv("PATH", "")
    result = run(plot_net, "book")
    assert isinstance(result.exception, MissingError)
    assert str(result.exception) == "graphviz is not installed; apt-get update && apt-get install graphviz"
