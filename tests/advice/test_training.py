"""Following the advices of `recordkit train` and of the files of a run."""

import re
import shlex
import shutil
from pathlib import Path

from advice.walk import advice, commands, text_of
from images import picture, pixels, save
from training.bars import images, write_rec

from recordkit import recordio
from recordkit.training import fit
from recordkit.training.data.batches import RecordkitReader, one_line_errors
from recordkit.training.data.survey import survey
from recordkit.training.model.trained_model import LEVELS_AS_STORED


def test_options_of_mxnets_scripts(bars, fails, works, train_words):
    error = fails(*train_words(bars, "--data-val", bars))
    advice("cli/commands/train.py", "it is --val here", error)
    error = fails(*train_words(bars, "--image-shape", "1,28,28"))
    advice("cli/commands/train.py", "it is --data-shape C,H,W here", error)
    error = fails(*train_words(bars, "--rgb-mean", "0,0,0"))
    advice("cli/commands/train.py", "it is --mean here", error)
    error = fails(*train_words(bars, "--mom", "0.9"))
    advice("cli/commands/train.py", "it is --momentum here", error)
    error = fails(*train_words(bars, "--num-layers", 50))
    advice("cli/commands/train.py", "--network FILE.py takes a network of your own", error)
    error = fails(*train_words("--data-train", bars))
    advice("cli/commands/train.py", "the .rec file is the first argument", error)
    error = fails(*train_words(bars, "--num-examples", 20))
    advice("cli/commands/train.py", "a run trains on all images of the file, and counts them", error)
    error = fails(*train_words(bars, "--kv-store", "local"))
    advice("cli/commands/train.py", "a run has one machine and one device", error)
    options = ("--val", bars, "--data-shape", "1,28,28", "--mean", 0, "--momentum", 0.9, "--network", "net.py")
    works("train", bars, *train_words(*options)[1:])
    error = fails(*train_words(bars, "--load-epoch", 1))
    advice("cli/commands/train.py", "--resume continues from the last checkpoint", error)
    works("train", bars, *train_words(*options, "--num-epochs", 2, "--resume")[1:])


def test_an_accuracy_needs_a_file(bars, fails, works, train_words):
    words = train_words(bars, "--min-accuracy", 0)
    advice("cli/commands/train.py", "give `val`", fails(*words))
    works(*words, "--val", bars)


def test_an_interrupted_run(bars, fails, works, train_words, monkeypatch):
    update = fit._Run._update

    def interrupted(run, trainer, epoch):
        if epoch == last:
            raise KeyboardInterrupt
        return update(run, trainer, epoch)

    words = train_words(bars, "--num-epochs", 2, "--checkpoint-every", 2)
    with monkeypatch.context() as patch:
        patch.setattr(fit._Run, "_update", interrupted)
        last = 1
        fails(*words)
        log = Path("net.log").read_text()
        advice("cli/commands/train.py", "interrupted before the first checkpoint{}", log)
        last = 2
        fails(*words)
    log = Path("net.log").read_text()
    advice("cli/commands/train.py", "interrupted; the checkpoints at {} are complete, continue with", log)
    advice("cli/commands/train.py", "recordkit train --resume --model-prefix", log)
    works(*shlex.split(re.search("recordkit (train --resume.*)", log)[1]))


