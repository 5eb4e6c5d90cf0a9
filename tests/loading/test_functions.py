"""Functions of users in the list of transforms: what they get, may return and may raise."""

import functools

import images
import numpy as np
import pytest

import recordkit as rk
from recordkit.errors import ImageError, PlanError

CROP = [rk.Resize(20), rk.CenterCrop(16)]


@pytest.fixture
def photos(tmp_path):
    return images.write(tmp_path / "photos.rec", [images.every_format()["jpg"]] * 9)


def load(path, *functions, **options):
    (batch,) = rk.Loader(path, **{"batch_size": 9, "transforms": [*CROP, *functions], **options})
    return batch.data


def test_a_function_gets_the_image_that_the_steps_before_make(photos, engine):
    seen = []
    plain = load(photos, engine=engine)
    data = load(photos, lambda image: seen.append(image.copy()) or image[::-1], engine=engine, threads=1)
    assert np.array_equal(data, plain[:, ::-1]) and all(image.dtype == np.uint8 for image in seen)
    assert any(np.array_equal(image, plain[4]) for image in seen)


@pytest.mark.parametrize(
    ("function", "shape", "dtype"),
    [
        (lambda image: image / 255, (16, 16, 3), "float64"),
        (lambda image, gain=2: image.astype(np.int32) * gain, (16, 16, 3), "int32"),
        (lambda image: image.mean((0, 1)), (3,), "float64"),
        (lambda image: image[:, :, 0] > 7, (16, 16), "bool"),
        (np.float32, (16, 16, 3), "refused"),
        (functools.partial(np.mean, axis=2), (16, 16), "float64"),
        (np.negative, (16, 16, 3), "uint8"),
    ],
)
def test_the_last_function_may_return_any_shape_and_dtype(photos, engine, function, shape, dtype):
    if dtype == "refused":
        with pytest.raises(PlanError, match="expected a transform, got the class float32"):
            load(photos, function, engine=engine)
        return
    plain, data = load(photos, engine=engine), load(photos, function, engine=engine)
    assert data.shape == (9, *shape) and data.dtype == dtype
    assert np.array_equal(data, np.stack([function(image) for image in plain]))


def test_functions_follow_each_other_and_the_dtype_can_be_chosen(photos, engine):
    chain = [lambda image: image / 255, lambda values: values - 0.5]
    data = load(photos, *chain, engine=engine, dtype="float32", layout="NCHW")
    expected = (load(photos, engine=engine) / 255 - 0.5).astype(np.float32).transpose(0, 3, 1, 2)
    assert data.dtype == np.float32 and np.array_equal(data, expected)


def test_a_function_may_stand_before_transforms_and_before_normalize(photos, engine):
    def negative(image):
        return 255 - image

    data = load(photos, negative, rk.RandomFlip(1), rk.Normalize(scale=1 / 255), engine=engine)
    plain = 255 - load(photos, engine=engine)[:, :, ::-1]
    np.testing.assert_allclose(data, plain / 255, rtol=1e-6)
    assert data.dtype == np.float32


def test_the_steps_before_a_function_run_in_the_native_engine(photos, require_native, monkeypatch):
    loader = rk.Loader(photos, batch_size=9, transforms=[*CROP, lambda image: image.mean()], engine="native")
    monkeypatch.setattr(rk.CenterCrop, "__call__", None)
    assert next(iter(loader)).data.shape == (9,)


def test_a_function_may_change_its_image(photos, engine):
    def blacken(image):
        image[:] = 0
        return image

    assert not load(photos, rk.RandomFlip(1), blacken, engine=engine).any()
    assert not load(photos, blacken, rk.RandomFlip(1), engine=engine).any()


def fail_at(key):
    """Return a function that fails at one sample, whose gray is its key."""

    def divide(image):
        return image // (int(image[0, 0, 0]) != key or 1 // 0)

    return divide


