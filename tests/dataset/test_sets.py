"""A dataset is one set: images, index, labels and classes of one pack, also when a pack replaces it meanwhile."""

import itertools
import json
import os
import pickle
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from storage.interleaved import interleave

from recordkit import Loader, PackPlan, RecordDataset, pack
from recordkit.codec import encode
from recordkit.errors import FormatError, PlanError
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader
from recordkit.formats.irheader import pack as pack_record
from recordkit.sources import ListSource
from recordkit.storage.description import set_id
from recordkit.storage.staging import Staging
from recordkit.upkeep import head, inspect, verify

N = 4
LABEL = 2**25  # of the first image of set 0; float32 has every fourth number from there


def write_set(folder, number, *, exact_labels=True):
    """Pack N raw images of gray level `number`, labels and classes that tell the set; return its files by name.

    Sets have the same sizes, whatever the number.
    """
    (folder / f"images{number}").mkdir(parents=True)
    rows = ""
    for key in range(N):
        image = encode(np.full((3, 3, 1), 10 * number + key, np.uint8), "raw")
        (folder / f"images{number}" / f"{key}.ppm").write_bytes(image)
        rows += f"{key}\t{LABEL + 64 * number + 4 * key}\t{key}.ppm\n"
    (folder / f"{number}.lst").write_text(rows)
    source = ListSource(folder / f"{number}.lst", folder / f"images{number}")
    out = folder / f"out{number}"
    out.mkdir()
    pack(source, out / "a", plan=PackPlan(exact_labels=exact_labels, shuffle=False, threads=1))
    path = out / "a.json"
    description = json.loads(path.read_text())
    description["classes"] = {str(number): 0}
    path.write_text(json.dumps({**description, "id": set_id(description)}))
    return {path.name: path.read_bytes() for path in sorted(out.iterdir(), key=lambda path: path.suffix != ".rec")}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    return [write_set(folder, number) for number in (0, 1)] + [write_set(folder, 2, exact_labels=False)]


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Leave out the waits for the disk: these tests publish thousands of times, and nobody cuts the power."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(params=["core", "no core"])
def reader(request):
    """Run a test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


def publish(prefix, files):
    """Replace the set at a prefix, as a pack does, by files that were packed before."""
    with Staging(prefix) as staging:
        for name, content in files.items():
            with staging.create(name) as file:
                file.write(content)
        staging.commit(remove=[prefix.with_name(f"a{suffix}") for suffix in (".labels.npy", ".json", ".lst", ".idx")])


def numbers(labels, images, classes):
    """Return the set that labels, images and classes tell, each as a set of numbers."""
    return {(int(label) - LABEL) // 64 for label in labels}, {image // 10 for image in images}, set(map(int, classes))


def opened(prefix):
    with RecordDataset(prefix) as dataset:
        images = [sample.payload[-1] for sample in dataset]
        return numbers(dataset.labels, images, dataset.classes)


READERS = {
    "dataset": opened,
    "inspect": lambda prefix: numbers((info := inspect(prefix)).labels, [], info.classes),
    "head": lambda prefix: numbers([record.labels[0] for record in head(prefix)], [], []),
    "verify": lambda prefix: [str(problem) for problem in verify(prefix).problems],
}


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(("old", "new"), [(0, 1), (0, 2), (2, 0)])
def test_a_pack_between_two_system_calls_of_a_reader_mixes_nothing(name, old, new, step, sets, tmp_path, no_native):
    read, expected = READERS[name], []
    for number in (old, new):
        publish(tmp_path / "a", sets[number])
        expected.append(read(tmp_path / "a"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # those of a set that is being moved, such as a missing index
        for at in itertools.count(1 + old + new, step):
            publish(tmp_path / "a", sets[old])
            got, was_called = interleave(lambda: read(tmp_path / "a"), lambda: publish(tmp_path / "a", sets[new]), at)
            assert got in expected, at
            if not was_called:
                break
    assert at > 50


def test_sets_of_the_test_have_equal_sizes_and_differ(sets, tmp_path):
    publish(tmp_path / "a", sets[0])
    assert opened(tmp_path / "a") == ({0}, {0}, {0})
    publish(tmp_path / "a", sets[1])
    assert opened(tmp_path / "a") == ({1}, {1}, {1})
    assert {name: len(content) for name, content in sets[0].items()} == {
        name: len(content) for name, content in sets[1].items()
    }


def test_a_dataset_is_not_unpickled_onto_another_set_of_the_same_size(reader, sets, tmp_path):
    publish(tmp_path / "a", sets[0])
    pickled = pickle.dumps(RecordDataset(tmp_path / "a"))
    with pickle.loads(pickled) as dataset:
        assert dataset[0].label == LABEL
    publish(tmp_path / "a", sets[1])
    with pytest.raises(FormatError) as caught:
        pickle.loads(pickled)
    path = tmp_path / "a.rec"
    assert str(caught.value) == (
        f"{path}: expected the set that was pickled, got another of the same size; open it again"
    )
    publish(tmp_path / "a", sets[0])  # the same set, in other files
    pickle.loads(pickled).close()


def test_a_dataset_without_an_id_is_not_unpickled_onto_another_file_of_the_same_size(reader, sets, tmp_path):
    for name in ("a.rec", "a.idx"):
        (tmp_path / name).write_bytes(sets[0][name])
    pickled = pickle.dumps(RecordDataset(tmp_path / "a"))
    pickle.loads(pickled).close()
    (tmp_path / "new.rec").write_bytes(sets[1]["a.rec"])
    (tmp_path / "new.rec").replace(tmp_path / "a.rec")
    with pytest.raises(FormatError, match="expected the set that was pickled, got another of the same size"):
        pickle.loads(pickled)


def test_a_dataset_opened_before_its_files_were_moved_is_unpickled(sets, tmp_path):
    folder = tmp_path / ".a.staging"
    folder.mkdir()
    for name, content in sets[0].items():
        (folder / name).write_bytes(content)
    (folder / "commit").write_text(json.dumps({"publish": list(sets[0]), "remove": []}))
    pickled = pickle.dumps(RecordDataset(tmp_path / "a"))
    with Staging(tmp_path / "a"):
        pass  # completes the move
    with pickle.loads(pickled) as dataset:
        assert dataset.files == [folder / "a.rec"] and dataset[3].label == LABEL + 12


def test_a_dataset_of_a_relative_path_is_unpickled_in_another_folder(sets, tmp_path, monkeypatch):
    publish(tmp_path / "a", sets[0])
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(RecordDataset("a"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with pickle.loads(pickled) as dataset:
        assert dataset[3].label == LABEL + 12


def test_a_worker_process_gets_the_error_after_a_pack(sets, tmp_path):
    publish(tmp_path / "a", sets[0])
    (tmp_path / "dataset.pickle").write_bytes(pickle.dumps(RecordDataset(tmp_path / "a")))
    publish(tmp_path / "a", sets[1])
    program = f"import pickle; pickle.load(open({str(tmp_path / 'dataset.pickle')!r}, 'rb'))"
    worker = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
    assert worker.returncode == 1 and "got another of the same size; open it again" in worker.stderr


def test_a_state_does_not_continue_on_other_data_of_the_same_size(sets, tmp_path):
    publish(tmp_path / "a", sets[0])
    with Loader(tmp_path / "a", batch_size=2) as loader:
        state = loader.state_dict()
        loader.load_state_dict(state)
    publish(tmp_path / "a", sets[1])
    with Loader(tmp_path / "a", batch_size=2) as loader, pytest.raises(PlanError, match="loader state: fingerprint"):
        loader.load_state_dict(state)


def test_the_fingerprint_of_a_file_without_an_id_stays_that_of_older_versions(tmp_path):
    with open(tmp_path / "a.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(pack_record(IRHeader(1.0, key), b"x")) for key in range(3)]
    (tmp_path / "a.idx").write_text("".join(f"{key}\t{offset}\n" for key, offset in enumerate(offsets)))
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.fingerprint == "85c6b812816b286aee15c1103ae7639b"


@pytest.mark.parametrize("renamed", [False, True])
def test_exact_labels_of_another_set_are_an_error_that_names_both_files(sets, renamed, tmp_path):
    publish(tmp_path / "a", sets[0])
    (tmp_path / "a.labels.npy").write_bytes(sets[1]["a.labels.npy"])
    prefix = tmp_path / "a"
    if renamed:
        prefix = tmp_path / "renamed.2"
        for path in tmp_path.glob("a.*"):
            path.rename(f"{prefix}{path.name.removeprefix('a')}")
    with pytest.raises(FormatError) as caught:
        RecordDataset(prefix)
    text = str(caught.value)
    assert text.startswith(f"{prefix}.labels.npy: expected SHA-256 ") and f" as in {prefix}.json, got " in text


def test_exact_labels_that_the_set_has_not_or_no_more_are_an_error(sets, tmp_path):
    publish(tmp_path / "a", sets[0])
    (tmp_path / "a.labels.npy").unlink()
    with pytest.raises(FormatError, match="expected the exact labels that the set was packed with, got no file; copy"):
        RecordDataset(tmp_path / "a")
    publish(tmp_path / "a", sets[2])
    (tmp_path / "a.labels.npy").write_bytes(sets[0]["a.labels.npy"])
    with pytest.raises(FormatError, match="expected no file, because .*json lists none, got labels of another set"):
        RecordDataset(tmp_path / "a")


@pytest.mark.parametrize("key", ["labels", "id", "files", "rec"])
def test_a_set_of_an_older_version_or_another_program_is_read(key, sets, tmp_path):
    publish(tmp_path / "a", sets[0])
    description = json.loads((tmp_path / "a.json").read_text())
    del description[key]
    (tmp_path / "a.json").write_text(json.dumps(description))
    assert opened(tmp_path / "a") == ({0}, {0}, {0})


def test_rec_and_idx_alone_and_with_labels_are_read(sets, tmp_path):
    for name in ("a.rec", "a.idx"):
        (tmp_path / name).write_bytes(sets[0][name])
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.labels.dtype == np.float32 and dataset.classes is None
    (tmp_path / "a.labels.npy").write_bytes(sets[0]["a.labels.npy"])
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.labels.dtype == np.int64


def test_classes_and_exact_labels_beside_a_replaced_rec_are_not_taken(sets, tmp_path):
    publish(tmp_path / "a", sets[0])
    with open(tmp_path / "a.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(pack_record(IRHeader(1.0, key), b"another size")) for key in range(N)]
    (tmp_path / "a.idx").write_text("".join(f"{key}\t{offset}\n" for key, offset in enumerate(offsets)))
    text = (
        rf"a\.json: expected the description of .*a\.rec, of {os.path.getsize(tmp_path / 'a.rec')} bytes, got that of"
    )
    with pytest.raises(FormatError, match=f"{text}.*remove .*a.json and .*a.labels.npy, or run"):
        RecordDataset(tmp_path / "a")
    (tmp_path / "a.labels.npy").unlink()
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.labels.tolist() == [1.0] * N
        with pytest.raises(FormatError, match=f"{text}.*remove .*a.json, or run"):
            _ = dataset.classes
        pickle.loads(pickle.dumps(dataset)).close()
    (tmp_path / "a.json").write_text('{"rec": {"bytes": 1}, "classes": null}')
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.classes is None


def test_shards_of_two_packs_are_not_opened_together(sets, tmp_path, no_native):
    def publish_shards(number):
        with Staging(tmp_path / "a") as staging:
            for name, content in itertools.product(("a_0", "a_1"), sets[number].items()):
                with staging.create(name + content[0].removeprefix("a")) as file:
                    file.write(content[1])
            staging.commit()

    def read():
        with RecordDataset(f"{tmp_path}/a_*.rec") as dataset:
            return len(dataset), numbers(dataset.labels, [sample.payload[-1] for sample in dataset], dataset.classes)

    for at in range(1, 400, 13):
        publish_shards(0)
        got, _ = interleave(read, lambda: publish_shards(1), at)
        assert got in [(2 * N, ({number},) * 3) for number in (0, 1)], at
    shutil.rmtree(tmp_path)
