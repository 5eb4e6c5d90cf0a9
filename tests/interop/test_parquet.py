"""Parquet: the schema of Hugging Face's datasets, the way back, and files of others."""

import io
import json

import numpy as np
import pytest
from interop.records import image, write_records

import recordkit as rk
from recordkit import codec
from recordkit.errors import FormatError, MissingError, NotFoundError, PlanError, PublishError
from recordkit.interop.parquet import images, library, read_parquet, write, write_parquet

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'recordkit[parquet]'")
pq = pytest.importorskip("pyarrow.parquet")

COPY = rk.PackPlan(shuffle=False)
CLASSES = {"cat": 0, "ä/b": 1, "owl": 2}


def check_same(prefix, other, suffixes=(".rec", ".idx")):
    for suffix in suffixes:
        assert prefix.with_suffix(suffix).read_bytes() == other.with_suffix(suffix).read_bytes()


def test_the_columns_and_features_are_those_of_hugging_face(tmp_path):
    with write_records(tmp_path / "a", [(7, 1.0, image(1)), (3, 0.0, image(2, "jpg"))], CLASSES) as dataset:
        report = write_parquet(dataset, tmp_path / "b")
    assert report.sets[0].files == ("train-00000-of-00001.parquet",)
    table = pq.read_table(tmp_path / "b/train-00000-of-00001.parquet")
    assert table.to_pylist() == [
        {"image": {"bytes": image(1), "path": "7.png"}, "label": 1, "key": 7},
        {"image": {"bytes": image(2, "jpg"), "path": "3.jpg"}, "label": 0, "key": 3},
    ]
    assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"] == {
        "image": {"_type": "Image"},
        "label": {"names": ["cat", "ä/b", "owl"], "_type": "ClassLabel"},
        "key": {"dtype": "uint64", "_type": "Value"},
    }


@pytest.mark.parametrize("output", ["b", "b.parquet"])
@pytest.mark.parametrize(
    ("labels", "classes", "note"),
    [
        ([2.0, 0.0, 1.0], CLASSES, ""),
        ([4.0, 0.0, -1.0], {"owl": 0, "cat": 4}, "only recordkit reads their names"),
        ([0.1, -2.0, 1e30], None, "labels are no whole numbers of 64 bits"),
        ([1e30, 2.0, -(2.0**63)], None, "labels are no whole numbers of 64 bits"),
        ([[1.0, 0.5], [2.0, 3.0], [0.0, 1.0, 2.0]], None, "labels are lists of up to 3 numbers"),
        ([[1.0, 2.0], [2.0, 3.0], [0.0, 1.0]], {"cat": 1}, "labels are lists of up to 2 numbers"),
    ],
    ids=["classes", "gaps", "fractions", "large", "ragged", "whole"],
)
def test_keys_labels_classes_and_bytes_come_back(tmp_path, labels, classes, note, output):
    records = [(key, label, image(key % 200)) for key, label in zip((2**63 + 1, 7, 0), labels, strict=True)]
    with write_records(tmp_path / "a", records, classes) as dataset:
        report = write_parquet(dataset, tmp_path / output, shard_bytes=100)
    assert len(report.sets[0].files) == (1 if output == "b.parquet" else 3)
    assert note in str(report.sets[0].notes) and bool(report.sets[0].notes) == bool(note)
    source = read_parquet(tmp_path / output)
    assert source.classes == classes and source.notes == []
    rk.pack(source, tmp_path / "c", plan=COPY)
    check_same(tmp_path / "a", tmp_path / "c")


def test_splits_come_back_by_the_command_line(cli, tiny_mnist, tmp_path):
    cli("pack", tiny_mnist, tmp_path / "a")
    assert cli("export", tiny_mnist, tmp_path / "b", "--to", "parquet")[0] == 0
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        f"{split}-00000-of-00001.parquet" for split in ("test", "train")
    ]
    assert cli("import", tmp_path / "b", tmp_path / "c")[0] == 0
    check_same(tmp_path / "a_train", tmp_path / "c_train")
    code, _, error = cli("export", tiny_mnist, tmp_path / "b.parquet")
    assert code == 2 and "expected a folder for several splits, got the name of a file" in error
    with pytest.raises(PlanError):
        write_parquet({"train": rk.open_source(tiny_mnist)["train"]}, tmp_path / "b.parquet")


