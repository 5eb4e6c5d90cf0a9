"""Several runs one after the other by the command line: names, Ctrl-C, resume, and what is printed at the end."""

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from training.bars import images, write_rec

from recordkit.cli.commands.train import _default_prefix
from recordkit.cli.training.display import Display
from recordkit.codec import encode
from recordkit.storage.replacement import write_atomically
from recordkit.storage.staging import Staging
from recordkit.training import fit
from recordkit.training.results.run_files import RunFiles
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.writer import RunWriter

NOTHING = {"recipe": None, "network": None}


@pytest.fixture
def recordkit(cli, mx):
    """Run a command of recordkit as a user types it; return what it prints."""

    def run(line, code=0):
        words = shlex.split(line) if isinstance(line, str) else [str(word) for word in line]
        assert words[0] == "recordkit"
        got, output, error = cli(*words[1:])
        assert got == code, error
        return output + error

    return run


@pytest.fixture
def bars(tmp_path, monkeypatch):
    """train.rec and val.rec in a working folder whose name has a space and a quote."""
    folder = tmp_path / "my bars' folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_rec(Path("train.rec"), images(40))
    write_rec(Path("my val.rec"), images(20, seed=1))


@pytest.fixture
def interrupt_in(monkeypatch):
    """Press Ctrl-C in an epoch; return a function that takes its number, and 0 for none."""
    update, epochs = fit._Run._update, []

    def interrupted(run, trainer, epoch):
        if epoch in epochs:
            raise KeyboardInterrupt
        return update(run, trainer, epoch)

    monkeypatch.setattr(fit._Run, "_update", interrupted)
    return lambda epoch: epochs.__setitem__(slice(None), [epoch])


def interrupt():
    raise KeyboardInterrupt


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


@pytest.mark.parametrize("name", ["a.rec", "a.lst", "a"])
def test_the_folder_of_a_model_has_the_name_of_the_data_without_suffix(name):
    assert _default_prefix(Path(name), {**NOTHING, "network": "nets/my.py"}) == Path("a-model/my")


