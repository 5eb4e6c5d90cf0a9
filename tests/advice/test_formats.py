"""Following the advices of exports to other formats, and of imports."""

import functools
import io
import sys
import tarfile
from pathlib import Path

import pytest
from advice.walk import advice
from images import picture, save

import recordkit as rk
from recordkit.interop.parquet import write_parquet


@pytest.fixture
def rec(photos):
    rk.pack("photos", "out")
    return "out.rec"


def test_an_option_of_another_format(rec, fails, works):
    error = fails("export", rec, "files", "--shard-bytes", "1M")
    advice("interop/conversions.py", "leave it out", error)
    works("export", rec, "files")


def test_conditions_on_a_folder(photos, fails, works):
    error = fails("export", "photos", "files", "--label", 0)
    advice("cli/commands/export.py", "pack it first", error)
    works("pack", "photos", "out")
    works("export", "out.rec", "files", "--label", 0)


def test_a_disk_that_is_full(rec, fails, works, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("recordkit.formats.tar.pack_header", full)
        advice("interop/export/output.py", "nothing was written", fails("export", rec, "tars", "--to", "webdataset"))
    assert not Path("tars").exists()
    works("export", rec, "tars", "--to", "webdataset")


def test_a_field_of_another_name(fails, works, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tarfile.open("a.tar", "w") as archive:
        for name, content in (("1.png", save(picture(), "PNG")), ("1.json", b'{"species": 3}')):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    advice("interop/webdataset/parts.py", "name the field with `label_column`", fails("import", "a.tar", "out"))
    works("import", "a.tar", "out", "--label-column", "species")


def test_a_column_of_another_name(fails, works, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'recordkit[parquet]'")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"image": [save(picture(), "PNG")], "species": [3]}), "a.parquet")
    advice("interop/parquet/read.py", "name the column with `label_column`", fails("import", "a.parquet", "out"))
    works("import", "a.parquet", "out", "--label-column", "species")


def test_a_file_that_exists(rec, fails, works):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'recordkit[parquet]'")
    works("export", rec, "a.parquet")
    error = fails("export", rec, "a.parquet")
    advice("storage/refusals.py", "choose another name, or replace it with `overwrite=True`", error)
    works("export", rec, "b.parquet")
    works("export", rec, "a.parquet", "--overwrite")


def test_parquet_without_pyarrow(rec, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with rk.RecordDataset(rec) as dataset:
        write = functools.partial(write_parquet, dataset, "a.parquet")
        advice("interop/parquet/library.py", "pip install 'recordkit[parquet]'", write)
    assert "parquet =\n    pyarrow" in Path(__file__).parents[2].joinpath("setup.cfg").read_text()


def test_a_folder_without_a_name(rec, fails, works):
    advice("interop/folder/write.py", "add a name", fails("export", rec, "."))
    works("export", rec, "./files")
