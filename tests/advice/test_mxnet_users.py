"""Following the advices of the faces that MXNet's users know: recordio and ImageRecordIter."""

import re
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice, commands, text_of

import recordkit as rk
from recordkit import recordio
from recordkit.record_iter.parameters import PARAMETERS


@pytest.fixture
def rec(photos):
    rk.pack("photos", "out")
    return "out.rec"


def iterate(rec, **options):
    return list(rk.ImageRecordIter(**{"path_imgrec": rec, "data_shape": (3, 16, 16), "batch_size": 2, **options}))


def test_parameters(rec):
    error = text_of(lambda: iterate(rec, rand_mirorr=True))
    (name,) = advice("record_iter/parameters.py", "is it {}?", error)
    iterate(rec, **{name.rstrip("?"): True})
    error = text_of(lambda: iterate(rec, zzz=True))
    advice("record_iter/parameters.py", "help(recordkit.ImageRecordIter) lists them", error)
    assert all(parameter.name in rk.ImageRecordIter.__doc__ for parameter in PARAMETERS)
    error = text_of(lambda: rk.ImageRecordIter(path_imgrec=rec, batch_size=2))
    advice("record_iter/parameters.py", "ImageRecordIter needs it", error)
    iterate(rec, **{error.split(":")[0]: (3, 16, 16)})


def test_several_files(rec):
    error = text_of(lambda: iterate([rec, rec]))
    advice("record_iter/parameters.py", "join several paths with semicolons", error)
    assert len(iterate(f"{rec};{rec}")) == 2 * len(iterate(rec))


def test_an_index_in_place_of_the_file(rec):
    Path("long.idx").write_text("0\t0\n1\t8120\n2\t16200\n")
    error = text_of(lambda: recordio.MXIndexedRecordIO(rec, "long.idx", "r"))
    advice("formats/signatures.py", "give the .rec file, not its index or list", error)
    assert recordio.MXIndexedRecordIO("out.idx", rec, "r").read_idx(0)


def test_an_image_that_imread_did_not_read():
    header = recordio.IRHeader(0, 1.0, 7, 0)
    error = text_of(lambda: recordio.pack_img(header, None))
    advice("recordio/images.py", "OpenCV's imread returns it for a file it cannot read", error)


def test_parameters_that_are_refused(rec):
    error = text_of(lambda: iterate(rec, min_img_size=40))
    advice("record_iter/parameters.py", "In MXNet it enlarges the canvas with fill_value; use pad.", error)
    iterate(rec, **{re.search(r"use (\w+)", error)[1]: 10})
    error = text_of(lambda: iterate(rec, max_img_size=20))
    advice("record_iter/parameters.py", "In MXNet it limits the canvas, which cuts the image off; use resize.", error)
    iterate(rec, **{re.search(r"use (\w+)", error)[1]: 20})
    error = text_of(lambda: iterate(rec, max_random_contrast=0.1))
    advice("record_iter/parameters.py", "MXNet scales normalised values with it; use contrast.", error)
    iterate(rec, **{re.search(r"use (\w+)", error)[1]: 0.1})
    error = text_of(lambda: iterate(rec, max_random_illumination=10))
    advice("record_iter/parameters.py", "MXNet shifts normalised values with it; use random_l or brightness.", error)
    first, second = re.search(r"use (\w+) or (\w+)", error).groups()
    iterate(rec, **{first: 10})
    iterate(rec, **{second: 0.1})


def test_a_range_of_aspect_ratios(rec):
    error = text_of(lambda: iterate(rec, random_resized_crop=True, max_aspect_ratio=1.5, min_random_area=0.1))
    advice("record_iter/steps.py", "give `min_aspect_ratio` and `max_aspect_ratio`", error)
    iterate(rec, random_resized_crop=True, min_aspect_ratio=0.5, max_aspect_ratio=1.5, min_random_area=0.1)


