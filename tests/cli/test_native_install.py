"""``recordkit doctor`` without the native engine: the command that installs it, by what the machine lacks."""

import json
import shlex
import shutil
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError

import pytest

import recordkit
from recordkit.cli import native_install
from recordkit.cli.native_install import how_to_install

PYTHON = "{}.{}".format(*sys.version_info)
DEBIAN = f"apt-get update && apt-get install g++ libjpeg-dev libdeflate-dev python{PYTHON}-dev"
PIP = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps --no-cache-dir"


class Distribution:
    """An installed recordkit, with the texts of its metadata."""

    def __init__(self, **texts):
        self.texts = texts

    def read_text(self, name):
        return self.texts.get(name.replace(".", "_"))


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that describes a machine: its system, its headers, and how recordkit was installed."""

    def describe(system="ID=debian", headers=("jpeglib.h", "libdeflate.h"), compiler=True, python=True, **texts):
        folder = tmp_path / "machine"
        (folder / "include").mkdir(parents=True)
        for header in ("cstdio", "stdio.h", *headers):
            (folder / "include" / header).touch()
        if python:
            (folder / "Python.h").touch()
        (folder / "os-release").write_text(system + "\n")
        # A compiler that sees only these headers.
        cxx = folder / "c++"
        if compiler:
            cxx.write_text(f"#!/bin/sh\nexec cpp -nostdinc -I{folder}/include - >/dev/null\n")
            cxx.chmod(0o755)
        monkeypatch.setattr(sysconfig, "get_config_var", lambda _name: f"{cxx} -pthread")
        monkeypatch.setattr(native_install, "_OS_RELEASE", folder / "os-release")
        monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(folder))
        monkeypatch.setattr(native_install, "distribution", lambda _name: Distribution(**texts))
        return folder

    return describe


needs_cpp = pytest.mark.skipif(shutil.which("cpp") is None, reason="no C preprocessor is here")


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("ID=debian", DEBIAN),
        ('ID=ubuntu\nID_LIKE="debian"', DEBIAN),
        ('ID="rhel"\nID_LIKE="fedora"', "dnf install gcc-c++ libjpeg-turbo-devel libdeflate-devel python3-devel"),
        ("ID=alpine", "apk add -U g++ libjpeg-turbo-dev libdeflate-dev python3-dev"),
    ],
)
def test_a_machine_with_nothing(machine, system, command):
    machine(system, headers=(), compiler=False, python=False)
    assert how_to_install() == f"as root, {command}; then {PIP} recordkit"


def test_another_system_gets_words(machine):
    machine("ID=plan9", compiler=False, python=False)
    assert how_to_install() == (
        "install a C++17 compiler, the headers of libjpeg-turbo, the headers of libdeflate or zlib, "
        f"the headers of Python {PYTHON}; then {PIP} recordkit"
    )


@needs_cpp
@pytest.mark.parametrize(
    ("headers", "packages"),
    [
        (["libdeflate.h"], "libjpeg-dev"),
        (["zlib.h"], "libjpeg-dev"),
        (["jpeglib.h"], "libdeflate-dev"),
        ([], "libjpeg-dev libdeflate-dev"),
    ],
)
def test_a_missing_header_is_named_alone(machine, headers, packages):
    machine(headers=headers)
    assert how_to_install() == f"as root, apt-get update && apt-get install {packages}; then {PIP} recordkit"


@needs_cpp
@pytest.mark.parametrize("headers", [["jpeglib.h", "libdeflate.h"], ["jpeglib.h", "zlib.h"]])
def test_with_all_headers_recordkit_is_installed_again(machine, headers):
    machine(headers=headers)
    assert how_to_install() == f"{PIP} recordkit"


@needs_cpp
@pytest.mark.parametrize(("info", "option"), [({}, ""), ({"editable": True}, "-e ")])
def test_recordkit_is_installed_again_from_its_folder(machine, info, option):
    machine(direct_url_json=json.dumps({"url": "file:///home/me/my%20kit", "dir_info": info}))
    assert how_to_install() == f"{PIP} {option}'/home/me/my kit'"


@needs_cpp
def test_a_checkout_on_the_path_is_installed_from_its_folder(machine, monkeypatch):
    def distribution(_name):
        raise PackageNotFoundError

    machine()
    monkeypatch.setattr(native_install, "distribution", distribution)
    monkeypatch.setattr(recordkit, "__file__", "/home/me/my kit/recordkit/__init__.py")
    assert how_to_install() == f"{PIP} -e '/home/me/my kit'"


def test_the_wheel_for_every_system_has_no_engine_to_build(machine):
    machine(compiler=False, WHEEL="Wheel-Version: 1.0\nTag: py3-none-any\n")
    assert how_to_install() == "the installed wheel is the one for every system; the wheels for Linux bring the engine"
