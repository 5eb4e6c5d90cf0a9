"""The loader: its batches, the agreement of both engines, and its errors."""

import gc
import itertools
import json
import os
import pickle
import re
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import every_format, noise, picture, pixels, sampled_jpeg, save, write

import recordkit as rk
from recordkit import native
from recordkit.codec import encode
from recordkit.errors import FormatError, ImageError, PlanError
from recordkit.loading.python import PythonEngine
from recordkit.sampling.order import Pages, Shuffled, Weighted
from recordkit.sampling.sampler import Sampler
from recordkit.sources import ListSource
from recordkit.transforms import (
    Cutout,
    Flip,
    Pad,
    RandomAffine,
    RandomAspect,
    RandomBrightness,
    RandomContrast,
    RandomGray,
    RandomHSL,
    RandomHue,
    RandomLighting,
    RandomRotation,
    RandomSaturation,
    RandomScale,
    RandomShear,
    RandomSizeCrop,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """50 images of several sizes and formats."""
    made = []
    for number in range(50):
        image = pixels(40 + number % 7, 50 - number % 5) if number % 2 else noise(48, 41)
        kind = ("JPEG", "PNG", "raw", "WEBP")[number % 4] if number % 11 else "BMP"
        made.append(encode(image, "raw") if kind == "raw" else save(picture(image), kind))
    return write(tmp_path_factory.mktemp("rec") / "photos.rec", made)


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("the condition never became true")


def everything(loader):
    """Return the data, labels and keys of an epoch without padding."""
    batches = [(b.data[: b.n_valid].copy(), b.label[: b.n_valid], b.key[: b.n_valid]) for b in loader]
    return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


TRAIN = [rk.Resize(36), rk.RandomCrop(32), rk.RandomFlip()]


def test_an_epoch_has_every_sample_once_in_order(photos, engine):
    data, labels, keys = everything(rk.Loader(photos, batch_size=8, transforms=TRAIN, engine=engine))
    assert data.shape == (50, 32, 32, 3) and data.dtype == np.uint8
    assert keys.tolist() == list(range(50)) and labels.tolist() == [key % 10 for key in range(50)]


def test_an_epoch_does_not_depend_on_threads_or_batch_size(photos, engine):
    want = None
    for threads, batch_size in itertools.product((1, 2, 8), (1, 7, 64)):
        loader = rk.Loader(
            photos, batch_size=batch_size, transforms=TRAIN, shuffle=True, seed=3, threads=threads, engine=engine
        )
        got = [everything(loader) for _ in range(2)]
        assert not np.array_equal(got[0][2], got[1][2])
        if want is None:
            want = got
        for ours, first in zip(got, want, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(ours, first, strict=True))


CHAINS = {
    "nothing but a crop": [rk.CenterCrop(31)],
    "train": TRAIN,
    "resized crop": [rk.RandomResizedCrop(24), rk.RandomFlip()],
    "resized crop, wide": [rk.RandomResizedCrop((17, 40), scale=(0.5, 1.0))],
    "bilinear": [rk.Resize(37, "bilinear"), rk.CenterCrop((30, 33))],
    "enlarged": [rk.Resize(90), rk.RandomCrop(64)],
    "two resizes": [rk.Resize(44), rk.RandomCrop(40), rk.Resize(20), rk.CenterCrop(20), Flip()],
    "crop, flip, crop": [rk.RandomCrop(36), rk.RandomFlip(), rk.RandomCrop(30)],
    "resize after a flip": [rk.RandomFlip(), rk.Resize(33), rk.CenterCrop(33)],
    "central square": [rk.CenterCrop(), rk.Resize(20), rk.CenterCrop(20)],
    "colour after": [rk.RandomCrop(32), RandomBrightness(0.4)],
    "colour before": [RandomBrightness(0.4), rk.RandomCrop(32)],
    "square of any size": [RandomSizeCrop(24, 20, 40), rk.RandomFlip()],
    "square of any size, bilinear": [RandomSizeCrop((30, 20), 10, 40, "bilinear")],
    "padding between": [rk.Resize(44), rk.RandomFlip(), Pad(3), rk.RandomCrop(32)],
}


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("channels", [3, 1, 4])
@pytest.mark.parametrize("chain", CHAINS)
def test_both_engines_draw_the_same_and_differ_by_at_most_1_level(photos, chain, channels):
    options = {"batch_size": 16, "transforms": CHAINS[chain], "shuffle": True, "seed": 1, "channels": channels}
    ours, want = (everything(rk.Loader(photos, **options, engine=name, exact=True)) for name in ("native", "python"))
    assert np.abs(ours[0].astype(int) - want[0].astype(int)).max() <= (2 if len(CHAINS[chain]) > 4 else 1)
    assert np.array_equal(ours[1], want[1]) and np.array_equal(ours[2], want[2])


# Transforms that move pixels without a resize: the engines agree to the last bit.
MOVES = {
    "border on each side": [Pad(3, 7), rk.RandomCrop(46)],
    "border of border": [Pad(2, 7), Pad((60, 70), 9), rk.CenterCrop((60, 61))],
    "border to a size": [Pad((64, 32)), rk.RandomCrop((64, 40)), rk.RandomFlip()],
    "border not needed": [Pad((8, 8)), Pad(0), rk.CenterCrop(31)],
    "crop within a border": [rk.RandomCrop(20), Pad(40, 200), rk.RandomCrop(41)],
    "affine": [RandomAffine(30, 0.3, (0.9, 1.3), (0.7, 1.4), fill=99), rk.RandomCrop(33), rk.RandomFlip()],
    "half turns": [RandomAffine(180), rk.CenterCrop(35)],
    "rotation": [RandomRotation(40, fill=255), rk.CenterCrop(40)],
    "shear": [RandomShear(0.5, fill=5), rk.CenterCrop(40)],
    "scale": [RandomScale(0.9, 1.6), rk.RandomCrop(32)],
    "aspect": [RandomAspect(0.5, 2.0, fill=77), rk.RandomCrop(36)],
    "down to a pixel": [RandomScale(0.001, 0.01), rk.CenterCrop(1)],
    "warp of a warp": [RandomRotation(20), RandomShear(0.2, fill=3), Pad(4, 9), rk.RandomCrop(46)],
    "square of its own size": [RandomSizeCrop(30, 30, 30)],
    "mirror images with a border": [rk.RandomFlip(), Pad(2, 7), rk.RandomCrop(40)],
    "colours": [
        *(rk.RandomCrop(40), RandomBrightness(0.6), RandomContrast(0.9), RandomSaturation(0.9), RandomHue(1)),
        *(RandomLighting(0.5), RandomGray(0.3), RandomHSL(180, 200, 90)),
    ],
    "colours of all pixels": [RandomHSL(40, 30, 20), RandomContrast(0.5), rk.RandomCrop(31), RandomSaturation(0.5)],
    "colours and moves": [
        *(rk.RandomFlip(), RandomContrast(0.8), rk.RandomFlip(), Pad(3, 200), RandomHue(0.4), rk.RandomCrop(40)),
        *(RandomContrast(0.8), rk.RandomFlip()),
    ],
    "cutouts": [rk.RandomFlip(), Cutout((9, 70), 3, 40), rk.RandomFlip(), Cutout(1), rk.RandomCrop(40), Cutout(90, 2)],
    "changes of nothing": [RandomBrightness(0), RandomHSL(), RandomLighting(0), RandomGray(0), rk.CenterCrop(32)],
}


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("channels", [3, 1, 4])
@pytest.mark.parametrize("move", MOVES)
def test_the_native_engine_moves_pixels_as_the_reference_does(tmp_path, monkeypatch, move, channels):
    images = [pixels(40 + n % 7, 50 - n % 5) for n in range(24)]
    kinds = [save(picture(image), "JPEG") if n % 2 else encode(image, "png") for n, image in enumerate(images)]
    path = write(tmp_path / "a.rec", kinds)
    options = {"batch_size": 8, "transforms": MOVES[move], "shuffle": True, "seed": 5, "channels": channels}
    (want, _, _) = everything(rk.Loader(path, **options, engine="python", exact=True))
    monkeypatch.setattr(PythonEngine, "_load_row", lambda *_: pytest.fail("the reference engine was called"))
    (ours, _, _) = everything(rk.Loader(path, **options, engine="native", exact=True))
    assert np.array_equal(ours, want)


class FlipVertically(rk.RandomFlip):
    def __call__(self, image, draws):
        return image[::-1]


class Negative(rk.Normalize):
    def __call__(self, image):
        return -super().__call__(image)


class SmallBox(rk.RandomResizedCrop):
    def box(self, height, width, draws):
        return 0, 0, 1, 1


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_subclass_of_a_transform_is_not_taken_for_its_base(photos, engine, layout):
    options = {"batch_size": 50, "dtype": "float32", "layout": layout, "engine": engine}
    (want,) = rk.Loader(photos, **options, transforms=[rk.CenterCrop(31)])
    (flipped,) = rk.Loader(photos, **options, transforms=[rk.CenterCrop(31), FlipVertically()])
    (negative,) = rk.Loader(photos, **options, transforms=[rk.CenterCrop(31), Negative()])
    assert np.array_equal(flipped.data, np.flip(want.data, layout.index("H")))
    assert np.array_equal(negative.data, -want.data)
    (small,) = rk.Loader(photos, **options, transforms=[SmallBox(5)])
    assert all(np.ptp(item, (1, 2) if layout == "NCHW" else (0, 1)).max() == 0 for item in small.data)


class Mirror:
    """A user's transform that only the compiled engine applies."""

    def __call__(self, image, draws):
        pytest.fail("the transform was called in Python")

    def native_spec(self):
        return {"kind": "flip", "high": 1.0}


@pytest.mark.usefixtures("require_native")
def test_a_user_can_describe_a_transform_to_the_native_engine(tmp_path):
    path = write(tmp_path / "a.rec", [encode(noise(20, 20), "raw")] * 3)
    (plain,) = rk.Loader(path, batch_size=3, engine="native")
    (mirrored,) = rk.Loader(path, batch_size=3, engine="native", transforms=[Mirror(), rk.CenterCrop(20)])
    assert np.array_equal(mirrored.data, plain.data[:, :, ::-1])


class TopLeft:
    """A user's transform that gives the size of its result."""

    def __call__(self, image, draws):
        return image[:8, :8]

    def output_size(self):
        return 8, 8


def test_no_sample_is_decoded_to_find_a_size_that_a_transform_gives(tmp_path, engine):
    path = write(tmp_path / "a.rec", [b"text"] * 3)
    with pytest.raises(ImageError, match="none of the 3 samples that were tried can be loaded"):
        rk.Loader(path, batch_size=1, engine=engine, transforms=[lambda image, _: image[:8, :8]])
    path = write(tmp_path / "b.rec", [b"text"] * 3 + [encode(noise(20, 30), "raw")])
    loader = rk.Loader(path, batch_size=1, engine=engine, transforms=[TopLeft()], on_error="skip")
    assert [batch.data.shape for batch in loader][-1] == (1, 8, 8, 3)


def test_a_file_whose_beginning_is_damaged_gives_all_other_samples(tmp_path, engine):
    path = write(tmp_path / "a.rec", [b"text"] * 120 + [encode(noise(20, 30), "raw")] * 3)
    loader = rk.Loader(path, batch_size=123, engine=engine, on_error="skip")
    assert [len(batch.data) for batch in loader] == [3]


@pytest.mark.parametrize("channels", [3, 1, 4])
def test_a_transform_gets_images_with_the_channels_of_the_loader(photos, engine, channels):
    def first_only(image, _):
        return image * np.array([1, 0, 0, 0][:channels], np.uint8)

    options = {"batch_size": 50, "channels": channels, "engine": engine}
    (batch,) = rk.Loader(photos, **options, transforms=[rk.CenterCrop(31), first_only])
    assert batch.data[..., 0].any() and not batch.data[..., 1:].any()


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("before", [[], [rk.RandomCrop(24)]])
@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda image, _: image / 255, r"float64 of shape \(\d+, \d+, 3\)"),
        (lambda image, _: image[:, :, :1], r"uint8 of shape \(\d+, \d+, 1\)"),
        (lambda image, _: image[:, :, 0], r"uint8 of shape \(\d+, \d+\)"),
        (lambda image, _: picture(image), "Image"),
    ],
)
def test_a_transform_that_does_not_return_an_image_is_named(photos, engine, before, change, got, on_error):
    options = {"batch_size": 8, "transforms": [*before, change], "engine": engine, "on_error": on_error}
    message = rf"transforms: (key 0: )?expected uint8 of shape \(H, W, 3\) from <function .*>, got {got}; only"
    with pytest.raises(PlanError, match=message):
        next(iter(rk.Loader(photos, **options)))


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("channels", [3, 1, 4])
@pytest.mark.parametrize("size", [32, 30, 7])
def test_every_dtype_and_layout_is_the_same_to_the_last_bit(photos, layout, dtype, channels, size):
    normalize = (
        [] if dtype == "uint8" else [rk.Normalize(mean=(120.5, 3, 77, 1)[:channels], std=(58.4, 7, 301, 9)[:channels])]
    )
    options = {"batch_size": 16, "transforms": [rk.RandomCrop(size), rk.RandomFlip(), *normalize], "channels": channels}
    options |= {"dtype": dtype, "layout": layout}
    ours, want = (everything(rk.Loader(photos, **options, engine=name))[0] for name in ("native", "python"))
    assert ours.dtype == np.dtype(dtype) and ours.shape[1:] == (
        (channels, size, size) if layout == "NCHW" else (size, size, channels)
    )
    assert ours.tobytes() == want.tobytes()


