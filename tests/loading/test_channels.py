"""The number of channels that ``channels="keep"`` finds, and images that differ from it."""

import numpy as np
import pytest
from images import every_format, noise, picture, save, write

import recordkit as rk
from recordkit import codec
from recordkit.codec import encode
from recordkit.errors import PlanError

GRAY = [encode(noise(8, 8, 1), "raw"), save(picture(noise(8, 8, 1)), "PNG"), save(picture(noise(8, 8, 1)), "JPEG")]
COLOUR = [encode(noise(8, 8), "raw"), save(picture(noise(8, 8)), "PNG"), save(picture(noise(8, 8)), "JPEG")]


def kept(path, **options):
    """Return the shape of the images of an epoch."""
    (shape,) = {batch.data.shape[1:] for batch in rk.Loader(path, batch_size=2, channels="keep", **options)}
    return shape


def test_gray_files_keep_one_channel_and_others_have_three(tmp_path, engine):
    assert kept(write(tmp_path / "gray.rec", GRAY * 3), engine=engine) == (8, 8, 1)
    assert kept(write(tmp_path / "colour.rec", COLOUR * 3), engine=engine) == (8, 8, 3)
    assert kept(write(tmp_path / "both.rec", GRAY + COLOUR), engine=engine) == (8, 8, 3)
    alpha = [encode(noise(8, 8, 4), "png")]
    assert kept(write(tmp_path / "alpha.rec", alpha), engine=engine) == (8, 8, 3)


def test_a_normalisation_for_three_channels_gives_three(tmp_path, engine):
    path = write(tmp_path / "gray.rec", GRAY * 3)
    for mean, n in (((1, 2, 3), 3), ((1, 2, 3, 4), 4), (128, 1)):
        transforms = [rk.Normalize(mean=mean)]
        assert kept(path, transforms=transforms, dtype="float32", engine=engine) == (8, 8, n)


@pytest.mark.parametrize("image", COLOUR, ids=["raw", "png", "jpg"])
@pytest.mark.parametrize("transforms", [[], [lambda image, draws: image]], ids=["native", "python"])
def test_a_coloured_image_after_gray_ones_is_an_error_that_says_what_to_give(
    tmp_path, engine, image, transforms, monkeypatch
):
    monkeypatch.setattr("recordkit.loading.probe._N_PROBED", 2)
    path = write(tmp_path / "a.rec", [*GRAY, image, GRAY[0]])
    options = {"transforms": transforms, "engine": engine}
    for on_error in ("raise", "skip", "replace"):
        loader = rk.Loader(path, batch_size=2, channels="keep", on_error=on_error, **options)
        with pytest.raises(PlanError, match=r"a\.rec: channels: key 3: expected a gray image, as the first") as caught:
            list(loader)
        assert str(caught.value).endswith("; give channels=3 for all in colour, or channels=1 for all in gray")
    for channels in (1, 3):
        assert sum(map(len, rk.Loader(path, batch_size=2, channels=channels, **options))) == 5


def test_gray_images_have_the_pixels_that_one_channel_has(tmp_path, engine):
    path = write(tmp_path / "a.rec", GRAY)
    kept, gray = (
        [batch.data.tolist() for batch in rk.Loader(path, batch_size=1, channels=channels, engine=engine)]
        for channels in ("keep", 1)
    )
    assert kept == gray


def test_every_format_tells_whether_it_is_gray_as_its_pixels_do():
    for name, payload in every_format().items():
        shape = codec.decode(payload, channels="keep").shape
        assert codec.is_gray(payload) == (shape[2] == 1), name


def test_a_file_without_any_image_has_three_channels(tmp_path):
    path = write(tmp_path / "a.rec", [b"no image"])
    transforms = [rk.RandomResizedCrop(8)]
    loader = rk.Loader(path, batch_size=1, channels="keep", transforms=transforms, on_error="skip")
    assert loader.channels == 3 and np.concatenate([batch.data for batch in loader]).shape == (0, 8, 8, 3)
