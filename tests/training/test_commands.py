"""The commands train, eval, plot-log and plot-net: options, log, exit codes."""

import json
import re

import pytest
from click.testing import CliRunner
from training.bars import images, survey_for_mxnet, write_rec

from recordkit.cli.commands.eval import command as eval_command
from recordkit.cli.commands.plot_log import command as plot_log
from recordkit.cli.commands.train import command as train_command
from recordkit.errors import MissingError, PlanError, TrainError
from recordkit.interop.mxnet import cuda
from recordkit.training.plan import TrainPlan
from recordkit.training.recipes import RECIPES
from recordkit.training.resolve import resolve
from recordkit.training.results.score import Score, require_accuracy


def test_the_required_accuracy_itself_is_enough():
    require_accuracy(Score(0.99, 0.1, 100, 1.0), 0.99, "m on v")
    with pytest.raises(TrainError, match=r"m on v: expected an accuracy of at least 0\.99, got 0\.9800;"):
        require_accuracy(Score(0.98, 0.1, 100, 1.0), 0.99, "m on v")


def options_plan(rec, **options):
    return TrainPlan.from_options(rec, rec, **options)


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_train_logs_its_scores_and_reaches_the_required_accuracy(mx, rec, val, tmp_path):
    output = tmp_path / "m" / "lenet"
    result = run(
        train_command,
        rec,
        "--val",
        val,
        "--num-epochs",
        4,
        "--batch-size",
        16,
        "--model-prefix",
        output,
        "--min-accuracy",
        1,
        "--disp-batches",
        2,
    )
    assert result.exit_code == 0, result.output
    log = (tmp_path / "m" / "lenet.log").read_text()
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Epoch\[3\] Validation-accuracy=1\.000000$", log, re.M)
    assert re.search(r"Epoch\[3\] Batch \[0-4\]\tSpeed: \d+\.\d\d samples/sec\taccuracy=", log)
    assert "epoch 4: train accuracy" in result.output
    assert "lenet-0004.params on" in result.output

    result = run(eval_command, output, val, "--json")
    assert json.loads(result.output)["accuracy"] == 1.0


def test_train_prints_a_summary_as_json(mx, rec, val, tmp_path):
    result = run(train_command, rec, "--val", val, "--num-epochs", 1, "--model-prefix", tmp_path / "lenet", "--json")
    summary = json.loads(result.stdout)
    assert summary["final"]["n_images"] == 25 and summary["duration_s"] > 0
    assert [epoch["epoch"] for epoch in summary["epochs"]] == [1]
    assert summary["passed"] is None


def test_a_quiet_training_logs_to_its_file_alone(mx, rec, cli, tmp_path):
    words = [rec, "--num-epochs", 1, "--no-pictures", "--model-prefix", tmp_path / "lenet", "--quiet"]
    assert cli("train", *words) == (0, "", "")
    assert "done in" in (tmp_path / "lenet.log").read_text()


def test_too_low_an_accuracy_exits_1_with_one_line(mx, cli, rec, tmp_path):
    wrong = write_rec(tmp_path / "wrong.rec", [((label + 1) % 3, image) for label, image in images(9)])
    words = ["--val", wrong, "--num-epochs", 1, "--model-prefix", tmp_path / "lenet", "--min-accuracy", 0.9999]
    code, _, error = cli("train", rec, *words)
    assert code == 1
    assert re.fullmatch(r"recordkit: .*wrong\.rec: expected an accuracy of at least 0\.9999, got .*\n", error)


def test_a_required_accuracy_without_val_is_refused(rec):
    result = run(train_command, rec, "--min-accuracy", 0.9)
    assert isinstance(result.exception, PlanError)
    assert str(result.exception) == "min_accuracy: expected a file to evaluate on, got none; give val"


def test_a_malformed_shape_exits_2(rec):
    result = run(train_command, rec, "--data-shape", "28x28")
    assert result.exit_code == 2
    assert "expected C,H,W as in 1,28,28, got '28x28'" in result.output


