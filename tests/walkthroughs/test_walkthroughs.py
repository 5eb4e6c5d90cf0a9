"""Each walkthrough runs on small data, and prints and writes its promised results."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training.bars import images as bars

from recordkit import codec
from recordkit.formats import ubyte

HERE = Path(__file__).parent
SCRIPTS = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith(("test_", "conftest")))


@pytest.fixture
def flat(tmp_path):
    """A flat folder of scikit-learn's first digits, as files 000000_5.png."""
    digits = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed: no digits").load_digits()
    folder = tmp_path / "digits"
    folder.mkdir()
    for number in range(600):
        image = np.kron(digits.images[number] * (255 / 16), np.ones((3, 3))).astype(np.uint8)
        (folder / f"{number:06}_{digits.target[number]}.png").write_bytes(
            codec.encode(np.pad(image, 2)[:, :, None], "png")
        )
    return folder


@pytest.fixture
def tree(tmp_path):
    for number, (label, image) in enumerate(bars(90, side=40, channels=3)):
        path = tmp_path / "photos" / "abc"[int(label)] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(codec.encode(image, "jpg"))
    return tmp_path / "photos"


@pytest.fixture
def walk(mx, tmp_path):
    """Run a script and return its output."""

    def run(name, *words):
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), *map(str, words)],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


@pytest.fixture
def matplotlib():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")


@pytest.mark.usefixtures("matplotlib")
def test_book_mnist(walk, flat, tmp_path):
    output = walk("book_mnist", flat, tmp_path / "out", 6)
    assert float(re.search(r"accuracy: (\S+)", output)[1]) > 0.5
    assert "a batch of 64, forward: " in output and len(re.findall(r"^0000\d\d_\d\.png \d$", output, re.M)) == 5
    assert len(list((tmp_path / "out").glob("lenet-000?.params"))) == 6
    assert (tmp_path / "out" / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("matplotlib")
def test_fashion_gluon(walk, tiny_mnist, tmp_path):
    rng = np.random.default_rng(0)
    for split, n in (("train", 1000), ("t10k", 60)):
        labels = np.arange(n, dtype=np.uint8) % 10
        pixels = rng.integers(0, 40, (n, 28, 28), np.uint8)
        for image, label in zip(pixels, labels, strict=True):
            image[2 * label : 2 * label + 6] += 180
        for old in tiny_mnist.glob(f"{split}-*"):
            old.unlink()
        (tiny_mnist / f"{split}-images-idx3-ubyte").write_bytes(ubyte.pack(pixels))
        (tiny_mnist / f"{split}-labels-idx1-ubyte").write_bytes(ubyte.pack(labels))
    output = walk("fashion_gluon", tiny_mnist, tmp_path / "out", 8)
    assert float(re.findall(r"test accuracy (\S+)", output)[-1]) > 0.5
    assert len(output.splitlines()) == 8 + 6 and (tmp_path / "out" / "six.png").exists()


def test_own_folders(walk, tree, tmp_path):
    output = walk("own_folders", tree, tmp_path / "out", 6)
    assert re.search(r"epoch 6: train accuracy \S+ loss \d", output)
    assert float(re.findall(r"accuracy (\S+) loss", output)[-1]) > 0.5
    assert re.search(r"^a +\d+ ", output, re.M)


def test_image_iter(walk, tree, tmp_path):
    output = walk("image_iter", tree, tmp_path / "out")
    assert len(re.findall(r": 90 images, [\d,]+ img/s", output)) == 3
    differences = re.findall(r"labels equal, mean pixel difference (\S+), largest", output)
    assert len(differences) == 3 and max(map(float, differences)) < 1


@pytest.mark.usefixtures("matplotlib")
def test_two_layers(walk, tmp_path):
    output = walk("two_layers", tmp_path / "out")
    assert float(re.search(r"accuracy: (\S+)", output)[1]) > 0.9
    assert (tmp_path / "out" / "surface.png").read_bytes().startswith(b"\x89PNG")


def test_multi_label(walk, flat, tmp_path):
    output = walk("multi_label", flat, tmp_path / "out", 8)
    assert "10 + 2 classes" in output and "label 1" in output and "label 2" in output
    assert float(re.findall(r"accuracy (\S+) loss", output)[-1]) > 0.5


def test_each_script_has_a_test_and_a_usage():
    tests = re.findall(r"^def test_(\w+)", Path(__file__).read_text(), re.M)
    for name in SCRIPTS:
        text = (HERE / f"{name}.py").read_text()
        assert name in tests and "Usage: python " in text and "Shows:" in text
