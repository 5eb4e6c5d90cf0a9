"""Scripts as books and articles of 2017 to 2019 have them run unchanged, by ``recordkit mxnet``.

Each of them was written for these tests after the description of a tutorial. With RECORDKIT_TEST_DATA they train on
real data, otherwise on the digits of scikit-learn and on drawn images.
"""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from training.bars import images as bars

from recordkit import codec
from recordkit.formats import ubyte

FOLDER = Path(__file__).parent / "tutorials"
DATA = os.environ.get("RECORDKIT_TEST_DATA")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mx")]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a script in a fresh folder, with plain Python if it has no MXNet; return its stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(name, *words, options=()):
        script = FOLDER / f"{name}.py"
        program = ["-m", "recordkit", "mxnet", *options] if "import mxnet" in script.read_text() else []
        command = [sys.executable, *program, str(script), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout, done.stderr

    return run


def gray_images(n, dataset="mnist"):
    """Return images of 28 x 28 pixels with ten classes, and their labels."""
    if DATA:
        names = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
        images, labels = (ubyte.read(Path(DATA) / dataset / name) for name in names)
        return images[:n], labels[:n]
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    images, labels = sklearn.load_digits(return_X_y=True)
    large = [np.pad(np.kron(image.reshape(8, 8) * (255 / 16), np.ones((3, 3))), 2) for image in images[:n]]
    return np.array(large, np.uint8), labels[:n]


def write_flat(folder, images, labels):
    """Write images as 000000_5.png, ..."""
    folder.mkdir()
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / f"{number:06d}_{label}.png").write_bytes(codec.encode(image[:, :, None], "png"))


def write_photos(folder, n_classes=3, n=80):
    """Write a folder of colour images for each class."""
    for image, path in real_photos(n_classes, n) if DATA else drawn_photos(n_classes * n):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(image)


def real_photos(n_classes, n):
    names = ["airplane", "automobile", "frog", "horse", "ship"][:n_classes]
    with tarfile.open(Path(DATA) / "cifar10-tree" / "test.tar") as archive:
        counts = dict.fromkeys(names, 0)
        for member in archive:
            path = Path(member.name)
            if member.isfile() and counts.get(path.parent.name, n) < n:
                counts[path.parent.name] += 1
                yield archive.extractfile(member).read(), Path(*path.parts[-2:])


def drawn_photos(n):
    for number, (label, image) in enumerate(bars(n, side=36, channels=3)):
        yield codec.encode(image, "jpg"), Path("abc"[int(label)]) / f"{number}.jpg"


