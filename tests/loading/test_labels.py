"""The labels of batches: their type, which is one for a dataset, and samples with different numbers of labels."""

import numpy as np
import pytest
from images import noise, write

import recordkit as rk
from recordkit.codec import encode
from recordkit.errors import FormatError, PlanError
from recordkit.upkeep import reindex

N = 12
IMAGE = encode(noise(8, 8), "raw")
# Boxes, as a detection set has them: a class and four sides for each object, and none for a few images.
BOXES = [[1.0, *[n + 0.5] * 4, 2.0, *[n / 4] * 4][: (5, 10, 1)[n % 3]] for n in range(N)]
WHOLE = [list(range(n, n + 1 + n % 4)) for n in range(N)]


def write_labels(path, payloads, labels):
    return write(path, payloads, [tuple(map(float, each)) if isinstance(each, list) else each for each in labels])


def labelled(tmp_path, labels, name="a"):
    return write_labels(tmp_path / f"{name}.rec", [IMAGE] * len(labels), labels)


@pytest.mark.parametrize("labels", [[float(n % 3) for n in range(N)], [(n, n + 1) for n in range(N)]])
def test_whole_labels_are_int64_on_request_and_float32_without(tmp_path, engine, labels):
    path = labelled(tmp_path, labels)
    for dtype, want in (("stored", "float32"), ("auto", "int64"), ("int64", "int64"), ("float32", "float32")):
        loader = rk.Loader(path, batch_size=5, label_dtype=dtype, engine=engine)
        assert loader.label_dtype == want and {batch.label.dtype.name for batch in loader} == {want}
        assert np.array_equal(np.concatenate([batch.label for batch in loader]), np.array(labels))


def test_one_fraction_makes_all_labels_float32(tmp_path, engine):
    labels = [float(n) for n in range(N - 1)] + [0.5]
    loader = rk.Loader(labelled(tmp_path, labels), batch_size=5, label_dtype="auto", engine=engine)
    assert {batch.label.dtype.name for batch in loader} == {"float32"}


@pytest.mark.parametrize("value", [0.5, float("nan"), float("inf"), 2.0**63])
@pytest.mark.parametrize("form", ["array", "pad", "list"])
def test_a_label_that_is_no_whole_number_ends_the_epoch_after_the_batches_before_it(tmp_path, engine, form, value):
    path = labelled(tmp_path, [value if n == 7 else float(n) for n in range(N)])
    options = {"label_dtype": "int64", "label": form, "engine": engine, "on_error": "skip"}
    keys = []
    with pytest.raises(
        PlanError, match=r"a\.rec: label_dtype: key 7: expected labels that are whole .*, got "
    ) as caught:
        keys.extend(batch.key.tolist() for batch in rk.Loader(path, batch_size=3, **options))
    assert keys == [[0, 1, 2], [3, 4, 5]] and str(caught.value).endswith('; give label_dtype="float32"')


def test_all_batches_have_one_type_where_the_first_labels_do_not_show_it(tmp_path, monkeypatch):
    monkeypatch.setattr("recordkit.loading.probe._N_PROBED", 2)
    path = labelled(tmp_path, [0.5 if n == 5 else float(n) for n in range(N)])
    with pytest.raises(PlanError, match="key 5: .*, got 0.5"):
        list(rk.Loader(path, batch_size=3, label_dtype="auto"))
    assert len(list(rk.Loader(path, batch_size=3, label_dtype="float32"))) == 4


def test_the_labels_of_damaged_samples_do_not_count(tmp_path, engine):
    payloads = [IMAGE if n % 2 else b"no image" for n in range(N)]
    path = write(tmp_path / "a.rec", payloads, [float(n) if n % 2 else 0.5 for n in range(N)])
    loader = rk.Loader(path, batch_size=5, label_dtype="int64", on_error="skip", engine=engine)
    assert [batch.label.tolist() for batch in loader] == [[1, 3], [5, 7, 9], [11]]


def test_exact_labels_stay_exact_unless_float32_is_asked_for(tmp_path, engine):
    (tmp_path / "a.pgm").write_bytes(encode(noise(8, 8, 1), "raw"))
    (tmp_path / "a.lst").write_text(f"0\t{2**40 + 1}\ta.pgm\n")
    rk.pack(rk.open_source(tmp_path / "a.lst", root=tmp_path), tmp_path / "b", plan=rk.PackPlan(exact_labels=True))
    for form in ("array", "pad"):
        for dtype in ("stored", "auto", "int64"):
            options = {"label": form, "label_dtype": dtype, "engine": engine}
            (batch,) = rk.Loader(tmp_path / "b.rec", batch_size=1, **options)
            assert batch.label.ravel().tolist() == [2**40 + 1] and batch.label.dtype == np.int64
    with pytest.raises(PlanError, match=r"key 0: expected labels that float32 holds exactly, got 1099511627777"):
        list(rk.Loader(tmp_path / "b.rec", batch_size=1, label_dtype="float32", engine=engine))
    (tmp_path / "a.lst").write_text("0\t7\ta.pgm\n")
    rk.pack(rk.open_source(tmp_path / "a.lst", root=tmp_path), tmp_path / "b", plan=rk.PackPlan(exact_labels=True))
    (batch,) = rk.Loader(tmp_path / "b.rec", batch_size=1, label_dtype="float32", engine=engine)
    assert batch.label.dtype == np.float32 and batch.label.tolist() == [7.0]


