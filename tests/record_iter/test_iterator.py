"""ImageRecordIter: MXNet's parameters and protocol, and its pixels compared with MXNet's.

Differences from MXNet 1.9.1, largest and mean, in grey levels before mean, std and scale, with either engine.
Photographs: 24 images of imagenet-200, cropped to the central 224 x 200. Small images: those of this file.

===========================================  ============  ===========
setting                                      small images  photographs
===========================================  ============  ===========
crop, mirror, mean, std, scale, uint8, int8  0             0
pad, parts, labels, last batch, nearest      0             0
resize                                       1, 0.33       1, 0.37
resize, cubic                                1, 0.02       1, 0.03
resize, area                                 1, 0.02       1, 0.02
resize, lanczos4                             1, 0.06       1, 0.05
resize, auto                                 1, 0.003      1, 0.007
min_crop_size = max_crop_size                1, 0.42       1, 0.37
too low or narrow: enlarged once or twice    2, 0.74       1, 0.03
resize, then enlarged twice                  3, 1.11
colour PNG as gray                           1, 0.50       1, 0.50
... with a colour profile                                  37, 3.05
rotate=30                                    128, 2.40     128, 0.58
===========================================  ============  ===========

The differences of gray and alpha equal those of colour within 0.03. MXNet's decoder converts a PNG with a colour
profile to gray in linear light, which no other decoder does. Each resize adds at most 1. MXNet blends the edges of a
rotated image with `fill_value`, so a few pixels differ much.
"""

import inspect
import re
import warnings

import numpy as np
import pytest
from images import noise, picture, pixels, save, write

import recordkit as rk
from recordkit.errors import FormatError, ImageError, NotFoundError, PlanError
from recordkit.loading.python import PythonEngine
from recordkit.record_iter.parameters import PARAMETERS, describe, read

SPEC = """
path_imgrec path_imgidx path_imglist label_width data_shape batch_size preprocess_threads prefetch_buffer device_id
ctx dtype verbose num_parts part_index aug_seq shuffle seed shuffle_chunk_size shuffle_chunk_seed seed_aug round_batch
resize rand_crop random_resized_crop max_rotate_angle rotate rotate_list max_shear_ratio max_aspect_ratio
min_aspect_ratio max_random_scale min_random_scale max_img_size min_img_size max_crop_size min_crop_size
max_random_area min_random_area pad fill_value inter_method brightness contrast saturation random_h random_s random_l
pca_noise mirror rand_mirror mean_img mean_r mean_g mean_b mean_a std_r std_g std_b std_a scale max_random_contrast
max_random_illumination data_name label_name
"""
NEEDED = {"path_imgrec": "a.rec", "data_shape": (3, 16, 18), "batch_size": 8}
MEAN = {"mean_r": 123.68, "mean_g": 116.28, "mean_b": 103.53, "mean_a": 99.5}
STD = {"std_r": 58.4, "std_g": 57.1, "std_b": 57.4, "std_a": 3.1}

