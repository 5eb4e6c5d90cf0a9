"""Fixtures of all tests: no network except loopback, optional real data, hypothesis profiles."""

import functools
import gzip
import importlib.util
import math
import os
import signal
import socket
import sys
import tempfile
import warnings
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from object_store import faulty_store, object_server, object_store  # noqa: F401 (fixtures)
from web_server import web  # noqa: F401 (a fixture)

from recordkit import native
from recordkit.codec import encode
from recordkit.errors import ImageError, MissingError
from recordkit.formats import ubyte
from recordkit.interop import mxnet

hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None)
hypothesis.settings.register_profile("long", max_examples=5000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("RECORDKIT_HYPOTHESIS", "quick"))


def pytest_collection_modifyitems(items):
    """Leave out the examples of clusters without Ray, which they start."""
    if importlib.util.find_spec("ray") is None:
        examples = {item for item in items if isinstance(item, pytest.DoctestItem) and "cluster" in item.path.parts}
        items[:] = [item for item in items if item not in examples]


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Fail a test that connects to another machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def no_lines_of_progress(monkeypatch):
    """Show no lines of progress, which commands print after 3 seconds on a slow machine."""
    monkeypatch.setattr("recordkit.cli.progress._FIRST_LINE_S", math.inf)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real datasets. Without it, tests that need it are skipped, or fail if CI requires it."""
    folder = os.environ.get("RECORDKIT_TEST_DATA")
    if folder is None:
        if os.environ.get("RECORDKIT_REQUIRE_DATA"):
            pytest.fail("RECORDKIT_REQUIRE_DATA is set but RECORDKIT_TEST_DATA is not")
        pytest.skip("RECORDKIT_TEST_DATA is not set: no real data to test on")
    return Path(folder)


@pytest.fixture
def shared_folder():
    """A folder as /tmp: everybody may write to it, and nobody may replace the files of others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o1777)
        yield Path(name)


@pytest.fixture
def memory_path():
    """An empty folder, in memory if possible, because a disk takes long to flush some thousand files."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(params=["python", "native"])
def engine(request) -> str:
    """Each engine, so that both pass the same tests. A missing engine is skipped, or fails if CI requires it."""
    if request.param == "native":
        request.getfixturevalue("require_native")
    return request.param


@pytest.fixture(scope="session")
def require_native():
    """Skip a test of the native core if the core is not built, unless CI requires it."""
    if not native.available() and not os.environ.get("RECORDKIT_REQUIRE_NATIVE"):
        pytest.skip("the native engine is not built")


@pytest.fixture
def no_native(monkeypatch) -> None:
    """Hide the native core, as if it were not built."""
    monkeypatch.setitem(sys.modules, "recordkit.native._core", None)
    monkeypatch.setattr(native, "_import_core", native._import_core.__wrapped__)


@pytest.fixture
def tiny_folder(tmp_path) -> Path:
    """A folder of three classes with four small JPEGs each."""
    root = tmp_path / "photos"
    for number, name in enumerate(("cat", "dog", "owl")):
        (root / name).mkdir(parents=True)
        for image in range(4):
            (root / name / f"{image}.jpg").write_bytes(encode(gradient(20 + 3 * image, 30 + number), "jpg"))
    return root


@pytest.fixture
def tiny_mnist(tmp_path) -> Path:
    """A folder of ubyte files: 20 training digits, uncompressed, and 6 test digits, compressed with gzip."""
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
    """Return the content of a source at an index."""
    (entry,) = source.entries([index])
    assert source.labels([index]) == [entry.labels]
    (result,) = source.contents([entry])
    if isinstance(result, ImageError):
        raise result
    return result


def gradient(height, width) -> np.ndarray:
    """Return a smooth RGB image, which JPEG changes little."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 // height, columns * 255 // width, (rows + columns) % 256], 2).astype(np.uint8)


@pytest.fixture(scope="session")
def mx():
    """MXNet itself. Without it, tests that need it are skipped, or fail if RECORDKIT_REQUIRE_MXNET is set."""
    try:
        return mxnet.load()
    except MissingError as error:
        if os.environ.get("RECORDKIT_REQUIRE_MXNET"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def program(monkeypatch, capsys):
    """Run a console script in this process and return exit code, stdout and stderr."""

    def run(main, *arguments):
        monkeypatch.setattr("sys.argv", [main.__module__, *map(str, arguments)])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
            main()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        output = capsys.readouterr()
        return end.value.code or 0, output.out, output.err

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
