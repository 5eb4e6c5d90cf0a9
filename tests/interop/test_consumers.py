"""The programs that our exports are made for read them: webdataset, timm, and datasets of Hugging Face."""

import gc
import os

import pytest
from interop.records import image, write_records

from recordkit.interop.folder import write_folder
from recordkit.interop.webdataset import write_webdataset

pytestmark = [
    pytest.mark.slow,
    # these libraries open files that the garbage collector closes, and warn of versions to come
    pytest.mark.filterwarnings("ignore"),
]
CLASSES = {"cat": 0, "dog": 1, "owl": 2}
RECORDS = [(key, float(key % 3), image(20 * key, "jpg")) for key in range(6)]


def import_or_skip(name):
    """Import a module, or skip the test with the reason; a broken installation is a reason too.

    timm is never required: its torchvision has no build for the CPU on PyPI.
    """
    try:
        return __import__(name, fromlist=["a module of a package itself"])
    except (ImportError, RuntimeError) as error:  # torchvision for another torch raises a RuntimeError
        if os.environ.get("RECORDKIT_REQUIRE_CONSUMERS") and name != "timm.data":
            raise
        pytest.skip(f"{name} cannot be imported: {error}")


@pytest.fixture
def dataset(tmp_path):
    with write_records(tmp_path / "a", RECORDS, CLASSES) as opened:
        yield opened


@pytest.fixture
def datasets(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield import_or_skip("datasets")
    gc.collect()  # files that it leaves open are closed while warnings are ignored


def test_webdataset_reads_images_and_labels(dataset, tmp_path):
    webdataset = import_or_skip("webdataset")
    write_webdataset(dataset, tmp_path / "b", shard_bytes="8K")
    shards = sorted(map(str, (tmp_path / "b").glob("*.tar")))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).to_tuple("__key__", "jpg", "cls"))
    assert len(shards) == 3
    assert samples == [(f"{key:06d}", payload, b"%d" % label) for key, label, payload in RECORDS]


def test_timm_reads_info_and_shards(dataset, tmp_path):
    timm_data = import_or_skip("timm.data")
    write_webdataset(dataset, tmp_path / "b")
    read = timm_data.create_dataset("wds/", root=str(tmp_path / "b"), split="train", batch_size=2, is_training=False)
    assert [label for _, label in read] == [int(label) for _, label, _ in RECORDS]


def test_datasets_reads_parquet_with_class_names(datasets, dataset, tmp_path):
    import_or_skip("pyarrow")
    from recordkit.interop.parquet import write_parquet

    write_parquet({"train": dataset_source(dataset), "test": dataset_source(dataset)}, tmp_path / "b", shard_bytes=1)
    for arguments in ({"path": "parquet", "data_files": str(tmp_path / "b/train-*")}, {"path": str(tmp_path / "b")}):
        read = datasets.load_dataset(**arguments)["train"]
        assert read.features["label"].names == ["cat", "dog", "owl"]
        assert (read["label"], read["key"]) == ([0, 1, 2, 0, 1, 2], list(range(6)))
        raw = read.cast_column("image", datasets.Image(decode=False))
        assert [row["image"]["bytes"] for row in raw] == [payload for _, _, payload in RECORDS]


def test_datasets_reads_class_folders_as_names(datasets, dataset, tmp_path):
    write_folder(dataset, tmp_path / "b")
    read = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "b"))["train"]
    assert read.features["label"].names == ["cat", "dog", "owl"]
    assert read["label"] == [0, 0, 1, 1, 2, 2]


def test_datasets_reads_keys_labels_and_classes_of_metadata(datasets, tmp_path):
    records = [(key, [float(key % 2), key / 2], image(20 * key)) for key in range(4)]
    with write_records(tmp_path / "a", records, {"cat": 0, "dog": 1}) as dataset:
        write_folder({"train": dataset_source(dataset), "test": dataset_source(dataset)}, tmp_path / "b", metadata=True)
    read = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "b"))
    assert list(read) == ["train", "test"]
    columns = {name: read["test"][name] for name in ("key", "label", "label1", "class")}
    rows = sorted(zip(*columns.values(), strict=True))
    assert rows == [(0, 0, 0.0, "cat"), (1, 1, 0.5, "dog"), (2, 0, 1.0, "cat"), (3, 1, 1.5, "dog")]
    names = read["test"].class_encode_column("class").features["class"].names
    assert names == ["cat", "dog"] and read["test"][0]["image"].size == (5, 4)


def dataset_source(dataset):
    from recordkit.sources.records import RecordSource

    return RecordSource(dataset)
