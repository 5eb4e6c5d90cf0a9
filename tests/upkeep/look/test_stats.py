"""`stats`: both engines measure the same, and the sums are those of NumPy."""

import json

import images
import numpy as np
import pytest

from recordkit import Normalize, RecordDataset, codec
from recordkit.errors import FormatError, PlanError
from recordkit.memory import MIN_MEMORY, MemoryBudget
from recordkit.upkeep import stats
from recordkit.upkeep.look.measurement import COLUMNS, PythonEngine
from recordkit.upkeep.look.native import NativeEngine
from recordkit.upkeep.selection import Selection


def payloads_of_all_kinds():
    kinds = images.every_format()
    rare = [images.sampled_jpeg(*factors, 2, 3) for factors in ((1, 2), (4, 1), (4, 2), (3, 1))]
    qualities = [codec.encode(images.noise(9, 70), "jpg", quality=quality) for quality in (1, 33, 50, 96, 100)]
    tables = images.save(images.picture(), "JPEG", qtables=[[7] * 64, [9] * 64])
    alpha = codec.encode(images.noise(5, 7, 4), "raw")
    return [
        *kinds.values(),
        *rare,
        *qualities,
        tables,
        alpha,
        b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nENDHDR\nab",
    ]


def test_both_engines_measure_every_kind_of_image_alike(tmp_path, require_native):
    payloads = [*payloads_of_all_kinds(), b"", b"no image", payloads_of_all_kinds()[0][:-30]]
    with RecordDataset(images.write(tmp_path / "a.rec", payloads)) as dataset:
        measured = [
            engine(dataset, MemoryBudget(1 << 30, 1), bytearray(1)).measure(np.arange(len(payloads)))
            for engine in (PythonEngine, NativeEngine)
        ]
    assert np.array_equal(measured[0].facts, measured[1].facts)
    errors = [{row: str(error) for row, error in each.errors.items()} for each in measured]
    assert errors[0] == errors[1] and list(errors[0]) == [len(payloads) - n for n in (3, 2, 1)]


def test_native_measures_jpeg_png_and_raw_without_the_reference(tmp_path, require_native, monkeypatch):
    monkeypatch.setattr(PythonEngine, "measure_rows", lambda _self, rows, _indices, _facts: dict.fromkeys(rows))
    names = ["jpg", "jpg gray", "jpg progressive", "png", "png palette", "raw rgb"]
    payloads = [images.every_format()[name] for name in names]
    with RecordDataset(images.write(tmp_path / "a.rec", payloads)) as dataset:
        measured = NativeEngine(dataset, MemoryBudget(1 << 30, 1), bytearray(1)).measure(np.arange(len(payloads)))
    assert not measured.errors


def test_sums_are_those_of_the_pixels(tmp_path, engine):
    arrays = [images.noise(7, 5, seed=1), np.full((2, 70_000, 3), 255, np.uint8)]  # more than a group of pixels
    payloads = [codec.encode(array, "png") for array in arrays]
    with RecordDataset(images.write(tmp_path / "a.rec", payloads)) as dataset:
        kind = NativeEngine if engine == "native" else PythonEngine
        facts = kind(dataset, MemoryBudget(1 << 30, 1), bytearray(1)).measure(np.arange(2)).facts
    for row, array in zip(facts.tolist(), arrays, strict=True):
        values = array.reshape(-1, 3).astype(np.int64)
        assert row[-6:] == [*values.sum(0), *(values**2).sum(0)]
        assert row[COLUMNS.index("width")] == array.shape[1]


def test_mean_and_deviation_count_each_image_once(tmp_path, engine):
    arrays = [np.full((1, 1, 3), 10, np.uint8), images.noise(40, 30), images.noise(9, 80, seed=4)]
    result = stats(images.write(tmp_path / "a.rec", [codec.encode(a, "png") for a in arrays]), engine=engine)
    planes = [array.reshape(-1, 3).astype(float) for array in arrays]
    mean = np.mean([plane.mean(0) for plane in planes], 0)
    std = np.sqrt(np.mean([(plane**2).mean(0) for plane in planes], 0) - mean**2)
    assert result.channels.mean == pytest.approx(mean, abs=1e-5)
    assert result.channels.std == pytest.approx(std, abs=1e-4)


def test_the_printed_normalize_can_be_pasted(tmp_path):
    gray, color = (codec.encode(images.noise(8, 8, c), "png") for c in (1, 3))
    for payloads, n in (([gray], 1), ([gray, color], 3)):
        channels = stats(images.write(tmp_path / f"{n}.rec", payloads)).channels
        pasted = eval(str(channels), {"Normalize": Normalize})
        assert np.atleast_1d(pasted.mean) == pytest.approx(channels.mean, abs=0.01)
        assert len(channels.mean) == n


def test_one_grey_level_divides_by_one(tmp_path):
    channels = stats(images.write(tmp_path / "a.rec", [codec.encode(np.full((3, 3, 1), 7, np.uint8), "png")])).channels
    assert (channels.mean, channels.std, str(channels)) == ((7,), (0,), "Normalize(mean=7.00, std=1.00)")


def test_the_result_does_not_depend_on_threads(tmp_path, engine):
    path = images.write(tmp_path / "a.rec", payloads_of_all_kinds() * 5)
    results = [stats(path, threads=threads, engine=engine).as_json() for threads in (1, 3)]
    assert results[0] == results[1]


