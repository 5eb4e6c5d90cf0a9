"""A folder is packed once, and again when it has changed."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from training.bars import images

from recordkit import codec
from recordkit.cli.commands.train import command
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import InUseError, PackError, PlanError, SourceError
from recordkit.formats import ubyte
from recordkit.storage.staging import Staging
from recordkit.training.data import folder as folder_module
from recordkit.training.data.folder import pack_if_changed

NAMES = ("high", "middle", "low")


@pytest.fixture
def folder(tmp_path):
    for number, (label, image) in enumerate(images(60, side=32, channels=3)):
        path = tmp_path / "bars" / NAMES[int(label)] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(codec.encode(image, "png"))
    return tmp_path / "bars"


def test_a_fifth_is_held_out(folder, tmp_path):
    train, val = pack_if_changed(folder, tmp_path / "data")
    with RecordDataset(train) as train_set, RecordDataset(val) as val_set:
        assert (len(train_set), len(val_set)) == (48, 12)
        assert sorted(train_set.classes) == sorted(NAMES)


def test_a_folder_is_packed_again_only_when_it_has_changed(folder, tmp_path):
    train, _ = pack_if_changed(folder, tmp_path / "data")
    before = train.stat().st_ino
    assert pack_if_changed(folder, tmp_path / "data")[0].stat().st_ino == before
    (folder / "low" / "more.png").write_bytes((folder / "low" / "2.png").read_bytes())
    train, val = pack_if_changed(folder, tmp_path / "data")
    with RecordDataset(train) as train_set, RecordDataset(val) as val_set:
        assert train.stat().st_ino != before and len(train_set) + len(val_set) == 61
    pack_if_changed(folder, tmp_path / "data", side=28)
    with RecordDataset(train) as train_set:
        assert codec.decode(train_set[0].payload).shape[:2] == (28, 28)


def test_images_that_another_run_is_packing_are_refused_and_those_that_it_has_packed_are_taken(
    folder, tmp_path, monkeypatch
):
    with Staging(tmp_path / "data"), pytest.raises(InUseError, match="another process is writing to this prefix"):
        pack_if_changed(folder, tmp_path / "data")
    packed = []

    def pack_first(*arguments, **options):
        monkeypatch.undo()
        packed.append(pack_if_changed(folder, tmp_path / "data")[0].stat().st_ino)
        return Staging(*arguments, **options)

    monkeypatch.setattr(folder_module, "Staging", pack_first)
    assert [pack_if_changed(folder, tmp_path / "data")[0].stat().st_ino] == packed


def test_the_test_set_of_ubyte_files_is_the_validation_set(tiny_mnist, tmp_path):
    train, val = pack_if_changed(tiny_mnist, tmp_path / "data")
    assert (train.name, val.name) == (f"{tiny_mnist.name}_train.rec", f"{tiny_mnist.name}_test.rec")


@pytest.fixture
def splits(folder, tmp_path):
    root = tmp_path / "splits"
    (root / "test").mkdir(parents=True)
    folder.rename(root / "training")
    (root / "training" / "low").rename(root / "test" / "low")
    (root / "training" / "low").mkdir()
    return root


@pytest.mark.filterwarnings("ignore:.*found the splits|.*keeps? the")
@pytest.mark.parametrize("held_out", ["test", "val"])
def test_a_split_of_the_folder_is_the_validation_set(splits, tmp_path, held_out):
    (splits / "test").rename(splits / held_out)
    train, val = pack_if_changed(splits, tmp_path / "data")
    assert (train.name, val.name) == ("splits_train.rec", f"splits_{held_out}.rec")
    with RecordDataset(train) as train_set, RecordDataset(val) as val_set:
        assert (len(train_set), len(val_set)) == (40, 20)
        assert train_set.classes == val_set.classes == {"high": 0, "low": 1, "middle": 2}
        assert {sample.label for sample in val_set} == {1}


def test_a_doubtful_folder_is_refused_with_the_options_of_pack(mx, cli, folder, tmp_path):
    (folder / "low").rename(folder / "train")
    (folder / "high").rename(folder / "test")
    code, _, error = cli("train", folder, "--model-prefix", tmp_path / "m" / "net")
    assert code == 1 and "'test', 'train' look like splits, and 'middle' beside them does not; give" in error
    assert (
        "give --splits, which leaves the others out, or" in error and "those of 'recordkit pack', whose .rec" in error
    )


def test_no_image_is_held_out_on_request(folder, tmp_path):
    train, val = pack_if_changed(folder, tmp_path / "data", hold_out=False)
    with RecordDataset(train) as train_set:
        assert len(train_set) == 60 and val is None


def test_ubyte_files_without_a_test_set_are_split(tiny_mnist, tmp_path):
    for path in tiny_mnist.glob("t10k*"):
        path.unlink()
    train, val = pack_if_changed(tiny_mnist, tmp_path / "data")
    with RecordDataset(train) as train_set, RecordDataset(val) as val_set:
        assert (len(train_set), len(val_set)) == (16, 4)


def test_of_several_datasets_the_one_with_a_training_set_is_used(tiny_mnist, tmp_path):
    for path in tiny_mnist.glob("t10k*"):
        path.rename(path.with_name(path.name.replace("t10k", "xnist")))
    with pytest.warns(UserWarning, match="mnist: sets not used here: xnist$"):
        train, val = pack_if_changed(tiny_mnist, tmp_path / "data")
    assert (train.name, val.name) == ("mnist_train.rec", "mnist_val.rec")


def test_two_training_sets_are_refused_with_what_to_do(tiny_mnist, tmp_path):
    for path in [*tiny_mnist.glob("train*")]:
        shutil.copy(path, tiny_mnist / f"more-{path.name}")
    with pytest.raises(SourceError, match="expected one training set, got train, test, more_train; pack them with"):
        pack_if_changed(tiny_mnist, tmp_path / "data")


def test_the_first_of_several_labels_is_the_class(tiny_mnist, tmp_path):
    labels = np.stack([np.arange(20), np.arange(20) + 2000], 1).astype(np.int32)
    for path in tiny_mnist.iterdir():
        path.rename(path.with_name(f"qmnist-{path.name}"))
    (tiny_mnist / "qmnist-train-labels-idx1-ubyte").unlink()
    (tiny_mnist / "qmnist-train-labels-idx2-int").write_bytes(ubyte.pack(labels))
    with pytest.warns(UserWarning, match="the first of the 2 labels of each image is taken as its class"):
        train, val = pack_if_changed(tiny_mnist, tmp_path / "data")
    with RecordDataset(train) as records:
        assert records[7].label == 7
    assert val.name == "mnist_test.rec"


def test_a_set_without_a_split_is_divided(tiny_mnist, tmp_path):
    for path in tiny_mnist.glob("t10k*"):
        path.unlink()
    for path in tiny_mnist.glob("train*"):
        path.rename(path.with_name(path.name.replace("train", "xnist")))
    train, val = pack_if_changed(tiny_mnist, tmp_path / "data")
    assert (train.name, val.name) == ("mnist_train.rec", "mnist_val.rec")
    assert pack_if_changed(tiny_mnist, tmp_path / "all", hold_out=False)[0].name == "mnist.rec"


def test_a_model_prefix_among_the_images_is_refused(folder):
    result = CliRunner().invoke(command, [str(folder), "--model-prefix", str(folder / "m" / "net")])
    assert isinstance(result.exception, PlanError) and "expected a path outside" in str(result.exception)


def test_images_that_cannot_be_packed_are_an_error(folder, tmp_path):
    (folder / "low" / "broken.png").write_bytes(b"nothing")
    with pytest.raises(PackError, match=r"bars: expected images .*, got 1 that cannot: low/broken.png \(expected"):
        pack_if_changed(folder, tmp_path / "data", side=28)
    assert not (tmp_path / "data").exists()


def test_images_that_a_training_refuses_leave_nothing_behind_and_those_of_a_run_stay(mx, cli, folder, tmp_path):
    words = ["train", folder, "--model-prefix", tmp_path / "m" / "net", "--no-pictures", "--num-epochs", "1"]
    assert "expected labels below 2" in cli(*words, "--num-classes", "2")[2] and not (tmp_path / "m").exists()
    (folder / "high" / "00.png").write_bytes(codec.encode(np.zeros((40, 40, 3), np.uint8), "png"))
    error = cli(*words)[2]  # of the folder, because the packed file is gone
    assert error.startswith(f"recordkit: {folder}: expected images of one size") and not (tmp_path / "m").exists()
    (folder / "high" / "00.png").unlink()
    assert cli(*words)[0] == 0 and (tmp_path / "m" / "net-data").exists()
    (tmp_path / "m" / "net-0001.params").unlink()
    assert cli(*words, "--num-classes", "2")[0] != 0
    assert (tmp_path / "m" / "net-data").exists()  # as another run has packed them


def test_an_image_that_cannot_be_decoded_is_named_by_its_file(folder, tmp_path):
    image = folder / "low" / "2.png"
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 255  # a packer that copies bytes does not see it
    image.write_bytes(content)
    with pytest.raises(PackError, match=rf"^{image}: expected an image, got \d+ bytes .*; repair or remove it$"):
        pack_if_changed(folder, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    image.write_bytes((folder / "low" / "5.png").read_bytes())
    assert pack_if_changed(folder, tmp_path / "data")[0].exists()


def test_ignored_files_give_a_warning_each_time(folder, tmp_path):
    (folder / "other").mkdir()
    (folder / "other" / "1.heic").touch()
    for _ in range(2):
        with pytest.warns(UserWarning, match="ignored 1 file|are no classes") as caught:
            pack_if_changed(folder, tmp_path / "data")
        assert "ignored 1 file of other suffixes" in str(caught[0].message)
        assert "folders without images are no classes and are left out: other" in str(caught[1].message)


def test_train_takes_a_folder(mx, folder, tmp_path):
    words = [folder, "--model-prefix", tmp_path / "m" / "net", "--network", "six-conv", "--no-pictures", "--json"]
    # Batches of 8 diverge with the usual learning rate on some runs, because MXNet's threads add up in another order.
    options = ["--num-epochs", "1", "--lr", "0.001", "--random-mirror", "--batch-size", "8"]
    result = CliRunner().invoke(command, [*map(str, words), *options])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["network"] == "six-conv" and summary["data_shape"] == [3, 32, 32]
    assert summary["augment"]["random_mirror"] is True and summary["final"]["n_images"] == 12
    assert (tmp_path / "m" / "net-data" / "bars_train.rec").exists()
