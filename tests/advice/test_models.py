"""Following the advices about models: checkpoints of recordkit and of other programs."""

import json
import re
import shutil
from pathlib import Path

import pytest
from advice.walk import advice, commands, text_of
from training.bars import images, write_rec

from recordkit.codec import encode
from recordkit.training.results.score import Score, require_accuracy

SHAPE = ("--data-shape", "1,28,28", "--scale", "1/256")


@pytest.fixture
def net(bars, works, train_words):
    """The prefix of a model that recordkit trained on bars.rec."""
    works(*train_words(bars))
    return "net"


@pytest.fixture
def plain(mx, bars):
    """Return a function that writes a model as MXNet does, and returns its prefix."""

    def write(epoch=1, *, prefix="plain", convolution=False, size=28, n_outputs=3):
        data = mx.sym.Variable("data")
        channels = 1
        if convolution:
            data = mx.sym.Convolution(data, kernel=(5, 5), num_filter=2, name="conv1")
        layer = mx.sym.FullyConnected(mx.sym.flatten(data), num_hidden=n_outputs, name="fc")
        network = mx.sym.SoftmaxOutput(layer, name="softmax")
        module = mx.mod.Module(network)
        module.bind([("data", (2, channels, size, size))], [("softmax_label", (2,))])
        module.init_params()
        module.save_checkpoint(prefix, epoch)
        return prefix

    return write


def test_a_prefix_that_is_none(net, bars, fails, works):
    Path("models").mkdir()
    for path in Path().glob("net-*"):
        shutil.copy(path, "models")
    for name in ("net-0001.params", "models", "nett"):
        (prefix,) = advice("training/run/checkpoint.py", "did you mean {}?", fails("eval", name, bars))
        works("eval", prefix, bars)
    error = fails("eval", "photos/other", bars)
    advice("training/run/checkpoint.py", "give the prefix of a model, or train one first", error)
    works("eval", net, bars)


def test_a_model_in_the_folder_of_a_training_and_one_after_its_images(bars, fails, works, train_words):
    works(*train_words(bars, prefix="bars-model/book"))
    for name in ("book", "bars"):
        (prefix,) = advice("training/run/checkpoint.py", "did you mean {}?", fails("eval", name, bars))
        works("eval", prefix, bars)
    Path("my bars").mkdir()
    Path("my bars/1.png").write_bytes(encode(next(images(1))[1], "png"))
    for words in (("eval", bars), ("predict", "my bars")):
        error = fails(*words, "bars-model/book")
        advice("cli/training/model_options.py", "run 'recordkit {} {}'", error)
        works(*commands(error)[0])


def test_the_prefix_of_another_program(plain, bars, fails, works, train_words):
    error = fails(*train_words(bars, prefix=plain()))
    advice("training/run/checkpoint.py", "choose another `model_prefix`", error)
    (option,) = re.search("another (--.*)", error).groups()
    works(*train_words(bars, option, "another"))


def test_an_epoch_without_a_checkpoint(plain, bars, fails, works):
    words = ("eval", plain(3), bars, *SHAPE)
    error = fails(*words, "--load-epoch", 7)
    (epoch,) = advice("training/run/checkpoint.py", "give `epoch={}`, the only one", error)
    assert epoch == "3"
    works(*words, *re.search("give (--.*) (.*), the", error).groups())
    plain(4)
    (epochs,) = advice("training/run/checkpoint.py", "give as `epoch` one of {}", fails(*words, "--load-epoch", 7))
    for epoch in epochs.split(", "):
        works(*words, "--load-epoch", epoch)


def test_the_file_of_save_parameters(mx, plain, bars, fails, works):
    gluon = mx.gluon.nn.HybridSequential()
    gluon.add(mx.gluon.nn.Dense(3))
    gluon.initialize()
    gluon.hybridize()
    gluon(mx.nd.ones((1, 28, 28)))
    prefix = plain(0, prefix="gluon")
    gluon.save_parameters(f"{prefix}-0000.params")
    error = fails("eval", prefix, bars, *SHAPE)
    advice("training/run/checkpoint.py", "in Gluon, export() writes a checkpoint and save_parameters() does not", error)
    gluon.export(prefix)
    works("eval", prefix, bars, *SHAPE)