def test_exact_labels_come_back(tmp_path):
    table = pa.table({"image": [{"bytes": image()}] * 2, "label": [2**53 + 1, -(2**62)]})
    pq.write_table(table, tmp_path / "a.parquet")
    plan = rk.PackPlan(shuffle=False, exact_labels=True)
    rk.pack(read_parquet(tmp_path / "a.parquet"), tmp_path / "b", plan=plan)
    with rk.RecordDataset(tmp_path / "b") as dataset:
        write_parquet(dataset, tmp_path / "c.parquet")
    assert read_parquet(tmp_path / "c.parquet").labels([0, 1]) == [(2**53 + 1,), (-(2**62),)]


def test_columns_of_others_are_named(cli, tmp_path):
    table = pa.table({"img": [image(n) for n in range(3)], "fine": pa.array([2, 0, 1], pa.uint8()), "text": ["a"] * 3})
    table = table.replace_schema_metadata({
        "huggingface": json.dumps({"info": {"features": {"fine": {"names": ["x", "y", "z"], "_type": "ClassLabel"}}}})
    })  # fmt: skip
    pq.write_table(table, tmp_path / "train-00000-of-00001-a09b74b3ef9c3b56.parquet")
    code, _, error = cli("import", tmp_path, tmp_path / "out")
    assert (
        code == 1
        and "got the columns img (binary), fine (uint8), text (string); name the column with --label-c" in error
    )
    assert cli("import", tmp_path, tmp_path / "out", "--label-column", "fine")[0] == 0
    with rk.RecordDataset(tmp_path / "out") as dataset:
        assert (dataset.classes, dataset.labels.tolist(), dataset.keys.tolist()) == (
            {"x": 0, "y": 1, "z": 2}, [2, 0, 1], [0, 1, 2]
        )  # fmt: skip
        assert bytes(dataset[2].payload) == image(2)


def test_the_files_of_a_split_have_one_image_column(tmp_path):
    for number, name in enumerate(("image", "picture")):
        pq.write_table(pa.table({name: [image(1)], "label": [0]}), tmp_path / f"a-{number}.parquet")
    with pytest.raises(FormatError, match="a-1.parquet: expected the image column 'image', as in .*, got picture"):
        read_parquet(tmp_path)


def test_images_beside_the_file_stay_below_its_folder(tmp_path):
    (tmp_path / "a.png").write_bytes(image(5))
    paths = ["a.png", "../a.png", "/etc/passwd", "b.png", None]
    rows = [{"bytes": None, "path": path} for path in paths]
    pq.write_table(pa.table({"image": rows, "label": [0] * 5}), tmp_path / "a.parquet")
    source = read_parquet(tmp_path / "a.parquet")
    first, *others = source.contents(source.entries(range(5)))
    assert first == image(5)
    assert [str(other) for other in others] == [
        "expected a path below the folder of the Parquet file, got '../a.png'",
        "expected a path below the folder of the Parquet file, got '/etc/passwd'",
        "b.png: No such file or directory",
        "expected an image, got none",
    ]