def test_a_random_square_that_is_too_large(rec):
    words = {"min_crop_size": 30, "max_crop_size": 40}
    error = text_of(lambda: iterate(rec, **words))
    advice("transforms/mxnet_augmenter.py", "resize or pad the images first", error)
    random = text_of(lambda: iterate(rec, **words, rand_crop=True))
    advice("transforms/crop.py", "resize or pad the images first", random)
    for is_random in (False, True):
        iterate(rec, **words, rand_crop=is_random, resize=40)
        iterate(rec, **words, rand_crop=is_random, pad=20)


def test_more_parts_than_samples(rec):
    options = {"num_parts": 9, "part_index": 8}
    advice("record_iter/source.py", "use fewer parts", text_of(lambda: iterate(rec, **options)))
    iterate(rec, num_parts=2, part_index=1)


def test_a_mean_file(rec):
    Path("mean.bin").write_bytes(b"no mean")
    for shape in ((3, 16, 16), (3, 8, 8)):
        error = text_of(lambda shape=shape: iterate(rec, mean_img="mean.bin", data_shape=shape))
        text = "give another file, or the name of a new one, which is then computed and written"
        advice(
            "record_iter/mean_image.py",
            "give another file, or the name of a new one, which is then computed and written",
            error,
        )
        iterate(rec, mean_img=f"new{shape[1]}.bin", data_shape=shape)
        iterate(rec, mean_img=f"new{shape[1]}.bin", data_shape=shape)
        Path("mean.bin").write_bytes(Path("new16.bin").read_bytes())
        assert text in error


def test_the_index_of_another_file(rec, works):
    for name in ("cat", "dog"):
        Path(f"photos/{name}/0.jpg").unlink()
    rk.pack("photos", "two")
    with recordio.MXIndexedRecordIO("out.idx", "two.rec", "r") as reader:
        error = text_of(lambda: [reader.read_idx(key) for key in reader.keys])
    path, _ = advice("recordio/files.py", "is {} the index of this file? If not, {}", error)
    assert path == "out.idx"
    works(*commands(error)[-1])
    with recordio.MXIndexedRecordIO("two.idx", "two.rec", "r") as reader:
        assert [recordio.unpack(reader.read_idx(key))[0].id for key in reader.keys] == reader.keys


def test_an_image_that_is_no_image(rec):
    header = recordio.IRHeader(0, 1.0, 7, 0)
    error = text_of(lambda: recordio.unpack_img(recordio.pack(recordio.IRHeader(2, [4, 6], 0, 0), b"")))
    advice("recordio/images.py", "skip metadata records, whose image is empty", error)
    assert recordio.unpack(recordio.pack(header, b""))[1] == b""
    record = recordio.pack_img(header, np.zeros((4, 4, 3), np.uint8), img_fmt=".png")
    error = text_of(lambda: recordio.unpack_img(record, 7))
    advice("recordio/images.py", "for another size or order of channels, unpack with 1 and convert the array", error)
    assert recordio.unpack_img(record, 1)[1][:, :, ::-1].shape == (4, 4, 3)


def test_arrays_that_cannot_be_packed():
    header, mask = recordio.IRHeader(0, 1.0, 7, 0), np.ones((4, 4), bool)
    error = text_of(lambda: recordio.pack_img(header, mask, img_fmt=".png"))
    (factor,) = re.search(r"by (\d+)", error).groups()
    advice("recordio/images.py", "multiply a mask by 255", error)
    assert recordio.unpack_img(recordio.pack_img(header, mask * int(factor), img_fmt=".png"), 0)[1].max() == 255
    complex_image = np.ones((4, 4), complex)
    error = text_of(lambda: recordio.pack_img(header, complex_image, img_fmt=".png"))
    advice("recordio/images.py", "convert it with astype", error)
    recordio.pack_img(header, complex_image.real.astype(np.uint8), img_fmt=".png")
    deep = np.ones((4, 4, 3), np.uint16)
    error = text_of(lambda: recordio.pack_img(header, deep, img_fmt=".tiff"))
    advice("recordio/images.py", "convert it with astype, or use .png for uint16", error)
    recordio.pack_img(header, deep.astype(np.uint8), img_fmt=".tiff")
    recordio.pack_img(header, deep, img_fmt=re.search(r"use (\.png)", error)[1])