def test_a_run_that_cannot_be_resumed(bars, fails, works, train_words):
    words = train_words(bars, "--num-epochs", 2, "--resume")
    works(*words[:-1])
    advice("training/fit.py", "give more `epochs`", fails(*words, "--num-epochs", 1))
    works(*words, re.search("more (--.*)", fails(*words, "--num-epochs", 1))[1], 3)
    error = fails(*words, "--num-epochs", 4, "--seed", 8)
    advice("training/run/record.py", "leave it out, or leave out `resume`", error)
    works(*words, "--num-epochs", 4)
    write_rec(Path("other.rec"), images(30))
    error = fails(*train_words("other.rec", "--num-epochs", 4, "--resume"))
    advice("training/run/record.py", "give the same file and options, or leave out `resume`", error)
    works(*words, "--num-epochs", 4)
    error = fails("train", "--resume")
    advice("cli/commands/train.py", "expected REC or FOLDER; only --resume with --model-prefix goes without", error)
    works("train", "--resume", "--model-prefix", "net")
    Path("net-0004.states").write_bytes(b"damaged")
    advice("training/fit.py", "train again without `resume`", fails(*words, "--num-epochs", 5))
    works(*words[:-1])
    Path("net-0002.states").unlink()
    advice("training/run/checkpoint.py", "train again without `resume`", fails(*words, "--num-epochs", 5))
    works(*words[:-1])
    Path("net-run.json").write_text(Path("net-run.json").read_text().replace('"options"', '"other"'))
    advice("training/run/record.py", "train again without `resume`", fails(*words, "--num-epochs", 5))
    works(*words[:-1])
    Path("net-run.json").unlink()
    error = fails(*words, "--num-epochs", 5)
    advice("training/run/record.py", "train again without `resume` and with another `model_prefix`", error)
    works(*words[:-1], "--model-prefix", "another")


def test_a_damaged_list_of_figures(bars, fails, works, train_words):
    works(*train_words(bars))
    Path("net-metrics.jsonl").write_text("{")
    words = train_words(bars, "--num-epochs", 2, "--resume")
    error = fails(*words)
    advice("training/results/run_files.py", "remove the file", error)
    Path(re.match("recordkit: (.*?):", error)[1]).unlink()
    works(*words)


def test_a_run_that_diverges(bars, fails, works, train_words):
    words = train_words(bars, "--num-epochs", 2, "--schedule", "constant", "--lr")
    error = fails(*words, 1e30)
    advice("training/fit.py", "lower `lr`", error)
    works(*words, 0.001)
    head = (
        "import mxnet as mx\ndef get_symbol(num_classes, **kwargs):\n"
        "    net = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.Variable('data')), num_hidden=1)\n"
        "    return mx.sym.LinearRegressionOutput(net, name='size', grad_scale={})\n"
    )
    Path("net.py").write_text(head.format(1e30))
    error = fails(*words, 0.01)
    (layer,) = advice("training/fit.py", ", or give {} a smaller grad_scale", error)
    assert layer.startswith("'size'")
    Path("net.py").write_text(head.format(1e-3))
    works(*words, 0.01)


def test_images_of_several_sizes(bars, fails, works, train_words):
    several = write_rec(Path("several.rec"), [*images(6), *images(6, side=32)])
    error = fails(*train_words(several))
    advice("training/resolve.py", "give `shape`, for example 3,32,32", error)
    option, shape = re.search("give (--.*), for example (.*)", error).groups()
    large = write_rec(Path("large.rec"), [*images(6, side=40), *images(6, side=32)])
    works(*train_words(large, option, shape))


def test_a_file_without_images(bars, fails, works, train_words):
    write_rec(Path("empty.rec"), [])
    advice("training/data/survey.py", "pack images into it", fails(*train_words("empty.rec")))
    write_rec(Path("empty.rec"), images(6))
    works(*train_words("empty.rec"))


def test_a_folder_in_place_of_a_file(photos, bars, fails, works, train_words):
    words = train_words(bars, "--data-shape", "1,16,16", "--val")
    error = fails(*words, "photos")
    advice("training/data/survey.py", "run 'recordkit pack {} PREFIX', then give PREFIX.rec", error)
    ((*command, prefix),) = commands(error)
    works(*command, prefix)
    works(*train_words(f"{prefix}.rec", "--data-shape", "1,16,16", "--val"), f"{prefix}.rec")


def test_formats_that_mxnet_does_not_decode(bars, fails, works, train_words):
    payloads = [save(picture(pixels(28, 28)), "WEBP") for _ in range(4)]
    rec = write_rec(Path("webp.rec"), [(n % 2, payload) for n, payload in enumerate(payloads)])
    error = fails(*train_words(rec, "--iterator", "mxnet"))
    advice("training/data/survey.py", "give `iterator=recordkit`, or pack the images as png", error)
    works(*train_words(rec, *re.search("give (--iterator) (recordkit)", error).groups()))


