"""Each example runs in a fresh folder, prints what it promises, and stands in docs/examples.md."""

import ast
import base64
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training.bars import images as bars

from recordkit import codec
from recordkit.formats import ubyte

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
NOTEBOOK = FOLDER / "pack_and_train.ipynb"


def command(name, *words):
    return [sys.executable, str(FOLDER / f"{name}.py"), *map(str, words)]


@pytest.fixture
def example(tmp_path):
    """Run an example in an empty folder and return its output."""

    def run(name, *words):
        done = subprocess.run(command(name, *words), capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


def need(name):
    """Skip a test if a library is not installed, unless CI requires it."""
    if importlib.util.find_spec(name) is None and not os.environ.get(f"RECORDKIT_REQUIRE_{name.upper()}"):
        pytest.skip(f"{name} is not installed")


def write_photos(folder, n):
    """Return a folder with `n` images of three classes."""
    for number, (label, image) in enumerate(bars(n, side=40, channels=3)):
        path = folder / "photos" / "abc"[int(label)] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(codec.encode(image, "jpg"))
    return folder / "photos"


@pytest.fixture
def photos(tmp_path):
    return write_photos(tmp_path, 90)


# The examples assert their claims, so a test only looks at the last thing that an example prints.


def test_numpy_training(example):
    need("sklearn")
    assert re.fullmatch(r"accuracy on 360 held-out digits: 0\.9\d\d\n", example("numpy_training"))


def test_own_transform(example):
    assert example("own_transform").endswith("1 and 4 threads: equal\nepochs 0 and 1: different\n")


def test_own_source(example):
    output = example("own_source")
    assert "photos_train: 24 images, 24 decoded, 0 problems" in output and "photos_val: 6 images" in output


def test_detection_labels(example):
    assert re.findall(r"(\d) objects", example("detection_labels")) == ["1", "2", "3", "1", "2", "3"]


def test_insightface_file(example, tmp_path):
    output = example("insightface_file")
    assert output.startswith("12 images of 3 identities\nthe first identity has the keys 1 to 4 ")
    assert output == example("insightface_file", tmp_path / "out" / "insightface_file" / "train")


def test_multi_label(example):
    need("sklearn")
    output = example("multi_label")
    assert re.match(r"a batch: \(4, 28, 28, 1\), labels \[\[\d, [01]\], ", output)


def test_jax_training(example):
    need("jax")
    assert example("jax_training").endswith("compiled for batches of shape [(64, 8, 8, 1)]\n")


@pytest.mark.slow
def test_torch_ddp(example):
    need("torch")
    output = example("torch_ddp")
    assert output.count("56 batches of 16 in each epoch") == 2 and output.count("56 batches of 32 in each epoch") == 1


@pytest.mark.slow
def test_torch_resume_after_a_kill(example, tmp_path):
    need("torch")
    whole = example("torch_resume")
    with subprocess.Popen(command("torch_resume"), stdout=subprocess.PIPE, text=True, cwd=tmp_path) as killed:
        for line in killed.stdout:
            if line.startswith("saved at epoch 1, sample 640"):
                killed.kill()
                break
    resumed = example("torch_resume")
    assert whole.startswith("begins at epoch 0, sample 0\n")
    assert re.match(r"begins at epoch 1, sample [1-9]", resumed)
    assert re.search(r"final weights: \w{16}\n$", whole)[0] == re.search(r"final weights: \w{16}\n$", resumed)[0]


@pytest.mark.slow
@pytest.mark.usefixtures("mx")
@pytest.mark.parametrize(
    "n", [1000, 64, 5]
)  # MXNet's iterator overwrites a batch of 32 when it gives the fourth after it
def test_image_iter(example, tmp_path, n):
    output = example("image_iter", write_photos(tmp_path, n))
    assert len(re.findall(rf": {n} images, [\d,]+ img/s", output)) == 3
    assert len(re.findall(r": 0 labels differ, mean pixel difference 0\.\d\d, largest \d", output)) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("mx")
def test_two_layers(example, tmp_path):
    need("matplotlib")
    assert re.fullmatch(r"accuracy: (0\.9\d*|1\.0)\n", example("two_layers"))
    assert (tmp_path / "out" / "two_layers" / "surface.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.usefixtures("mx")
def test_book_mnist(example, tmp_path):
    need("matplotlib")
    output, out = example("book_mnist"), tmp_path / "out" / "book_mnist"
    assert re.search(r"^predictions: \[\d \d \d \d \d\]$", output, re.MULTILINE)
    assert len(list(out.glob("lenet-000?.params"))) == 6
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.usefixtures("mx")
def test_fashion_gluon(example, tmp_path):
    rng = np.random.default_rng(0)
    for split, n in (("train", 1000), ("t10k", 60)):
        labels = np.arange(n, dtype=np.uint8) % 10
        pixels = rng.integers(0, 40, (n, 28, 28), np.uint8)
        for image, label in zip(pixels, labels, strict=True):
            image[2 * label : 2 * label + 6] += 180
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(ubyte.pack(pixels))
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(ubyte.pack(labels))
    output = example("fashion_gluon", tmp_path)
    assert float(re.findall(r"test accuracy (\S+)", output)[-1]) > 0.5
    assert len(output.splitlines()) == 8 + 6


@pytest.mark.slow
@pytest.mark.usefixtures("mx")
def test_own_folders(example, photos):
    output = example("own_folders", photos)
    assert re.search(r"epoch 6: train accuracy \S+ loss \d", output)
    assert float(re.findall(r"accuracy (\d\S*) loss", output)[-1]) > 0.5
    assert re.search(r"^a +\d+ ", output, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.usefixtures("mx")
def test_multi_label_with_mxnet(example, tmp_path):
    example("multi_label")
    words = re.search(r"^recordkit (train .*)$", (FOLDER / "multi_label.py").read_text(), re.MULTILINE)[1].split()
    training = [sys.executable, "-m", "recordkit", *words]
    output = subprocess.run(training, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert "10 + 2 classes" in output and float(re.findall(r"accuracy (\d\S*) loss", output)[-1]) > 0.5


def outputs(notebook, *, measured):
    """Return the outputs of the cells whose results are measured, or of the others; a picture as its pixels."""
    results = {}
    for cell in notebook.cells:
        if cell.cell_type != "code" or ("measured" in cell.metadata.get("tags", ())) != measured:
            continue
        texts = [output.text for output in cell.outputs if output.get("name") == "stdout"]
        for data in (output.data for output in cell.outputs if "data" in output):
            if "image/png" in data:
                texts.append(codec.decode(base64.b64decode(data["image/png"])).tolist())
            else:
                texts.append(data["text/plain"])
        results[cell.id] = texts
    return results


@pytest.mark.slow
def test_the_notebook_gives_the_outputs_that_are_committed(tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    copy = tmp_path / NOTEBOOK.name
    copy.write_bytes(NOTEBOOK.read_bytes())
    subprocess.run([sys.executable, str(ROOT / "bin" / "notebook"), str(copy)], check=True, capture_output=True)
    committed, again = (nbformat.read(path, as_version=4) for path in (NOTEBOOK, copy))
    nbformat.validate(committed)
    assert outputs(again, measured=False) == outputs(committed, measured=False)
    assert outputs(again, measured=True).keys() == {"accuracy", "speed"}
    for notebook in (committed, again):
        (accuracy,) = outputs(notebook, measured=True)["accuracy"]
        assert float(accuracy.split()[-1]) >= 0.95


def test_the_notebook_is_small_and_names_no_machine():
    text = NOTEBOOK.read_text()
    assert len(text) <= 50_000
    assert not re.search(r"/(home|root|tmp|work|usr)\b|stderr|Traceback", text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_short_and_says_what_it_shows(name):
    text = (FOLDER / f"{name}.py").read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 60
    assert "\nShows " in docstring and "\nPrints: " in docstring
    assert f"python examples/{name}.py" in re.search(r"^Run: (.*)", docstring, re.MULTILINE)[1]


def test_every_example_has_a_test_and_is_in_the_docs():
    tests = " ".join(re.findall(r"^def test_(\w+)", Path(__file__).read_text(), re.MULTILINE))
    page = (ROOT / "docs" / "examples.md").read_text()
    for name in SCRIPTS:
        assert name in tests, name
        assert f"```{{literalinclude}} ../examples/{name}.py" in page, name
    assert sorted(re.findall(r"literalinclude\} \.\./examples/(\w+)\.py", page)) == SCRIPTS
    assert NOTEBOOK.name in page and "bin/notebook" in page