# Parameters, and the bounds of the largest and the mean difference in grey levels.
SETTINGS = {
    "crop": ({}, 0, 0),
    "mirror": ({"mirror": True, "rand_mirror": True}, 0, 0),
    "mean": (MEAN, 0, 0),
    "mean std": ({**MEAN, **STD}, 0, 0),
    "mean std scale": ({**MEAN, **STD, "scale": 0.3}, 0, 0),
    "scale": ({"scale": 1 / 255}, 0, 0),
    "uint8": ({"dtype": "uint8", "mirror": True}, 0, 0),
    "int8": ({"dtype": "int8"}, 0, 0),
    "int8 mean": ({"dtype": "int8", "mean_r": 127.5, "mean_g": 116.28, "mean_b": -3.5, "mean_a": 9.5}, 0, 0),
    "pad": ({"pad": 5, "fill_value": 7}, 0, 0),
    "resize": ({"resize": 20}, 1, 0.4),
    "resize down and up": ({"resize": 12}, 3, 1.2),
    "resize mean std": ({"resize": 20, **MEAN, **STD}, 1, 0.4),
    "nearest": ({"resize": 20, "inter_method": 0}, 0, 0),
    "cubic": ({"resize": 20, "inter_method": 2}, 1, 0.1),
    "area": ({"resize": 20, "inter_method": 3}, 1, 0.1),
    "lanczos4": ({"resize": 20, "inter_method": 4}, 1, 0.1),
    "auto": ({"resize": 20, "inter_method": 9}, 1, 0.1),
    "enlarged": ({"data_shape": (30, 33)}, 2, 0.75),
    "enlarged auto": ({"data_shape": (24, 18), "inter_method": 9}, 1, 0.4),
    "crop size": ({"min_crop_size": 18, "max_crop_size": 18}, 1, 0.45),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """30 colour images, 30 gray ones, and 30 with alpha, of several sizes, JPEG and PNG."""
    folder = tmp_path_factory.mktemp("rec")
    clear = [pixels(20 + n % 9, 24 - n % 7, 4) if n % 2 else noise(26, 22, 4, seed=n) for n in range(30)]
    color = [pixels(20 + n % 9, 24 - n % 7) if n % 2 else noise(26, 22, seed=n) for n in range(30)]
    saved = [save(picture(image), "JPEG" if n % 3 else "PNG") for n, image in enumerate(color)]
    gray = [save(picture(image, "L"), "PNG" if n % 3 else "JPEG") for n, image in enumerate(color)]
    jpegs = [save(picture(image), "JPEG") for image in color]
    return {
        3: write(folder / "color.rec", saved),
        1: write(folder / "gray.rec", [a if n % 2 else b for n, (a, b) in enumerate(zip(gray, jpegs, strict=True))]),
        4: write(folder / "clear.rec", [save(picture(image), "PNG") for image in clear]),
        "png": write(folder / "png.rec", [save(picture(image), "PNG") for image in color]),
        "labels": write(folder / "labels.rec", saved, [(n, n / 4, -n) for n in range(30)]),
    }


def mxnet_batches(mx, path, **options):
    """Return data, label and pad of MXNet's batches. Copies, because MXNet overwrites its arrays."""
    options = {"preprocess_threads": 1, "verbose": False, "batch_size": 8, "data_shape": (3, 16, 18), **options}
    iterator = mx.io.ImageRecordIter(path_imgrec=str(path), **options)
    return [(b.data[0].asnumpy().copy(), b.label[0].asnumpy().copy(), b.pad) for b in iterator]


def recordkit_batches(path, **options):
    options = {"batch_size": 8, "data_shape": (3, 16, 18), **options}
    with rk.ImageRecordIter(path_imgrec=path, **options) as iterator:
        return [(batch.data[0], batch.label[0], batch.pad) for batch in iterator]


def differences(got, want, options):
    """Return the largest and the mean difference in grey levels, and assert that all else is equal."""
    assert [(a.shape, a.dtype, pad) for a, _, pad in got] == [(a.shape, a.dtype, pad) for a, _, pad in want]
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for (_, a, _), (_, b, _) in zip(got, want, strict=True))
    n_channels = got[0][0].shape[1]
    factor = [options.get("scale", 1) / options.get(name, 1) for name in STD][:n_channels]
    gap = np.concatenate([np.abs(a.astype(float) - b) for (a, _, _), (b, _, _) in zip(got, want, strict=True)])
    gap /= np.array(factor)[:, None, None]
    return gap.max(), gap.mean()


@pytest.mark.parametrize("channels", [3, 1, 4])
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.filterwarnings("ignore:.*no effect with dtype:UserWarning")
def test_pixels_labels_and_pad_are_mxnets(mx, files, engine, setting, channels):
    options, most, mean = SETTINGS[setting]
    options = {**options, "data_shape": (channels, *options.get("data_shape", (16, 18)))}
    got = recordkit_batches(files[channels], **options, engine=engine)
    gap = differences(got, mxnet_batches(mx, files[channels], **options), options)
    slack = 1e-3 if most else 0  # float32 after the normalisation
    assert gap[0] <= most + slack and gap[1] <= mean, gap


