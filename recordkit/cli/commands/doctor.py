"""``recordkit doctor``: what is installed, what is missing, and how to install it."""

from __future__ import annotations

import importlib
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from recordkit import native
from recordkit.cli.console import Console
from recordkit.cli.native_install import how_to_install, how_to_install_program
from recordkit.cli.options import examples, output_options
from recordkit.errors import MissingError, plural
from recordkit.interop import mxnet
from recordkit.threads import count_threads
from recordkit.version import __version__

_REQUIRED_PACKAGES = ("numpy", "pillow", "click", "pooch", "tqdm")
# Each package and the extra that installs it.
_OPTIONAL_PACKAGES = {
    "torch": "torch",
    "pyarrow": "parquet",
    "obstore": "remote",
    "ray": "cluster",
    "matplotlib": "plot",
    "jinja2": "plot",
    "graphviz": "plot",
    "scikit-learn": "demo",
}
_PILLOW_FEATURES = {"jpg": True, "zlib": True, "webp": False}  # True: recordkit needs it


@dataclass(frozen=True)
class _Check:
    name: str
    ok: bool
    needed: bool
    message: str


@click.command("doctor", epilog=examples("recordkit doctor"))
@output_options
def command(console: Console) -> None:
    """Report what is installed, what is missing and how to install it.

    The exit code is 1 if something that recordkit needs is missing.
    """
    checks = [*_check_system(), *_check_required(), *_check_pillow(), *_check_engines(), *_check_optional()]
    missing = [check.name for check in checks if check.needed and not check.ok]
    verdict = _verdict(missing)
    lines = []
    for check in checks:
        mark = "ok" if check.ok else ("MISSING" if check.needed else "note")
        lines.append(f"{mark:8}{check.name:14} {check.message}")
    document = {"checks": [asdict(check) for check in checks], "verdict": verdict}
    console.report(document, *lines, verdict)
    if missing:
        raise click.exceptions.Exit(1)


def _verdict(missing: list[str]) -> str:
    if missing:
        return f"recordkit does not work without {', '.join(missing)}"
    if native.available():
        return "recordkit is ready, with its native engine"
    return f"recordkit works, but slowly, without its native engine: {how_to_install()}"


def _check_system() -> list[_Check]:
    system = f"{platform.python_version()} on {platform.platform()}"
    return [
        _Check("recordkit", ok=True, needed=True, message=__version__),
        _Check("python", ok=True, needed=True, message=system),
        _Check("threads", ok=True, needed=True, message=f"this process may use {plural(count_threads(0), 'CPU')}"),
    ]


def _check_required() -> list[_Check]:
    return [_check_package(name, name, needed=True) for name in _REQUIRED_PACKAGES]


def _check_pillow() -> list[_Check]:
    try:
        features = importlib.import_module("PIL.features")
    except ModuleNotFoundError:  # the required packages name it
        return []
    checks = []
    for name, needed in _PILLOW_FEATURES.items():
        supported = features.check(name)
        message = f"this Pillow was built without {name}"
        if supported:
            turbo = " (libjpeg-turbo)" if name == "jpg" and features.check("libjpeg_turbo") else ""
            message = f"Pillow supports {name} {features.version(name) or ''}{turbo}"
        checks.append(_Check(f"pillow {name}", ok=supported, needed=needed, message=message))
    return checks


def _check_engines() -> list[_Check]:
    checks = [_Check("engine python", ok=True, needed=True, message="Pillow and NumPy")]
    try:
        libraries = ", ".join(f"{name} {value}" for name, value in native.load().build().items())
    except MissingError as error:
        return [*checks, _Check("engine native", ok=False, needed=False, message=error.problem)]
    return [*checks, _Check("engine native", ok=True, needed=False, message=libraries)]


def _check_optional() -> list[_Check]:
    checks = [_Check(finding.name, finding.ok, needed=False, message=finding.message) for finding in mxnet.describe()]
    for name, extra in _OPTIONAL_PACKAGES.items():
        checks.append(_check_package(name, f"'recordkit[{extra}]'", needed=False))
    return [*checks, _check_dot()]


def _check_dot() -> _Check:
    """Check Graphviz's program, which draws for ``recordkit plot-net``."""
    try:
        answer = subprocess.run(["dot", "-V"], capture_output=True, text=True, check=True).stderr
    except FileNotFoundError:
        return _Check("dot", ok=False, needed=False, message=f"not installed; {how_to_install_program('graphviz')}")
    except (OSError, subprocess.CalledProcessError) as error:
        return _Check("dot", ok=False, needed=False, message=f"does not run: {error}")
    found = re.search(r"version (\S+)", answer)
    return _Check("dot", ok=True, needed=False, message=f"Graphviz {found[1]}" if found else "Graphviz")


def _check_package(name: str, requirement: str, *, needed: bool) -> _Check:
    try:
        return _Check(name, ok=True, needed=needed, message=version(name))
    except PackageNotFoundError:
        return _Check(name, ok=False, needed=needed, message=f"not installed; pip install {requirement}")
