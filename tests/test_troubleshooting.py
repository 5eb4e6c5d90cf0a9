"""Every text that docs/troubleshooting.md quotes is produced here, word by word."""

import ctypes
import errno
import functools
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import recordkit as rk
from recordkit import native, recordio
from recordkit.errors import MissingError, SlowEngineWarning
from recordkit.interop.mxnet import bridge, cuda
from recordkit.storage.remote.store import open_store
from recordkit.storage.remote.urls import Url
from recordkit.storage.staging import Staging

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
SECTIONS = dict(re.findall(r"^### (.*)\n\n```text\n(.*)\n```$", PAGE, re.MULTILINE))
ACCURACY = "expected an accuracy of at least"
LIBJPEG = "expected libjpeg-turbo, with which it was built"
CROP = [rk.CenterCrop(16)]

# By heading: the files that a command needs, and the command.
COMMANDS = {
    "expected a folder or a .lst file": ({}, "recordkit pack nothing/ out/photos"),
    "expected a prefix, got the name of a file": ({}, "recordkit pack photos/ out/photos.rec"),
    "expected an image, got a file that begins with": (
        {"photos/cat/broken.jpg": "hello\n"},
        "recordkit pack photos/ out/broken",
    ),
    "none of the first images exists": (
        {"out/cats.lst": "0\t0\tcat/0.jpg\n1\t0\tcat/1.jpg\n"},
        "recordkit pack out/cats.lst out/cats",
    ),
    "rows have 2 labels": ({"out/two.lst": "7 0 5 cat/0.jpg\n"}, "im2rec out/two.lst photos/ out/t.rec"),
    "expected a label that float32 can hold": (
        {"out/ids.lst": "0\t17186135\tcat/0.jpg\n"},
        "recordkit pack out/ids.lst out/ids --root photos/",
    ),
    "expected no file, or one as an earlier pack wrote it": (
        {"out/photos.lst": "0\t0\tcat/0.jpg\n"},
        "recordkit pack photos/ out/photos",
    ),
    "expected one of the names in --classes": (
        {"names.txt": "cat\ndog\n"},
        "recordkit pack photos out/photos --classes names.txt",
    ),
    "expected the suffix": ({}, "recordkit export out/photos.rec exported --name '{key}_{label}.png'"),
    "expected no file, or an empty folder": ({}, "recordkit export out/photos.rec photos"),
    "finds a label in none of": ({"flat/tom.jpg": "x"}, r"recordkit pack flat out/flat --label-from '-(\w+)\.jpg$'"),
    "look like serial numbers": (
        {"pets/pug_1.jpg": "x", "pets/pug_2.jpg": "x", "pets/boxer_1.jpg": "x"},
        "recordkit pack pets out/pets",
    ),
    "images beside the class folders": ({"photos/x.jpg": "\xff\xd8\xff"}, "recordkit pack photos out/mixed"),
    "ignored 1 file of other suffixes": ({"photos/notes.txt": ""}, "recordkit pack photos out/mixed"),
    "expected each KEY once": (
        {"out/twice.lst": "7\t0\tcat/0.jpg\n7\t0\tcat/1.jpg\n"},
        "recordkit pack out/twice.lst out/twice --root photos/",
    ),
    "expected KEY, LABEL and PATH, separated by tabs": (
        {"out/blanks.lst": "7 0 cat/0.jpg\n"},
        "recordkit pack out/blanks.lst out/blanks --root photos/",
    ),
    "expected samples, got 0 of": ({}, "recordkit pack photos/ out/all --val-ratio 0.35 --test-ratio 0.65"),
    "--pass-through copies bytes": ({}, "recordkit pack photos/ out/photos --pass-through --resize 16"),
    "im2rec: expected lists such as": ({}, "im2rec nope photos/"),
    "expected KEY, 2 labels and PATH": (
        {"out/twice.lst": "7\t0\tcat/0.jpg\n8\t0\tcat/1.jpg\n"},
        "im2rec out/twice.lst photos/ out/t.rec label_width=2",
    ),
    "expected a .rec file": ({}, "recordkit info out/fotos.rec"),
    "got a text that begins with": (
        {"out/page.rec": "<!DOCTYPE html><html><body>404 Not Found</body></html>\n"},
        "recordkit verify out/page.rec",
    ),
    "expected records with an image header": (
        {"out/texts.rec": "\x0a\x23\xd7\xce\x08\0\0\0record_0"},
        "recordkit export out/texts.rec exported",
    ),
    "expected images of one size": ({}, "recordkit train out/photos.rec"),
    "expected a checkpoint such as": ({}, "recordkit eval model/lenet out/photos.rec"),
    "MXNet's lenet is book": ({}, "recordkit train out/photos.rec --network lenet"),
    "the reference engine cannot load a batch": ({}, "recordkit bench out/photos.rec --peers python --quick"),
    "not fetched from": ({}, "recordkit fetch mnist fetched --from nowhere/"),
    "unexpected option": ({}, "recordkit pack photos/ out/photos --resise 16"),
}
NEEDS_MXNET = {"expected images of one size", "expected a checkpoint such as", "MXNet's lenet is book"}


