"""``recordkit train FOLDER`` refuses what it cannot train before it packs the folder."""

import pytest
from training.bars import images

from recordkit import codec
from recordkit.errors import MissingError
from recordkit.interop.mxnet import bridge, cuda


@pytest.fixture
def train(cli, tmp_path, monkeypatch):
    """Run the command on a folder of images, and check that nothing was packed."""
    for number, (label, image) in enumerate(images(12)):
        path = tmp_path / "bars" / f"{label:.0f}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(codec.encode(image, "png"))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code, out, error = cli("train", "bars", "--model-prefix", "model/net", *words)
        assert out == "" and not list(tmp_path.rglob("*.rec")) and error.count("\n") == 1, error
        return code, error

    return run


def test_a_missing_gpu(train, monkeypatch):
    monkeypatch.setattr(cuda, "DRIVER", "libcuda.so.none")
    for words in (["--gpus", "0"], ["--device", "gpu"]):
        code, error = train(*words)
        assert code == 2 and error.startswith("recordkit: gpu: expected ")


def test_a_missing_mxnet(train, monkeypatch):
    def load():
        raise MissingError("mxnet", expected="MXNet 1.9.1", got="none", advice="install it")

    monkeypatch.setattr(bridge, "load", load)
    assert train() == (2, "recordkit: mxnet: expected MXNet 1.9.1, got none; install it\n")


@pytest.mark.usefixtures("mx")
@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("--network vgg", 2, "--network: expected book, four-conv, article, six-conv, or a file FILE.py, got 'vgg'"),
        ("--network net.py", 2, "--network: net.py: expected a function get_symbol(num_classes, **kwargs), got none"),
        ("--recipe vgg", 2, "--recipe: 'vgg' is not one of"),
        ("--data-shape 3,8,8", 2, "--data-shape: expected 1 or 3 channels and sides of at least 16, got 3,8,8"),
        ("--data-shape 2,28,28", 2, "--data-shape: expected 1 or 3 channels and sides of at least 16, got 2,28,28"),
        ("--iterator gluon --max-random-h 9", 2, "--iterator: expected crops, mirrors and shifts alone with gluon"),
        ("--loss sigmoid --num-classes 3", 2, "--num-classes: expected none with the loss sigmoid"),
        ("--model-prefix bars/net", 2, "--model-prefix: expected a path outside the images' folder bars"),
        ("--model-prefix theirs/net", 1, "theirs/net: expected an earlier run of recordkit train, got net-0001.params"),
        ("--model-prefix net.py/net", 1, "net.py"),
        ("--resume", 1, "model/net: expected a checkpoint such as net-0001.params, got none"),
        ("--val none.rec", 1, "none.rec: "),
        ("--val bars", 1, "bars: expected a .rec file, got a folder"),
    ],
)
def test_what_does_not_depend_on_the_images(train, tmp_path, words, code, text):
    (tmp_path / "net.py").write_text("")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "net-0001.params").touch()
    got, error = train(*words.split())
    assert got == code and error.startswith(f"recordkit: {text}"), error
