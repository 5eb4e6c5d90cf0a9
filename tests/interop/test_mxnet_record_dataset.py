"""recordkit's dataset in the loops of Gluon."""

import pickle
import shutil

import numpy as np
import pytest
from images import noise, picture, save, write

from recordkit.errors import ImageError, PlanError
from recordkit.interop import mxnet


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """13 RGB images in PNG, of two sizes, with labels 0.5, 1.5, ..."""
    payloads = [save(picture(noise(12, 10 + n // 8, 3, seed=n)), "PNG") for n in range(13)]
    return write(tmp_path_factory.mktemp("rec") / "photos.rec", payloads, [n + 0.5 for n in range(13)])


def brightness(image, label):
    """Stands here, because the workers of a DataLoader find a function by its module."""
    return image.astype("float32").mean(), label


@pytest.mark.parametrize("flag", [0, 1])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_samples_are_those_of_gluon(mx, tmp_path, mode, flag):
    payloads = [save(picture(noise(12, 10, 3, seed=n), mode), "PNG") for n in range(13)]
    path = write(tmp_path / "photos.rec", payloads, [n + 0.5 for n in range(13)])
    ours = mxnet.RecordDataset(path, channels=2 * flag + 1)
    gluons = mx.gluon.data.vision.ImageRecordDataset(str(path), flag)
    tolerance = 1 if mode == "RGB" and flag == 0 else 0  # libpng and Pillow round gray differently
    assert isinstance(ours, mx.gluon.data.Dataset) and len(ours) == len(gluons) == 13
    for (image, label), (expected, expected_label) in zip(ours, gluons, strict=True):
        assert type(image) is mx.nd.NDArray and (image.dtype, image.shape) == (np.uint8, expected.shape)
        assert abs(image.asnumpy().astype(int) - expected.asnumpy()).max() <= tolerance
        assert (type(label), label) == (float, expected_label)
    assert ours[-1][1] == 12.5
    with pytest.raises(IndexError):
        ours[13]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flag": 0}, "flag: expected channels in its place, got flag=0"),
        ({"channels": 0}, "channels: expected 1 or 3, got 0"),
    ],
)
def test_gluons_flag_is_an_error_that_says_what_to_write(arguments, message):
    with pytest.raises(PlanError) as caught:
        mxnet.RecordDataset("photos.rec", **arguments)
    assert str(caught.value) == f"{message}; channels=1 stands for Gluon's flag=0, and channels=3 for flag=1"


def test_several_labels_are_an_array(mx, tmp_path):
    path = write(tmp_path / "two.rec", [save(picture(), "PNG")] * 2, [(1.0, 2.5), (3.0, 4.0)])
    gluons = mx.gluon.data.vision.ImageRecordDataset(str(path))
    for (_, label), (_, expected) in zip(mxnet.RecordDataset(path), gluons, strict=True):
        assert label.dtype == expected.dtype == np.float32 and label.tolist() == expected.tolist()


def test_several_files_and_no_index(mx, photos, tmp_path):
    shutil.copy(photos, tmp_path / "a_0.rec")
    shutil.copy(photos, tmp_path / "a_1.rec")
    with pytest.warns(UserWarning, match="idx"):
        dataset = mxnet.RecordDataset(str(tmp_path / "a_*.rec"))
    assert len(dataset) == 26 and dataset[14][1] == 1.5 and len(dataset.dataset.files) == 2


def test_the_methods_of_gluons_datasets(mx, photos):
    dataset = mxnet.RecordDataset(photos)
    to_tensor = mx.gluon.data.vision.transforms.ToTensor()
    image, label = dataset.transform_first(to_tensor)[2]
    assert (image.shape, image.dtype, label) == ((3, 12, 10), np.float32, 2.5)
    assert [label for _, label in dataset.filter(lambda sample: sample[1] > 10)] == [10.5, 11.5, 12.5]
    assert [label for _, label in dataset.shard(3, 1)] == [5.5, 6.5, 7.5, 8.5]
    assert [label for _, label in dataset.take(2)] == [0.5, 1.5]
    expected = [image.asnumpy().mean() for image, _ in dataset]
    for transformed in (dataset.transform(brightness), mxnet.RecordDataset(photos, transform=brightness)):
        means = [mean.asscalar() for mean, _ in transformed]
        assert np.allclose(means, expected)


@pytest.mark.parametrize("workers", [{}, {"num_workers": 4}, {"num_workers": 4, "thread_pool": True}])
def test_a_dataloader_gives_the_batches_of_gluons_dataset(mx, photos, workers):
    gluons = mx.gluon.data.vision.ImageRecordDataset(str(photos))  # its images are mixed up by threads
    batches = []
    for dataset, options in ((mxnet.RecordDataset(photos), workers), (gluons, {})):
        loader = mx.gluon.data.DataLoader(dataset.take(8), batch_size=3, **options)
        batches.append([(data.asnumpy(), label.asnumpy()) for data, label in loader])
    for (data, label), (expected_data, expected_label) in zip(*batches, strict=True):
        assert data.dtype == np.uint8 and np.array_equal(data, expected_data)
        assert label.dtype == expected_label.dtype and np.array_equal(label, expected_label)
    assert len(batches[0]) == 3


def test_it_can_be_pickled(mx, photos):
    copy = pickle.loads(pickle.dumps(mxnet.RecordDataset(photos, 1, transform=brightness)))
    assert len(copy) == 13 and copy[3][1] == 3.5


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_damaged_image_is_named(mx, tmp_path, num_workers):
    path = write(tmp_path / "bad.rec", [save(picture(), "PNG"), b"no image"])
    loader = mx.gluon.data.DataLoader(mxnet.RecordDataset(path), batch_size=2, num_workers=num_workers)
    with pytest.raises(ImageError, match=r"bad\.rec: key 1: ") as caught:
        list(loader)
    assert (caught.value.path, caught.value.key) == (str(path), 1)
    with pytest.raises(ImageError, match=r"bad\.rec: key 1: "):
        mxnet.RecordDataset(path)[-1]
