"""ImageRecordIter's mean image: MXNet's batches and files, both ways."""

import io
import warnings

import numpy as np
import pytest
from images import noise, picture, save, write

import recordkit as rk
from recordkit.errors import FormatError, PlanError
from recordkit.record_iter import mean_image, ndarray_file

SHAPE = (3, 16, 18)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Ten colour PNGs of 20 to 22 x 22 pixels."""
    folder = tmp_path_factory.mktemp("rec")
    return write(folder / "a.rec", [save(picture(noise(20 + n % 3, 22, seed=n)), "PNG") for n in range(10)])


def batches(path, **options):
    with rk.ImageRecordIter(path_imgrec=path, **{"data_shape": SHAPE, "batch_size": 4, **options}) as iterator:
        return [batch.data[0] for batch in iterator]


def mxnet_batches(mx, path, **options):
    options = {"data_shape": SHAPE, "batch_size": 4, "verbose": False, "preprocess_threads": 1, **options}
    return [batch.data[0].asnumpy().copy() for batch in mx.io.ImageRecordIter(path_imgrec=str(path), **options)]


def write_mean(path, mean):
    path.write_bytes(ndarray_file.pack({"mean_img": mean.astype(np.float32)}))
    return str(path)


SETTINGS = [
    {},
    {"mirror": True},
    {"scale": 0.3, "std_g": 58.4, "mirror": True},
    {"dtype": "int8"},
    {"dtype": "int8", "mirror": True},
    {"data_shape": (1, 16, 18)},
]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_batches_with_a_mean_file_are_mxnets(mx, path, tmp_path, engine, options):
    mean = np.random.default_rng(3).uniform(0, 255, options.get("data_shape", SHAPE))
    options = {"mean_img": write_mean(tmp_path / "m.nd", mean), **options}
    got, want = batches(path, engine=engine, **options), mxnet_batches(mx, path, **options)
    gap = 1.001 if "data_shape" in options else 0  # OpenCV rounds colour to gray differently
    assert len(got) == len(want) == 3
    for ours, theirs in zip(got, want, strict=True):
        assert ours.dtype == theirs.dtype and np.abs(ours.astype(float) - theirs).max() <= gap


@pytest.mark.parametrize("options", [{}, {"mirror": True}, {"num_parts": 2, "part_index": 1}], ids=str)
@pytest.mark.filterwarnings("ignore:mean_img:UserWarning")
def test_a_mean_file_that_is_computed_is_mxnets_to_the_byte(mx, path, tmp_path, engine, options):
    ours, theirs = tmp_path / "ours.nd", tmp_path / "theirs.nd"
    got, want = (
        batches(path, mean_img=ours, engine=engine, **options),
        mxnet_batches(mx, path, mean_img=str(theirs), **options),
    )
    assert ours.read_bytes() == theirs.read_bytes()
    assert all(map(np.array_equal, got, want)) and len(got) == len(want)
    assert np.array_equal(mx.nd.load(str(ours))["mean_img"].asnumpy(), ndarray_file.unpack(theirs.read_bytes())[0][1])


def test_the_mean_is_computed_once_and_then_read(path, tmp_path, engine):
    name = tmp_path / "new" / "m.nd"
    plain = np.concatenate(batches(path, engine=engine, round_batch=False))[:10]
    first = batches(path, mean_img=name, engine=engine)
    written = name.read_bytes()
    mean = ndarray_file.unpack(written)[0][1]
    assert np.allclose(mean, plain.mean(0), atol=1e-4) and np.array_equal(first[0], plain[:4] - mean)
    name.write_bytes(ndarray_file.pack({"mean_img": mean + 1}))
    assert np.array_equal(batches(path, mean_img=name, engine=engine)[0], plain[:4] - (mean + 1))


def test_the_mean_is_that_of_plain_pixels_whatever_the_scale(path, tmp_path):
    files = [tmp_path / name for name in ("plain.nd", "scaled.nd")]
    batches(path, mean_img=files[0])
    batches(path, mean_img=files[1], scale=0.5, std_r=2)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_random_mirror_mirrors_the_mean_too_and_changes_with_the_epoch(path, tmp_path, engine):
    mean = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    plain = np.concatenate(batches(path, round_batch=False))[:10] - mean
    options = {"mean_img": write_mean(tmp_path / "m.nd", mean), "rand_mirror": True, "engine": engine}
    with rk.ImageRecordIter(path_imgrec=path, data_shape=SHAPE, batch_size=5, **options) as iterator:
        epochs = []
        for _ in range(2):
            images = np.concatenate([batch.data[0] for batch in iterator])
            iterator.reset()
            mirrored = [np.array_equal(a, b[..., ::-1]) for a, b in zip(images, plain, strict=True)]
            assert all(was or np.array_equal(a, b) for was, a, b in zip(mirrored, images, plain, strict=True))
            epochs.append(mirrored)
    assert 0 < sum(epochs[0]) < 10 and epochs[0] != epochs[1]
    assert np.array_equal(images, np.concatenate(_second_epoch(path, {**options, "preprocess_threads": 1})))


def _second_epoch(path, options):
    with rk.ImageRecordIter(path_imgrec=path, data_shape=SHAPE, batch_size=5, **options) as iterator:
        list(iterator)
        iterator.reset()
        return [batch.data[0] for batch in iterator]


def test_float16_and_shuffle_work_with_a_mean(path, tmp_path):
    mean = write_mean(tmp_path / "m.nd", np.full(SHAPE, 7))
    plain = np.concatenate(batches(path, shuffle=True, seed=3, dtype="float16"))
    got = np.concatenate(batches(path, shuffle=True, seed=3, dtype="float16", mean_img=mean))
    assert got.dtype == np.float16 and np.array_equal(got, plain - 7)


def test_uint8_has_no_mean_and_computes_none(path, tmp_path):
    with pytest.warns(UserWarning, match="mean_img: it has no effect with dtype uint8"):
        batches(path, mean_img=tmp_path / "m.nd", dtype="uint8")
    assert not (tmp_path / "m.nd").exists()


def test_what_a_mean_replaces_is_warned_of(path, tmp_path):
    mean = write_mean(tmp_path / "m.nd", np.zeros(SHAPE))
    with pytest.warns(UserWarning, match="mean_g: it has no effect with mean_img"):
        batches(path, mean_img=mean, mean_g=100)


def test_a_mean_of_one_part_is_warned_of_but_not_one_that_is_read(path, tmp_path):
    options = {"mean_img": tmp_path / "m.nd", "num_parts": 2, "part_index": 1}
    with pytest.warns(UserWarning, match=r"mean_img: .*m.nd is computed from part 1 of 2 only, .* with num_parts=1"):
        batches(path, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batches(path, **options)


def test_bad_samples_are_no_part_of_the_mean(tmp_path, engine):
    payloads = [save(picture(noise(16, 18, seed=n)), "PNG") for n in range(3)]
    path = write(tmp_path / "a.rec", [payloads[0], payloads[1][:50], payloads[2]])
    batches(path, mean_img=tmp_path / "m.nd", on_error="skip", engine=engine)
    mean = ndarray_file.unpack((tmp_path / "m.nd").read_bytes())[0][1]
    want = np.mean([noise(16, 18, seed=n) for n in (0, 2)], 0).transpose(2, 0, 1)
    assert np.allclose(mean, want, atol=1e-4)


def test_a_file_of_bad_samples_has_no_mean(tmp_path, engine):
    path = write(tmp_path / "a.rec", [b"no image", b"nor this"])
    with pytest.raises(FormatError, match=r"a.rec: expected images to compute the mean from, got only bad samples"):
        batches(path, mean_img=tmp_path / "m.nd", on_error="skip", engine=engine)
    assert not (tmp_path / "m.nd").exists()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (ndarray_file.pack({"mean_img": np.zeros((3, 28, 28))}), PlanError,
         r"mean_img: expected an array of shape \(3, 16, 18\) in .*m.nd, as data_shape says, got \(3, 28, 28\); give"),
        (ndarray_file.pack({"a": np.zeros(SHAPE), "b": np.zeros(SHAPE)}), FormatError, "expected one .* 2 arrays"),
        (b"\x93NUMPY" + bytes(90), FormatError, r"m.nd: expected a file of mx.nd.save, .* got b'\\x93NUMPY"),
        (b"", FormatError, "m.nd: expected a file of mx.nd.save"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_mean_image_is_named(path, tmp_path, content, error, message):
    (tmp_path / "m.nd").write_bytes(content)
    with pytest.raises(error, match=message):
        batches(path, mean_img=tmp_path / "m.nd")


def test_another_file_is_not_read_whole(path, tmp_path, monkeypatch):
    class Huge(io.BytesIO):
        def read(self, size=-1):
            assert size >= 0
            return super().read(size)

    monkeypatch.setattr(mean_image, "open_file", lambda _path, **_options: Huge(b"another file"))
    (tmp_path / "m.nd").touch()
    with pytest.raises(FormatError, match=r"m.nd: expected a file of mx.nd.save, .* got b'another '"):
        batches(path, mean_img=tmp_path / "m.nd")