@pytest.mark.usefixtures("require_native")
@given(st.data())
def test_a_resized_crop_of_a_jpeg_equals_the_crop_of_the_whole_image(tmp_path_factory, data):
    height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    options = data.draw(
        st.sampled_from([{"quality": 90}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}])
    )
    path = write(tmp_path_factory.mktemp("rec") / "a.rec", [save(picture(noise(height, width)), "JPEG", **options)])
    low = data.draw(st.floats(0.02, 1))
    chain = [rk.RandomResizedCrop(data.draw(st.integers(1, 40)), scale=(low, 1.0), ratio=(0.2, 5.0))]
    seed = data.draw(st.integers(0, 2**64 - 1))
    ours, want = (
        everything(rk.Loader(path, batch_size=1, transforms=chain, seed=seed, engine=name, exact=True, threads=1))[0]
        for name in ("native", "python")
    )
    assert np.abs(ours.astype(int) - want.astype(int)).max() <= 1


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("sampling", [(4, 2), (2, 4)])
def test_jpegs_with_little_chroma_are_not_scaled_as_they_are_decoded(tmp_path, sampling):
    path = write(tmp_path / "a.rec", [sampled_jpeg(*sampling, columns=50 // sampling[0], rows=50 // sampling[1])])
    chain = [rk.RandomCrop(375), rk.Resize(30), rk.RandomCrop(24)]
    scaled, whole = (
        everything(rk.Loader(path, batch_size=1, transforms=chain, exact=exact))[0] for exact in (False, True)
    )
    assert np.array_equal(scaled, whole)


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("first", [[], [RandomBrightness(0.4)], [rk.Resize(30), RandomBrightness(0.4)]])
def test_jpeg_png_and_raw_are_loaded_without_pillow(tmp_path, monkeypatch, first):
    kinds = [name for name in every_format() if name.startswith(("jpg", "png", "raw")) and name != "png exif"]
    path = write(tmp_path / "a.rec", [every_format()[name] for name in kinds])
    import PIL.Image

    monkeypatch.setattr(PIL.Image, "open", lambda *_: pytest.fail("Pillow was called"))
    chain = [*first, rk.Resize(20), rk.RandomCrop(16), rk.RandomFlip(), rk.Normalize(128, 64)]
    loader = rk.Loader(path, batch_size=4, transforms=chain, dtype="float32", engine="native")
    assert len(everything(loader)[0]) == len(kinds)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ([rk.RandomResizedCrop(10_000)], "expected 1 to 89478485 pixels, got 10000 x 10000"),
        ([rk.RandomCrop(20_000)], "RandomCrop: expected at least 20000 rows and 20000 columns, got 20 and 20"),
        ([Pad(5_000), rk.CenterCrop(8)], "expected 1 to 89478485 pixels, got 10020 x 10020"),
        ([Pad(2**40), rk.CenterCrop(8)], "expected 1 to 89478485 pixels, got 2199023255572 x"),
        ([RandomScale(2**40, 2**40), rk.CenterCrop(8)], "expected 1 to 89478485 pixels, got 21990232555520 x"),
        ([RandomSizeCrop(4, 1, 2**40)], "RandomSizeCrop: expected at least 1099511627776 rows"),
        ([rk.Resize(2**40), rk.CenterCrop(8)], "expected 1 to 89478485 pixels, got 1099511627776 x"),
    ],
)
def test_too_many_pixels_are_an_error_of_the_sample(tmp_path, engine, chain, message):
    path = write(tmp_path / "a.rec", [encode(noise(20, 20), "raw")])
    with pytest.raises(ImageError, match=f"a.rec: key 0: {message}"):
        list(rk.Loader(path, batch_size=1, transforms=chain, engine=engine))


def test_digits_need_no_transforms_and_keep_their_size(tmp_path, engine):
    images = [noise(28, 28, 1) for _ in range(20)]
    path = write(tmp_path / "digits.rec", [encode(image, "png") for image in images])
    data, _, _ = everything(rk.Loader(path, batch_size=6, channels=1, engine=engine))
    assert np.array_equal(data, images)


@pytest.mark.parametrize(
    ("last_batch", "sizes", "valid"), [("keep", [16, 16, 16, 2], 2), ("pad", [16] * 4, 2), ("drop", [16] * 3, 16)]
)
def test_the_last_batch_is_kept_padded_or_dropped(photos, engine, last_batch, sizes, valid):
    loader = rk.Loader(photos, batch_size=16, transforms=TRAIN, last_batch=last_batch, engine=engine)
    batches = list(loader)
    assert [len(batch) for batch in batches] == sizes and batches[-1].n_valid == valid and len(loader) == len(sizes)


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_an_epoch_resumes_after_any_batch_with_any_number_of_ranks(photos, engine, n_ranks):
    options = {"transforms": TRAIN, "shuffle": True, "seed": 5, "engine": engine, "last_batch": "pad", "threads": 1}
    data, _, keys = everything(rk.Loader(photos, batch_size=7, **options))
    by_key = dict(zip(keys.tolist(), data, strict=True))
    for n_before in range(0, 8, 3):
        first = rk.Loader(photos, batch_size=7, **options)
        got = [b.key[: b.n_valid].tolist() for b in itertools.islice(first, n_before)]
        state = json.loads(json.dumps(first.state_dict()))
        for rank in range(n_ranks):
            other = rk.Loader(photos, batch_size=4, rank=(rank, n_ranks), **options)
            other.load_state_dict(state)
            for batch in other:
                got.append(batch.key[: batch.n_valid].tolist())
                assert all(
                    np.array_equal(by_key[int(k)], d)
                    for k, d in zip(batch.key[: batch.n_valid], batch.data, strict=False)
                )
        assert sorted(itertools.chain.from_iterable(got)) == list(range(50))


def test_an_epoch_that_is_left_early_is_over(photos, engine):
    loader = rk.Loader(photos, batch_size=16, transforms=TRAIN, shuffle=True, engine=engine)
    list(loader)
    assert loader.epoch == 1 and loader.state_dict()["position"] == 0
    next(iter(loader))
    assert loader.epoch == 1 and loader.state_dict()["position"] == 16
    list(loader)
    assert loader.epoch == 3


@pytest.mark.parametrize("order", [None, Shuffled, Pages, lambda n, seed: Weighted(np.ones(50), n=n, seed=seed)])
def test_arguments_may_be_numpy_numbers(photos, engine, order):
    def make(number):
        shuffle = True if order is None else order(number(50), seed=number(3))
        rank = number(0), number(2)
        options = {"batch_size": number(8), "rank": rank, "seed": number(3), "channels": number(3)}
        options |= {"dtype": np.dtype("float32")}
        transforms = [rk.Resize(number(36)), rk.CenterCrop(8)]
        return rk.Loader(photos, **options, transforms=transforms, shuffle=shuffle, engine=engine)

    first, second = make(np.int64), make(int)
    next(iter(first))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.state_dict() == first.state_dict()


def test_a_state_beyond_the_epoch_is_refused_and_changes_nothing(photos, engine):
    loader = rk.Loader(photos, batch_size=8, transforms=TRAIN, engine=engine)
    for name, value, message in (("position", 51, "start: expected 0 to 50"), ("epoch", 2**32, "epoch: expected")):
        with pytest.raises((FormatError, PlanError), match=message):
            loader.load_state_dict(loader.state_dict() | {name: value})
    assert len(everything(loader)[2]) == 50


def test_a_state_of_other_data_is_refused(photos, tmp_path):
    other = write(tmp_path / "b.rec", [encode(noise(40, 40), "raw")] * 3)
    state = rk.Loader(photos, batch_size=4, transforms=TRAIN).state_dict()
    with pytest.raises(PlanError, match=r"loader state: (fingerprint|n_samples): expected"):
        rk.Loader(other, batch_size=4, transforms=TRAIN).load_state_dict(state)


def damaged(tmp_path):
    """Write ten images; number 3 is damaged and number 4 is empty."""
    payloads = [save(picture(noise(40, 40)), "JPEG") for _ in range(10)]
    payloads[3], payloads[4] = payloads[3][:200], b""
    return write(tmp_path / "damaged.rec", payloads)


def test_a_bad_sample_ends_the_epoch_with_its_file_and_key(tmp_path, engine):
    path = damaged(tmp_path)
    with pytest.raises(ImageError, match=rf"{path}: key 3: ") as caught:
        list(rk.Loader(path, batch_size=4, transforms=[rk.RandomCrop(32)], engine=engine))
    assert (caught.value.path, caught.value.key) == (str(path), 3)


def test_both_engines_decode_a_jpeg_with_corrupt_tables_alike_or_refuse_it(tmp_path, require_native):
    base = save(picture(noise(20, 30)), "JPEG", quality=80)
    offsets = [
        offset
        for segment in re.finditer(b"\xff[\xc4\xda]", base)
        for offset in range(segment.end() + 2, segment.end() + int.from_bytes(base[segment.end() :][:2], "big"))
    ]
    payloads = [base]
    for offset in offsets:
        for value in {0, 15, 16, 255, base[offset] ^ 1, (base[offset] + 1) % 256}:
            payloads.append(base[:offset] + bytes([value]) + base[offset + 1 :])
    path = write(tmp_path / "a.rec", payloads)
    options = {"batch_size": 64, "transforms": [rk.CenterCrop((16, 24))], "on_error": "skip"}
    ours, want = (everything(rk.Loader(path, **options, engine=name)) for name in ("native", "python"))
    assert 100 < len(ours[0]) < len(payloads)
    assert np.array_equal(ours[0], want[0]) and np.array_equal(ours[2], want[2])


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_before_a_bad_sample_are_yielded(tmp_path, engine, threads):
    loader = rk.Loader(damaged(tmp_path), batch_size=1, transforms=[rk.RandomCrop(32)], engine=engine, threads=threads)
    keys = []
    with pytest.raises(ImageError, match="key 3: "):
        keys.extend(key for batch in loader for key in batch.key.tolist())
    assert keys == [0, 1, 2]


def test_the_error_of_a_transform_keeps_its_argument_and_advice_if_no_sample_can_be_loaded(tmp_path, engine):
    def refuse(image, draws):
        raise ImageError(argument="margin", expected="a border", got="none", advice="pad the images")

    path = write(tmp_path / "a.rec", [encode(noise(20, 30), "raw")])
    message = "margin: key 0: expected a border, got none; pad the images$"
    with pytest.raises(ImageError, match=message) as caught:
        rk.Loader(path, batch_size=1, transforms=[refuse], engine=engine)
    assert (caught.value.argument, caught.value.key) == ("margin", 0)


def test_a_file_without_images_is_an_error_with_its_first_sample(tmp_path, engine):
    path = write(tmp_path / "a.rec", [b"text", b"more"])
    message = (
        rf"^{path}: key 0: expected an image, got 4 bytes .*; none of the 2 samples that were tried can be loaded$"
    )
    with pytest.raises(ImageError, match=message):
        rk.Loader(path, batch_size=1, engine=engine)


def test_bad_samples_are_skipped_and_listed(tmp_path, engine):
    loader = rk.Loader(damaged(tmp_path), batch_size=4, transforms=[rk.RandomCrop(32)], engine=engine, on_error="skip")
    for _ in range(2):
        batches = list(loader)
        assert [batch.key.tolist() for batch in batches] == [[0, 1, 2], [5, 6, 7], [8, 9]]
        assert [(len(batch.data), batch.n_valid) for batch in batches] == [(3, 3), (3, 3), (2, 2)]
    assert (
        [bad.key for bad in loader.bad_samples] == [3, 4]
        and loader.bad_samples[0].path.name == "damaged.rec"
        and loader.bad_samples[1].reason
    )


def test_bad_samples_are_replaced_by_the_next_ones_and_listed(tmp_path, engine):
    loader = rk.Loader(
        damaged(tmp_path), batch_size=4, transforms=[rk.RandomCrop(32)], engine=engine, on_error="replace"
    )
    batches = list(loader)
    assert [batch.key.tolist() for batch in batches] == [[0, 1, 2, 5], [5, 5, 6, 7], [8, 9]]
    assert [bad.key for bad in loader.bad_samples] == [3, 4]


@pytest.mark.parametrize(("on_error", "keys"), [("skip", [0, 2]), ("replace", [0, 2, 2])])
def test_exact_labels_are_those_of_the_loaded_samples_after_an_error(tmp_path, engine, on_error, keys):
    for key in range(3):
        (tmp_path / f"{key}.pgm").write_bytes(b"text" if key == 1 else encode(noise(8, 8, 1), "raw"))
    labels = [2**53 + 1, 2**53 + 3, 2**53 + 5]
    (tmp_path / "a.lst").write_text("".join(f"{key}\t{label}\t{key}.pgm\n" for key, label in enumerate(labels)))
    plan = rk.PackPlan(exact_labels=True, any_file=True)
    rk.pack(ListSource(tmp_path / "a.lst", tmp_path), tmp_path / "out", plan=plan)
    (batch,) = rk.Loader(tmp_path / "out.rec", batch_size=3, on_error=on_error, engine=engine)
    assert batch.key.tolist() == keys and batch.n_valid == len(keys)
    assert batch.label.tolist() == [labels[key] for key in keys]


def test_a_damaged_record_is_an_error_with_its_file_and_offset(tmp_path, engine):
    path = write(tmp_path / "a.rec", [encode(noise(40, 40), "raw")] * 400)
    content = bytearray(path.read_bytes())
    begin = 200 * (len(content) // 400)
    content[begin] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"a.rec: byte {begin}: expected magic") as caught:
        list(rk.Loader(path, batch_size=4, transforms=[rk.RandomCrop(32)], engine=engine))
    assert (caught.value.path, caught.value.offset) == (str(path), begin)


def test_the_first_sample_may_be_damaged(tmp_path, engine):
    path = write(tmp_path / "a.rec", [encode(noise(8, 8), "raw")] * 100)
    dataset = rk.RecordDataset(path)
    with open(path, "r+b") as file:
        file.seek(int(dataset.offsets[50]))
        file.write(b"oops")
    (batch,) = loader = rk.Loader(dataset[50:53], batch_size=4, engine=engine, on_error="skip")
    assert batch.key.tolist() == [51, 52] and [bad.key for bad in loader.bad_samples] == [50]
    with pytest.raises(FormatError, match="expected magic"):
        rk.Loader(dataset[50:51], batch_size=4, transforms=[rk.CenterCrop(8)], engine=engine, on_error="skip")


def test_images_of_different_sizes_need_a_crop(photos, engine):
    with pytest.raises(
        ImageError, match=r"photos.rec: key \d+: expected .* pixels after the transforms, .* end with a crop"
    ):
        list(rk.Loader(photos, batch_size=4, engine=engine))


def test_a_random_size_after_the_crop_is_an_error_with_its_sample(photos, engine):
    with pytest.raises(ImageError, match=r"photos.rec: key \d+: expected .* pixels after the transforms"):
        list(rk.Loader(photos, batch_size=4, transforms=[rk.CenterCrop(30), RandomScale(0.5, 1.5)], engine=engine))


def test_samples_with_different_numbers_of_labels_are_refused(tmp_path, engine):
    path = write(tmp_path / "a.rec", [encode(noise(8, 8), "raw")] * 3, [1.0, (1.0, 2.0), 3.0])
    with pytest.raises(FormatError, match="a.rec: key 1: expected 1 label as in the first sample, got 2"):
        list(rk.Loader(path, batch_size=4, engine=engine))


def test_several_labels_have_a_column_each(tmp_path, engine):
    path = write(tmp_path / "a.rec", [encode(noise(8, 8), "raw")] * 3, [(1.0, 2.0), (3.0, 4.0), (5.0, 0.5)])
    (batch,) = rk.Loader(path, batch_size=4, engine=engine)
    assert batch.label.tolist() == [[1, 2], [3, 4], [5, 0.5]] and batch.label.dtype == np.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int32"}, "dtype: expected 'uint8' or 'float16' or 'float32', got 'int32'"),
        ({"layout": "CHW"}, "layout: expected 'NHWC' or 'NCHW', got 'CHW'"),
        ({"channels": 2}, "channels: expected 3 or 1 or 4 or 'keep', got 2"),
        ({"on_error": "ignore"}, "on_error: expected one of raise, skip, replace, got 'ignore'"),
        ({"engine": "gpu"}, "engine: expected one of auto, native, python, got 'gpu'"),
        ({"transforms": [rk.Normalize(0, 1)], "dtype": "uint8"}, "dtype: expected float32 or float16 with Normalize"),
        ({"transforms": [rk.Normalize(0, 1), rk.RandomCrop(3)], "dtype": "float32"}, "expected Normalize at the end"),
        (
            {"transforms": [rk.Normalize(0, 1 / 258, scale=1)], "dtype": "float16"},
            r"dtype: expected one that holds what Normalize\(mean=0, std=0.00387.*\) makes of 0 and 255, got float16",
        ),
        (
            {"transforms": [rk.Normalize(0, 1e-40, scale=1)], "dtype": "float32"},
            "dtype: expected one that holds .*float32",
        ),
        ({"transforms": [3]}, "transforms: expected a transform or another callable, got 3 as number 0"),
        (
            {"transforms": rk.RandomFlip()},
            r"transforms: expected a list of transforms, got RandomFlip.*; put it between",
        ),
        ({"transforms": [rk.RandomFlip]}, "got the class RandomFlip as number 0; call it: RandomFlip\\(...\\)"),
        ({"transforms": [rk.Normalize]}, "transforms: expected a transform, got the class Normalize as number 0"),
        ({"shuffle": Pages}, "shuffle: expected True, False or an order .*, got <class '.*Pages'>"),
        ({"shuffle": 42}, "shuffle: expected True, False or an order .*, got 42"),
        ({"rank": 1}, r"rank: expected \(number of this loader, number of loaders\), got 1"),
        ({"dtype": np.float64}, "dtype: expected 'uint8' or .*, got 'float64'"),
        ({"label_dtype": np.int32}, "label_dtype: expected one of stored, .*, got 'int32'"),
        ({"seed": -1}, "seed: expected 0 to"),
        ({"seed": None}, "seed: expected 0 to .*, got None"),
        ({"seed": 1.5, "shuffle": True}, "seed: expected 0 to .*, got 1.5"),
        ({"batch_size": 2.5}, "batch_size: expected a whole number, got 2.5"),
        ({"rank": (0, "2")}, "n_ranks: expected a whole number, got '2'"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"rank": (2, 2)}, "rank: expected 0 to n_ranks - 1, got 2 of 2"),
        ({"shuffle": Pages(7)}, "shuffle: expected an order of 50 samples, got one of 7"),
    ],
)
def test_invalid_arguments_are_refused_by_the_constructor(photos, options, message):
    with pytest.raises(PlanError, match=message):
        rk.Loader(photos, **{"batch_size": 4, **options})