@pytest.mark.parametrize("suffix", ["-0001.params", "-symbol.json"])
def test_a_damaged_checkpoint(net, bars, fails, works, train_words, suffix):
    Path(net + suffix).write_bytes(b"damaged")
    record = json.loads(Path("net-run.json").read_text())
    record.pop("network_sha256")
    if suffix == "-symbol.json":
        Path("net-run.json").unlink()
    error = fails("eval", net, bars, *(SHAPE if suffix == "-symbol.json" else ()))
    advice("training/run/checkpoint.py", "train again", error)
    if suffix == "-symbol.json":
        Path("net-run.json").write_text(json.dumps(record))
    works(*train_words(bars))
    works("eval", net, bars)


def test_another_file_than_that_of_the_model(net, bars, fails, works):
    high = write_rec(Path("high.rec"), [(label + 5, image) for label, image in images(6)])
    error = fails("eval", net, high)
    advice("training/compatibility.py", "pack it with the classes of the model's dataset", error)
    works("eval", net, bars)
    half = write_rec(Path("half.rec"), [(label + 0.5, image) for label, image in images(6)])
    error = fails("eval", net, half)
    advice("training/compatibility.py", "number the classes from 0", error)
    works("eval", net, write_rec(Path("half.rec"), images(6)))


def test_other_classes(photos, bars, fails, works, train_words):
    (photos / "owl").mkdir()
    for number in range(2):
        (photos / "owl" / f"{number}.jpg").write_bytes((photos / "cat" / f"{number}.jpg").read_bytes())
    works("pack", photos, "all", "--resize", 20, "--center-crop")
    works(*train_words("all.rec", "--data-shape", "3,20,20"))
    (photos / "cat").rename("cat")
    works("pack", photos, "some", "--resize", 20, "--center-crop")
    error = fails("eval", "net", "some.rec")
    advice(
        "training/compatibility.py",
        "pack it again with 'recordkit pack --classes' and the .json of that dataset",
        error,
    )
    works(
        "pack", photos, "again", "--resize", 20, "--center-crop", *re.search("(--classes)", error).groups(), "all.json"
    )
    works("eval", "net", "again.rec")
    (photos / "dog").rename(photos / "ant")
    works("pack", photos, "ants", "--resize", 20, "--center-crop")
    error = fails("eval", "net", "ants.rec")
    advice("training/compatibility.py", "evaluate it with the model of its own classes", error)
    works(*train_words("ants.rec", "--data-shape", "3,20,20", prefix="ants"))
    works("eval", "ants", "ants.rec")


def test_a_label_that_is_no_number(mx, bars, works, fails):
    data = mx.sym.flatten(mx.sym.Variable("data"))
    network = mx.sym.LinearRegressionOutput(mx.sym.FullyConnected(data, num_hidden=1), name="size")
    module = mx.mod.Module(network, label_names=["size_label"])
    module.bind([("data", (2, 1, 28, 28))], [("size_label", (2, 1))])
    module.init_params()
    module.save_checkpoint("plain", 1)
    bad = write_rec(Path("bad.rec"), [(float("nan"), next(images(1))[1]), *images(3)])
    error = fails("eval", "plain", bad, *SHAPE)
    advice("training/compatibility.py", "pack it with other labels", error)
    works("eval", "plain", bars, *SHAPE)


def test_the_shape_of_the_images(plain, bars, fails, works):
    prefix = plain()
    error = fails("eval", prefix, bars)
    advice("training/model/trained_model.py", "give `shape`, for example 1,28,28", error)
    option, shape = re.search("give (--.*), for example (.*)", error).groups()
    scale = ("--scale", "1/256")
    works("eval", prefix, bars, option, shape, *scale)
    error = fails("eval", prefix, bars, option, "28,28,1", *scale)
    advice("training/model/trained_model.py", "channels come first: give `shape={},{},{}`", error)
    works("eval", prefix, bars, *re.search("give (--.*) (.*)", error).groups(), *scale)
    error = fails("eval", prefix, bars, option, "1,32,32", *scale)
    advice("training/model/trained_model.py", "give another `shape`", error)
    works("eval", prefix, bars, option, "1,28,28", *scale)
    prefix = plain(prefix="convolution", convolution=True)
    error = fails("eval", prefix, bars, option, "3,28,28", *scale)
    _, n_channels = advice("training/model/trained_model.py", "give another `shape`: {} is for images of {}", error)
    works("eval", prefix, bars, option, f"{n_channels.split()[0]},28,28", *scale)


