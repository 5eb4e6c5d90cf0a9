"""Built-in networks by name, and networks from the user's files."""

import json
import sys

import pytest

from recordkit.errors import PlanError
from recordkit.training.model.networks import NETWORKS, find_network

GET_SYMBOL = """
import mxnet as mx
def get_symbol(num_classes, {more}):
    net = mx.sym.Flatten(mx.sym.Variable("data"))
    net = mx.sym.FullyConnected(net, num_hidden=num_classes, name="fc")
    return {end}
"""


def shapes(net):
    names, sizes = net.list_arguments(), net.infer_shape(data=(2, 1, 28, 28))[0]
    return dict(zip(names, sizes, strict=True))


def test_the_book_network_has_the_books_layers(mx):
    sizes = shapes(NETWORKS["book"].build(mx, 10, (1, 28, 28)))
    weights = [sizes[f"{layer}_weight"] for layer in ("conv1", "conv2", "fc1", "fc2")]
    assert weights == [(20, 1, 5, 5), (50, 20, 5, 5), (500, 50 * 16), (10, 500)]


def test_four_conv_normalizes_each_layer_but_the_last(mx):
    net = NETWORKS["four-conv"].build(mx, 10, (1, 28, 28))
    weights = [shape for name, shape in shapes(net).items() if name.endswith("weight")]
    assert weights == [(16, 1, 5, 5), (32, 16, 3, 3), (48, 32, 3, 3), (64, 48, 3, 3), (256, 64 * 16), (10, 256)]
    means = [name for name in net.list_auxiliary_states() if name.endswith("mean")]
    layers = ("bn_data", *(f"conv{number}_bn" for number in (1, 2, 3, 4)), "fc1_bn")
    assert means == [f"{name}_moving_mean" for name in layers]
    assert [name for name in net.list_arguments() if name.endswith("bias")] == ["fc2_bias"]


def test_the_article_network_has_the_articles_layers(mx):
    sizes = shapes(NETWORKS["article"].build(mx, 10, (1, 28, 28)))
    weights = [shape for name, shape in sizes.items() if name.endswith("weight")]
    assert weights == [(6, 1, 5, 5), (16, 6, 3, 3), (120, 400), (84, 120), (10, 84)]


def test_six_conv_has_six_convolutions_and_a_normalized_input(mx):
    net = NETWORKS["six-conv"].build(mx, 10, (3, 32, 32))
    weights = {name: shape for name, shape in shapes(net).items() if name.endswith("weight")}
    assert [shape[0] for shape in weights.values()] == [32, 32, 64, 64, 96, 96, 256, 32, 10]
    operators = [node["op"] for node in json.loads(net.tojson())["nodes"]]
    assert operators.count("Dropout") == 3 and net.list_auxiliary_states() == [
        "bn_data_moving_mean", "bn_data_moving_var",
    ]  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)
def test_no_smaller_side_than_min_side_fits(mx, network):
    network.build(mx, 3, (1, 28, 28)).infer_shape(data=(1, 1, network.min_side, network.min_side))
    with pytest.raises(mx.base.MXNetError):
        network.build(mx, 3, (1, 28, 28)).infer_shape(data=(1, 1, network.min_side - 1, network.min_side - 1))


@pytest.mark.parametrize("more", ["**kwargs", "image_shape", "num_layers=3"])
def test_a_users_network_gets_the_options_that_it_takes(mx, tmp_path, more):
    path = tmp_path / "net.py"
    path.write_text(GET_SYMBOL.format(more=more, end="net"))
    net = find_network(str(path)).build(mx, 4, (1, 28, 28))
    assert net.list_arguments() == ["data", "fc_weight", "fc_bias"]
    assert net.infer_shape(data=(2, 1, 28, 28))[1] == [(2, 4)]


def test_a_users_network_can_import_modules_from_its_folder(mx, tmp_path):
    (tmp_path / "hidden_sizes.py").write_text("FIRST = 7")
    (tmp_path / "hidden_names.py").write_text("FIRST = 'fc'")
    lines = GET_SYMBOL.replace("num_hidden=num_classes", "num_hidden=hidden_sizes.FIRST").splitlines()
    lines.insert(3, "    from hidden_names import FIRST")
    (tmp_path / "net.py").write_text("import hidden_sizes" + "\n".join(lines).format(more="**kwargs", end="net"))
    before = list(sys.path)
    net = find_network(str(tmp_path / "net.py")).build(mx, 3, (1, 28, 28))
    assert net.infer_shape(data=(2, 1, 28, 28))[1] == [(2, 7)]
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_that_name", "net.py: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise SystemExit(3)", "net.py: SystemExit: 3"),
        ("def symbol(): pass", r"net.py: expected a function get_symbol\(num_classes, \*\*kwargs\), got none"),
        ("def get_symbol(**kwargs): raise KeyError('x')", "net.py: get_symbol: KeyError: 'x'"),
        ("def get_symbol(**kwargs): return 1", "net.py: expected an mx.sym.Symbol of get_symbol, got int"),
    ],
)
def test_an_error_in_a_users_network_is_reported(mx, tmp_path, text, message):
    path = tmp_path / "net.py"
    path.write_text(text)
    with pytest.raises(PlanError, match=f"network: .*{message}"):
        find_network(str(path)).build(mx, 3, (1, 28, 28))