def test_an_error_of_ragged_labels_names_the_option_and_the_option_helps(tmp_path, engine):
    path = labelled(tmp_path, BOXES)
    with pytest.raises(FormatError, match='key 1: expected 5 labels as in the first sample, got 10; label="pad" makes'):
        list(rk.Loader(path, batch_size=4, engine=engine))
    assert len(list(rk.Loader(path, batch_size=4, label="pad", engine=engine))) == 3


@pytest.mark.parametrize(("labels", "dtype"), [(BOXES, np.float32), (WHOLE, np.int64)])
def test_ragged_labels_are_padded_with_counts_or_are_a_list(tmp_path, engine, labels, dtype):
    path = labelled(tmp_path, labels)
    options = {"batch_size": 5, "shuffle": True, "label_dtype": "auto", "engine": engine}
    n_seen = 0
    padded, lists = (list(rk.Loader(path, label=form, **options)) for form in ("pad", "list"))
    for batch, other in zip(padded, lists, strict=True):
        want = [np.array(labels[key], np.float32) for key in batch.key.tolist()]
        assert batch.n_labels.tolist() == other.n_labels.tolist() == [len(each) for each in want]
        assert batch.label.shape == (len(want), max(map(len, want))) and batch.label.dtype == dtype
        for row, each, numbers in zip(batch.label, other.label, want, strict=True):
            assert row[: len(numbers)].tolist() == each.tolist() == numbers.tolist() and each.dtype == dtype
            assert (row[len(numbers) :] == -1).all()
        n_seen += len(want)
    assert n_seen == N


def test_native_and_python_agree_on_ragged_labels_without_help_for_a_sample(tmp_path, require_native, monkeypatch):
    path = labelled(tmp_path, BOXES)
    wanted = [batch.label.tolist() for batch in rk.Loader(path, batch_size=4, label="pad", engine="python")]
    monkeypatch.setattr("recordkit.loading.python.PythonEngine._load_row", None)  # only the core loads
    assert [batch.label.tolist() for batch in rk.Loader(path, batch_size=4, label="pad", engine="native")] == wanted


def test_ragged_labels_follow_replaced_and_skipped_samples(tmp_path, engine):
    payloads = [b"no image" if n in (1, 5) else IMAGE for n in range(N)]
    path = write_labels(tmp_path / "a.rec", payloads, WHOLE)
    for on_error in ("skip", "replace"):
        loader = rk.Loader(path, batch_size=4, label="list", on_error=on_error, engine=engine)
        for batch in loader:
            assert [each.tolist() for each in batch.label] == [WHOLE[index] for index in batch.index.tolist()]


def test_ragged_labels_resume_after_any_batch(tmp_path, engine):
    options = {"batch_size": 5, "shuffle": True, "label": "pad", "engine": engine}
    path = labelled(tmp_path, WHOLE)
    want = [batch.label.tolist() for batch in rk.Loader(path, **options)]
    for n_before in range(3):
        first, second = rk.Loader(path, **options), rk.Loader(path, **options)
        batches = iter(first)
        for _ in range(n_before):
            next(batches)
        second.load_state_dict(first.state_dict())
        assert [batch.label.tolist() for batch in second] == want[n_before:]


def test_ragged_labels_of_several_files_and_of_checked_records(tmp_path, engine):
    paths = [labelled(tmp_path, WHOLE, "a"), labelled(tmp_path, WHOLE[::-1], "b")]
    for path in paths:
        reindex(path, checksums=True)
    loader = rk.Loader(paths, batch_size=7, shuffle=True, label="list", check=True, engine=engine)
    for batch in loader:
        wanted = [(WHOLE + WHOLE[::-1])[index] for index in batch.index.tolist()]
        assert [each.tolist() for each in batch.label] == wanted


def test_other_forms_and_types_are_refused(tmp_path):
    path = labelled(tmp_path, [1.0])
    with pytest.raises(PlanError, match="label: expected one of array, pad, list, got 'padded'"):
        rk.Loader(path, batch_size=1, label="padded")
    with pytest.raises(PlanError, match="label_dtype: expected one of stored, auto, int64, float32, got 'long'"):
        rk.Loader(path, batch_size=1, label_dtype="long")