@pytest.mark.parametrize("kind", [np.dtype, lambda name: getattr(np, name)])
def test_types_of_numpy_stand_for_their_names(photos, kind):
    loader = rk.Loader(photos, batch_size=4, transforms=TRAIN, dtype=kind("float16"), label_dtype=kind("int64"))
    batch = next(iter(pickle.loads(pickle.dumps(loader))))
    assert (batch.data.dtype, batch.label.dtype) == (np.float16, np.int64)


def test_an_epoch_without_a_batch_is_refused(photos):
    with pytest.raises(PlanError, match=r"last_batch: expected enough samples for a batch of 99 .*, got 50; make"):
        rk.Loader(photos, batch_size=99, transforms=TRAIN, last_batch="drop")


def test_arrays_that_the_caller_keeps_are_never_overwritten(photos, engine):
    loader = rk.Loader(photos, batch_size=8, transforms=TRAIN, engine=engine)
    kept = list(itertools.chain(loader, loader))
    copies = [batch.data.copy() for batch in kept]
    list(loader)
    assert all(np.array_equal(batch.data, copy) for batch, copy in zip(kept, copies, strict=True))
    kept[0].data[:] = 7
    assert np.array_equal(kept[1].data, copies[1])


def test_many_loaders_leave_no_threads_and_no_open_files(photos, engine):
    def run(n):
        for number in range(n):
            loader = rk.Loader(photos, batch_size=4, transforms=[rk.CenterCrop(8)], threads=2, engine=engine)
            next(iter(loader))
            if number % 2:
                loader.close()
        del loader
        gc.collect()

    run(20)
    wait_until(lambda: "recordkit" not in {thread.name for thread in threading.enumerate()})
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    run(100)
    wait_until(lambda: threading.active_count() <= threads and len(os.listdir("/proc/self/fd")) <= files)