@pytest.fixture
def grays(tmp_path):
    payloads = [rk.codec.encode(np.full((16, 16, 3), gray, np.uint8), "png") for gray in range(9)]
    return images.write(tmp_path / "grays.rec", payloads)


@pytest.mark.parametrize("on_error", ["raise", "skip", "replace"])
@pytest.mark.parametrize("key", [0, 5])
def test_an_error_of_a_function_names_the_sample_and_is_the_cause(grays, engine, on_error, key):
    function, yielded = fail_at(key), []
    message = rf"grays.rec: transforms: key {key}: <function .*divide.*> raised ZeroDivisionError: .*by zero"
    with pytest.raises(PlanError, match=message) as raised:
        yielded.extend(rk.Loader(grays, batch_size=2, transforms=[function], engine=engine, on_error=on_error))
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert [batch.key.tolist() for batch in yielded] == ([[0, 1], [2, 3]] if key else [])


def test_a_sample_that_a_function_calls_bad_is_skipped(grays, engine):
    def only_even(image):
        if image[0, 0, 0] % 2:
            raise ImageError("odd")
        return image

    loader = rk.Loader(grays, batch_size=9, transforms=[only_even], engine=engine, on_error="skip")
    assert next(iter(loader)).key.tolist() == [0, 2, 4, 6, 8]
    assert loader.bad_samples[0].reason == "odd"


def test_bad_samples_and_an_error_of_a_function_are_told_apart(tmp_path, engine):
    payloads = [rk.codec.encode(np.full((16, 16, 3), gray, np.uint8), "png") for gray in range(9)]
    path = images.write(tmp_path / "grays.rec", [*payloads[:2], b"junk", *payloads[3:]])
    loader, yielded = rk.Loader(path, batch_size=2, transforms=[fail_at(7)], engine=engine, on_error="skip"), []
    with pytest.raises(PlanError, match="key 7: .*ZeroDivisionError"):
        yielded.extend(loader)
    assert [batch.key.tolist() for batch in yielded] == [[0, 1], [3], [4, 5]]
    assert [bad.key for bad in loader.bad_samples] == [2]


def test_an_error_of_a_function_is_not_replaced(tmp_path, engine):
    payloads = [rk.codec.encode(np.full((16, 16, 3), gray, np.uint8), "png") for gray in range(3)]
    path = images.write(tmp_path / "grays.rec", [payloads[0], b"junk", payloads[2]])
    with pytest.raises(PlanError, match="key 2: .*ZeroDivisionError"):
        list(rk.Loader(path, batch_size=2, transforms=[fail_at(2)], engine=engine, on_error="replace"))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image: image[: 16 - image[0, 0, 0]], r"expected uint8 of shape \(16, 16, 3\) .*, got uint8 of .*15"),
        (lambda image: image / 2 if image[0, 0, 0] else image, "expected uint8 of shape .*, got float64 of shape"),
        (lambda image: None if image[0, 0, 0] else image, "expected an array of numbers from .*, got NoneType"),
    ],
)
def test_another_shape_or_dtype_than_the_first_is_an_error_of_its_sample(grays, engine, function, message):
    with pytest.raises(PlanError, match="transforms: key 1: " + message):
        list(rk.Loader(grays, batch_size=9, transforms=[function], engine=engine))


def test_fractions_are_not_cut_to_whole_numbers(grays, engine):
    with pytest.raises(PlanError, match="dtype: .*expected one that holds float64, .*got uint8; leave out dtype"):
        rk.Loader(grays, batch_size=9, transforms=[lambda image: image / 2], engine=engine, dtype="uint8")


def test_a_module_of_torch_is_refused_with_the_loader_that_takes_it(grays):
    module = type("Module", (), {"__module__": "torch.nn.modules.module", "__call__": lambda self, image: image})
    with pytest.raises(PlanError, match="got the PyTorch module Jitter as number 0; recordkit.interop.torch.Loader"):
        rk.Loader(grays, batch_size=9, transforms=[type("Jitter", (module,), {})()])
