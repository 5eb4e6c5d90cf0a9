"""`recordkit.loading.payloads`: images in memory become the batches that a loader makes of the same records."""

import numpy as np
import pytest
from conftest import gradient

import recordkit as rk
from recordkit import transforms
from recordkit.codec import encode
from recordkit.errors import ImageError
from recordkit.loading.payloads import PayloadDecoder, Payloads
from recordkit.loading.plan import LoadPlan
from recordkit.transforms import Normalize, RandomCrop, RandomFlip, Resize


def payloads_of(images, positions=None):
    bounds = np.cumsum([0, *map(len, images)]).astype(np.uint64)
    positions = np.arange(len(images)) if positions is None else np.array(positions, np.uint64)
    return Payloads(np.frombuffer(b"".join(images), np.uint8), bounds, positions)


PLANS = [
    LoadPlan([Resize(16), RandomCrop(12), RandomFlip()], seed=7),
    LoadPlan([RandomCrop(12), Normalize((1, 2, 3), (4, 5, 6))], "float32", "NCHW", seed=3),
    LoadPlan([transforms.RandomHue(0.1), RandomCrop(12)], "float16", "NCHW"),  # the first one has no native version
    LoadPlan([RandomCrop(12)], channels=1),
]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("n_threads", [1, 3])
def test_batch_equals_that_of_the_loader(tmp_path, tiny_folder, engine, plan, n_threads):
    rk.pack(tiny_folder, tmp_path / "pets")
    options = {"dtype": plan.dtype, "layout": plan.layout, "channels": plan.channels, "seed": plan.seed}
    with rk.Loader(tmp_path / "pets", batch_size=12, transforms=plan.transforms, engine=engine, **options) as loader:
        next(iter(loader))
        (expected,) = loader  # of epoch 1
        images = [bytes(sample.payload) for sample in loader.dataset[range(12)]]
    decoder = PayloadDecoder(plan, (12, 12), engine, n_threads, None)
    data, errors = decoder.decode(payloads_of(images), epoch=1)
    assert not errors
    assert data.dtype == expected.data.dtype
    assert np.array_equal(data, expected.data)


def test_draws_depend_on_the_position_alone(engine):
    images = [encode(gradient(40, 40), "png")] * 3
    decoder = PayloadDecoder(PLANS[0], (12, 12), engine, 1, None)
    data, _ = decoder.decode(payloads_of(images, [5, 2**64 - 1, 5]), epoch=0)
    alone, _ = decoder.decode(payloads_of(images[:1], [2**64 - 1]), epoch=0)
    assert np.array_equal(data[0], data[2])
    assert np.array_equal(data[1], alone[0])
    assert not np.array_equal(data[0], data[1])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_bad_images_are_errors_of_their_rows(engine, n_threads):
    good = encode(gradient(20, 20), "jpg")
    images = [good, good[:40], b"", good, b"GIF89a" + bytes(20), encode(gradient(9, 20), "png")]
    decoder = PayloadDecoder(LoadPlan(), (20, 20), engine, n_threads, None)
    data, errors = decoder.decode(payloads_of(images), epoch=0)
    assert sorted(errors) == [1, 2, 4, 5]
    assert all(isinstance(error, ImageError) for error in errors.values())
    assert "expected 20 x 20 pixels after the transforms" in str(errors[5])
    assert np.array_equal(data[0], data[3])


def test_no_images_are_an_empty_batch(engine):
    data, errors = PayloadDecoder(LoadPlan(), (20, 30), engine, 1, None).decode(payloads_of([]), epoch=0)
    assert data.shape == (0, 20, 30, 3)
    assert errors == {}


def test_image_beyond_the_memory_is_an_error(engine):
    images = [encode(gradient(2000, 2000), "png")]
    decoder = PayloadDecoder(LoadPlan([RandomCrop(12)]), (12, 12), engine, 1, 1 << 20)
    _, errors = decoder.decode(payloads_of(images), epoch=0)
    assert "memory" in str(errors[0])


@pytest.mark.parametrize("bounds", [[0, 5, 4], [0, 4, 6], [0, 5]])
def test_core_refuses_bounds_beyond_the_data(require_native, bounds):
    from recordkit.native import _core

    with pytest.raises(ValueError, match="bound"):
        _core.Payloads(np.zeros(5, np.uint8), np.array(bounds, np.uint64), np.zeros(2, np.uint64), 0)