def test_color_pngs_as_gray_are_within_one_level(mx, files, engine):
    options = {"data_shape": (1, 16, 18)}
    gap = differences(
        recordkit_batches(files["png"], **options, engine=engine), mxnet_batches(mx, files["png"], **options), {}
    )
    assert gap[0] <= 1 and gap[1] <= 0.6


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize(("options", "most", "mean"), [({}, 1, 0.1), ({"resize": 256, **MEAN, **STD}, 1.001, 0.4)])
def test_photographs_are_mxnets(mx, real_data, tmp_path, engine, options, most, mean, channels):
    photos = sorted((real_data / "imagenet-200").glob("*.JPEG"))[:24]
    path = write(tmp_path / "photos.rec", [photo.read_bytes() for photo in photos])
    options = {**options, "data_shape": (channels, 224, 200)}
    gap = differences(recordkit_batches(path, **options, engine=engine), mxnet_batches(mx, path, **options), options)
    assert gap[0] <= most and gap[1] <= mean, gap


@pytest.mark.parametrize("by_index", [False, True])
@pytest.mark.parametrize("n_parts", [2, 4, 6])
def test_parts_are_mxnets(mx, files, engine, n_parts, by_index):
    index = {"path_imgidx": files[3].with_suffix(".idx")} if by_index else {}
    for part in range(n_parts):
        options = {"num_parts": n_parts, "part_index": part, "batch_size": 2, **index}
        got = recordkit_batches(files[3], **options, engine=engine)
        assert differences(got, mxnet_batches(mx, files[3], **options), {}) == (0, 0)


def test_three_labels_are_mxnets(mx, files, engine):
    got = recordkit_batches(files["labels"], label_width=3, engine=engine)
    assert got[0][1].shape == (8, 3)
    assert differences(got, mxnet_batches(mx, files["labels"], label_width=3), {}) == (0, 0)


@pytest.mark.parametrize("row", ["{}\t{}\t{}\tx.jpg\n", "{}\t{} {}\tx.jpg\n", "  {} {}   {} a path/x.jpg\r\n"])
def test_labels_of_a_list_are_mxnets(mx, files, engine, tmp_path, row):
    path = tmp_path / "other.lst"
    path.write_text("".join(row.format(key, key / 2, -key) for key in reversed(range(40))), newline="")
    options = {"path_imglist": str(path), "label_width": 2}
    got = recordkit_batches(files[3], **options, engine=engine)
    assert got[0][1][3].tolist() == [1.5, -3]
    assert differences(got, mxnet_batches(mx, files[3], **options), {}) == (0, 0)


def test_epochs_can_begin_where_mxnets_do(mx, files):
    real = mx.io.ImageRecordIter(path_imgrec=str(files[3]), batch_size=8, data_shape=(3, 16, 18), verbose=False)
    iterator = rk.ImageRecordIter(path_imgrec=files[3], batch_size=8, data_shape=(3, 16, 18), mxnet_epochs=True)
    for _ in range(5):
        want = [batch.label[0].asnumpy().tolist() for batch in real]
        assert [batch.label[0].tolist() for batch in iterator] == want
        real.reset()
        iterator.reset()


def test_skipped_samples_do_not_change_where_mxnets_epochs_begin(tmp_path, engine):
    payloads = [save(picture(noise(20, 20, seed=n)), "PNG") for n in range(10)]
    payloads[3] = payloads[3][:60]
    path = write(tmp_path / "bad.rec", payloads)
    options = {"mxnet_epochs": True, "on_error": "skip", "batch_size": 4, "engine": engine}
    with rk.ImageRecordIter(**{**NEEDED, "path_imgrec": path, **options}) as iterator:
        for want in ([0, 1, 2], [4, 5, 6, 7], [8, 9]), ([2, 4, 5], [6, 7, 8, 9]), ([0, 1, 2], [4, 5, 6, 7], [8, 9]):
            assert [batch.index[: 4 - batch.pad].tolist() for batch in iterator] == [*want]
            iterator.reset()


