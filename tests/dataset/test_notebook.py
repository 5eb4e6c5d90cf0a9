"""A notebook shows the first samples of a dataset, whatever they are."""

import json
import os

import images
import pytest
from docs.browser import find_programs, open_browser

from recordkit import RecordDataset, codec


def test_the_first_samples_are_shown_with_their_labels(tmp_path):
    path = images.write(tmp_path / "a.rec", [images.every_format()["png"]] * 12)
    path.with_suffix(".json").write_text(json.dumps({"classes": {"cat": 3}}))
    with RecordDataset(path) as dataset:
        html = dataset._repr_html_()
    assert html.count("<img") == 10 and "and 2 more" in html
    assert "3: cat<" in html and "4: 4<" in html and "RecordDataset of 12 samples" in html


def test_every_format_is_shown(tmp_path):
    payloads = list(images.every_format().values())
    with RecordDataset(images.write(tmp_path / "a.rec", payloads)) as dataset:
        assert dataset[10:20]._repr_html_().count("<img") == 10


def test_class_names_are_escaped(tmp_path):
    path = images.write(tmp_path / "a.rec", [images.every_format()["png"]])
    path.with_suffix(".json").write_text(json.dumps({"classes": {"<script>\"'": 0}}))
    with RecordDataset(path) as dataset:
        html = dataset._repr_html_()
    assert "<script" not in html and "&lt;script&gt;&quot;&#x27;" in html


@pytest.mark.parametrize("payload", [b"", b"junk", images.huge_png(), images.huge_jpeg()])
def test_a_broken_image_is_shown_as_such(tmp_path, payload):
    with RecordDataset(images.write(tmp_path / "a.rec", [payload])) as dataset:
        html = dataset._repr_html_()
    assert "<img" not in html and "expected " in html


def test_a_large_image_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr("recordkit.dataset.notebook.sheet._MAX_DECODE_BYTES", 10)
    monkeypatch.setattr(codec, "decode", None)
    with RecordDataset(images.write(tmp_path / "a.rec", [images.every_format()["png"]])) as dataset:
        assert "too large to show here" in dataset._repr_html_()


def test_a_closed_dataset_and_damaged_records_are_shown_without_an_error(tmp_path):
    path = images.write(tmp_path / "a.rec", [images.every_format()["png"]] * 2)
    with RecordDataset(path) as dataset:
        pass
    assert "RecordDataset of 2 samples" in dataset._repr_html_()
    with RecordDataset(path) as dataset:
        path.write_bytes(b"")
        assert dataset._repr_html_().count("1px dashed") == 2


def test_contradicting_class_names_are_left_out(tmp_path):
    for number in range(2):
        path = images.write(tmp_path / f"a_{number}.rec", [images.every_format()["png"]])
        path.with_suffix(".json").write_text(json.dumps({"classes": {"cat": number}}))
    with RecordDataset(str(tmp_path / "a_*.rec")) as dataset:
        assert dataset._repr_html_().count("<img") == 2


def test_an_empty_dataset_is_its_description(tmp_path):
    with RecordDataset(images.write(tmp_path / "a.rec", [b""])) as dataset:
        assert "<img" not in dataset[:0]._repr_html_() and "of 0 samples" in dataset[:0]._repr_html_()


def test_long_names_and_reasons_end_in_dots_inside_their_cells(tmp_path):
    if not os.environ.get("RECORDKIT_REQUIRE_BROWSER"):
        if not all(find_programs()):
            pytest.skip("no Chromium with its driver; Debian has them as chromium and chromium-driver")
        pytest.importorskip("selenium", reason="selenium is not installed")
    path = images.write(tmp_path / "a.rec", [images.every_format()["png"], b"x" * 40])
    name = "great_grey_owl_" * 9
    path.with_suffix(".json").write_text(json.dumps({"classes": {name: 0}}))
    with RecordDataset(path) as dataset:
        (tmp_path / "a.html").write_text(dataset._repr_html_())
    with open_browser() as chromium:
        chromium.get((tmp_path / "a.html").as_uri())
        caption, reason, _ = chromium.find_elements("css selector", "[title]:not(img)")
        frame = reason.find_element("xpath", "..")
        assert caption.get_attribute("title") == f"0: {name}" and caption.size["height"] < 50
        assert reason.rect["y"] + reason.rect["height"] <= frame.rect["y"] + frame.rect["height"]