@pytest.mark.usefixtures("bars")
def test_default_prefixes_are_numbered(recordkit):
    line = "recordkit train train.rec --num-epochs 1 --no-pictures"
    for prefix in ("train-model/book", "train-model/book-run02", "train-model/book-run03"):
        assert f"; the model is {prefix}\n" in recordkit(line)
    assert "; the model is train-model/article\n" in recordkit(f"{line} --network article")
    for name in ("article", "book", "book-run02", "book-run03"):
        assert Checkpoints(f"train-model/{name}").epochs() == [1]
    Path("train-model/.book-run04.staging").mkdir()  # of a run that was killed before its first checkpoint
    assert "; the model is train-model/book-run03\n" in recordkit("recordkit train train.rec --resume --num-epochs 2")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """photos/ with a folder per class, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for label, image in images(12):
        folder = tmp_path / "photos" / str(int(label))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{len(list(folder.iterdir()))}.png").write_bytes(encode(image, "png"))


@pytest.mark.usefixtures("photos")
def test_a_run_that_begins_while_another_one_packs_the_folder_has_its_own_packed_images(recordkit):
    line = "recordkit train photos --num-epochs 1 --no-pictures"
    with RunWriter(Checkpoints("photos-model/book")), Staging(Path("photos-model/book-data")):
        assert "; the model is photos-model/book-run02\n" in recordkit(line)
        assert "another process is writing to this prefix" in recordkit(f"{line} --model-prefix photos-model/book", 1)
    assert sorted(path.name for path in Path("photos-model").iterdir() if path.is_dir()) == ["book-run02-data"]
    assert "photos_val.rec: accuracy" in recordkit("recordkit train photos --resume --num-epochs 2 --model-prefix "
                                                   "photos-model/book-run02")  # fmt: skip


@pytest.mark.usefixtures("photos")
def test_runs_with_numbers_share_the_packed_images_of_a_folder(recordkit):
    for _ in range(2):
        recordkit("recordkit train photos --num-epochs 1 --no-pictures")
    assert sorted(path.name for path in Path("photos-model").iterdir() if path.is_dir()) == ["book-data"]
    for folder in ("", "photos"):
        output = recordkit(f"recordkit train {folder} --resume --model-prefix photos-model/book-run02 --num-epochs 3")
        assert "photos_train.rec: " in output and "photos_val.rec: accuracy" in output
    recordkit("recordkit train photos --num-epochs 1 --no-pictures --data-shape 1,20,20")
    assert {path.name for path in Path("photos-model").iterdir() if path.is_dir()} == {"book-data", "book-data-20"}
    recordkit("recordkit train --resume --model-prefix photos-model/book --num-epochs 2")


@pytest.mark.usefixtures("mx", "bars")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_before_the_first_checkpoint_leaves_the_earlier_run_as_it_was(recordkit, number, code):
    recordkit("recordkit train train.rec --num-epochs 2 --no-pictures --model-prefix m/net --log old.log")
    before = contents("m")
    words = ["train", "train.rec", "--model-prefix", "m/net", "--num-epochs", "5000", "--checkpoint-every", "5000"]
    words += ["--log", "new.log", "--no-pictures"]
    with subprocess.Popen([sys.executable, "-m", "recordkit", *words], stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("epoch 2:") for line in lines)
        assert recordkit("recordkit eval m/net train.rec --json") and contents("m") == before
        process.send_signal(number)
        last = process.stdout.read().splitlines()[-1]
    assert process.returncode == code
    assert last == "interrupted before the first checkpoint; the earlier run at m/net is unchanged"
    assert contents("m") == before and [path for path in Path("m").iterdir() if path.is_dir()] == []


@pytest.mark.usefixtures("bars")
@pytest.mark.parametrize("prefix", ["net", "my nets/of 'bars'", 'a "$HOME" `id`/net'])
def test_the_line_that_ctrl_c_prints_continues_the_run(recordkit, interrupt_in, prefix):
    Path("nets").mkdir()
    Path("nets/my net.py").write_text(
        "import mxnet as mx\ndef get_symbol(num_classes, **kwargs):\n"
        "    net = mx.sym.flatten(mx.sym.Variable('data'))\n"
        "    return mx.sym.FullyConnected(net, num_hidden=num_classes, name='fc')\n"
    )
    words = ["recordkit", "train", "train.rec", "--val", "my val.rec", "--network", "nets/my net.py", "--optimizer",
             "adam", "--data-shape", "1,24,24", "--mean", 100, "--augment", "book", "--seed", 3, "--batch-size", 10,
             "--num-epochs", 3, "--checkpoint-every", 1, "--no-pictures", "--threads", 1, "--model-prefix"]  # fmt: skip
    recordkit([*words, "whole"])
    interrupt_in(2)
    output = recordkit([*words, prefix, "--log", "my log.txt", "--min-accuracy", 0], code=130)
    assert output.endswith("recordkit: interrupted\n")
    line = re.search(r"are complete, continue with\n(.*)\n", output)[1]
    interrupt_in(0)
    # A shell splits the line, as that of a user does.
    split = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]
    shell = subprocess.run(["bash", "-c", f"recordkit() {{ {shlex.join(split)} \"$@\"; }}; {line}"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    output = recordkit(["recordkit", *json.loads(shell.stdout)])
    assert "epoch 2:" in output and "epoch 1:" not in output and "my val.rec" in output
    assert "done in" in Path("my log.txt").read_text()
    params = Checkpoints(prefix).params_path(3).read_bytes()
    assert params == Checkpoints("whole").params_path(3).read_bytes()


@pytest.mark.usefixtures("bars")
@pytest.mark.parametrize("api", ["module", "gluon"])
def test_ctrl_c_between_checkpoints_writes_the_last_complete_epoch_and_the_run_goes_on_as_if_whole(
    recordkit, interrupt_in, monkeypatch, api
):
    line = f"recordkit train train.rec --val 'my val.rec' --api {api} --batch-size 10 --no-pictures --threads 1 "
    line += "--num-epochs 5 --checkpoint-every 5 --model-prefix"
    recordkit(f"{line} whole")
    interrupt_in(3)
    assert "the checkpoints at net are complete, continue with" in recordkit(f"{line} net", code=130)
    assert Checkpoints("net").epochs() == [2]
    interrupt_in(0)
    with monkeypatch.context() as patch:  # the parameters of epoch 4 are in the arrays of epoch 3 by then
        patch.setattr(RunFiles, "add", lambda _files, _writer, report: report.epoch == 4 and interrupt())
        recordkit("recordkit train --resume --model-prefix net", code=130)
    assert Checkpoints("net").epochs() == [2, 3]
    recordkit("recordkit train --resume --model-prefix net")
    assert Checkpoints("net").params_path(5).read_bytes() == Checkpoints("whole").params_path(5).read_bytes()


@pytest.mark.usefixtures("bars")
@pytest.mark.parametrize("epoch", [1, 2])
def test_an_epoch_whose_line_is_shown_is_not_lost(recordkit, monkeypatch, epoch):
    monkeypatch.setattr(Display, "report", lambda _display, report: report.epoch == epoch and interrupt())
    line = "recordkit train train.rec --num-epochs 3 --checkpoint-every 2 --no-pictures --model-prefix net"
    recordkit(line, code=130)
    assert Checkpoints("net").epochs() == [epoch]


@pytest.mark.usefixtures("bars")
def test_a_later_checkpoint_that_ctrl_c_interrupts_is_written_again(recordkit, monkeypatch):
    def write_interrupted(path, write):
        if path.name == "net-0002.params":
            patch.undo()
            interrupt()
        write_atomically(path, write)

    with monkeypatch.context() as patch:
        patch.setattr("recordkit.training.run.writer.write_atomically", write_interrupted)
        line = "recordkit train train.rec --batch-size 10 --no-pictures --num-epochs 3 --checkpoint-every 1"
        recordkit(f"{line} --model-prefix net", code=130)
    assert Checkpoints("net").epochs() == [1, 2]


@pytest.mark.usefixtures("bars")
def test_a_resumed_run_takes_options_that_agree_or_may_change_and_refuses_others(recordkit, tmp_path, monkeypatch):
    line = "recordkit train train.rec --recipe article --lr 0.02 --no-pictures --batch-size 99 --num-epochs"
    recordkit(f"{line} 1 --model-prefix m/net")
    resume = "recordkit train --resume --model-prefix m/net"
    recordkit(f"{line} 2 --model-prefix m/net --resume --shift 0 --batch-size 40 --data-shape 1,28,28 --threads 1")
    assert json.loads(Path("m/net-run.json").read_text())["options"]["threads"] == 1
    for words, text in (
        ("--lr 0.1", "--lr: expected 0.02 to continue the run, got 0.1; leave it out, or leave out --resume"),
        ("--data-shape 1,32,32", "--data-shape: expected 1,28,28 to continue the run, got 1,32,32;"),
        ("--network book", "--network: expected article to continue the run, got book;"),
        ("--recipe book", "--recipe: expected article, version 2 to continue the run, got book, version 2;"),
        ("--augment photo", "--random-mirror: expected False to continue the run, got True;"),
        ("--seed 0 --num-classes 3", "--num-classes: expected none to continue the run, got 3;"),
    ):
        assert text in recordkit(f"{resume} {words}", code=2)
    Path("m").rename(tmp_path / "m2")  # the data moves as well
    (tmp_path / "my bars' folder").rename(tmp_path / "bars")
    (tmp_path / "bars" / "m").mkdir()
    for path in (tmp_path / "m2").iterdir():
        path.rename(tmp_path / "bars" / "m" / path.name)
    monkeypatch.chdir("/")
    assert "epoch 3:" in recordkit(f"recordkit train --resume --model-prefix {tmp_path}/bars/m/net --num-epochs 3")
    assert Checkpoints(tmp_path / "bars" / "m" / "net").epochs() == [1, 2, 3]


@pytest.mark.usefixtures("bars")
def test_a_run_without_data_or_without_a_record_is_refused(recordkit):
    assert "expected REC or FOLDER; only --resume with --model-prefix goes without" in recordkit(
        "recordkit train --resume", code=2
    )
    assert "net: expected a checkpoint such as net-0001.params, got none" in recordkit(
        "recordkit train --resume --model-prefix net", code=1
    )
    recordkit("recordkit train train.rec --num-epochs 1 --no-pictures --model-prefix net")
    record = json.loads(Path("net-run.json").read_text())
    for options, got in (({}, "none"), ({"options": {"path": 7}}, "other values")):
        facts = {name: value for name, value in record.items() if name != "options"} | options
        Path("net-run.json").write_text(json.dumps(facts))
        text = f"net-run.json: expected the options of the run, as recordkit train writes them, got {got}; train again"
        assert text in recordkit("recordkit train --resume --model-prefix net", code=1)


@pytest.mark.usefixtures("bars")
def test_the_end_of_a_training_names_its_files_and_the_command_that_predicts(recordkit):
    pytest.importorskip("matplotlib")
    output = recordkit(["recordkit", "train", "train.rec", "--val", "my val.rec", "--num-epochs", 1])
    done, end = output.split("look at\n")
    assert re.search(r"done in \S+ s: train-model/book-0001.params\n$", done)
    *files, _, command = end.splitlines()
    assert [line.split()[0] for line in files] == [
        *(f"train-model/book-{name}.png" for name in ("curves", "samples", "confusion", "predictions")),
        "train-model/book.log",
    ]
    assert all(Path(line.split()[0]).is_file() for line in files)
    assert command.strip() == 'recordkit predict train-model/book "my val.rec"'
    assert len(recordkit(command).splitlines()) == 20
    output = recordkit("recordkit train train --num-epochs 1 --no-pictures --model-prefix other")
    assert [line.split() for line in output.splitlines()[-4:]] == [
        ["look", "at"], ["other.log", "the", "log"],
        ["predict", "with", "this", "model,", "here", "or", "on", "images", "and", "folders", "of", "your", "own:"],
        ["recordkit", "predict", "other", "train.rec"],
    ]  # fmt: skip