def test_the_table_has_the_parameters_of_the_mxnet_that_is_installed(mx):
    documentation = mx.io.ImageRecordIter.__doc__
    documentation = documentation.decode() if isinstance(documentation, bytes) else documentation
    defaults = dict(re.findall(r"^(\w+) : .*?(?:default=(.*)|required)$", documentation, re.MULTILINE))
    by_name = {parameter.name: parameter for parameter in PARAMETERS if parameter.support != "recordkit"}
    assert set(defaults) == set(by_name) - {"rotate_list", "data_name", "label_name"}
    for name, text in defaults.items():
        default = by_name[name].default
        if text and name not in ("path_imgrec",):
            value = text.strip("'")
            assert (float(value) == default) if isinstance(default, bool | int | float) else value == str(default), name


def test_the_table_has_every_parameter_of_mxnet_and_the_docstring_the_table():
    names = [parameter.name for parameter in PARAMETERS]
    assert sorted(SPEC.split()) == sorted(p.name for p in PARAMETERS if p.support != "recordkit") and len(names) == len(
        set(names)
    )
    for parameter in PARAMETERS:
        assert f"{parameter.name} : {parameter.kind}" in describe() and parameter.note.endswith(".")
        assert f"\n{parameter.name} : " in inspect.getdoc(rk.ImageRecordIter)


OTHER_VALUES = {"aug_seq": "det_aug_default", "max_img_size": 500, "min_img_size": 5}


@pytest.mark.parametrize("name", [parameter.name for parameter in PARAMETERS if parameter.support == "refused"])
def test_a_refused_parameter_gives_the_reason(name):
    with pytest.raises(PlanError, match=f"^{name}: expected .*, got .*; [A-Z]"):
        read({**NEEDED, name: OTHER_VALUES.get(name, 0.5)})


def test_values_may_be_the_strings_that_mxnet_makes():
    values = read({**NEEDED, "data_shape": "(3, 8, 9)", "mirror": "true", "scale": "0.5", "pad": np.int64(3)})
    assert (values["data_shape"], values["mirror"], values["scale"], values["pad"]) == ((3, 8, 9), True, 0.5, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rand_mirorr": True}, "rand_mirorr: ImageRecordIter has no such parameter; is it rand_mirror?"),
        ({"zzz": 1}, "zzz: ImageRecordIter has no such parameter; help"),
        ({"resize": 8.5}, "resize: expected int, got 8.5"),
        ({"mirror": "yes"}, "mirror: expected bool, got 'yes'"),
        ({"path_imglist": None}, "path_imglist: expected str, got None"),
        ({"path_imgrec": ["a.rec", "b.rec"]}, r"path_imgrec: expected a path, got \['a.rec', 'b.rec'\]; join several"),
        ({"path_imgrec": b"a.rec"}, "path_imgrec: expected a path, got b'a.rec'"),
        ({"dtype": "int32"}, "dtype: expected float32 or float16 or uint8 or int8, got 'int32'"),
        ({"data_shape": (16, 18)}, "data_shape: expected .channels, height, width., got"),
        ({"data_shape": (2, 16, 18)}, "data_shape: expected .1, 3 or 4, height, width., got"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"fill_value": 256}, "fill_value: expected 0 to 255, got 256"),
        ({"scale": float("nan")}, "scale: expected float"),
        ({"mean_r": float("inf"), "dtype": "int8"}, "mean_r: expected float, got inf"),
        ({"resize": 0}, "resize: expected a length of at least 1 pixel, got 0"),
        ({"inter_method": 5}, "inter_method: expected 0 to 4, 9 or 10, got 5"),
        ({"std_g": 0}, "std_g: expected a number above 0, got 0"),
        ({"random_resized_crop": True, "rand_crop": True, "max_aspect_ratio": 0.2}, "random_resized_crop: expected no"),
        ({"random_resized_crop": True, "max_aspect_ratio": 1.33}, "max_aspect_ratio: expected a range above 0"),
        (
            {"min_aspect_ratio": 0.5},
            "max_aspect_ratio: expected a range above 0, got 0.5 to 0; give min_aspect",
        ),
        ({"random_resized_crop": True, "min_random_area": 0}, "min_random_area: expected above 0 and at most"),
        ({"random_resized_crop": True, "max_random_area": 0.5}, "min_random_area: expected above 0 and at most"),
        ({"min_crop_size": 9, "max_crop_size": 5}, "min_crop_size: expected above 0 and at most max_crop_size, got 9"),
        ({"max_crop_size": 0, "rand_crop": True}, "min_crop_size: expected above 0 and at most max_crop_size, got 0"),
        ({"max_random_scale": 0.5}, "min_random_scale: expected above 0 and at most"),
        ({"rotate_list": "1,a"}, "rotate_list: expected angles between commas, got '1,a'"),
        ({"num_parts": 2, "part_index": 2}, "part_index: expected 0 to 1, below num_parts, got 2"),
        ({"num_parts": 1000, "part_index": 1}, "part_index: part 1 of 1000 has none of the 30 samples"),
        ({"label_width": 2}, "label_width: expected 1, the number of labels in .*color.rec, got 2"),
        ({"shuffle": True, "mxnet_epochs": True}, "mxnet_epochs: expected round_batch=True and shuffle=False"),
    ],
)
def test_impossible_parameters_are_refused_by_the_constructor(files, options, message):
    with pytest.raises(PlanError, match=message):
        rk.ImageRecordIter(**{**NEEDED, "path_imgrec": files[3], **options})


