"""Arrays of a batch in JAX and PyTorch, through DLPack and without a copy, and arrays of both as images to pack."""

import os

import numpy as np
import pytest
from images import noise, picture, save, write

import recordkit as rk


@pytest.fixture(params=["jax", "torch"])
def library(request):
    """A library's function that makes an array of it, and one that returns the address of its memory."""
    if not os.environ.get(f"RECORDKIT_REQUIRE_{request.param.upper()}"):
        pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    if request.param == "jax":
        import jax

        return jax.dlpack.from_dlpack, lambda array: array.unsafe_buffer_pointer()
    import torch

    return torch.from_dlpack, lambda array: array.data_ptr()


@pytest.fixture
def rec(tmp_path):
    return write(tmp_path / "a.rec", [save(picture(noise(8, 8, seed=n)), "PNG") for n in range(40)])


@pytest.mark.parametrize(("dtype", "layout"), [("uint8", "NHWC"), ("float16", "NCHW"), ("float32", "NHWC")])
def test_a_batch_is_shared(library, rec, engine, dtype, layout):
    from_dlpack, address = library
    loader = rk.Loader(rec, batch_size=16, dtype=dtype, layout=layout, engine=engine)
    for batch in loader:
        array = from_dlpack(batch.data)
        assert address(array) == batch.data.ctypes.data
        assert np.array_equal(np.from_dlpack(array), batch.data)


def test_shared_memory_is_not_used_again_while_the_array_exists(library, rec, engine):
    from_dlpack, address = library
    loader = rk.Loader(rec, batch_size=4, engine=engine)
    kept = [from_dlpack(batch.data) for _ in range(3) for batch in loader]
    assert len({address(array) for array in kept}) == 30
    for number, array in enumerate(kept):
        expected = [noise(8, 8, seed=4 * (number % 10) + n) for n in range(4)]
        assert np.array_equal(np.from_dlpack(array), expected)


def test_images_and_labels_of_a_library_are_packed(library, tmp_path):
    from_dlpack, _ = library
    images = np.stack([noise(8, 8, seed=n) for n in range(6)])
    labels = np.arange(6, dtype=np.int32)
    rk.pack((from_dlpack(images), from_dlpack(labels)), tmp_path / "a", plan=rk.PackPlan(encoding="png", shuffle=False))
    batch = next(iter(rk.Loader(tmp_path / "a.rec", batch_size=6)))
    assert np.array_equal(batch.data, images) and batch.label.tolist() == labels.tolist()


def test_a_transform_may_return_an_array_of_a_library(library, rec, engine):
    from_dlpack, _ = library
    plain = next(iter(rk.Loader(rec, batch_size=6, engine=engine))).data
    loader = rk.Loader(rec, batch_size=6, transforms=[lambda image: from_dlpack(np.ascontiguousarray(image[::-1]))])
    assert np.array_equal(next(iter(loader)).data, plain[:, ::-1])
