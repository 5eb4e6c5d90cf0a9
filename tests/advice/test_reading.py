"""Following the advices of datasets, samplers, the loader, transforms and codecs."""

import io
import json
import os
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice, commands, text_of
from conftest import gradient
from images import picture, save, write
from peaks import flat_image
from PIL import Image

import recordkit as rk
from recordkit import codec
from recordkit.formats.frame import RecordReader
from recordkit.loading.loader import Loader
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
from recordkit.sample import MAX_PIXELS, check_size
from recordkit.sampling.order import Weighted
from recordkit.storage.replacement import write_atomically
from recordkit.storage.snapshot import read_set
from recordkit.transforms import Pad
from recordkit.transforms.affine import warp

CROP = (rk.CenterCrop(16),)


@pytest.fixture
def rec(photos):
    rk.pack("photos", "out")
    return "out.rec"


def load(rec, **options):
    return list(Loader(rec, **{"batch_size": 2, "transforms": CROP, "engine": "python", **options}))


def test_a_file_that_was_cut_short_while_it_was_open(rec):
    copy = Path(rec).read_bytes()
    with RecordReader(rec) as reader:
        os.truncate(rec, 10)
        advice("formats/frame.py", "open it again", text_of(lambda: reader.read(0)))
    Path(rec).write_bytes(copy)
    with RecordReader(rec) as reader:
        assert reader.read(0)[0]


def test_a_file_that_changed_after_it_was_pickled(rec):
    pickled = pickle.dumps(rk.RecordDataset(rec))
    (Path("photos/cat/0.jpg")).unlink()
    rk.pack("photos", "out")
    advice("dataset/table.py", "open it again", text_of(lambda: pickle.loads(pickled)))
    assert len(rk.RecordDataset(rec)) == 3


def test_an_image_larger_than_the_memory(tmp_path):
    rec = write(tmp_path / "large.rec", [flat_image("png", 1000)], [0.0])
    error = text_of(lambda: load(rec, memory=1 << 20))
    (size,) = advice("memory.py", "give a memory of {}M", error)
    assert sum(len(batch) for batch in load(rec, memory=f"{size}M")) == 1


