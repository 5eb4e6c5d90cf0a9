"""`recordkit.cluster.Decode`: images of a Ray dataset as arrays."""

import numpy as np
import pytest
from conftest import gradient

import recordkit as rk
import recordkit.cluster
from recordkit.codec import encode
from recordkit.errors import ImageError, MissingError, PlanError
from recordkit.loading.item import apply_transforms
from recordkit.loading.plan import LoadPlan
from recordkit.transforms import CenterCrop, Normalize, RandomCrop, RandomFlip, RandomResizedCrop, Resize

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

RANDOM = [RandomResizedCrop(12), RandomFlip()]


@pytest.fixture
def pets(tmp_path, tiny_folder):
    """Twelve JPEGs of three classes in two shards."""
    rk.pack(tiny_folder, tmp_path / "pets", plan=rk.PackPlan(shards=2))
    return tmp_path / "pets.manifest.json"


def table(images, keys=None, **columns):
    keys = range(len(images)) if keys is None else keys
    types = {"key": pa.array(keys, pa.uint64()), "image": pa.array(images, pa.large_binary())}
    return pa.table(types | columns)


def decoded(dataset, **arguments):
    """Return the images of a Ray dataset after `Decode`, by key."""
    decode = rk.cluster.Decode(**arguments)
    rows = dataset.map_batches(decode, batch_format="pyarrow", batch_size=5).take_all()
    return {row["key"]: row["data"] for row in rows}


@pytest.mark.parametrize("how", ["task", pytest.param("actor", marks=pytest.mark.slow)])
def test_images_are_those_of_a_loader_without_draws(ray, pets, how):
    arguments = {"transforms": [Resize(16), CenterCrop(12), Normalize(1, 2)], "dtype": "float32", "layout": "NCHW"}
    if how == "task":
        function = {"fn": rk.cluster.Decode(**arguments)}
    else:
        function = {"fn": rk.cluster.Decode, "fn_constructor_kwargs": arguments, "concurrency": 1}
    dataset = rk.cluster.read(pets).map_batches(**function, batch_format="pyarrow", batch_size=5)
    rows = {row["key"]: row for row in dataset.take_all()}
    with rk.Loader(pets, batch_size=12, **arguments) as loader:
        (batch,) = loader
    assert sorted(rows) == sorted(batch.key.tolist())
    for key, label, image in zip(batch.key.tolist(), batch.label.tolist(), batch.data, strict=True):
        assert rows[key]["label"] == label
        assert rows[key]["data"].dtype == np.float32
        assert np.array_equal(rows[key]["data"], image)


def test_draws_do_not_depend_on_blocks_and_differ_by_epoch(ray, pets):
    first = decoded(rk.cluster.read(pets, override_num_blocks=2), transforms=RANDOM, seed=5, epoch=3)
    second = decoded(rk.cluster.read(pets, override_num_blocks=7).repartition(3), transforms=RANDOM, seed=5, epoch=3)
    other = decoded(rk.cluster.read(pets), transforms=RANDOM, seed=5, epoch=4)
    assert len(first) == 12
    for key, image in first.items():
        assert np.array_equal(image, second[key])
    assert any(not np.array_equal(image, other[key]) for key, image in first.items())


def test_position_of_a_draw_is_the_key(engine):
    image = gradient(40, 50)
    plan = LoadPlan([RandomCrop(12), RandomFlip()], seed=11)
    batch = table([encode(image, "png")] * 2, keys=[2**64 - 1, 7])
    data = rk.cluster.Decode(plan.transforms, seed=11, epoch=2, engine=engine)(batch)["data"]
    expected = [apply_transforms(image, plan, 2, position) for position in (2**64 - 1, 7)]
    assert np.array_equal(data, np.stack(expected))


@pytest.mark.parametrize("form", ["numpy", "sliced", "chunked", "binary"])
def test_batch_may_be_arrays_or_any_table(form):
    images = [encode(np.full((4, 4, 3), value, np.uint8), "png") for value in range(6)]
    batch = table(images, label=pa.array([[n, n + 1] for n in range(6)], pa.list_(pa.float32())))
    if form == "numpy":
        batch = {"key": np.arange(6), "image": np.array(images, object), "label": np.zeros((6, 2))}
    elif form == "sliced":
        batch = batch.slice(2, 3)
    elif form == "chunked":
        batch = pa.concat_tables([batch.slice(0, 2), batch.slice(3)])
    else:
        batch = batch.set_column(1, "image", batch["image"].cast(pa.binary()))
    result = rk.cluster.Decode(size=(4, 4))(batch)
    assert result["data"][:, 0, 0, 0].tolist() == result["key"].tolist()
    assert result["label"].shape == (len(result["key"]), 2)
    assert "image" not in result


def test_empty_batch_stays_empty():
    assert rk.cluster.Decode(size=(4, 5))(table([]))["data"].shape == (0, 4, 5, 3)
    assert rk.cluster.Decode(size=(4, 5))(table([b"x"]).slice(1))["data"].shape == (0, 4, 5, 3)


def test_bad_image_is_an_error_with_its_key_or_left_out():
    good = encode(gradient(4, 4), "png")
    batch = table([good, b"GIF89a", good, b""], keys=[3, 4, 5, 6])
    with pytest.raises(ImageError, match="key 4: "):
        rk.cluster.Decode(size=(4, 4))(batch)
    with pytest.warns(UserWarning, match="2 images left out; the first: key 4: "):
        result = rk.cluster.Decode(size=(4, 4), on_error="skip")(batch)
    assert result["key"].tolist() == [3, 5]
    assert result["data"].shape == (2, 4, 4, 3)


def test_size_must_be_known():
    with pytest.raises(PlanError, match="size: .*; end the transforms with a crop, or give size"):
        rk.cluster.Decode([Resize(16)])
    with pytest.raises(PlanError, match=r"expected \(12, 12\), which the transforms make"):
        rk.cluster.Decode([RandomCrop(12)], size=(13, 12))


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"on_error": "replace"}, "on_error"),
        ({"epoch": -1}, "epoch"),
        ({"dtype": "int8"}, "dtype"),
        ({"channels": "keep"}, "channels"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, argument):
    with pytest.raises(PlanError, match=f"{argument}: expected"):
        rk.cluster.Decode(size=(4, 4), **arguments)


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        (table([b""]).drop_columns(["key"]), "expected a column 'key', got image"),
        (table([b""]).drop_columns(["image"]), "expected a column 'image', got key"),
        (table([None]), "expected encoded images as the column 'image', got 1 nulls"),
        ({"key": np.array([0.5]), "image": np.array([b""], object)}, "expected whole numbers as the column 'key'"),
        ([b""], "batch_format: expected pyarrow or numpy, got list"),
    ],
)
def test_columns_of_another_kind_are_refused(batch, text):
    with pytest.raises(PlanError, match=text):
        rk.cluster.Decode(size=(4, 4))(batch)


def test_decoding_without_pyarrow_says_how_to_install_it(monkeypatch):
    import sys

    for name in ("recordkit.cluster.decode", "recordkit.cluster.record_table"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delitem(vars(rk.cluster), "Decode", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingError, match=r"pip install 'recordkit\[cluster\]'"):
        rk.cluster.Decode(size=(4, 4))
