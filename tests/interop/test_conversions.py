"""Rules for all formats of exports."""

import pytest
from interop.records import image, write_records

from recordkit.errors import PublishError
from recordkit.interop.conversions import FORMATS
from recordkit.sources import open_source


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("name", FORMATS)
def test_an_output_that_exists_is_refused_also_in_a_dry_run(name, dry_run, tmp_path):
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'recordkit[parquet]'")
    suffix = FORMATS[name].suffix
    output = tmp_path / f"b{suffix}" if suffix else tmp_path / "b"
    file = output if suffix else output / "mine.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    records = [(key, [key // 2, 1.0], image(key)) for key in range(4)]
    with write_records(tmp_path / "a", records) as dataset:
        with pytest.raises(PublishError, match="expected no file, .* or replace it with overwrite="):
            FORMATS[name].write(dataset, output, dry_run=dry_run)
        assert file.read_text() == "mine"
        report = FORMATS[name].write(dataset, output, overwrite=True, dry_run=dry_run)
    assert report.replaced == (output,) and report.as_json()["replaced"] == [str(output)]
    assert (file.exists() and file.read_bytes() == b"mine") == dry_run


@pytest.mark.parametrize("name", FORMATS)
def test_a_refused_export_completes_one_that_was_killed(name, tmp_path):
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'recordkit[parquet]'")
    output = tmp_path / f"b{FORMATS[name].suffix or ''}"
    staging = tmp_path / f".{output.name}.staging"
    with write_records(tmp_path / "a", [(key, [key // 2, 1.0], image(key)) for key in range(4)]) as dataset:
        FORMATS[name].write(dataset, output)
        staging.mkdir()
        (staging / "commit").write_text(f'{{"publish": ["{output.name}"], "remove": []}}')  # its files are moved
        for dry_run in (True, False):
            with pytest.raises(PublishError, match="expected no file"):
                FORMATS[name].write(dataset, output, dry_run=dry_run)
            assert staging.exists() == dry_run


def test_a_note_about_several_splits_is_given_once(tiny_folder, tmp_path):
    source = open_source(tiny_folder)
    notes = []
    FORMATS["webdataset"].write({"train": source, "val": source}, tmp_path / "b", dry_run=True, on_note=notes.append)
    assert notes == [f"{tmp_path / 'b'}: the class names are in _info.json, which only recordkit reads"]