def test_a_batch_larger_than_the_memory(rec):
    transforms = [rk.Resize(400), rk.CenterCrop(400)]
    error = text_of(lambda: load(rec, transforms=transforms, memory=1 << 20))
    advice("loading/assembler.py", "give a larger `memory`, or a smaller `batch_size`", error)
    smallest = int(re.search(r"at least (\d+) bytes", error)[1])
    assert Loader(rec, batch_size=2, transforms=transforms, memory=smallest).memory == smallest
    assert Loader(rec, batch_size=1, transforms=transforms, memory=smallest // 2)


def test_files_with_other_classes(rec, works):
    Path("photos/dog").rename("photos/owl")
    rk.pack("photos", "owls")
    both = ["out", "owls"]
    for face in (lambda: rk.RecordDataset(both).classes, lambda: load(both)):
        advice(
            "dataset/table.py",
            "'recordkit merge' unites them by the names of their classes, or open the files one by one",
            text_of(face),
        )
    assert [rk.RecordDataset(path).classes for path in both] == [{"cat": 0, "dog": 1}, {"cat": 0, "owl": 1}]
    works("merge", *both, "all", "--renumber")
    assert rk.RecordDataset("all").classes == {"cat": 0, "dog": 1, "owl": 2} and list(load("all"))


def test_a_set_without_checksums(rec, works):
    Path("out.crc").unlink()
    error = text_of(lambda: rk.RecordDataset(rec, check=True))
    (path,) = advice(
        "storage/checksums.py", "run 'recordkit reindex --checksums {}', which trusts the records as they are", error
    )
    works("reindex", "--checksums", path)
    assert len(load(rec, check=True)) == 2


def test_a_dataset_that_was_opened_without_check(rec):
    dataset = rk.RecordDataset(rec)
    advice("loading/options.py", "open it with `check`", text_of(lambda: load(dataset, check=True)))
    assert len(load(rk.RecordDataset(rec, check=True), check=True)) == 2


@pytest.mark.parametrize(
    ("content", "is_described"),
    [(bytes(16), True), *[(bytes(n), is_described) for n in (20, 17, 100_000) for is_described in (True, False)]],
)
def test_checksums_of_another_set(rec, works, fails, content, is_described):
    right = Path("out.crc").read_bytes()
    Path("out.crc").write_bytes(content)
    if not is_described:
        Path("out.json").unlink()
    texts = [
        text_of(lambda: rk.RecordDataset(rec, check=True)),
        fails("reindex", "--checksums", "out.rec"),
        fails("verify", "out.rec"),
    ]
    for text in texts:
        crc_path, rec_path = advice(
            "storage/checksums.py",
            "take it from a copy of the set, or move {} away and run 'recordkit reindex --checksums {}', "
            "which trusts the records as they are",
            text,
        )
    Path("out.crc").write_bytes(right)
    assert len(rk.RecordDataset(rec, check=True)) == 4
    Path(crc_path).rename("away")
    works("reindex", "--checksums", rec_path)
    assert len(rk.RecordDataset(rec, check=True)) == 4
    assert "checksums" in works("verify", "out.rec")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_labels_behind_a_hole(photos):
    rk.pack("photos", "out", plan=rk.PackPlan(exact_labels=True))
    index = Path("out.idx").read_bytes()
    Path("out.rec").write_bytes(b"????" + Path("out.rec").read_bytes()[4:])
    Path("out.idx").unlink()
    error = text_of(lambda: rk.RecordDataset("out", on_error="skip"))
    (path,) = advice("dataset/whole_records.py", "take {} from a copy of the set", error)
    Path(path).write_bytes(index)
    assert len(rk.RecordDataset("out", on_error="skip")) == 3


def test_a_damaged_file(rec, fails, works):
    Path("out.rec").write_bytes(b"????" + Path("out.rec").read_bytes()[4:])
    text = fails("verify", "out.rec")
    (path,) = advice(
        "upkeep/check/verify.py", "'recordkit repair {} PREFIX' writes the whole records into a new set", text
    )
    works("repair", path, "saved")
    assert len(rk.RecordDataset("saved", check=True)) == 3 and "ok" in works("verify", "saved")


def test_exact_labels(rec):
    plan = rk.PackPlan(exact_labels=True)
    rk.pack("photos", "exact", plan=plan)
    both = ["out", "exact"]
    error = text_of(lambda: rk.RecordDataset(both))
    advice("dataset/table.py", "pack it again with `exact_labels=True`, or open the files one by one", error)
    assert [len(rk.RecordDataset(path)) for path in both] == [4, 4]
    rk.pack("photos", "out", plan=plan)
    assert rk.RecordDataset(both).labels.dtype == np.int64
    for name, left_out in (("remove", ("labels", "files")), ("pack", ("labels",))):
        rk.pack("photos", name, plan=plan)
        # Descriptions of other programs and of older versions do not have the SHA-256 of the labels.
        description = json.loads(Path(f"{name}.json").read_text())
        Path(f"{name}.json").write_text(json.dumps({key: description[key] for key in description.keys() - left_out}))
        np.save(f"{name}.labels.npy", np.arange(9))
        advice("dataset/table.py", "remove it or pack again", text_of(lambda name=name: rk.RecordDataset(name)))
        if name == "remove":
            Path("remove.labels.npy").unlink()
        else:
            rk.pack("photos", "pack", plan=plan)
        assert len(rk.RecordDataset(name)) == 4


def test_exact_labels_of_another_set(rec):
    plan = rk.PackPlan(exact_labels=True)
    for follow in ("copy", "pack", "remove"):
        rk.pack("photos", "exact", plan=plan)
        whole = Path("exact.labels.npy").read_bytes()
        np.save("exact.labels.npy", np.arange(4))
        error = text_of(lambda: rk.RecordDataset("exact"))
        text = advice(
            "storage/fileset.py",
            "copy all files of the set together or pack again; without {} nothing is compared",
            error,
        )
        if follow == "copy":
            Path("exact.labels.npy").write_bytes(whole)
        elif follow == "pack":
            rk.pack("photos", "exact", plan=plan)
        else:
            Path(*text).unlink()
        assert len(rk.RecordDataset("exact")) == 4


def test_a_rec_file_that_was_replaced_without_its_description(rec, works):
    for follow in ("remove", "pack"):
        rk.pack("photos", follow)
        write(Path(f"{follow}.rec"), [b"x", b"x"], [1.0, 2.0])
        error = text_of(lambda follow=follow: rk.RecordDataset(follow).classes)
        _, paths, _ = advice(
            "storage/fileset.py",
            "if {} is whole, remove {}, or run 'recordkit pack SOURCE {} --overwrite'",
            error,
        )
        if follow == "remove":
            for path in paths.split(" and "):
                Path(path).unlink()
            assert rk.RecordDataset(follow).classes is None
        else:
            ((command, _source, *words),) = commands(error)
            works(command, "photos", *words)
            assert rk.RecordDataset(follow).classes == {"cat": 0, "dog": 1}


def test_a_rec_file_that_is_replaced_while_its_index_is_read(rec, monkeypatch):
    with monkeypatch.context() as patch:
        read_index = MXIndexedRecordIO._read_index
        patch.setattr(MXIndexedRecordIO, "_read_index", lambda reader: (rk.pack("photos", "out"), read_index(reader)))
        error = text_of(lambda: MXIndexedRecordIO("out.idx", rec, "r"))
    advice("recordio/files.py", "open it again", error)
    with MXIndexedRecordIO("out.idx", rec, "r") as reader:
        assert len(reader.keys) == 4


def test_a_set_that_is_being_replaced(rec, monkeypatch):
    monkeypatch.setattr("recordkit.storage.snapshot._MAX_WAIT_S", 0)
    error = text_of(lambda: read_set("out", lambda *_: rk.pack("photos", "out")))
    advice("storage/snapshot.py", "open it again when the pack has ended", error)
    assert len(rk.RecordDataset(rec)) == 4


def test_labels_of_several_lengths(photos):
    rec = write(Path("ragged.rec"), [b"x", b"x"], [1.0, (1.0, 2.0)])
    error = text_of(lambda: rk.RecordDataset(rec).labels)
    advice("dataset/dataset.py", "ragged_labels() accepts any number per sample", error)
    method = re.search(r"; (\w+)\(\)", error)[1]
    assert getattr(rk.RecordDataset(rec), method)()[0].tolist() == [1, 1, 2]


def test_a_key_of_several_samples(rec):
    dataset = rk.RecordDataset([rec, rec])
    error = text_of(lambda: dataset.by_key(3))
    *_, index = advice("dataset/dataset.py", "key {}: {} samples have it, in {}; use an index: ds[{}]", error)
    assert dataset[int(index.rstrip("]"))].key == 3


def test_labels_of_a_balanced_order():
    table = np.array([[0, 1], [1, 1], [0, 0]])
    advice("sampling/order.py", "choose a column", text_of(lambda: Weighted.balanced(table)))
    assert Weighted.balanced(table[:, 0]).n == 3


def test_the_state_of_another_loader(rec):
    state = Loader(rec, batch_size=2, transforms=CROP).state_dict()
    other = Loader(rec, batch_size=2, transforms=CROP, seed=7)
    error = text_of(lambda: other.load_state_dict(state))
    text = "open the same data with the same arguments as when it was saved, or start the epoch again"
    advice(
        "sampling/state.py",
        "open the same data with the same arguments as when it was saved, or start the epoch again",
        error,
    )
    Loader(rec, batch_size=2, transforms=CROP).load_state_dict(state)
    assert len(list(other)) == 2 and text in error
    error = text_of(lambda: other.load_state_dict({**state, "version": 99}))
    advice(
        "sampling/state.py",
        "continue with the version of recordkit that saved it, or start the epoch again",
        error,
    )
    assert len(list(other)) == 2


def test_transforms(rec):
    def halve(image, _draws):
        return image / 2

    error = text_of(lambda: load(rec, transforms=(*CROP, halve)))
    advice(
        "loading/item.py",
        "only a Normalize or a callable with one parameter, at the end, may return fractions",
        error,
    )
    load(rec, transforms=(*CROP, lambda image: image / 2))
    load(rec, transforms=(*CROP, rk.Normalize(0, 2)), dtype="float32")
    error = text_of(lambda: load(rec, transforms=()))
    advice("loading/item.py", "end with a crop, so that all samples have one size", error)
    load(rec)
    error = text_of(lambda: load(rec, transforms=[rk.CenterCrop(28)]))
    advice("transforms/crop.py", "resize or pad the images first", error)
    load(rec, transforms=[rk.Resize(28), rk.CenterCrop(28)])
    load(rec, transforms=[Pad(10), rk.CenterCrop(28)])


def test_functions(rec):
    chain = [lambda image: image / 2]
    error = text_of(lambda: load(rec, transforms=[*CROP, *chain], dtype="uint8"))
    advice("loading/item.py", "leave out `dtype`", error)
    load(rec, transforms=[*CROP, *chain])
    error = text_of(lambda: load(rec, transforms=[lambda image: image]))
    advice("loading/item.py", "return one shape and one dtype for all samples", error)
    load(rec, transforms=[lambda image: image[:8, :8]])


def test_a_module_of_torch(rec):
    torch = pytest.importorskip("torch")
    from recordkit.interop.torch import Loader as TensorLoader

    error = text_of(lambda: load(rec, transforms=[torch.nn.ReLU()]))
    advice(
        "loading/plan.py",
        "recordkit.interop.torch.Loader gives its transforms tensors, and takes the same arguments",
        error,
    )
    list(TensorLoader(rec, batch_size=2, transforms=[*CROP, torch.nn.ReLU()]))


def test_an_argument_by_its_name(rec):
    error = text_of(lambda: load(rec, transforms=CROP, drop_last=True))
    assert advice("loading/options.py", "did you mean {}?", error) == ['last_batch="drop"']
    load(rec, transforms=CROP, last_batch="drop")


def test_an_argument_by_its_name_in_torch(rec):
    pytest.importorskip("torch")
    from recordkit.interop.torch import Loader as TensorLoader

    error = text_of(lambda: TensorLoader(rec, batch_size=2, transforms=CROP, drop_last=True))
    assert advice("loading/options.py", "did you mean {}?", error) == ['last_batch="drop"']
    TensorLoader(rec, batch_size=2, transforms=CROP, last_batch="drop")


def test_an_index_into_a_dataset_of_torch(rec):
    torch = pytest.importorskip("torch")
    from recordkit.interop.torch import RecordDataset

    dataset, indices = RecordDataset(rec, transforms=CROP), [1, 0]
    error = text_of(lambda: dataset[indices])
    advice("interop/torch/samples.py", "torch.utils.data.Subset(dataset, indices) has several samples", error)
    assert len(list(torch.utils.data.Subset(dataset, indices))) == 2


def test_a_list_of_transforms(rec):
    error = text_of(lambda: load(rec, transforms=CROP[-1]))
    advice("loading/plan.py", "put it between brackets: [...]", error)
    load(rec, transforms=[*CROP[:-1], CROP[-1]])
    error = text_of(lambda: load(rec, transforms=[*CROP, rk.RandomFlip]))
    advice("loading/plan.py", "call it: {}(...)", error)
    load(rec, transforms=[*CROP, rk.RandomFlip()])
    error = text_of(lambda: load(rec, transforms=[rk.Normalize(1, 2), *CROP]))
    advice("loading/plan.py", "move it to the end of the list", error)
    load(rec, transforms=[*CROP, rk.Normalize(1, 2)])


def test_arguments_of_transforms():
    error = text_of(lambda: rk.Normalize(0.5, 0.5))
    advice("transforms/normalize.py", "add scale=1/255, or scale=1 if they are for pixels from 0 to 255", error)
    assert rk.Normalize(0.5, 0.5, scale=1 / 255) and rk.Normalize(0.5, 0.5, scale=1)
    error = text_of(lambda: rk.Resize((8, 9)))
    advice("transforms/resize.py", "a crop after it makes a height and a width", error)
    image = rk.Resize(9)(np.zeros((20, 30, 3), np.uint8))
    assert rk.CenterCrop((8, 9))(image).shape == (8, 9, 3)


def test_no_sample_can_be_loaded(photos):
    bad = write(Path("bad.rec"), [b"x", b"x"])
    error = text_of(lambda: load(bad, transforms=(), on_error="replace"))
    advice("loading/probe.py", "none of the {} samples that were tried can be loaded", error)
    load(write(Path("bad.rec"), [b"x", save(picture(), "PNG")]), transforms=(), on_error="replace")


def test_too_few_samples_for_a_batch(rec):
    error = text_of(lambda: load(rec, batch_size=9, last_batch="drop"))
    advice("loading/options.py", "make `batch_size` smaller, or keep or pad the last batch", error)
    load(rec, batch_size=4, last_batch="drop")
    for last_batch in re.findall("keep|pad", error):
        load(rec, batch_size=9, last_batch=last_batch)


def test_images_that_are_too_large():
    error = text_of(lambda: check_size(60_000, 60_000))
    advice("sample.py", "make the image smaller", error)
    check_size(6_000, 6_000)
    error = text_of(lambda: check_size(MAX_PIXELS + 1, 1))
    advice("sample.py", "make the image smaller", error)
    check_size(MAX_PIXELS, 1)


@pytest.mark.parametrize("engine", ["python", "native"])
def test_a_resize_to_too_many_pixels(photos, fails, works, engine):
    words = ("pack", photos, "out", "--engine", engine, "--encoding", "raw", "--resize")
    advice("transforms/resize.py", "resize to fewer pixels", fails(*words, 60_000))
    works(*words, 40)


def test_transforms_to_too_many_pixels():
    image = np.zeros((2, 2, 3), np.uint8)
    advice("transforms/pad.py", "pad to fewer pixels", text_of(lambda: Pad(100_000)(image, None)))
    assert Pad(1)(image, None).shape == (4, 4, 3)
    advice("transforms/affine.py", "enlarge it less", text_of(lambda: warp(image, scale=100_000)))
    assert warp(image, scale=2).shape == (4, 4, 3)


def test_an_image_that_pillow_refuses(monkeypatch):
    payload = save(picture(), "BMP")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    error = text_of(lambda: codec.decode(payload))
    advice("codec.py", "make the image smaller", error)
    small = io.BytesIO()
    Image.new("RGB", (3, 3)).save(small, "BMP")
    assert codec.decode(small.getvalue()).shape == (3, 3, 3)


def test_a_file_that_cannot_be_replaced(photos, monkeypatch):
    path = Path("summary.json")
    path.write_text("old")

    def fail(_file):
        raise OSError(28, "No space left on device")

    advice("storage/replacement.py", "the old file is unchanged", text_of(lambda: write_atomically(path, fail)))
    assert path.read_text() == "old"
    path.unlink()
    advice("storage/replacement.py", "nothing was written", text_of(lambda: write_atomically(path, fail)))
    assert not path.exists()


def test_a_name_that_does_not_exist(rec, fails, works):
    (name,) = advice("formats/files.py", "did you mean {}?", fails("info", "oit.rec"))
    works("info", name)
    (folder,) = advice("formats/files.py", "there is no folder {}", fails("info", "a/b/c.rec"))
    Path(folder).mkdir(parents=True)
    for suffix in (".rec", ".idx"):
        Path(f"a/something else{suffix}").write_bytes(Path(f"out{suffix}").read_bytes())
    folder, names = advice("formats/files.py", "{} has {}", fails("info", "a/b.rec"))
    works("info", f"{folder.rpartition(' ')[2]}/{names}")
    error = fails("info", "photos.rec")
    advice("formats/files.py", "{} is a folder{}", error)
    advice("formats/files.py", "; if it has images, 'recordkit pack {} PREFIX' packs them", error)
    (words,) = commands(error)
    works(*words)


def test_images_that_do_not_decode(tmp_path, monkeypatch, fails, works):
    monkeypatch.chdir(tmp_path)
    with MXIndexedRecordIO("bad.idx", "bad.rec", "w") as writer:
        for key in range(3):
            image = b"no image" if key == 1 else codec.encode(gradient(20, 24), "jpg")
            writer.write_idx(key, pack(IRHeader(0, 0.0, key, 0), image))
    text = fails("verify", "bad.rec", "--decode")
    (path,) = advice(
        "upkeep/check/verify.py", "'recordkit repair {} PREFIX --decode' writes the good records into a new set", text
    )
    assert "key 1" in text
    works("repair", path, "good", "--decode")
    works("verify", "good.rec", "--decode")


def test_files_with_class_names_and_without_them(rec, works):
    rk.pack("photos", "other")
    Path("other.json").unlink()
    (unnamed,) = advice(
        "loading/loader.py",
        "name them with 'recordkit relabel {} NEW --classes FILE', and use NEW",
        text_of(lambda: load([rec, "other.rec"])),
    )
    works("relabel", unnamed, "NEW", "--classes", "out.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load([rec, "NEW.rec"])
        load(["other.rec", "other.rec"])
