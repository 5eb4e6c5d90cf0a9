"""libjpeg-turbo of another version than at build time: the core is refused when it is loaded."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recordkit import native
from recordkit.errors import MissingError

pytestmark = pytest.mark.usefixtures("require_native")


def loaded_libjpeg():
    """Return the path of the shared library that the core is linked to; None if it is linked statically."""
    libraries = subprocess.run(["ldd", native.load().__file__], capture_output=True, text=True, check=True).stdout
    match = re.search(r"^\s*(libjpeg\S*) => (\S+)", libraries, re.MULTILINE)
    return match and (match[1], Path(match[2]))


def test_both_versions_are_known_and_equal():
    built_with, running = native.load().jpeg_versions()
    assert re.fullmatch(r"\d+(\.\d+)+ \(interface \d+\)", built_with)
    assert running == built_with


@pytest.mark.parametrize("first_digit", [b"9", b"x"])
def test_a_library_of_another_version_is_refused_when_the_core_is_loaded(tmp_path, first_digit):
    library = loaded_libjpeg()
    if library is None:
        pytest.skip("the core contains libjpeg-turbo, which nothing can replace")
    name, path = library
    built_with, _ = native.load().jpeg_versions()
    version, _, interface = built_with.partition(" ")
    before, text, after = path.read_bytes().partition(b"libjpeg-turbo version " + version.encode())
    assert text
    changed = first_digit + version[1:].encode()
    (tmp_path / name).write_bytes(before + b"libjpeg-turbo version " + changed + after)
    code = """
from recordkit import native
try:
    native.load()
except ImportError as error:
    print(error)
print(native.available())
"""
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    running = changed.decode() if first_digit == b"9" else "unknown"
    assert done.stdout == (
        f"native engine: expected libjpeg-turbo {built_with}, with which it was built, got {running} {interface}; "
        "'recordkit doctor' says how to install it, or use engine=\"python\"\nFalse\n"
    )


def test_a_library_with_another_interface_is_refused_when_the_core_is_loaded(monkeypatch):
    class Core:
        ABI = native.ABI

        @staticmethod
        def jpeg_versions():
            return "2.1.5 (interface 62)", "2.1.5 (interface 80)"

    monkeypatch.setitem(sys.modules, "recordkit.native._core", Core)
    monkeypatch.setattr(native, "_import_core", native._import_core.__wrapped__)
    with pytest.raises(MissingError, match=r"expected libjpeg-turbo 2\.1\.5 \(interface 62\), .*got .*80\)"):
        native.load()
    assert not native.available()