@pytest.fixture
def folder(tiny_folder, tmp_path, monkeypatch):
    """A working folder with photos/ and its pack out/photos."""
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    rk.pack("photos", "out/photos")
    return tmp_path


@pytest.mark.parametrize("heading", COMMANDS)
def test_a_command_prints_the_text(heading, folder, cli, im2rec, request):
    if heading in NEEDS_MXNET:
        request.getfixturevalue("mx")
    files, command = COMMANDS[heading]
    for path, text in files.items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text, encoding="latin-1")
    program, *arguments = shlex.split(command)
    _, _, error = {"recordkit": cli, "im2rec": im2rec}[program](*arguments)
    assert SECTIONS[heading] in error.replace(f"{folder}/", "").splitlines()


def copy_set(name, *suffixes):
    for suffix in suffixes:
        shutil.copy(f"out/photos{suffix}", f"out/{name}{suffix}")


def write_damaged():
    copy_set("damaged", ".rec", ".idx")
    with open("out/damaged.rec", "r+b") as file:
        file.seek(1744)
        file.write(bytes(100))


def cut():
    Path("out/cut.rec").write_bytes(Path("out/photos.rec").read_bytes()[:4000])
    rk.RecordDataset("out/cut.rec")


def read_damaged():
    write_damaged()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = rk.RecordDataset("out/damaged.rec")
    dataset[[0, 1, 2]]


def open_without_index():
    copy_set("alone", ".rec")
    rk.RecordDataset("out/alone.rec")


def open_by_key_without_index():
    copy_set("alone", ".rec")
    recordio.MXIndexedRecordIO("out/alone.idx", "out/alone.rec", "r")


def open_with_wrong_index():
    copy_set("wrong", ".rec", ".json")
    Path("out/wrong.idx").write_text("".join(Path("out/photos.idx").read_text().splitlines(keepends=True)[:3]))
    rk.RecordDataset("out/wrong.rec")


def read_ragged_labels():
    write_labels("out/ragged", [1.0, [1.0, 2.0]])
    rk.RecordDataset("out/ragged.rec").labels  # noqa: B018 (the property raises)


def load_ragged_labels():
    write_labels("out/ragged", [1.0, [1.0, 2.0]])
    list(rk.Loader("out/ragged.rec", batch_size=2))


def load_fractions_as_int64():
    write_labels("out/scores", [1.0, 0.5])
    list(rk.Loader("out/scores.rec", batch_size=2, label_dtype="int64"))


def write_labels(prefix, labels):
    with recordio.MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w") as writer:
        for key, label in enumerate(labels):
            writer.write_idx(key, recordio.pack(recordio.IRHeader(0, label, key, 0), b"P5 1 1 255 x"))


def load(**options):
    return rk.Loader("out/photos.rec", **{"batch_size": 4, "transforms": CROP, **options})


def iterate(**options):
    return rk.ImageRecordIter(path_imgrec="out/photos.rec", data_shape=(3, 16, 16), batch_size=4, **options)


def go_on_in_a_fork():
    batches = iter(load())
    next(batches)
    pid = os.getpid
    os.getpid = lambda: pid() + 1
    try:
        list(batches)
    finally:
        os.getpid = pid


