"""Formats that are decoded only if a plan names them."""

import struct

import numpy as np
import pytest
from images import picture, save

import recordkit as rk
from recordkit import codec
from recordkit.errors import PackError, PlanError

WRITTEN = ["AVIF", "JPEG2000", "PCX", "SGI", "TGA"]
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n8 8 scale\n%%EOF\n"


def saved(name):
    try:
        return save(picture(), name)
    except (KeyError, OSError, ValueError):
        pytest.skip(f"this Pillow writes no {name}")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos" / "cat"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("engine", ["native", "python"])
@pytest.mark.parametrize("name", WRITTEN)
def test_a_named_decoder_reads_its_format(name, engine, folder):
    payload = saved(name)
    (folder / ("0" + codec.OTHER_DECODERS[name][0])).write_bytes(payload)
    plan = rk.PackPlan(encoding="raw", decoders=(name,))
    assert rk.pack(folder.parent, folder.parent / "out", plan=plan, engine=engine).ok
    (sample,) = rk.RecordDataset(folder.parent / "out")
    stored = codec.decode(sample.payload, channels="keep").astype(int)
    expected = np.asarray(picture().convert("RGB")).astype(int)
    assert stored.shape == expected.shape
    assert abs(stored - expected).max() <= (80 if name == "AVIF" else 0)


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("engine", ["native", "python"])
@pytest.mark.parametrize("plan", [rk.PackPlan(), rk.PackPlan(encoding="jpg"), rk.PackPlan(resize=8)])
def test_without_it_the_error_names_the_option(plan, engine, folder):
    (folder / "0.png").write_bytes(saved("JPEG2000"))
    with pytest.raises(PackError, match="--decoder JPEG2000 --encoding jpg"):
        rk.pack(folder.parent, folder.parent / "out", plan=plan, engine=engine)


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("engine", ["native", "python"])
def test_no_set_of_decoders_starts_a_program(engine, folder, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda *arguments, **_options: started.append(arguments))
    (folder / "0.png").write_bytes(save(picture(), "PNG"))
    for suffix in ("png", "psd", "jp2", "tga"):
        (folder / f"eps.{suffix}").write_bytes(EPS)
    plan = rk.PackPlan(encoding="png", decoders=tuple(codec.OTHER_DECODERS))
    report = rk.pack(folder.parent, folder.parent / "out", plan=plan, engine=engine)
    assert (report.n_packed, report.n_failed, started) == (1, 4, [])


def test_an_image_of_too_many_pixels_or_bytes_is_refused(folder):
    for number, side in enumerate((30000, 2048)):
        header = struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, side, side, 24, 0)
        (folder / f"{number}.tga").write_bytes(header + b"\xff\0\0\0" * (side * side // 128 if side < 3000 else 9))
    (folder / "2.tga").write_bytes(saved("TGA"))
    plan = rk.PackPlan(resize=8, decoders=("TGA",))
    report = rk.pack(folder.parent, folder.parent / "small", plan=plan, memory=16 << 20)
    reasons = {failure.name: failure.reason for failure in report.sets[0].failures}
    assert (report.n_packed, len(reasons)) == (1, 2)
    assert "pixels" in reasons["cat/0.tga"]
    assert "memory" in reasons["cat/1.tga"]
    assert rk.pack(folder.parent, folder.parent / "large", plan=plan, memory=1 << 30).n_packed == 2


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("engine", ["native", "python"])
def test_a_damaged_image_of_a_named_format_is_a_bad_sample(engine, folder):
    (folder / "0.png").write_bytes(save(picture(), "PNG"))
    (folder / "empty.avif").write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf")
    for name in WRITTEN:
        payload = saved(name)
        (folder / f"{name}{codec.OTHER_DECODERS[name][0]}").write_bytes(payload[: len(payload) // 2] + bytes(20))
    plan = rk.PackPlan(encoding="jpg", decoders=tuple(codec.OTHER_DECODERS))
    report = rk.pack(folder.parent, folder.parent / "out", plan=plan, engine=engine)
    assert report.n_failed >= 2


def test_decoders_need_pixels_and_known_names(folder):
    with pytest.raises(PlanError, match="set encoding too"):
        rk.PackPlan(decoders=("AVIF",))
    for names in (("EPS",), ("WMF",), ("avif",)):
        with pytest.raises(PlanError, match="decoders"):
            rk.PackPlan(decoders=names, encoding="jpg")
        with pytest.raises(PlanError, match="decoders"):
            rk.open_source(folder.parent, decoders=names)
    with pytest.raises(PlanError, match="a tuple"):
        rk.PackPlan(decoders="AVIF", encoding="jpg")


def test_orientation_of_a_named_format():
    try:
        payload = save(
            picture(), "AVIF", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        )
    except (KeyError, OSError, ValueError):
        pytest.skip("this Pillow writes no AVIF")
    height, width = np.asarray(picture()).shape[:2]
    assert height != width
    assert codec.decode(payload, decoders=("AVIF",)).shape[:2] == (width, height)
    assert codec.decode(payload, channels="keep", decoders=("AVIF",)).shape[:2] == (height, width)