def test_lenet_5_on_mnist(run, im2rec, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    images, labels = gray_images(1200)
    write_flat(tmp_path / "train", images[:1000], labels[:1000])
    write_flat(tmp_path / "val", images[1000:], labels[1000:])
    write_flat(tmp_path / "new", images[:8], labels[:8])
    for name, n in (("train", 1000), ("val", 200)):
        run("mnist_list", name, f"{name}.lst")
        assert len((tmp_path / f"{name}.lst").read_text().splitlines()) == n
        assert im2rec(f"{name}.lst", f"{name}/", f"{name}.rec", "color=0")[0] == 0

    run("mnist_train", options=["--cpu"])
    log = (tmp_path / "train_mnist.log").read_text()
    assert "Epoch[3] Validation-accuracy=" in log and 'Saved checkpoint to "mnist_lenet-0004.params"' in log
    assert len(re.findall(r"Epoch\[\d\] Train-accuracy=", log)) == 4
    output, _ = run("mnist_curves", "train_mnist.log", "curves.png")
    accuracy = float(re.fullmatch(r"4 epochs, \d+ speeds, last accuracy (\S+)\n", output)[1])
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert accuracy > 0.5

    output, _ = run("mnist_test", "mnist_lenet", 4, "val.rec", options=["--cpu"])
    assert re.fullmatch(r"accuracy=[\d.]+%\n[\d.]+ ms for a batch of 50\n", output)
    assert float(output[9:14]) / 100 == pytest.approx(accuracy, abs=0.001)
    output, _ = run("mnist_recognize", "mnist_lenet", 4, "new", options=["--cpu"])
    digits = re.findall(r"_(\d)\.png is predicted as (\d) \([\d.]+\)\n", output)
    assert len(digits) == 16 and digits[:8] == digits[8:]  # read with OpenCV and with MXNet
    assert sum(label == predicted for label, predicted in digits[:8]) >= 4


def test_lenet_on_fashion_mnist_with_gluon(run, im2rec, tmp_path):
    images, labels = gray_images(1700, "fashion-mnist")
    for name, part in (("train", slice(1500)), ("val", slice(1500, None))):
        write_flat(tmp_path / name, images[part], labels[part])
        run("mnist_list", name, f"{name}.lst")
        assert im2rec(f"{name}.lst", f"{name}/", f"{name}.rec", "color=0")[0] == 0
    output, _ = run("fashion_train")
    lines = output.splitlines()
    assert lines[0] == "training on cpu(0)" and re.match(r"Epoch 10: loss \d\.\d+, train acc 0", lines[10])
    accuracy = float(re.search(r"test acc (\S+),", lines[10])[1])
    assert accuracy > 0.5
    assert len(lines) == 18 and lines[17] == f"exported model: test acc {accuracy:.3f}"


def test_own_folders_and_own_network(run, im2rec, tmp_path):
    write_photos(tmp_path / "photos")
    assert im2rec("--list", "--recursive", "--train-ratio", "0.8", "data", "photos")[0] == 0
    assert im2rec("--resize", "32", "data", "photos")[0] == 0
    words = "--data-train data_train.rec --data-val data_val.rec --num-classes 3 --num-examples 192 --batch-size 24"
    words += " --random-mirror 1 --max-random-h 18 --max-random-s 20 --max-random-l 20 --max-random-rotate-angle 10"
    words += " --max-random-aspect-ratio 0.1 --max-random-shear-ratio 0.05 --lr 0.05 --top-k 2 --disp-batches 4"
    words = [*words.split(), "--model-prefix", "net"]
    _, log = run("folders_train", *words, "--num-epochs", 4, "--gpus", "0,1", options=["--cpu"])
    assert "start with arguments Namespace(network='small_net'" in log and "top_k_accuracy_2=" in log
    assert float(re.search(r"Epoch\[3\] Train-accuracy=(\S+)", log)[1]) > 0.4
    _, log = run("folders_train", *words, "--num-epochs", 5, "--load-epoch", 4)
    assert "Loaded model net_0004.params" in log and "Epoch[4] Validation-accuracy=" in log


def test_two_iterators_over_a_list(run, im2rec, tmp_path):
    write_photos(tmp_path / "photos", n=20)
    assert im2rec("--list", "--recursive", "data", "photos")[0] == 0
    assert im2rec("data.lst", "photos/", "data.rec", "resize=32")[0] == 0
    output, _ = run("image_iter", "data.lst", "photos/", "data.rec")
    assert "resizeaug" in output and "brightnessjitteraug" in output
    assert "ImageIter: 60 images, (16, 3, 28, 28) (16,)\n" in output
    assert re.search(r"ImageRecordIter: 60 equal labels, mean difference [0-3]\.", output)


def test_two_outputs_for_two_labels(run, im2rec, tmp_path):
    images, labels = gray_images(1000)
    write_flat(tmp_path / "train", images, labels)
    rows = [f"{i}\t{label}\t{int(label % 2 == 0)}\t{i:06d}_{label}.png\n" for i, label in enumerate(labels)]
    (tmp_path / "train.lst").write_text("".join(rows))
    assert im2rec("train.lst", "train/", "train.rec", "color=0", "label_width=2", "pack_label=1")[0] == 0
    output, log = run("multi_label", "train.rec")
    assert output.startswith("['digit_output', 'even_output'] even_label\n")
    assert "Epoch[5] Train-accuracy-1=" in log
    digit, even = map(float, re.search(r"accuracy-0: (\S+) accuracy-1: (\S+)", output).groups())
    assert digit > 0.7 and even > 0.7


def test_two_layers_for_points_in_a_plane(run):
    output, _ = run("two_layers", options=["--cpu"])
    accuracies = [float(text) for text in re.findall(r"accuracy (\S+)", output)]
    assert len(accuracies) == 3 and min(accuracies) > 0.85
    assert re.search(r"first predictions: \[[01 ]+\] labels: \[0 1 0 1 0\]\n", output)
