"""Commands that install what this machine lacks: the native engine, and programs of the system."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import recordkit

# Packages of each family of Linux by what they bring; {} stands for the version of Python.
_PACKAGES = {
    "debian": {
        "install": "apt-get update && apt-get install",
        "g++": "g++",
        "jpeg": "libjpeg-dev",
        "deflate": "libdeflate-dev",
        "python": "python{}-dev",
    },
    "fedora": {
        "install": "dnf install",
        "g++": "gcc-c++",
        "jpeg": "libjpeg-turbo-devel",
        "deflate": "libdeflate-devel",
        "python": "python3-devel",
    },
    "alpine": {
        "install": "apk add -U",
        "g++": "g++",
        "jpeg": "libjpeg-turbo-dev",
        "deflate": "libdeflate-dev",
        "python": "python3-dev",
    },
}
_OS_RELEASE = Path("/etc/os-release")
_WORDS = {
    "g++": "a C++17 compiler",
    "jpeg": "the headers of libjpeg-turbo",
    "deflate": "the headers of libdeflate or zlib",
    "python": "the headers of Python {}",
}


def how_to_install() -> str:
    """Return how to get the native engine: commands where they are known, otherwise what is missing."""
    requirement = _requirement()
    if requirement is None:
        return "the installed wheel is the one for every system; the wheels for Linux bring the engine"
    install = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps --no-cache-dir {requirement}"
    missing = _missing_parts()
    if not missing:
        return install
    python = "{}.{}".format(*sys.version_info)
    packages = _PACKAGES.get(_linux_family())
    if packages is None:
        return f"install {', '.join(_WORDS[part].format(python) for part in missing)}; then {install}"
    names = " ".join(packages[part].format(python) for part in missing)
    return f"as root, {packages['install']} {names}; then {install}"


def how_to_install_program(package: str) -> str:
    """Return the command that installs a package that has the same name in every family of Linux.

    Parameters
    ----------
    package : str
        Such as ``graphviz``.
    """
    packages = _PACKAGES.get(_linux_family())
    return f"{packages['install']} {package}" if packages else f"install {package}"


def _missing_parts() -> list[str]:
    """Return what a build of the engine needs and this machine lacks."""
    compiler = shlex.split(sysconfig.get_config_var("CXX") or "c++")
    python = [] if Path(sysconfig.get_path("include"), "Python.h").exists() else ["python"]
    if shutil.which(compiler[0]) is None or not _finds(compiler, "cstdio"):
        return ["g++", "jpeg", "deflate", *python]  # a package that is here already is not installed again
    jpeg = [] if _finds(compiler, "jpeglib.h") else ["jpeg"]
    deflate = [] if _finds(compiler, "libdeflate.h") or _finds(compiler, "zlib.h") else ["deflate"]
    return jpeg + deflate + python


def _finds(compiler: list[str], header: str) -> bool:
    program = f"#include <stdio.h>\n#include <{header}>\n"
    command = [*compiler, "-E", "-xc++", "-"]
    return subprocess.run(command, input=program, text=True, capture_output=True, check=False).returncode == 0


def _linux_family() -> str:
    """Return the key in `_PACKAGES` of this system; "" if there is none."""
    try:
        lines = _OS_RELEASE.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    families = " ".join(facts.get(name, "").strip('"') for name in ("ID", "ID_LIKE")).split()
    return next((family for family in families if family in _PACKAGES), "")


def _requirement() -> str | None:
    """Return what pip has to install again; None if it is a wheel without the engine."""
    try:
        installed = distribution("recordkit")
    except PackageNotFoundError:  # a checkout is on Python's path
        return f"-e {shlex.quote(str(Path(recordkit.__file__).parents[1]))}"
    if "Tag: py3-none-any" in (installed.read_text("WHEEL") or ""):
        return None
    source = json.loads(installed.read_text("direct_url.json") or "{}")
    if "dir_info" not in source:
        return "recordkit"
    folder = shlex.quote(url2pathname(urlsplit(source["url"]).path))
    return f"-e {folder}" if source["dir_info"].get("editable") else folder