def test_a_run_that_cannot_begin_writes_nothing(mx, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(run(train_command, "missing.rec").exception, FileNotFoundError)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_exist_may_also_be_a_folder(mx, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("nope", "nope.rec"):
        error = run(train_command, name).exception
        assert str(error).startswith(f"{name}: expected a .rec file or a folder of images, got nothing of that name")


def test_a_folder_as_validation_file_is_refused(mx, rec, tmp_path):
    (tmp_path / "photos").mkdir()
    result = run(train_command, rec, "--val", tmp_path / "photos", "--model-prefix", tmp_path / "lenet")
    assert isinstance(result.exception, TrainError)
    assert str(result.exception).endswith(
        f"expected a .rec file, got a folder; run 'recordkit pack {tmp_path}/photos PREFIX', then give PREFIX.rec"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--load-epoch", 3], "unexpected option --load-epoch; --resume continues from the last checkpoint"),
        (["--image-shape", "1,28,28"], "unexpected option --image-shape; it is --data-shape C,H,W here"),
        (["--nonsense"], "No such option"),
        (["--scale", "1/0"], "expected a number as 0.5 or a fraction as 1/256, got '1/0'"),
        (["--scale", "0x1"], "expected a number as 0.5 or a fraction as 1/256, got '0x1'"),
        (["--gpus", "0,1"], "expected one GPU, which is what a run uses, got 0,1"),
        (["--gpus", "x"], "expected the number of a GPU, from 0, got 'x'"),
    ],
)
def test_options_of_mxnets_scripts_name_the_option_here(rec, words, message):
    result = run(train_command, rec, *words)
    assert result.exit_code == 2 and message in result.output and words[0] in result.output


def test_explicit_options_override_a_recipe(mx, rec, tmp_path):
    words = ["--recipe", "book", "--num-epochs", 1, "--lr", 0.02, "--max-random-rotate-angle", 5, "--no-pictures"]
    result = run(train_command, rec, *words, "--model-prefix", tmp_path / "lenet", "--json")
    summary = json.loads(result.stdout)
    assert summary["recipe"] == "book, version 2" and summary["batch_size"] == 50
    assert summary["optimizer"]["lr"] == 0.02 and summary["optimizer"]["schedule"] == "factor"
    augment = summary["augment"]
    assert (augment["max_random_rotate_angle"], augment["min_crop_size"], augment["max_crop_size"]) == (5, 24, 28)


def test_a_network_that_does_not_exist_is_named(mx, rec, cli):
    code, _, error = cli("train", rec, "--network", "nothere.py")
    assert code == 2 and error == "recordkit: --network: expected a Python file, got no file called 'nothere.py'\n"


def test_a_picture_without_a_suffix_is_named(tmp_path):
    error = run(plot_log, "a.log", "-o", "curves").exception
    assert str(error) == "curves: expected a name that ends in .png, .svg, .pdf, got 'curves'"


def test_every_recipe_makes_a_plan(rec):
    for name, recipe in RECIPES.items():
        plan = options_plan(rec, recipe=name)
        assert plan.recipe == f"{name}, version {recipe.version}"
        resolve(plan, survey_for_mxnet(rec))


def test_steps_select_their_schedule_and_a_gpu_its_device(rec):
    plan = options_plan(rec, step_epochs=(2, 4), factor=0.5, gpu=1)
    assert (plan.optimizer.schedule, plan.optimizer.step_epochs, plan.optimizer.factor) == ("step", (2, 4), 0.5)
    assert (plan.device, plan.gpu) == ("gpu", 1)


def test_a_missing_gpu_is_an_error_of_one_line(mx, rec, tmp_path, monkeypatch):
    monkeypatch.setattr(cuda, "DRIVER", "libcuda.so.none")
    result = run(train_command, rec, "--device", "gpu", "--model-prefix", tmp_path / "lenet")
    assert isinstance(result.exception, MissingError) and str(result.exception).startswith("gpu: expected ")


def test_the_curves_of_a_log_are_drawn(mx, rec, tmp_path):
    pytest.importorskip("matplotlib")
    run(train_command, rec, "--num-epochs", 2, "--model-prefix", tmp_path / "lenet", "--no-pictures")
    result = run(plot_log, tmp_path / "lenet.log", "-o", tmp_path / "curves.png")
    assert result.output == f"{tmp_path / 'curves.png'}: accuracy, cross-entropy of 2 epochs\n"
    result = run(plot_log, tmp_path / "lenet.log", "-o", tmp_path / "curves.png", "--json")
    facts = {"picture": f"{tmp_path / 'curves.png'}", "quantities": ["accuracy", "cross-entropy"], "n_epochs": 2}
    assert json.loads(result.output) == facts
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
