"""Files of a run beside its checkpoints, and the pictures."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from training.bars import RecordingObserver, plan, write_rec

from recordkit.errors import FormatError, ImageError, MissingError
from recordkit.training.augment import Augment
from recordkit.training.fit import train
from recordkit.training.results import pictures
from recordkit.training.results.evaluation_pictures import draw_predictions, save_predictions
from recordkit.training.results.prediction import Prediction
from recordkit.training.results.run_files import RunFiles


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")


def test_a_run_writes_figures_of_each_epoch_and_a_summary(mx, rec, val, tmp_path):
    report = train(plan(rec, tmp_path, val=val, recipe="mine, version 3"))
    files = RunFiles(tmp_path / "lenet")
    assert [row["epoch"] for row in files.epochs()] == [1, 2]
    assert files.epochs()[1]["val"]["accuracy"] == report.epochs[1].val.accuracy
    summary = json.loads((tmp_path / "lenet-summary.json").read_text())
    assert summary["recipe"] == "mine, version 3" and summary["seed"] == 0
    assert summary["data"] == {"name": "train.rec", "sha256": hashlib.sha256(rec.read_bytes()).hexdigest()}
    assert summary["final"]["n_images"] == 25 and summary["epochs"] == files.epochs()


def test_a_resumed_run_keeps_the_figures_of_earlier_epochs(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=2, checkpoint_every=1))
    path = tmp_path / "lenet-metrics.jsonl"
    path.write_text(path.read_text() + json.dumps({"epoch": 3}) + "\n")  # an epoch without a checkpoint
    train(plan(rec, tmp_path, epochs=4, resume=True))
    assert [row["epoch"] for row in RunFiles(tmp_path / "lenet").epochs()] == [1, 2, 3, 4]


def test_a_new_run_drops_the_figures_of_the_old_one(mx, rec, val, tmp_path):
    train(plan(rec, tmp_path, val=val, epochs=3))
    train(plan(rec, tmp_path, epochs=1))
    assert len(RunFiles(tmp_path / "lenet").epochs()) == 1


def test_damaged_figures_are_named(tmp_path):
    (tmp_path / "lenet-metrics.jsonl").write_text("{]")
    with pytest.raises(FormatError, match=r"lenet-metrics\.jsonl: expected a JSON object a line"):
        RunFiles(tmp_path / "lenet").epochs()


@pytest.mark.usefixtures("matplotlib")
def test_a_run_draws_its_four_pictures(mx, rec, val, tmp_path):
    train(plan(rec, tmp_path, val=val, pictures=True))
    for name in ("samples", "curves", "confusion", "predictions"):
        with Image.open(tmp_path / f"lenet-{name}.png") as picture:
            assert min(picture.size) > 200


@pytest.mark.usefixtures("matplotlib")
def test_each_label_has_a_confusion_matrix(mx, tmp_path):
    rng = np.random.default_rng(0)
    samples = [((n % 2, n % 3), rng.integers(0, 255, (28, 28, 1), np.uint8)) for n in range(20)]
    rec = write_rec(tmp_path / "two.rec", samples)
    report = train(plan(rec, tmp_path, val=rec, epochs=1, pictures=True))
    assert [table.shape for table in report.final.confusion] == [(2, 2), (3, 3)]
    assert sorted(path.name for path in tmp_path.glob("lenet-confusion*")) == [
        "lenet-confusion-1.png", "lenet-confusion-2.png",
    ]  # fmt: skip


def test_without_matplotlib_a_run_logs_what_is_missing(mx, rec, val, tmp_path, monkeypatch):
    def missing():
        raise MissingError("matplotlib is not installed; pip install 'recordkit[plot]'")

    monkeypatch.setattr(pictures, "require_matplotlib", missing)
    observer = RecordingObserver()
    assert train(plan(rec, tmp_path, val=val, pictures=True), observer).final is not None
    assert observer.lines[-1] == (
        "no pictures of samples, curves, confusion and predictions: matplotlib is not installed; "
        "pip install 'recordkit[plot]'"
    )
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.usefixtures("matplotlib")
def test_curves_have_axes_and_a_legend():
    curves = {"accuracy": {"train": {1: 0.5, 2: 0.9}, "validation": {2: 0.8}}, "loss": {"train": {1: 2.0}}}
    accuracy, loss = pictures.draw_curves(curves, "a").axes
    assert (accuracy.get_xlabel(), accuracy.get_ylabel(), loss.get_ylabel()) == ("epoch", "accuracy", "loss")
    assert [list(line.get_xdata()) for line in accuracy.get_lines()] == [[1, 2], [2]]
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train", "validation"]


@pytest.mark.usefixtures("matplotlib")
def test_curves_say_how_their_values_were_measured():
    curves = {"accuracy": {"train": {1: 0.5}, "validation": {1: 0.8}}}
    note = pictures.draw_curves(curves, "a", "augmented images").get_supxlabel()
    assert note == (
        "train: averaged during the epoch, on augmented images\nvalidation: measured at the end of the epoch"
    )
    note = pictures.draw_curves({"accuracy": {"train": {1: 0.5}}}, "a").get_supxlabel()
    assert note == "train: averaged during the epoch, on images as the run augments them"


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize(("shift", "images"), [(2, "augmented images"), (0, "the images as they are")])
def test_the_curves_of_a_run_know_whether_it_augments(mx, rec, tmp_path, monkeypatch, shift, images):
    drawn = []
    draw = pictures.draw_curves
    monkeypatch.setattr(pictures, "draw_curves", lambda *values: (drawn.append(values[2]), draw(*values))[1])
    train(plan(rec, tmp_path, epochs=1, pictures=True, augment=Augment(shift=shift)))
    assert drawn == [images]


@pytest.mark.usefixtures("matplotlib")
def test_curves_are_three_in_a_row():
    axes = pictures.draw_curves({name: {"train": {1: 0.5}} for name in "abcd"}, "a").axes
    assert [one.get_subplotspec().get_position(one.figure).y0 for one in axes[:3]] == [axes[0].get_position().y0] * 3
    assert [one.get_visible() for one in axes] == [True] * 4 + [False] * 2


@pytest.mark.usefixtures("matplotlib")
def test_a_confusion_matrix_has_names_and_numbers():
    axes, _ = pictures.draw_confusion(np.array([[8, 2], [0, 10]]), ("cat", "dog"), "t").axes
    assert [text.get_text() for text in axes.texts] == ["8", "2", "", "10"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "label")


@pytest.mark.usefixtures("matplotlib")
def test_the_mistakes_of_a_good_model_have_the_colors_and_right_predictions_none():
    matrix = np.diag([1000, 1000, 1000])
    matrix[0, 2], matrix[1, 0] = 8, 2
    axes, bar = pictures.draw_confusion(matrix, ("cat", "dog", "emu"), "lenet on a.rec: accuracy 99.67%").axes
    (image,) = axes.images
    assert image.get_clim() == (0, pytest.approx(8 / 1008)) and bar.get_ylabel() == "wrong share of the label's images"
    assert image.get_array().mask.diagonal().all()
    assert axes.get_title() == "lenet on a.rec: accuracy 99.67%"


@pytest.mark.usefixtures("matplotlib")
def test_sixty_classes_have_names_and_a_list_of_the_most_frequent_mistakes():
    matrix = np.diag([50] * 60)
    matrix[7, 3], matrix[1, 2] = 9, 5
    figure = pictures.draw_confusion(matrix, [f"bird {number}" for number in range(60)], "t")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][59] == "bird 59"
    (text,) = [text for part in figure.subfigs for text in part.texts]
    assert text.get_text().splitlines()[2:] == ["bird 7 → bird 3  9 (15.3%)", "bird 1 → bird 2  5 (9.1%)"]


@pytest.mark.usefixtures("matplotlib")
def test_a_sheet_begins_with_the_files_that_cannot_be_read():
    image = np.zeros((4, 4, 1), np.uint8)
    broken = [ImageError(path="photos/cut.png", expected="an image", got="half of one")]
    figure = draw_predictions([Prediction("a.rec[4]", (0,), (0.98,), None, image, 17)], ("cat",), "t", broken=broken)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["✗ cut.png\ncannot be read", "key 17\ncat 98%"]


@pytest.mark.usefixtures("matplotlib")
def test_the_wrong_predictions_of_which_the_model_is_most_certain_come_first(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append((figure, path)))
    image = np.zeros((4, 4, 1), np.uint8)
    predictions = [Prediction("a.rec", (0,), (key / 100,), (int(key % 2),), image, key) for key in range(100)]
    save_predictions(iter(predictions), ("cat", "dog"), "lenet on a.rec", tmp_path / "lenet")
    ((figure, path),) = drawn
    titles = [axes.get_title().split("\n")[0] for axes in figure.axes]
    assert titles[:16] == [f"✗ key {key}" for key in range(99, 67, -2)] and titles[16] == "key 0"
    expected = "lenet on a.rec:\nthe 16 most certain of 50 wrong predictions, and 16 of 50 right ones"
    assert figure.get_suptitle() == expected and path == tmp_path / "lenet-predictions.png"


@pytest.mark.usefixtures("matplotlib")
def test_long_names_do_not_shrink_the_matrix():
    heights = []
    for classes in (("a", "b"), ("a" * 35, "b " * 60)):
        figure = pictures.draw_confusion(np.eye(2, dtype=np.int64), classes, "t")
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
        assert max(len(label.get_text()) for label in figure.axes[0].get_yticklabels()) <= 40
    assert heights[1] > 0.8 * heights[0]


@pytest.mark.usefixtures("matplotlib")
def test_long_names_without_spaces_keep_their_beginning():
    figure = pictures.draw_confusion(np.eye(2, dtype=np.int64), ("great_grey_" * 9, "x" * 40), "t")
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["great_grey_great_grey_great_grey_great_…", "x" * 40]
    image = np.zeros((4, 4, 1), np.uint8)
    axes = pictures.draw_images([image], ["Greater_Swiss_Mountain_dog_" * 2], [False], "t").axes
    assert axes[0].get_title() == "Greater_Swiss_Mounta\nin_dog_Greater_Swis…"


@pytest.mark.usefixtures("matplotlib")
def test_names_of_letters_and_digits_stand_upright():
    turns = []
    for names in (("7", "10"), ("cat", "dog")):
        axes = pictures.draw_confusion(np.eye(2, dtype=np.int64), names, "t").axes[0]
        turns.append(axes.get_xticklabels()[0].get_rotation())
    assert turns == [0, 45]


@pytest.mark.usefixtures("matplotlib")
def test_wrong_images_are_marked():
    image = np.zeros((4, 4, 1), np.uint8)
    axes = pictures.draw_images([image, image], ["7", "3"], [False, True], "t").axes
    assert [axis.get_title() for axis in axes[:2]] == ["7", "✗ 3"]
    assert [axis.get_frame_on() for axis in axes[:2]] == [False, True]


@pytest.mark.usefixtures("matplotlib")
def test_long_titles_are_wrapped_and_missing_letters_give_no_warning(tmp_path, recwarn):
    image = np.zeros((4, 4, 1), np.uint8)
    figure = pictures.draw_images([image] * 32, ["golden retriever 98%, is a very long name"] * 32, [False] * 32, "猫")
    lines = figure.axes[0].get_title().split("\n")
    assert len(lines) == 2 and max(map(len, lines)) <= 20 and lines[1].endswith("…")
    assert len(figure.axes) == 32  # 8 by 4, all in use
    classes = ("golden retriever of the kind", "Labrador_retriever_black")
    prediction = Prediction("a.png", (0,), (0.98,), (1,), image)
    wrong = pictures.draw_images([image], [prediction.title(classes)], [True], "t").axes[0].get_title()
    assert wrong == "✗ a.png\ngolden retri… 98%\nis Labrador_ret…"
    pictures.save(figure, tmp_path / "a.png")
    assert not [warning for warning in recwarn.list if "Glyph" in str(warning.message)]


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize("n", [2, 10, 20, 47, 100])
def test_a_matrix_of_any_number_of_classes_fits_a_screen(n):
    matrix = np.full((n, n), 3) + np.diag([900] * n)
    figure = pictures.draw_confusion(matrix, [f"class {number}" for number in range(n)], "m-0001.params on a.rec")
    width, height = figure.get_size_inches() * 130
    assert width <= 1600 and height <= 1000


@pytest.mark.usefixtures("matplotlib")
def test_counts_do_not_overlap():
    figure = pictures.draw_confusion(np.full((20, 20), 17_488), [str(number) for number in range(20)], "t")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts[:2]]
    assert boxes[0].x1 < boxes[1].x0


@pytest.mark.usefixtures("matplotlib")
def test_a_matrix_without_mistakes_has_no_scale():
    assert len(pictures.draw_confusion(np.diag([5, 5]), ("cat", "dog"), "t").axes) == 1


@pytest.mark.usefixtures("matplotlib")
def test_curves_begin_at_the_first_epoch_and_fit_a_screen():
    values = {epoch: 1 / epoch for epoch in range(1, 61)}
    figure = pictures.draw_curves({name: {"train": values} for name in "abc"}, "t")
    assert figure.axes[0].get_xlim() == (0.5, 60.5) and figure.axes[0].get_lines()[0].get_markersize() == 0
    assert figure.get_size_inches()[0] * 130 <= 1600


@pytest.mark.usefixtures("matplotlib")
def test_the_title_and_the_names_of_a_small_sheet_are_not_cut():
    error = ImageError(path="photos/a name that is longer than its tile.png", expected="an image", got="half of one")
    figure = draw_predictions([], (), "predictions of a/folder/with/a/long/name/mnist-model/mnist", broken=[error])
    figure.draw_without_rendering()
    for text in (figure._suptitle, figure.axes[0].title):
        assert text.get_window_extent().x0 >= 0 and text.get_window_extent().x1 <= figure.bbox.width