# By heading: code that raises or warns.
CALLS = {
    "expected magic 0xced7230a": read_damaged,
    "bytes to the end of the file": cut,
    "the index does not exist": open_without_index,
    "expected an .idx file": open_by_key_without_index,
    "one for each packed record": open_with_wrong_index,
    "no sample has it": lambda: rk.RecordDataset("out/photos.rec").by_key(12),
    "ragged_labels() accepts any number": read_ragged_labels,
    "makes an array of any numbers of labels": load_ragged_labels,
    "labels that are whole numbers, as the first ones are": load_fractions_as_int64,
    "one iteration of a loader at a time": lambda: list(zip(loader := load(), loader, strict=True)),
    "skip metadata records, whose image is empty": lambda: recordio.unpack_img(
        recordio.pack(recordio.IRHeader(0, [4, 6], 0, 0), b"")
    ),
    "end with a crop": lambda: list(load(transforms=())),
    "resize or pad the images first": lambda: list(load(transforms=[rk.CenterCrop(24)])),
    "ImageRecordIter has no such parameter": lambda: iterate(rand_mirorr=True),
    "means are subtracted before scale": lambda: iterate(mean_r=0.485, scale=1 / 255),
    "loader state": lambda: load().load_state_dict(load(seed=7).state_dict()),
    "a forked process has no threads of the loader": go_on_in_a_fork,
    "enough samples for a batch": lambda: load(batch_size=100, last_batch="drop"),
}


@pytest.mark.parametrize("heading", CALLS)
def test_a_call_raises_or_warns_with_the_text(heading, folder):
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the text is compared; warnings are errors in tests)
        CALLS[heading]()
    error = caught.value
    assert (error.args[0] if isinstance(error, KeyError) else str(error)) == SECTIONS[heading]


def test_two_packs_to_one_prefix(folder, cli):
    with Staging(Path("out/photos")):
        _, _, error = cli("pack", "photos", "out/photos")
    assert error.rstrip() == SECTIONS["another process is writing to this prefix"]


def test_a_truncated_image(folder, cli):
    path = Path("photos/cat/0.jpg")
    path.write_bytes(path.read_bytes()[:700])
    _, _, error = cli("pack", "photos", "out/photos")
    assert error.splitlines()[0] == SECTIONS["bytes that do not decode"]


def test_a_full_disk(folder, cli, monkeypatch):
    def write(_file, _piece, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("recordkit.storage.set_files._HashingFile.write", write)
    _, _, error = cli("pack", "photos", "out/photos")
    assert error.rstrip() == SECTIONS["No space left on device"]
    assert rk.RecordDataset("out/photos").labels.tolist() == [0, 1, 2, 0, 0, 2, 1, 1, 2, 2, 1, 0]


def test_a_training_that_is_not_accurate_enough(mx, folder, cli):
    rk.pack("photos", "out/small", plan=rk.PackPlan(resize=20))
    _, _, error = cli(
        *("train", "out/small.rec", "--val", "out/small.rec", "--data-shape", "3,20,20", "--num-epochs", 1),
        *("--lr", 0, "--min-accuracy", 1, "--model-prefix", "m/m", "--no-pictures"),
    )
    (stated, got), (text, text_got) = (
        re.sub(r"got ([\d.]+)", "got A", line).split("; ") for line in (SECTIONS[ACCURACY], error.rstrip())
    )
    assert (stated, got) == (text, text_got)


@pytest.fixture
def no_core(monkeypatch):
    """Return a function that replaces the native core; None hides it."""

    def set_core(core):
        for name in ("_import_core", "_warn_of_slow_engine"):  # without their caches
            monkeypatch.setattr(native, name, functools.cache(getattr(native, name).__wrapped__))
        monkeypatch.setitem(sys.modules, "recordkit.native._core", core)

    return set_core


def test_the_engine_is_not_built(no_core, folder):
    no_core(None)
    with pytest.warns(SlowEngineWarning) as caught:
        load()
    assert str(caught[0].message) == SECTIONS["recordkit is slower without its native engine"]


def test_libjpeg_turbo_is_another_version(no_core):
    versions = re.search(r"libjpeg-turbo (.*), with .* got (.*);", SECTIONS[LIBJPEG])
    no_core(types.SimpleNamespace(ABI=native.ABI, jpeg_versions=versions.groups))
    with pytest.raises(MissingError) as caught:
        native.load()
    assert str(caught.value) == SECTIONS[LIBJPEG]


def test_a_library_of_the_engine_is_missing(no_core, monkeypatch):
    def import_module(name):
        raise ImportError("libjpeg.so.62: cannot open shared object file: No such file or directory")

    no_core(None)
    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(MissingError) as caught:
        native.load()
    assert str(caught.value) == SECTIONS["cannot open shared object file"]


def test_the_build_finds_no_header(monkeypatch, tmp_path):
    pytest.importorskip("setuptools")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CC", "false")
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("RECORDKIT_REQUIRE_NATIVE", "1")
    command = [sys.executable, "setup.py", "build_ext", "--build-lib", tmp_path, "--build-temp", tmp_path]
    earlier = tmp_path / "recordkit/native" / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode
    assert SECTIONS["no C++ compiler that finds jpeglib.h"] in result.stderr
    assert not earlier.exists()  # it would be installed in place of the core that failed


@pytest.fixture
def mxnet_that_fails(monkeypatch):
    """MXNet is installed with a fitting Python and NumPy, and its import fails for want of two libraries."""
    for name in [name for name in sys.modules if name.split(".")[0] == "mxnet"]:
        monkeypatch.delitem(sys.modules, name)
    found = types.SimpleNamespace(submodule_search_locations=[])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: found)
    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    monkeypatch.setattr(cuda, "load_wheels", lambda: None)
    missing = "libgomp.so.1", "libquadmath.so.0"

    def open_library(name, _mode=None):
        if name in missing:
            raise OSError(name)
        return object()

    def import_module(name):
        raise OSError(f"{missing[0]}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(ctypes, "CDLL", open_library)
    monkeypatch.setattr(importlib, "import_module", import_module)
    return monkeypatch


def mxnet_error():
    with pytest.raises(MissingError) as caught:
        bridge.load()
    return str(caught.value)


def test_what_mxnet_needs_is_missing(mxnet_that_fails):
    assert mxnet_error() == SECTIONS["libgomp.so.1 is missing"]
    mxnet_that_fails.setattr(np, "__version__", "2.4.6")
    assert mxnet_error() == SECTIONS["mxnet: expected NumPy < 2"]
    mxnet_that_fails.setattr(importlib.util, "find_spec", lambda _name: None)
    assert mxnet_error() == SECTIONS["mxnet: expected MXNet 1.9.1, got none"]
    mxnet_that_fails.setattr(sys, "version_info", (3, 13, 0))
    assert mxnet_error() == SECTIONS["mxnet: expected Python 3.10 to 3.12"]


def test_torch_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("recordkit.interop.torch")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingError) as caught:
        importlib.import_module("recordkit.interop.torch")
    stated = SECTIONS["torch: expected PyTorch 2.3 or newer"]
    assert re.sub(r"\(.*\)", "", str(caught.value)) == re.sub(r"\(.*\)", "", stated)


