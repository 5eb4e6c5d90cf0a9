"""Fixtures for every test: no network but loopback, real data where it is given, hypothesis profiles."""

import functools
import gzip
import os
import signal
import socket
import sys
import warnings
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from recordkit import native
from recordkit.codec import encode
from recordkit.errors import ImageError, MissingError
from recordkit.formats import ubyte
from recordkit.interop import mxnet

hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None)
hypothesis.settings.register_profile("long", max_examples=5000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("RECORDKIT_HYPOTHESIS", "quick"))


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Fail any test that would talk to another machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real datasets; tests on it are skipped without it, and must run in CI."""
    folder = os.environ.get("RECORDKIT_TEST_DATA")
    if folder is None:
        if os.environ.get("RECORDKIT_REQUIRE_DATA"):
            pytest.fail("RECORDKIT_REQUIRE_DATA is set but RECORDKIT_TEST_DATA is not")
        pytest.skip("RECORDKIT_TEST_DATA is not set: no real data to test on")
    return Path(folder)


@pytest.fixture(params=["python", "native"])
def engine(request) -> str:
    """Each engine in turn: what one does, all do. One that is not built is skipped, but where it must be."""
    if request.param == "native":
        request.getfixturevalue("require_native")
    return request.param


@pytest.fixture(scope="session")
def require_native():
    """Skip a test of the native core if it is not built, but where it must be."""
    if not native.available() and not os.environ.get("RECORDKIT_REQUIRE_NATIVE"):
        pytest.skip("the native engine is not built")


@pytest.fixture
def no_native(monkeypatch) -> None:
    """As if the native core were not built."""
    monkeypatch.setitem(sys.modules, "recordkit.native._core", None)
    monkeypatch.setattr(native, "_import_core", native._import_core.__wrapped__)


@pytest.fixture
def tiny_folder(tmp_path) -> Path:
    """Three classes of small JPEGs, four each, in folders."""
    root = tmp_path / "photos"
    for number, name in enumerate(("cat", "dog", "owl")):
        (root / name).mkdir(parents=True)
        for image in range(4):
            (root / name / f"{image}.jpg").write_bytes(encode(gradient(20 + 3 * image, 30 + number), "jpg"))
    return root


@pytest.fixture
def tiny_mnist(tmp_path) -> Path:
    """A folder of ubyte files: 20 training digits, plain, and 6 test digits, gzip-compressed."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for split, n, ending in (("train", 20, ""), ("t10k", 6, ".gz")):
        pixels = np.random.default_rng(n).integers(0, 256, (n, 28, 28), np.uint8)
        labels = np.arange(n, dtype=np.uint8) % 10
        for name, array in ((f"{split}-images-idx3-ubyte", pixels), (f"{split}-labels-idx1-ubyte", labels)):
            content = ubyte.pack(array)
            (folder / (name + ending)).write_bytes(gzip.compress(content) if ending else content)
    return folder


def content(source, index):
    """What a source has at a position."""
    (entry,) = source.entries([index])
    assert source.labels([index]) == [entry.labels]
    (found,) = source.contents([entry])
    if isinstance(found, ImageError):
        raise found
    return found


def gradient(height, width) -> np.ndarray:
    """A smooth RGB image, which JPEG keeps nearly as it is."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 // height, columns * 255 // width, (rows + columns) % 256], 2).astype(np.uint8)


@pytest.fixture(scope="session")
def mx():
    """The real MXNet; tests on it are skipped without it, and must run where RECORDKIT_REQUIRE_MXNET is set."""
    try:
        return mxnet.load()
    except MissingError as error:
        if os.environ.get("RECORDKIT_REQUIRE_MXNET"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def program(monkeypatch, capsys):
    """Run a console script in this process; return exit code, stdout and stderr."""

    def run(main, *arguments):
        monkeypatch.setattr("sys.argv", [main.__module__, *map(str, arguments)])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
            main()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def cli(program):
    """Run ``recordkit ...``."""
    from recordkit.cli.main import main

    return functools.partial(program, main)


@pytest.fixture
def im2rec(program):
    """Run ``im2rec ...``."""
    from recordkit.cli.im2rec.main import main

    return functools.partial(program, main)