def test_a_missing_parameter_and_a_missing_index_are_named(files):
    with pytest.raises(PlanError, match="batch_size: expected a value, got none; ImageRecordIter needs it"):
        rk.ImageRecordIter(path_imgrec=files[3], data_shape=(3, 8, 8))
    advice = r"run 'recordkit reindex .*\.rec', which writes .*\.idx"
    with pytest.raises(NotFoundError, match=rf"none\.idx: expected an \.idx file, got nothing of that name; {advice}"):
        rk.ImageRecordIter(**{**NEEDED, "path_imgrec": files[3], "path_imgidx": files[3].with_name("none.idx")})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean_r": 0.485, "scale": 1 / 255}, "subtracted before scale, in units of 0 to 255; got 0.485"),
        ({"dtype": "uint8", "mean_r": 3}, "mean_r: it has no effect with dtype uint8"),
        ({"dtype": "int8", "scale": 3}, "scale: it has no effect with dtype int8"),
        ({"shuffle_chunk_size": 64}, "shuffle_chunk_size: it has no effect here"),
        ({"random_resized_crop": True}, "random_resized_crop: it crops the centre"),
    ],
)
def test_a_probable_mistake_is_warned_of(files, options, message):
    with pytest.warns(UserWarning, match=message) as warned:
        rk.ImageRecordIter(**{**NEEDED, "path_imgrec": files[3], **options})
    assert warned[0].filename == __file__


@pytest.mark.parametrize(("label", "n_warned"), [(2**24 + 1, 1), (2**24, 0), (-(2**24) - 1, 1)])
def test_exact_labels_that_float32_rounds_are_warned_of(tmp_path, label, n_warned):
    (tmp_path / "a.png").write_bytes(save(picture(noise(8, 8)), "PNG"))
    (tmp_path / "a.lst").write_text(f"0\t{label}\ta.png\n1\t2\ta.png\n")
    listed = rk.open_source(tmp_path / "a.lst", root=tmp_path)
    rk.pack(listed, tmp_path / "exact", plan=rk.PackPlan(exact_labels=True))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        iterator = rk.ImageRecordIter(path_imgrec=tmp_path / "exact.rec", data_shape=(3, 8, 8), batch_size=2)
    assert iterator.next().label[0].tolist() == [np.sign(label) * 2**24, 2]
    assert [w.filename for w in warned] == [__file__] * n_warned
    assert all(str(w.message).startswith("labels: 1 exact labels are beyond 2**24") for w in warned)