def test_graphviz_is_missing(mx, folder, cli, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    _, _, error = cli("plot-net", "book")
    assert error.rstrip() == SECTIONS["graphviz is not installed"]


def test_a_hybridized_network_gets_a_batch_of_a_worker(mx):
    network = mx.gluon.nn.Dense(2, prefix="dense0_")
    network.initialize()
    network.hybridize()
    batch = mx.nd.ones((1, 3), ctx=mx.Context("cpu_shared", 0))
    with pytest.raises(mx.MXNetError) as caught:
        network(batch)
    assert SECTIONS["CachedOp requires all inputs to live on the same context"] in str(caught.value)
    assert network(batch.as_in_context(mx.cpu())).shape == (1, 2)


def test_a_store_refuses_or_changes(object_store, folder, monkeypatch, tmp_path):
    def text(call):
        with pytest.raises(Exception) as caught:  # noqa: PT011 (the text is compared; warnings are errors in tests)
            call()
        return str(caught.value).replace(object_store.url, "s3://photos")

    rk.pack("photos", f"{object_store.url}/train")
    url = f"{object_store.url}/train"
    assert text(lambda: rk.RecordDataset("s3://phtos/train.rec")) == SECTIONS["got no such bucket"]
    Path("disk").touch()
    assert text(lambda: rk.RecordDataset(url, cache_dir="disk")[0]) == SECTIONS["the cache stores no pages"]
    store = open_store(Url.parse(url))
    etag = store.facts("train.rec").etag
    object_store.put("train.rec", b"other bytes")
    stated = SECTIONS["it was replaced while it was read"]
    got = text(lambda: store.read_range("train.rec", 0, 8, etag))
    assert re.sub('ETag ".*?"', "ETag", got) == re.sub('ETag ".*?"', "ETag", stated)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    refused = text(lambda: rk.RecordDataset(url, cache_dir=tmp_path / "another"))
    assert refused == SECTIONS["check that the AWS credentials are valid"]


def test_every_text_of_the_page_is_tested():
    code = Path(__file__).read_text()
    assert len(SECTIONS) == PAGE.count("```text\n")
    assert [heading for heading in SECTIONS if f'"{heading}"' not in code] == []
