"""Fixtures: a folder of photos to work in, and programs that must fail or succeed."""

import warnings
from pathlib import Path

import pytest
from conftest import gradient
from training.bars import images, write_rec

from recordkit.codec import encode


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """The folder photos/ of two classes with two images each, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            image = encode(gradient(20 + number, 24), "jpg")
            (tmp_path / "photos" / name / f"{number}.jpg").write_bytes(image)
    return tmp_path / "photos"


@pytest.fixture
def fails(cli):
    """Run ``recordkit ...``, which must fail, and return what it prints on stderr."""

    def run(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # in a test they are errors, which no user sees
            code, _, error = cli(*arguments)
        assert code, arguments
        return error

    return run


@pytest.fixture
def works(cli):
    """Run ``recordkit ...``, which must succeed, and return what it prints, warnings last."""

    def run(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            code, output, error = cli(*arguments)
        assert code == 0, error
        return output + error

    return run


@pytest.fixture
def bars(mx, tmp_path, monkeypatch):
    """20 images with the labels 0 to 2 in bars.rec, and a network that is trained at once, in a working folder."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(
        "import mxnet as mx\n"
        "def get_symbol(num_classes, **kwargs):\n"
        "    net = mx.sym.flatten(mx.sym.Variable('data'))\n"
        "    return mx.sym.FullyConnected(net, num_hidden=num_classes, name='fc')\n"
    )
    return write_rec(Path("bars.rec"), images(20))


@pytest.fixture
def train_words():
    """Return a function that returns the arguments of a short training; later ones override earlier ones."""

    def words(*arguments, prefix="net"):
        quick = ("--network", "net.py", "--num-epochs", 1, "--batch-size", 16, "--no-pictures", "--quiet")
        return ("train", *quick, "--model-prefix", prefix, *arguments)

    return words
