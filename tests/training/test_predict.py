"""Predictions of a trained model for files, folders and .rec files."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import EpsImagePlugin, Image
from training.bars import images, plan, write_rec

from recordkit import codec
from recordkit.cli.commands.eval import command as eval_command
from recordkit.cli.commands.predict import command
from recordkit.errors import ImageError, NotFoundError, PlanError, SourceError, TrainError
from recordkit.training.data.adaptation import Adaptation
from recordkit.training.evaluation import evaluate
from recordkit.training.fit import train
from recordkit.training.predict import Predictor
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.transforms import Resize
from recordkit.upkeep import Shards, split


@pytest.fixture(scope="module")
def trained(mx, tmp_path_factory):
    """The folder of a model called lenet; it is trained once, and each test has its own copy."""
    folder = tmp_path_factory.mktemp("trained")
    rec = write_rec(folder / "train.rec", images(70))
    rec.with_suffix(".json").write_text(json.dumps({"classes": {"high": 0, "middle": 1, "low": 2}}))
    train(plan(rec, folder, epochs=4))
    return folder


@pytest.fixture
def model(trained, tmp_path):
    for path in trained.glob("lenet*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "lenet"


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (_, image) in enumerate(images(5, seed=2)):
        (folder / f"{number}.png").write_bytes(codec.encode(image, "png"))
    return folder


def run(*words):
    result = CliRunner().invoke(command, [str(word) for word in words])
    assert result.exception is None, result.exception
    return result.stdout.splitlines()


def test_a_folder_is_predicted_in_the_order_of_names(model, files):
    lines = [line.split("\t") for line in run(model, files)]
    assert [line[0] for line in lines] == [str(files / f"{number}.png") for number in range(5)]
    assert [line[1:3] for line in lines] == [
        ["0", "high"],
        ["1", "middle"],
        ["2", "low"],
        ["0", "high"],
        ["1", "middle"],
    ]
    assert all(0.5 < float(line[3]) <= 1 for line in lines)


def test_predictions_for_a_rec_file_have_its_labels(model, tmp_path):
    wrong = write_rec(tmp_path / "wrong.rec", [((label + 1) % 3, image) for label, image in images(2, seed=1)])
    rows = [json.loads(line) for line in run(model, wrong, "--json")]
    assert [(row["image"], row["labels"], row["true_labels"]) for row in rows] == [
        (f"{wrong}[0]", [0], [1]), (f"{wrong}[1]", [1], [2]),
    ]  # fmt: skip
    assert rows[0]["classes"] == ["high"]


def test_files_of_another_size_and_color_are_converted_as_in_training(model, files):
    _, image = next(images(1, side=56, channels=3))
    (files / "large.png").write_bytes(codec.encode(image, "png"))
    (prediction,) = Predictor(model).predict([files / "large.png"])
    assert prediction.image.shape == (28, 28, 1)


def test_files_are_resized_as_in_training(model, tmp_path):
    _, image = next(images(1, side=84))
    (tmp_path / "large.png").write_bytes(codec.encode(image, "png"))
    (prediction,) = Predictor(model).predict([tmp_path / "large.png"])
    assert np.array_equal(prediction.image, Resize(28)(image)) and prediction.labels == (0,)


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (40, 1), (40, 3), (20, 1)])
def test_predictions_for_files_are_those_for_the_packed_file(mx, tmp_path, side, channels):
    # 70 images are more than a batch. Images of the other sizes are cropped, converted and enlarged.
    rec = write_rec(tmp_path / "train.rec", images(70, side=side, channels=channels), "jpg")
    train(plan(rec, tmp_path, epochs=1, shape=(1, 28, 28)))
    paths = []
    for number, (_, image) in enumerate(images(70, side=side, channels=channels)):
        paths.append(tmp_path / f"{number:02}.jpg")
        paths[-1].write_bytes(codec.encode(image, "jpg"))
    predictor = Predictor(tmp_path / "lenet")
    pairs = list(zip(predictor.predict(paths), predictor.predict([rec]), strict=True))
    assert len(pairs) == 70
    for of_file, of_record in pairs:
        np.testing.assert_array_equal(of_file.image, of_record.image)
        assert of_file.labels == of_record.labels and of_file.true_labels is None
        np.testing.assert_allclose(of_file.probabilities, of_record.probabilities, rtol=1e-5)


def test_a_centred_image_is_not_resized_as_the_pack_resized_larger_ones(mx, tmp_path):
    rec = write_rec(tmp_path / "train.rec", images(70, side=40), "png")
    train(plan(rec, tmp_path, epochs=1, shape=(1, 28, 28)))
    photo = np.zeros((90, 90, 1), np.uint8)
    photo[30:60, 40:52] = 255
    (tmp_path / "photo.png").write_bytes(codec.encode(photo, "png"))
    (prediction,) = Predictor(tmp_path / "lenet", center=True).predict([tmp_path / "photo.png"])
    appearance = Checkpoints(tmp_path / "lenet").run_record().appearance()
    assert np.array_equal(prediction.image, Adaptation(appearance, (1, 28, 28), center=True)(photo))


def test_a_sheet_shows_the_predictions(model, files, tmp_path):
    pytest.importorskip("matplotlib")
    result = CliRunner().invoke(command, [str(model), str(files), "--sheet", str(tmp_path / "sheet.png")])
    assert result.stderr == f"recordkit: look at {tmp_path / 'sheet.png'}\n" and len(result.stdout.splitlines()) == 5
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_sheet_is_made_though_a_file_is_broken(model, files, tmp_path):
    pytest.importorskip("matplotlib")
    (files / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    with pytest.warns(UserWarning, match="left out"):
        result = CliRunner().invoke(command, [str(model), str(files), "--sheet", str(tmp_path / "sheet.png")])
    assert "broken.png: expected images, got files that cannot be decoded" in str(result.exception)
    assert len(result.stdout.splitlines()) == 5 and (tmp_path / "sheet.png").exists()


def test_an_image_unlike_the_training_images_is_said_to_be_and_options_make_it_like_them(model, tmp_path):
    label, image = next(images(1, seed=3))
    (tmp_path / "dark.png").write_bytes(codec.encode(255 - image, "png"))
    (line,) = run(model, tmp_path / "dark.png")
    assert re.search(
        r"\tunlike the training images: dark on light, background 2\d\d instead of \d\d; try --invert auto$", line
    )
    (row,) = [json.loads(line) for line in run(model, tmp_path / "dark.png", "--json")]
    assert [difference["what"] for difference in row["unlike"]] == ["polarity", "background"]
    assert row["try"] == ["--invert auto"]
    (row,) = [json.loads(line) for line in run(model, tmp_path / "dark.png", "--json", "--center")]
    assert "--center" not in row["try"]
    (row,) = [json.loads(line) for line in run(model, tmp_path / "dark.png", "--json", "--invert", "auto")]
    assert (row["labels"], row["unlike"], row["try"]) == ([int(label)], [], [])


def test_training_records_the_look_of_its_images(model, trained):
    record = Checkpoints(model).run_record()
    assert record.appearance().is_plain and record.appearance().light_on_dark == 1
    assert json.loads((trained / "lenet-summary.json").read_text())["images"] == record.facts["images"]


def test_a_model_of_an_earlier_version_says_that_transparency_is_ignored(model, tmp_path):
    path = Checkpoints(model).run_path
    facts = json.loads(path.read_text())
    del facts["images"]
    path.write_text(json.dumps(facts))
    image = np.zeros((28, 28, 4), np.uint8)
    (tmp_path / "ink.png").write_bytes(codec.encode(image, "png"))
    (tmp_path / "dark.png").write_bytes(codec.encode(image[:, :, :1], "png"))
    lines = run(model, tmp_path / "ink.png", tmp_path / "dark.png")
    assert "transparency is ignored" in lines[0] and "unlike" not in lines[1]


def test_an_opaque_image_without_anything_on_it_is_blank_and_no_option_helps(model, tmp_path):
    (tmp_path / "white.png").write_bytes(codec.encode(np.full((28, 28, 1), 240, np.uint8), "png"))
    (line,) = run(model, tmp_path / "white.png")
    assert line.endswith("\tunlike the training images: the image is blank")


def test_ink_that_is_as_dark_as_the_background_is_seen_when_it_is_inverted(model, tmp_path):
    ink = np.full((28, 28, 4), 30, np.uint8)
    ink[:, :, 3] = 0
    ink[2:9, :, 3] = 255
    (tmp_path / "ink.png").write_bytes(codec.encode(ink, "png"))
    (tmp_path / "nothing.png").write_bytes(codec.encode(np.zeros_like(ink), "png"))
    lines = run(model, tmp_path / "ink.png", tmp_path / "nothing.png")
    assert lines[0].endswith("unlike the training images: the ink has the level of their background; try --invert auto")
    assert lines[1].endswith("unlike the training images: the image is blank")
    assert "unlike" not in run(model, tmp_path / "ink.png", "--invert", "auto")[0]


def test_a_thin_line_that_is_lost_in_a_small_image_is_found_by_center(model, tmp_path):
    photo = np.zeros((1120, 1120, 1), np.uint8)
    photo[100:500, 500:503] = 255
    (tmp_path / "line.png").write_bytes(codec.encode(photo, "png"))
    (line,) = run(model, tmp_path / "line.png")
    assert line.endswith("unlike the training images: the object is lost when the image is shrunk; try --center")
    (row,) = [json.loads(line) for line in run(model, tmp_path / "line.png", "--json", "--center")]
    assert not {"blank", "shrunk"} & {difference["what"] for difference in row["unlike"]}


@pytest.mark.parametrize("options", [{}, {"invert": "auto"}])
def test_an_opaque_png_is_decoded_once(model, files, monkeypatch, options):
    decoded = []
    decode = codec.decode
    predictor = Predictor(model, **options)
    monkeypatch.setattr(codec, "decode", lambda *words, **named: (decoded.append(named), decode(*words, **named))[1])
    monkeypatch.setattr(Resize, "__call__", lambda _resize, image, *_: image)
    list(predictor.predict([files / "0.png"]))
    assert len(decoded) == (1 if options else 2)  # without options, the pixels are those of a packed image


def test_all_paths_are_looked_at_before_the_first_prediction(cli, model, files, val, tmp_path):
    pytest.importorskip("matplotlib")
    photo, sheet = files / "0.png", tmp_path / "new/sheet.png"
    for words, problem in (
        ((val, "--invert", "auto"), r"val\.rec: expected image files to invert or to centre, got a \.rec file"),
        ((tmp_path / "nothing",), r"nothing: expected an image, a folder of images or a \.rec file"),
    ):
        code, out, error = cli("predict", model, photo, *words, "--sheet", sheet)
        assert code and out == "" and re.search(problem, error)
        assert not sheet.parent.exists()


def test_a_sheet_has_the_predictions_before_an_error(cli, model, tmp_path):
    pytest.importorskip("matplotlib")
    samples = [*images(70)]
    samples[66] = (0.0, codec.encode(samples[66][1], "png")[:50])
    bad, sheet = write_rec(tmp_path / "bad.rec", samples), tmp_path / "sheet.png"
    code, out, error = cli("predict", model, bad, "--sheet", sheet)
    assert code == 1 and "bad.rec" in error
    assert len(out.splitlines()) == 64 and sheet.exists()


def test_a_set_is_named_by_its_prefix_or_by_a_manifest(model, val, tmp_path):
    by_prefix = [prediction.name for prediction in Predictor(model).predict([val.with_suffix("")])]
    assert by_prefix == [f"{val}[{index}]" for index in range(25)]
    split(val, tmp_path / "many", Shards(2))
    for path in (tmp_path / "many", tmp_path / "many.manifest.json"):
        predictor = Predictor(model)
        keys = [prediction.key for prediction in predictor.predict([path])]
        assert sorted(keys) == [*range(25)] and predictor.n_images == 25


def test_a_folder_of_images_is_not_the_set_of_its_name(model, files):
    write_rec(files.with_suffix(".rec"), images(1))
    assert len(list(Predictor(model).predict([files]))) == 5


def test_eval_draws_the_confusion_and_the_worst_predictions(cli, model, val, tmp_path):
    pytest.importorskip("matplotlib")
    code, out, _ = cli("eval", model, val, "--plots", tmp_path / "new/plots")
    model_name = f"{tmp_path.name}-lenet-0004"
    drawn = sorted((tmp_path / "new/plots").iterdir())
    assert [path.name for path in drawn] == [f"{model_name}-val-confusion.png", f"{model_name}-val-predictions.png"]
    assert code == 0 and out.splitlines()[-3:] == ["look at", *(f"  {path}" for path in drawn)]
    facts = json.loads(cli("eval", model, val, "--plots", tmp_path, "--json")[1])
    assert facts["pictures"][0].endswith("-confusion.png")
    page = (Path(__file__).parents[2] / "docs" / "output.md").read_text()
    assert [name for name in facts if f"`{name}`" not in page] == []


def test_models_of_one_name_in_two_folders_have_their_own_pictures(cli, model, val, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "other").mkdir()
    for path in tmp_path.glob("lenet*"):
        shutil.copy(path, tmp_path / "other")
    for prefix in (model, tmp_path / "other" / "lenet"):
        assert cli("eval", prefix, val, "--plots", tmp_path / "plots")[0] == 0
    assert len([*(tmp_path / "plots").iterdir()]) == 4


@pytest.mark.filterwarnings("default")
def test_a_warning_says_that_only_the_model_or_only_the_data_names_its_classes(cli, model, val):
    assert cli("eval", model, val)[2] == ""  # a file of MXNet's tools
    val.with_suffix(".json").write_text(json.dumps({"classes": None}))
    _, _, error = cli("eval", model, val)
    assert f"warning: {val}: its classes have no names, and those of the model are high, middle, low; " in error
    names = {"high": 0, "middle": 1, "low": 2}
    val.with_suffix(".json").write_text(json.dumps({"classes": names}))
    assert cli("eval", model, val)[2] == ""
    record = Checkpoints(model).run_path
    record.write_text(json.dumps(json.loads(record.read_text()) | {"classes": None}))
    _, _, error = cli("eval", model, val)
    assert f"warning: {val}: its classes are high, middle, low, and those of the model have no names; " in error


@pytest.mark.parametrize("name", ["eval", "predict"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_work(cli, model, val, tmp_path, monkeypatch, name):
    pytest.importorskip("matplotlib")
    (tmp_path / "file").touch()
    monkeypatch.setattr("recordkit.training.model.trained_model.TrainedModel.__init__", None)
    option = ("--plots", tmp_path / "file/plots") if name == "eval" else ("--sheet", tmp_path / "file/plots/a.png")
    error = f"recordkit: {tmp_path / 'file'}: expected a folder, got a file; choose another folder\n"
    assert cli(name, model, val, *option) == (1, "", error)


def test_files_that_are_no_images_are_named(model, files):
    (files / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (files / "cut.png").write_bytes((files / "0.png").read_bytes()[:60])
    (files / "notes.txt").write_text("not an image")
    names = []

    def predict():
        for prediction in Predictor(model).predict([files]):
            names.append(prediction.name)

    message = r"broken\.png and 1 more: expected images, got files that cannot be decoded"
    with pytest.raises(ImageError, match=message), pytest.warns(UserWarning, match="ignored|left out") as caught:
        predict()
    assert names == [str(files / f"{number}.png") for number in range(5)]
    texts = [str(warning.message) for warning in caught]
    assert texts[0] == f"{files}: ignored 1 file of other suffixes (1 .txt)"
    assert [text.split(":")[0] for text in texts[1:]] == [str(files / "broken.png"), str(files / "cut.png")]


def test_a_folder_without_images_and_a_missing_folder_are_refused(model, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="empty: expected images, got none"):
        list(Predictor(model).predict([tmp_path / "empty"]))
    (tmp_path / "empty" / "a.img").write_bytes(b"P5 1 1 255 x")
    with pytest.raises(SourceError, match=r"got only 1 \.img; name the images themselves, whose suffix is \.img"):
        list(Predictor(model).predict([tmp_path / "empty"]))
    with pytest.raises(NotFoundError, match=r"nothing: expected an image, a folder of images or a \.rec file"):
        list(Predictor(model).predict([tmp_path / "nothing"]))


def test_links_to_folders_are_followed_and_broken_ones_are_errors(model, files, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links/digits").symlink_to(files)
    names = [prediction.name for prediction in Predictor(model).predict([tmp_path / "links"])]
    assert names == [str(tmp_path / f"links/digits/{number}.png") for number in range(5)]
    (tmp_path / "links/gone.png").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        list(Predictor(model).predict([tmp_path / "links"]))


def test_labels_of_a_packed_file_may_be_anything(model, tmp_path):
    odd = write_rec(tmp_path / "odd.rec", [(-1.0, image) for _, image in images(2)])
    with pytest.warns(UserWarning, match=r"labels are not compared: .*odd\.rec: key 0"):
        assert ["\tlabel" in line for line in run(model, odd)] == [False, False]


@pytest.mark.parametrize("labels", [(7.0, 1.0), ((0.0, 1.0), (1.0, 1.0))])
def test_labels_that_are_not_the_models_are_not_compared(model, tmp_path, labels):
    samples = [(label, image) for label, (_, image) in zip(labels, images(2), strict=True)]
    other = write_rec(tmp_path / "other.rec", samples)
    with pytest.warns(UserWarning, match=r"labels are not compared: .*other\.rec: expected"):
        assert [prediction.true_labels for prediction in Predictor(model).predict([other])] == [None, None]


def test_a_file_with_other_faults_than_its_labels_is_an_error_without_a_warning(model, tmp_path, recwarn):
    with pytest.raises(TrainError, match=r"empty\.rec: expected images, got an empty file"):
        list(Predictor(model).predict([write_rec(tmp_path / "empty.rec", [])]))
    assert not [warning for warning in recwarn.list if "labels are not compared" in str(warning.message)]


def test_other_kinds_of_files_are_read(model, tmp_path, no_native):
    picture = Image.fromarray(next(images(1))[1][:, :, 0])
    picture.save(tmp_path / "one.webp", lossless=True)
    picture.save(tmp_path / "two.gif")
    assert [line.split("\t")[1] for line in run(model, tmp_path / "one.webp", tmp_path / "two.gif")] == ["0", "0"]


def test_another_numbering_of_the_classes_is_refused(model, val):
    val.with_suffix(".json").write_text(json.dumps({"classes": {"high": 1, "middle": 0, "low": 2}}))
    with pytest.raises(TrainError, match="expected the class 'high' to be number 0 as in the model's dataset, got 1"):
        evaluate(model, val)


def test_a_file_of_other_classes_is_not_evaluated(model, val):
    val.with_suffix(".json").write_text(json.dumps({"classes": {"cat": 0, "dog": 1, "low": 2}}))
    with pytest.raises(TrainError, match="expected the classes of the model's dataset, got 'cat', which is none of"):
        evaluate(model, val)
    with pytest.warns(UserWarning, match="labels are not compared: .*got 'cat'"):
        assert {prediction.true_labels for prediction in Predictor(model).predict([val])} == {None}


@pytest.mark.parametrize(
    ("prefix", "suggestion"),
    [
        ("lenet-0004.params", "lenet"),
        ("lenet-symbol.json", "lenet"),
        ("", "lenet"),
        ("lent", "lenet"),
        ("other", None),
    ],
)
def test_a_wrong_prefix_suggests_the_right_one(model, prefix, suggestion):
    hint = f"did you mean {model.parent / suggestion}?" if suggestion else "give the prefix of a model, or train"
    with pytest.raises(TrainError, match=f"got none; {re.escape(hint)}"):
        Predictor(model.parent / prefix)


def test_a_model_without_a_record_needs_a_shape(model):
    Checkpoints(model).run_path.unlink()
    message = r"lenet: expected the shape of its images, because there is no lenet-run\.json, got none; give shape"
    with pytest.raises(PlanError, match=message):
        Predictor(model)


def test_eval_prints_a_table_of_the_classes(model, val):
    result = CliRunner().invoke(eval_command, [str(model), str(val)])
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{model}-0004.params on {val}: accuracy 1.0000")
    assert "a batch of 64, forward only: " in lines[1]
    assert lines[2:] == [
        "class   images  recall  precision",
        "high         9  1.0000     1.0000",
        "middle       8  1.0000     1.0000",
        "low          8  1.0000     1.0000",
    ]
    facts = json.loads(CliRunner().invoke(eval_command, [str(model), str(val), "--json"]).output)
    assert facts["class_names"] == ["high", "middle", "low"] and 0 < facts["batch_64_s"] < 1
    assert facts["classes"][0][0] == {"label": 0, "n_images": 9, "recall": 1.0, "precision": 1.0}


def test_eval_and_predict_show_lines_in_a_log_but_not_with_quiet(cli, model, val, files, monkeypatch):
    monkeypatch.setattr("recordkit.cli.progress._FIRST_LINE_S", 0.0)
    code, out, error = cli("eval", model, val, "--json")
    assert code == 0 and json.loads(out)["n_images"] == 25
    assert re.search(r"^eval val.rec: 25 of 25 img, ", error, re.M)
    code, out, error = cli("predict", model, files, val, "--json")
    assert code == 0 and len([json.loads(line) for line in out.splitlines()]) == 30
    assert re.search(r"^predict: 1 of 30 img, ", error, re.M)
    assert cli("eval", model, val, "--quiet") == (0, "", "")
    assert cli("predict", model, files, val, "--quiet") == (0, "", "")


def test_mxnet_can_load_the_model_without_recordkit(mx, model, val):
    net, arguments, auxiliaries = mx.model.load_checkpoint(str(model), 4)
    module = mx.mod.Module(net)
    batches = mx.io.ImageRecordIter(
        path_imgrec=str(val), data_shape=(1, 28, 28), batch_size=25, mean_r=128, scale=1 / 256, verbose=False
    )
    module.bind(batches.provide_data, batches.provide_label, for_training=False)
    module.set_params(arguments, auxiliaries)
    assert dict(module.score(batches, "acc")) == {"accuracy": 1.0}


def test_no_file_starts_a_program(model, files, monkeypatch):
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *arguments: started.append(arguments))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n8 8 scale\n%%EOF\n"
    (files / "0.png").write_bytes(eps)
    with pytest.warns(UserWarning, match="left out"):
        result = CliRunner().invoke(command, [str(model), str(files)])
    assert started == []
    assert len(result.stdout.splitlines()) == 4, result.output