def test_rows_are_read_in_any_order(tmp_path):
    records = [(n, float(n), bytes([137, 80, 78, 71, 13, 10, 26, 10]) + bytes(90_000) + bytes([n])) for n in range(30)]
    with write_records(tmp_path / "a", records) as dataset:
        write_parquet(dataset, tmp_path / "b", memory="8M", shard_bytes="1M")
    source = read_parquet(tmp_path / "b")
    order = np.random.default_rng(0).permutation(30).tolist()
    contents = source.contents(source.entries(order))
    assert [content[-1] for content in contents] == order


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PAR1" + bytes(100) + b"PAR1", "expected a Parquet file, got a damaged one"),
        (b"", "expected a Parquet file"),
        ({"image": [b"x"], "label": [None]}, "expected a column 'label' of numbers"),
        ({"image": [b"x", b"y"], "label": [1, None]}, "expected a label in 'label' for each row"),
        ({"image": [b"x"], "label": ["cat"]}, "expected a column 'label' of numbers, got the columns image (bin"),
        ({"image": [1], "label": [1]}, "expected a column 'image' of bytes, or one of bytes, got image (int64), label"),
        ({"image": [b"x"], "label": [[]]}, "expected a column 'label' of numbers"),
        ({"image": [b"x", b"y"], "label": [[1], []]}, "expected a label in 'label' for each row"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_one_line(tmp_path, content, problem):
    path = tmp_path / "a.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        pq.write_table(pa.table(content), path)
    with pytest.raises(FormatError) as caught:
        read_parquet(path)
    assert problem in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_damaged_page_is_an_error_of_the_file(tmp_path):
    with write_records(tmp_path / "a", [(0, 0.0, image()), (1, 0.0, image(1))]) as dataset:
        write_parquet(dataset, tmp_path / "b.parquet")
    content = bytearray((tmp_path / "b.parquet").read_bytes())
    content[4:40] = bytes(36)
    (tmp_path / "b.parquet").write_bytes(content)
    source = read_parquet(tmp_path / "b.parquet")
    with pytest.raises(FormatError, match=r"b.parquet: expected a Parquet file, got a damaged one"):
        source.contents(source.entries([0, 1]))
    (tmp_path / "b.parquet").write_bytes(content + b"x")
    with pytest.raises(FormatError, match="got one that has changed since"):
        source.contents(source.entries([0, 1]))


def test_outputs_must_be_new_and_failures_leave_nothing(tmp_path):
    (tmp_path / "b.parquet").touch()
    with write_records(tmp_path / "a", [(0, 0.0, image())]) as dataset:
        with pytest.raises(PublishError, match="b.parquet: expected no file, got one of that name"):
            write_parquet(dataset, tmp_path / "b.parquet")
        assert write_parquet(dataset, tmp_path / "c", dry_run=True).dry_run
    with write_records(tmp_path / "bad", [(0, 0.0, image()), (1, 0.0, b"text")]) as dataset:
        before = sorted(path.name for path in tmp_path.iterdir())
        for name in ("c", "c.parquet"):
            with pytest.raises(ValueError, match=r"bad.rec: sample 1: key 1: expected an image"):
                write_parquet(dataset, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    with pytest.raises(NotFoundError):
        read_parquet(tmp_path / "c.parquet")


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingError, match=r"pyarrow: .*; pip install 'recordkit\[parquet\]'"):
        library.import_pyarrow()
    with pytest.raises(FileNotFoundError, match="expected a Parquet file, got nothing of that name"):
        read_parquet(tmp_path / "missing.parquet")


def test_pillow_opens_the_bytes(tmp_path):
    from PIL import Image

    with write_records(tmp_path / "a", [(0, 0.0, image(9))]) as dataset:
        write_parquet(dataset, tmp_path / "b.parquet")
    (row,) = pq.read_table(tmp_path / "b.parquet").to_pylist()
    assert Image.open(io.BytesIO(row["image"]["bytes"])).getpixel((0, 0)) == (9, 9, 9)


def test_one_image_that_stands_for_all_rows_takes_the_memory_of_one(tmp_path, monkeypatch):
    content = image() + bytes(1 << 20)
    column = pa.array(
        [{"bytes": content, "path": None}] * 100, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    pq.write_table(pa.table({"image": column, "label": [0] * 100}), tmp_path / "a.parquet", compression="zstd")
    sizes = []
    monkeypatch.setattr(images, "_size", lambda value: sizes.append(1) or len(value["bytes"]))
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    source = read_parquet(tmp_path / "a.parquet")
    assert source.contents(source.entries([0])) == [content]
    assert len(sizes) == 1


def test_more_rows_than_bytes_are_refused_before_labels_take_memory(tmp_path):
    n = 100_000
    column = pa.nulls(n, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"image": column, "label": np.zeros(n, np.int64)}), tmp_path / "a.parquet")
    with pytest.raises(FormatError, match=r"at most \d+ rows in \d+ bytes, got 100000"):
        read_parquet(tmp_path / "a.parquet")


def test_a_reader_has_a_page_of_few_images_in_memory(tmp_path):
    large = codec.encode(np.random.default_rng(0).integers(0, 256, (300, 300, 1), np.uint8), "png")
    dataset = write_records(tmp_path / "a", [(key, 0, large) for key in range(200)])
    write_parquet(dataset, tmp_path / "a.parquet")
    before, pool = pa.default_memory_pool(), pa.system_memory_pool()
    pa.set_memory_pool(pool)
    try:
        file = pq.ParquetFile(tmp_path / "a.parquet", buffer_size=1 << 20, pre_buffer=False)
        n_rows = sum(batch.num_rows for batch in file.iter_batches(batch_size=2, columns=["image"], use_threads=False))
    finally:
        pa.set_memory_pool(before)
    assert n_rows == 200 and pool.max_memory() < 30 * len(large)


def test_a_row_group_has_a_limited_number_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_GROUP_ROWS", 4)
    write_parquet(write_records(tmp_path / "a", [(key, 0, image()) for key in range(10)]), tmp_path / "a.parquet")
    groups = pq.ParquetFile(tmp_path / "a.parquet").metadata
    assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [4, 4, 2]