def test_the_levels_of_the_images(plain, bars, fails, works):
    words = ("eval", plain(), bars, "--data-shape", "1,28,28")
    text = works(*words)
    advice(
        "training/model/trained_model.py",
        "{}: pixels are from 0 to 255, as stored; if the model was trained with others, give mean, std and scale as in "
        "its ImageRecordIter",
        text,
    )
    options = [f"--{name}" for name in re.findall("mean|std|scale", text.partition("give ")[2])]
    quiet = works(*words, options[0], 128, options[1], 1, options[2], "1/256")
    assert "pixels are from" not in quiet
    error = fails(*words, "--mean", 0.13, "--std", 0.31)
    advice("training/data/normalization.py", "give `mean={}`, `std={}` and `scale=1`", error)
    works(*words, *re.search("give (--mean) (.*), (--std) (.*) and (--scale) (1)", error).groups())
    error = fails(*words, "--mean", 0.5, "--std", 64, "--scale", 0.5)
    advice("training/data/normalization.py", "give `mean={}`", error)
    works(*words, *re.search("give (--mean) (.*)", error).groups(), "--std", 64, "--scale", 0.5)


def test_two_models_in_one_place(plain, bars, fails, works):
    plain(1, prefix="both")
    plain(2, prefix="both", convolution=True)
    words = ("eval", "both", bars, *SHAPE)
    error = fails(*words, "--load-epoch", 1)
    advice("training/model/trained_model.py", "do both files belong to one model?", error)
    works(*words, "--load-epoch", 2)


def test_a_network_that_replaced_that_of_a_run(net, plain, bars, fails, works):
    error = fails("predict", net, bars, "--scale", 1)
    advice("training/model/trained_model.py", "leave them out", error)
    works("predict", net, bars)
    plain(2, prefix=net, convolution=True)
    error = fails("eval", net, bars)
    (path,) = advice(
        "training/model/trained_model.py",
        "if it is another program's, remove {} and state the input of the model",
        error,
    )
    Path(path.split()[0]).unlink()
    works("eval", net, bars, *SHAPE)


@pytest.mark.parametrize("content", ["{", "[]", '{"normalization": 7, "shape": [1, 28, 28]}', '{"shape": 7}'])
def test_a_damaged_record_of_a_run(net, bars, fails, works, train_words, content):
    record = json.loads(Path("net-run.json").read_text())
    if content.startswith("{") and content.endswith("}"):
        content = json.dumps(record | json.loads(content))
    Path("net-run.json").write_text(content)
    advice("training/run/record.py", "train again", fails("eval", net, bars))
    works(*train_words(bars))
    works("eval", net, bars)


def test_images_of_another_suffix_to_predict(net, fails, works):
    Path("folder").mkdir()
    Path("folder/0.photo").write_bytes(encode(next(images(1))[1], "png"))
    error = fails("predict", net, "folder")
    (suffix,) = advice("training/data/prediction_sources.py", "name the images themselves, whose suffix is {}", error)
    works("predict", net, *Path("folder").glob(f"*{suffix}"))


def test_an_accuracy_that_is_too_low(net, bars, fails, works, train_words):
    require_accuracy(Score(0.5, 0.1, 10, 1.0), 0.4, "net")
    error = text_of(lambda: require_accuracy(Score(0.5, 0.1, 10, 1.0), 0.6, "net"))
    advice("training/results/score.py", "train longer, or lower `min_accuracy`", error)
    words = train_words(bars, "--val", bars, "--min-accuracy")
    error = fails(*words, 1, "--lr", 1e-9)
    option = re.search("lower (--.*)", error)[1]
    works(*words, 0.0, option, 0)
    works(*words, 1, "--num-epochs", 5)


def test_numbers_have_no_accuracy():
    numbers = Score(None, 0.1, 10, 1.0)
    error = text_of(lambda: require_accuracy(numbers, 0.6, "net"))
    advice("training/results/score.py", "leave out `min_accuracy`", error)


def test_images_that_cannot_be_made_like_the_training_images(net, bars, plain, fails, works):
    error = fails("predict", net, bars, "--invert", "always")
    advice("training/predict.py", "leave out `invert` and `center`, or give the files that were packed", error)
    works("predict", net, bars)
    (_, image) = next(images(1))
    Path("one.png").write_bytes(encode(image, "png"))
    works("predict", net, "one.png", "--invert", "always")
    words = ("predict", plain(), "one.png", *SHAPE)
    (option,) = advice("training/data/adaptation.py", "leave out `{}`", fails(*words, "--center"))
    assert option == "--center"
    works(*words)


def test_an_image_unlike_the_training_images(net, works):
    (_, image) = next(images(1))
    Path("dark.png").write_bytes(encode(255 - image, "png"))
    text = works("predict", net, "dark.png")
    advice("cli/commands/predict.py", "--invert auto", text)
    assert "unlike" not in works("predict", net, "dark.png", *re.search("try (.*)", text)[1].split())
