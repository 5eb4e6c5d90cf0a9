"""A sharded dataset: opened by its manifest, prefix, pattern or folder, and never a mixture of two packs."""

import itertools
import os
import pickle
import shutil

import numpy as np
import pytest
from storage.interleaved import interleave

from recordkit import ImageRecordIter, Loader, PackPlan, RecordDataset, pack
from recordkit.codec import encode
from recordkit.errors import FormatError, NotFoundError, PlanError
from recordkit.sources import ListSource
from recordkit.storage.names import natural_order
from recordkit.storage.search import find_sets
from recordkit.storage.snapshot import read_sets
from recordkit.storage.staging import Staging
from recordkit.upkeep import inspect

N = 12


def open_source(folder, number):
    """Return a source of N raw images of gray level 20 * `number` + key."""
    images = folder / f"images{number}"
    images.mkdir(parents=True)
    rows = ""
    for key in range(N):
        (images / f"{key}.pgm").write_bytes(encode(np.full((2, 2, 1), 20 * number + key, np.uint8), "raw"))
        rows += f"{key}\t{number}\t{key}.pgm\n"
    (folder / f"{number}.lst").write_text(rows)
    return ListSource(folder / f"{number}.lst", images)


def pack_shards(source, prefix, n):
    prefix.parent.mkdir(exist_ok=True)
    pack(source, prefix, plan=PackPlan(shards=n, shuffle=False, threads=1), engine="python")


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Return a folder of a dataset ``a`` of 11 shards."""
    folder = tmp_path_factory.mktemp("shards")
    pack_shards(open_source(folder, 0), folder / "out" / "a", 6)
    return folder / "out"


@pytest.fixture
def shards(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize("path", ["a", "a.manifest.json", "a_*.rec", "*.manifest.json", ""])
def test_every_path_of_a_sharded_dataset_opens_all_of_it_in_order(path, packed):
    with RecordDataset(f"{packed}/{path}") as dataset:
        assert [path.name for path in dataset.files] == [f"a_{number}.rec" for number in range(6)]
        assert dataset.keys.tolist() == list(range(N))
        assert [sample.payload[-1] for sample in dataset] == list(range(N))
        assert dataset.by_key(7).payload[-1] == 7


def test_shards_of_a_manifest_beside_a_file_are_one_list(packed, tmp_path):
    pack_shards(open_source(tmp_path, 1), tmp_path / "b", 1)
    with RecordDataset([packed / "a", tmp_path / "b.rec"]) as dataset:
        assert [sample.payload[-1] for sample in dataset] == [*range(N), *range(20, 20 + N)]
        with pytest.raises(KeyError, match=r"key 3: 2 samples have it, in .*a_1\.rec, .*b\.rec; use an index: ds\[3\]"):
            dataset.by_key(3)


def test_a_loader_and_an_iterator_read_a_manifest(packed):
    with Loader(packed / "a.manifest.json", batch_size=5, channels=1) as loader:
        assert np.concatenate([batch.data[:, 0, 0, 0] for batch in loader]).tolist() == list(range(N))
    iterator = ImageRecordIter(path_imgrec=f"{packed}/a.manifest.json", data_shape=(1, 2, 2), batch_size=N)
    assert np.asarray(next(iterator).data[0])[:, 0, 0, 0].tolist() == list(range(N))


def test_the_manifest_decides_what_is_a_shard(shards):
    for suffix in (".rec", ".idx", ".json", ".crc"):
        shutil.copy(shards / f"a_0{suffix}", shards / f"a_6{suffix}")
    with RecordDataset(shards / "a") as dataset:
        assert len(dataset) == N
    with RecordDataset(f"{shards}/a_*.rec") as dataset:
        assert len(dataset) == N + 2


def test_a_shard_of_another_size_is_an_error_that_names_both_files(shards):
    with (shards / "a_2.rec").open("ab") as file:
        file.write(bytes(8))
    with pytest.raises(FormatError) as caught:
        RecordDataset(shards / "a")
    size = (shards / "a_2.rec").stat().st_size
    assert str(caught.value) == (
        f"{shards}/a_2.rec: expected {size - 8} bytes, as {shards}/a.manifest.json says, got {size}; "
        "copy all files that a.manifest.json names together with it, or pack again"
    )


def test_a_shard_of_another_dataset_of_the_same_size_is_an_error(shards, tmp_path):
    pack_shards(open_source(tmp_path, 1), tmp_path / "other" / "a", 6)
    for suffix in (".rec", ".idx", ".json", ".crc", ".lst"):
        shutil.copy(tmp_path / "other" / f"a_2{suffix}", shards)
    with pytest.raises(FormatError, match=r"a_2\.json: expected the set [0-9a-f]{32}, as .*manifest\.json says, got"):
        RecordDataset(shards / "a")


def test_a_missing_shard_is_an_error_that_names_the_manifest(shards):
    (shards / "a_5.rec").unlink()
    expected = r"a.manifest.json: expected the 6 shards that it names in .*, got no a_5.rec; copy all files"
    with pytest.raises(NotFoundError, match=expected):
        RecordDataset(shards / "a")
    with pytest.raises(NotFoundError, match=r"a_5\.rec: expected the shard that .*manifest\.json names, got no file"):
        inspect(shards / "a")


def test_a_missing_manifest_is_an_error(tmp_path):
    with pytest.raises(NotFoundError, match="expected a manifest of shards"):
        RecordDataset(tmp_path / "a.manifest.json")


def test_a_dataset_is_pickled_with_its_shards_and_refuses_others(shards, tmp_path):
    with RecordDataset(shards / "a") as dataset:
        pickled = pickle.dumps(dataset)
    with pickle.loads(pickled) as dataset:
        assert dataset[N - 1].payload[-1] == N - 1
    pack_shards(open_source(tmp_path, 1), shards / "a", 6)
    with pytest.raises(FormatError, match="expected the set that was pickled"):
        pickle.loads(pickled)


def touch(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"")


def test_numbers_count_by_their_value(tmp_path):
    names = [f"a_{number}.rec" for number in range(11)]
    touch(tmp_path, *names)
    assert find_sets(f"{tmp_path}/a_*.rec") == [f"{tmp_path}/{name}" for name in names]
    assert find_sets(tmp_path) == [f"{tmp_path}/{name}" for name in names]
    assert sorted(["x2", "x10", "x", "x1y3", "x1y20"], key=natural_order) == ["x", "x1y3", "x1y20", "x2", "x10"]


@pytest.mark.parametrize(
    "names",
    [
        ["train.rec", "val.rec"],
        ["pets_0_train.rec", "pets_0_val.rec"],
        ["train_0.rec", "train_1.rec", "val.rec"],
        ["cifar10.rec", "cifar100.rec"],
    ],
)
def test_a_folder_of_several_datasets_is_an_error_that_names_them(names, tmp_path):
    touch(tmp_path, *names)
    with pytest.raises(PlanError, match=r"expected a folder with one dataset, got 2 datasets: .*; name one of them"):
        find_sets(tmp_path)


def test_a_manifest_and_another_file_are_two_datasets(shards):
    shutil.copy(shards / "a_0.rec", shards / "val.rec")
    with pytest.raises(PlanError, match=r"got 2 datasets: a\.manifest\.json, val\.rec"):
        find_sets(shards)


def test_a_gap_in_the_numbers_of_a_folder_is_an_error(tmp_path):
    touch(tmp_path, "a_0.rec", "a_1.rec", "a_3.rec")
    with pytest.raises(PlanError, match=r"a_\*\.rec: expected shards from 0 on without a gap, got 0, 1, 3"):
        find_sets(tmp_path)


def test_a_folder_without_a_dataset_is_an_error(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(NotFoundError, match="expected a folder with .rec files, got none in it"):
        find_sets(tmp_path)


def test_a_folder_beside_a_file_of_its_name_is_that_prefix(tmp_path):
    (tmp_path / "a").mkdir()
    touch(tmp_path, "a.rec")
    assert find_sets(tmp_path / "a") == [str(tmp_path / "a")]


@pytest.mark.parametrize("step", [19, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("old", "new"), [(2, 3), (3, 2), (1, 2), (2, 1)])
def test_a_pack_between_two_system_calls_gives_the_old_dataset_or_the_new_one(old, new, step, tmp_path, monkeypatch):
    """A dataset of one shard is a set without a manifest, which has the same prefix."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    contents = [published(open_source(tmp_path, number), tmp_path / f"{n}", n) for number, n in enumerate((old, new))]
    for at in itertools.count(1 + old + new, step):
        publish(tmp_path / "a", contents[0], contents[1])
        got, was_called = interleave(
            lambda: read_levels(tmp_path / "a"), lambda: publish(tmp_path / "a", contents[1], contents[0]), at
        )
        assert got in ([0] * old, [1] * new), at
        if not was_called:
            break
    assert at > 20


def published(source, folder, n):
    """Return the files of a pack by name, in the order of publishing."""
    pack_shards(source, folder / "a", n)
    files = sorted(folder.iterdir(), key=lambda path: (path.suffix != ".rec", path.name.endswith(".manifest.json")))
    return {path.name: path.read_bytes() for path in files}


def publish(prefix, files, others):
    """Replace a dataset, as a pack does."""
    with Staging(prefix) as staging:
        for name, content in files.items():
            with staging.create(name) as file:
                file.write(content)
        staging.commit(remove=[prefix.with_name(name) for name in others])


def read_levels(path):
    """Return the number of the pack of each shard."""

    def levels(sets, _):
        for files in sets:
            files.check_listing()
        return [files.path(".rec").read_bytes()[-4] // 20 for files in sets]

    return read_sets(lambda: find_sets(path), levels)