def test_encodings_and_qualities_are_counted(tmp_path, engine):
    names = ["jpg", "jpg", "jpg gray", "jpg progressive", "png palette", "bmp", "raw gray", "jpg cmyk"]
    payloads = [images.every_format()[name] for name in names]
    result = stats(images.write(tmp_path / "a.rec", payloads), engine=engine)
    assert result.formats == {
        "jpg 4:2:0": 2, "jpg gray": 1, "jpg 4:2:0 progressive": 1, "png palette": 1, "bmp": 1, "raw gray": 1,
        "jpg CMYK": 1,
    }  # fmt: skip
    assert (result.qualities, result.n_unknown_quality) == ({75: 5}, 0)


def test_sizes_have_range_median_and_bins(tmp_path):
    sides = [10, 10, 20, 70]
    payloads = [codec.encode(np.zeros((10, side, 1), np.uint8), "raw") for side in sides]
    result = stats(images.write(tmp_path / "a.rec", payloads))
    assert (result.width.min, result.width.median, result.width.mean, result.width.max) == (10, 15, 27.5, 70)
    assert sum(result.width.counts) == 4 and result.width.edges[0] == 10 and result.width.edges[-1] == 70
    assert (result.height.counts, result.aspect.max) == ([4], 7)


def test_images_that_do_not_decode_are_counted_and_named(tmp_path, engine):
    path = images.write(tmp_path / "a.rec", [images.every_format()["png"], b"junk", b""])
    result = stats(path, engine=engine)
    assert (result.n_samples, result.n_images, result.n_problems) == (3, 1, 2)
    assert [problem.key for problem in result.problems] == [1, 2]
    assert str(result.problems[1]).startswith(f"{path}: byte ") and "expected an image, got 0 bytes" in str(
        result.problems[1]
    )


def test_an_image_over_the_budget_is_a_problem(tmp_path, engine, monkeypatch):
    monkeypatch.setattr("recordkit.upkeep.look.tally.choose_memory", lambda _: MIN_MEMORY)
    path = images.write(tmp_path / "a.rec", [codec.encode(np.zeros((900, 900, 3), np.uint8), "png")])
    assert "needs at most" in stats(path, engine=engine).problems[0].reason


def test_a_sample_is_that_of_a_selection_and_labels_are_those_of_all(tmp_path):
    path = images.write(tmp_path / "a.rec", [bytes([number]) for number in range(20)])
    seen = []
    result = stats(path, sample=7, progress=seen.append)
    assert (result.n_measured, result.n_problems, sum(seen)) == (7, 7, 7)
    assert sum(count.n for count in result.labels.counts) == 20
    with RecordDataset(path) as dataset:
        assert [problem.key for problem in result.problems] == Selection(sample=7).rows(dataset).tolist()
    assert stats(path, sample=21).n_measured == 20


def test_labels_are_counted_with_their_names_and_classes_without_samples(tmp_path):
    path = images.write(tmp_path / "a.rec", [images.every_format()["png"]] * 3, labels=[1.0, (1.0, 2.0), float("nan")])
    (tmp_path / "a.json").write_text('{"classes": {"cat": 1, "dog": 2}}')
    labels = stats(path).labels
    assert [(count.label, count.n, count.name) for count in labels.counts] == [(1, 2, "cat"), (2, 0, "dog")]
    assert (labels.width, labels.n_distinct, labels.n_not_finite, labels.range) == ((1, 2), 2, 1, (1, 1))


def test_several_files_are_one_dataset(tmp_path):
    for number in range(2):
        images.write(tmp_path / f"a_{number}.rec", [images.every_format()["png"]] * 2)
    result = stats(str(tmp_path / "a_*.rec"))
    assert (result.n_files, result.n_images) == (2, 4)
    with RecordDataset(str(tmp_path / "a_*.rec")) as dataset:
        assert stats(dataset[1:]).n_images == 3 and len(dataset[:2]) == 2
    json.dumps(result.as_json())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "expected images, got no samples"), (b"\xff\xd8\xff" * 9, "expected a .rec file, got a JPEG")],
)
def test_no_images_are_one_error(tmp_path, content, message):
    (tmp_path / "a.rec").write_bytes(content)
    (tmp_path / "a.idx").touch()
    with pytest.raises(FormatError, match=f"a.rec: {message}"):
        stats(tmp_path / "a.rec")


def test_other_records_are_one_error(tmp_path):
    path = images.write(tmp_path / "a.rec", [b"\x93NUMPY\x01\x00" + b"x" * 40] * 3)
    with pytest.raises(FormatError, match="expected images, got 3 records of npy"):
        stats(path)


def test_a_sample_of_none_is_refused(tmp_path):
    with pytest.raises(PlanError, match="sample: expected at least 1, got 0"):
        stats(images.write(tmp_path / "a.rec", [b"x"]), sample=0)


def test_the_command_prints_the_table_and_names_the_damaged(tmp_path, cli):
    path = images.write(tmp_path / "a.rec", [images.every_format()["jpg"], b"junk"])
    code, out, err = cli("stats", str(path))
    assert code == 1 and f"{path}: 1 image; 1 do not decode" in out
    assert "1  jpg 4:2:0" in out and "JPEG, estimated: 75" in out and "Normalize(mean=(" in out
    assert "key 1: expected an image, got 4 bytes" in err


def test_the_command_gives_json(tmp_path, cli):
    path = images.write(tmp_path / "a.rec", [images.every_format()["png"]] * 3)
    code, out, _ = cli("stats", str(path), "--json", "--sample", "2")
    document = json.loads(out)
    assert code == 0 and document["formats"] == {"png colour": 2}
    assert document["channels"]["mean_of_1"][0] == pytest.approx(document["channels"]["mean"][0] / 255)