def test_a_forked_process_must_start_a_new_iteration(photos, engine):
    loader = rk.Loader(photos, batch_size=4, transforms=TRAIN, engine=engine)
    batches = iter(loader)
    next(batches)
    child = os.fork()
    if not child:
        code = 1
        try:
            list(batches)
        except RuntimeError as error:
            code = 0 if "start a new iteration" in str(error) and len(list(loader)) == 13 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(batches)) == 12


def test_the_timing_names_the_bottleneck(photos):
    loader = rk.Loader(photos, batch_size=4, transforms=TRAIN, engine="python")
    list(loader)
    assert loader.timing.bottleneck in ("decode", "disk") and loader.timing.load_s > 0


@pytest.mark.usefixtures("no_native")
def test_auto_is_the_reference_engine_if_the_core_is_not_built(photos):
    with rk.Loader(photos, batch_size=4, transforms=TRAIN) as loader:
        assert loader.engine == "python" and not native.available()


def test_the_order_of_many_large_batches_is_computed_at_once(tmp_path, engine, monkeypatch):
    path = write(tmp_path / "dots.rec", [encode(np.zeros((1, 1, 1), np.uint8), "raw")] * 5000)
    calls = []

    def batches(sampler, *arguments, **options):
        calls.append(arguments)
        time.sleep(0.05)  # the other threads ask for the same block meanwhile
        return original(sampler, *arguments, **options)

    original = Sampler.batches
    monkeypatch.setattr(Sampler, "batches", batches)
    # A batch has more than half of the bytes of a work item, so that each of the 24 items has one.
    with rk.Loader(
        path,
        batch_size=210,
        shuffle=True,
        channels=3,
        transforms=[rk.Resize(60)],
        threads=8,
        engine=engine,
    ) as loader:
        indices = np.concatenate([batch.index for batch in loader])
    assert indices.tolist() == Shuffled(5000).indices(0, np.arange(5000)).tolist()
    assert len(calls) == 2  # blocks of 19 and 5 batches


def test_the_order_of_a_work_item_is_not_kept_if_no_other_needs_it(tmp_path, engine, monkeypatch):
    path = write(tmp_path / "dots.rec", [encode(np.zeros((1, 1, 1), np.uint8), "raw")] * 5000)
    blocks = []

    def batches(sampler, *arguments, **options):
        block = original(sampler, *arguments, **options)
        blocks.append(weakref.ref(block[0].positions.base))
        return block

    original = Sampler.batches
    monkeypatch.setattr(Sampler, "batches", batches)
    with rk.Loader(path, batch_size=4097, threads=1, engine=engine) as loader:
        list(loader)
        assert blocks and not any(block() is not None for block in blocks)