def test_a_file_name_with_semicolons_is_one_file(tmp_path):
    path = write(tmp_path / "a;b?.rec", [save(picture(noise(16, 18)), "PNG")] * 3)
    with rk.ImageRecordIter(**NEEDED | {"path_imgrec": str(path)}) as batches:
        assert len(batches.loader.dataset) == 3


@pytest.fixture
def rec_folder(tmp_path):
    """A folder with b.rec, a.rec and a.rec.part000, whose labels are 0, 1 and 2, and with a folder and another file."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "notes.txt").write_text("no records")
    for label, name in enumerate(("b.rec", "a.rec", "a.rec.part000")):
        write(tmp_path / name, [save(picture(noise(16, 18, seed=label)), "PNG")], [float(label)])
    for index in tmp_path.glob("*.idx"):
        index.unlink()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("", [1, 2, 0]),
        ("/", [1, 2, 0]),
        ("/.*", [1, 2, 0]),
        ("/(a|b).rec", [1, 0]),
        ("/[ab]+\\.rec", [1, 0]),
        ("/*.rec", [1, 0]),
        ("/b.rec;{folder}/a.rec", [0, 1]),
        ("/b", [0]),
        ("/b;file://{folder}/a.rec", [0, 1]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*idx:UserWarning")
def test_the_files_may_be_a_folder_or_a_pattern(rec_folder, name, labels):
    path = f"{rec_folder}{name.format(folder=rec_folder)}"
    with rk.ImageRecordIter(**NEEDED | {"path_imgrec": path, "batch_size": 1}) as batches:
        assert [batch.label[0][0] for batch in batches] == labels


@pytest.mark.parametrize("name", ["", "/.*", "/b.rec;{folder}/a.rec"])
@pytest.mark.filterwarnings("ignore:.*idx:UserWarning")
def test_mxnet_reads_the_same_files_in_the_folders_own_order(mx, rec_folder, name):
    (rec_folder / "notes.txt").unlink()  # MXNet would read it
    path = f"{rec_folder}{name.format(folder=rec_folder)}"
    theirs = mxnet_batches(mx, path, batch_size=1)
    assert sorted(label[0] for _, label, _ in theirs) == sorted(
        label[0] for _, label, _ in recordkit_batches(path, batch_size=1)
    )


def test_a_prefix_is_preferred_to_a_folder_of_that_name(tmp_path):
    (tmp_path / "set").mkdir()
    write(tmp_path / "set.rec", [save(picture(noise(16, 18)), "PNG")])
    with rk.ImageRecordIter(**NEEDED | {"path_imgrec": tmp_path / "set", "batch_size": 1}) as batches:
        assert len(batches) == 1


@pytest.mark.parametrize(("name", "message"), [("", "a .rec file|.rec files"), ("/x.*", "x.*"), ("/(", r"\(")])
def test_a_folder_or_pattern_without_record_files_is_named(tmp_path, name, message):
    with pytest.raises(NotFoundError, match=message):
        rk.ImageRecordIter(**NEEDED | {"path_imgrec": f"{tmp_path}{name}"})


def test_it_iterates_like_mxnet(files, engine):
    iterator = rk.ImageRecordIter(**{**NEEDED, "path_imgrec": files[3], "engine": engine, "data_name": "x"})
    assert iterator.provide_data == [("x", (8, 3, 16, 18), np.float32, "NCHW")]
    assert iterator.provide_label == [("softmax_label", (8,), np.float32, "NCHW")]
    with pytest.raises(PlanError, match=r"expected a call of next\(\) or iter_next\(\) first"):
        iterator.getdata()
    first = [batch.index.tolist() for batch in iterator]
    assert len(first) == len(iterator) == 4 and first[3] == [24, 25, 26, 27, 28, 29, 0, 1]
    for _ in range(2):
        with pytest.raises(StopIteration):
            iterator.next()
    assert iterator.getpad() == 2 and iterator.getindex().tolist() == first[3]
    iterator.reset()
    iterator.next()
    iterator.reset()  # before the end of an epoch
    assert iterator.iter_next() and iterator.getlabel().tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert iterator.getdata().shape == (8, 3, 16, 18)
    assert iterator.loader.epoch == 2


def test_without_round_batch_zeros_fill_the_last_batch_and_pad_counts_them(files, engine):
    for _ in range(2):
        data, label, pad = recordkit_batches(files[3], round_batch=False, engine=engine)[-1]
        assert pad == 2 and not data[6:].any() and data[5].any() and label.tolist() == [4, 5, 6, 7, 8, 9, 0, 0]


def test_fewer_samples_than_a_batch_are_repeated(files, engine):
    ((_, label, pad),) = recordkit_batches(files[3], batch_size=70, engine=engine)
    assert pad == 40 and label.tolist() == [key % 10 for key in range(70)]


def test_a_shuffled_epoch_has_every_sample_once_in_an_order_that_depends_on_the_seed(files, engine):
    def epochs(seed, **options):
        iterator = rk.ImageRecordIter(
            **{**NEEDED, "path_imgrec": files[3], "engine": engine, "shuffle": True, "seed": seed, "batch_size": 10}
            | options
        )
        result = []
        for _ in range(2):
            batches = list(iterator)
            result.append((np.concatenate([b.index for b in batches]), np.concatenate([b.data[0] for b in batches])))
            iterator.reset()
        return result

    first, repeated, other_seed = epochs(1), epochs(1), epochs(2)
    assert all(sorted(keys.tolist()) == list(range(30)) for keys, _ in first + other_seed)
    assert not np.array_equal(first[0][0], first[1][0]) and not np.array_equal(first[0][0], other_seed[0][0])
    assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(first, repeated, strict=True))
    crops = [epochs(1, rand_crop=True, seed_aug=seed, preprocess_threads=seed + 1) for seed in (0, 0, 1)]
    assert all(np.array_equal(first[0][0], epoch[0][0]) for epoch in crops)
    assert np.array_equal(crops[0][0][1], crops[1][0][1]) and not np.array_equal(crops[0][0][1], crops[2][0][1])


RANDOM = {
    "rand_crop": {"rand_crop": True},
    "rand_crop enlarged": {"rand_crop": True, "data_shape": (3, 24, 24), "inter_method": 10},
    "rand_mirror": {"rand_mirror": True},
    "resized crop": {"random_resized_crop": True, "min_random_area": 0.3, "max_aspect_ratio": 0.3},
    "rotation": {"max_rotate_angle": 20},
    "angles": {"rotate_list": "10, 90, 180"},
    "affine": {"max_shear_ratio": 0.1, "max_aspect_ratio": 0.2, "min_random_scale": 0.9, "max_random_scale": 1.2},
    "crop size": {"min_crop_size": 10, "max_crop_size": 16},
    "crop size anywhere": {"min_crop_size": 10, "max_crop_size": 16, "rand_crop": True},
    "jitter": {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3},
    "hsl": {"random_h": 10, "random_s": 20, "random_l": 30},
    "lighting": {"pca_noise": 0.5},
}


@pytest.mark.parametrize("name", RANDOM)
def test_random_settings_change_something_and_engines_agree(files, name):
    plain = recordkit_batches(files[3], engine="python", data_shape=RANDOM[name].get("data_shape", (3, 16, 18)))
    want = recordkit_batches(files[3], engine="python", **RANDOM[name])
    assert not all(np.array_equal(a, b) for (a, _, _), (b, _, _) in zip(plain, want, strict=True))
    got = recordkit_batches(files[3], engine="auto", **RANDOM[name])
    assert all(np.abs(a - b).max() <= 2 for (a, _, _), (b, _, _) in zip(got, want, strict=True))


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"resize": 20},
        {"rand_crop": True, "rand_mirror": True, **MEAN, **STD},
        {"rand_crop": True, "pad": 2, "max_rotate_angle": 15, "fill_value": 9},
        {"rotate": 30, "max_shear_ratio": 0.1, "max_aspect_ratio": 0.2, "max_random_scale": 1.2},
        {"min_crop_size": 10, "max_crop_size": 16},
        {"min_crop_size": 10, "max_crop_size": 16, "rand_crop": True},
    ],
)
def test_the_native_engine_loads_all_images_that_are_large_enough(files, monkeypatch, options):
    want = recordkit_batches(files[3], engine="python", **options)
    monkeypatch.setattr(PythonEngine, "_load_row", lambda *_: pytest.fail("the reference engine was used"))
    got = recordkit_batches(files[3], engine="native", **options)
    assert all(np.abs(a - b).max() <= 1 for (a, _, _), (b, _, _) in zip(got, want, strict=True))


def test_labels_missing_in_a_list_are_named(files, tmp_path):
    path = tmp_path / "short.lst"
    path.write_text("".join(f"{key}\t1\tx.jpg\n" for key in range(28)))
    with pytest.raises(FormatError, match="short.lst: expected a row .* of each sample, got none for 2 of 30: 28, ..."):
        recordkit_batches(files[3], path_imglist=path)
    with pytest.raises(FormatError, match="short.lst: line 1: expected KEY, 2 labels and PATH, .* got 1 label"):
        recordkit_batches(files[3], path_imglist=path, label_width=2)
    path.write_text("0\tcat\tx.jpg\n")  # MXNet reads the label 0
    with pytest.raises(FormatError, match="short.lst: line 1: expected a finite number as LABEL, got 'cat'"):
        recordkit_batches(files[3], path_imglist=path)


def test_labels_that_a_list_has_beyond_the_label_width_are_left_out_with_a_warning(files, tmp_path):
    path = tmp_path / "wide.lst"
    path.write_text("".join(f"{key}\t{key}\t1\tx.jpg\n" for key in range(30)))
    with pytest.warns(UserWarning, match=r"wide\.lst: key 0: the row has more than 1 label, and label_width=1 leaves"):
        got = recordkit_batches(files[3], path_imglist=path)
    assert got[0][1].tolist() == list(range(8))


def test_unlike_labels_for_one_key_of_a_list_are_warned_of(files, tmp_path):
    path = tmp_path / "twice.lst"
    path.write_text("".join(f"{key}\t{label}\tx.jpg\n" for label in (0, 1) for key in range(30)))
    with pytest.warns(UserWarning, match=r"twice\.lst: key 29: several rows have unlike labels, and the last"):
        got = recordkit_batches(files[3], path_imglist=path)
    assert got[0][1].tolist() == 8 * [1]


@pytest.mark.parametrize("rand_crop", [False, True])
def test_an_image_smaller_than_the_largest_crop_is_always_refused(files, engine, rand_crop):
    options = {"min_crop_size": 1, "max_crop_size": 99, "rand_crop": rand_crop, "engine": engine}
    with pytest.raises(ImageError, match="expected at least 99 rows and (99 )?columns, got 26 and 22"):
        recordkit_batches(files[3], **options)


def test_a_file_without_samples_is_refused(tmp_path):
    (tmp_path / "some.lst").write_text("0\t1\tx.jpg\n")
    for options in ({}, {"path_imglist": tmp_path / "some.lst"}):
        with pytest.raises(FormatError, match=r"empty\.rec: expected samples, got none"):
            recordkit_batches(write(tmp_path / "empty.rec", []), **options)


def test_a_bad_sample_is_an_error_or_skipped(tmp_path, engine):
    payloads = [save(picture(noise(20, 20, seed=n)), "PNG") for n in range(8)]
    payloads[3] = payloads[3][:60]
    path = write(tmp_path / "bad.rec", payloads)
    with pytest.raises(ImageError, match="key 3"):
        recordkit_batches(path, engine=engine)
    ((data, label, pad),) = recordkit_batches(path, engine=engine, on_error="skip")
    assert pad == 1 and label.tolist() == [0, 1, 2, 4, 5, 6, 7, 0] and not data[7].any()