def test_records_of_insightface_with_the_iterator_of_mxnet(bars, fails, works, train_words):
    with recordio.MXIndexedRecordIO("faces.idx", "faces.rec", "w") as writer:
        writer.write_idx(0, recordio.pack(recordio.IRHeader(2, [5, 7], 0, 0), b""))
        for key, (label, image) in enumerate(images(4), 1):
            writer.write_idx(key, recordio.pack_img(recordio.IRHeader(0, label, key, 0), image, img_fmt=".png"))
        for key, (begin, end) in ((5, (1, 3)), (6, (3, 5))):
            writer.write_idx(key, recordio.pack(recordio.IRHeader(2, [begin, end], key, 0), b""))
    error = fails(*train_words("faces.rec", "--iterator", "mxnet"))
    advice("training/data/survey.py", "give `iterator=recordkit`", error)
    works(*train_words("faces.rec", *re.search("give (--iterator) (recordkit)", error).groups()))


def test_a_record_that_is_no_image(mx, bars, fails, train_words):
    for name, payload in (("text.rec", b"text"), ("cut.rec", save(picture(pixels(28, 28)), "PNG")[:99])):
        rec = write_rec(Path(name), [(0.0, payload), *images(3)])
        error = fails(*train_words(rec))
        advice("formats/frame.py", "run 'recordkit verify --decode {}'", error)
        (command,) = commands(error)
        assert "expected an image" in fails(*command)

    def decode():
        with one_line_errors(mx, rec):
            raise mx.base.MXNetError("cannot decode")

    (command,) = commands(text_of(decode))
    assert "expected an image" in fails(*command)


def test_a_file_that_was_changed_while_it_was_read(mx, bars):
    def read(*, change=False):
        options = {"shape": (1, 28, 28), "normalization": LEVELS_AS_STORED, "batch_size": 5, "threads": 1}
        reader = RecordkitReader(mx, survey(bars, iterator="recordkit"), **options)
        if change:
            shutil.copy("short.rec", bars)
            shutil.copy("short.idx", bars.with_suffix(".idx"))
        return sum(n_valid for _, n_valid in reader.epoch())

    write_rec(Path("short.rec"), images(10))
    advice("training/data/batches.py", "start again if the file was changed", text_of(lambda: read(change=True)))
    assert read() == 10


def test_images_of_a_folder_that_cannot_be_packed(photos, bars, fails, works, train_words):
    (photos / "cat" / "0.jpg").write_bytes(b"text")
    words = train_words(photos, "--data-shape", "3,16,16")
    error = fails(*words)
    advice(
        "training/data/folder.py",
        "remove them, or run 'recordkit pack {} PREFIX --on-error skip' and train on its .rec",
        error,
    )
    (command,) = commands(error)
    works(*[word.replace("PREFIX", "mine") for word in command], "--resize", 16)
    works(*train_words("mine.rec", "--data-shape", "3,16,16"))
    (photos / "cat" / "0.jpg").unlink()
    works(*words)


def test_an_image_of_a_folder_that_does_not_decode(photos, bars, fails, works, train_words):
    whole = save(picture(pixels(28, 28)), "PNG")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    (photos / "cat" / "0.png").write_bytes(damaged)
    words = train_words(photos)
    error = fails(*words)
    advice("training/data/folder.py", "repair or remove it", error)
    Path(re.match("recordkit: (.*?):", error)[1]).write_bytes(whole)
    works(*words, "--data-shape", "3,16,16")


def test_the_log_of_another_program(bars, fails, works, train_words):
    Path("other.log").write_text("hello\n")
    advice("training/results/log.py", "is it a training log?", fails("plot-log", "other.log", "--output", "a.png"))
    works(*train_words(bars))
    works("plot-log", "net.log", "--output", "a.png")
