"""``recordkit doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import importlib
import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from recordkit import native
from recordkit.cli.program import examples
from recordkit.errors import MissingError
from recordkit.interop import mxnet
from recordkit.threads import count_threads
from recordkit.version import __version__

# Distribution and the extra that brings it.
_OPTIONAL = {"torch": "torch", "matplotlib": "plot", "scikit-learn": "demo"}
_NEEDED = ("numpy", "pillow", "click", "tqdm")


@dataclass(frozen=True)
class _Line:
    name: str
    ok: bool
    needed: bool
    message: str


@click.command("doctor", epilog=examples("recordkit doctor"))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(as_json: bool) -> None:
    """Say what is installed, what is missing and how to get it; exit 1 if recordkit itself lacks something."""
    lines = _needed() + _engines() + _optional()
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines]))
    else:
        for line in lines:
            mark = "ok" if line.ok else ("MISSING" if line.needed else "-")
            click.echo(f"{mark:8}{line.name:14}{line.message}")
    if any(line.needed and not line.ok for line in lines):
        raise click.exceptions.Exit(1)


def _needed() -> list[_Line]:
    system = f"{platform.python_version()} on {platform.platform()}"
    lines = [
        _Line("recordkit", ok=True, needed=True, message=__version__),
        _Line("python", ok=True, needed=True, message=system),
        _Line("threads", ok=True, needed=True, message=f"{count_threads(0)} CPUs may be used"),
    ]
    for name in _NEEDED:
        found = _version(name)
        lines.append(_Line(name, ok=found is not None, needed=True, message=found or f"pip install {name}"))
    features = importlib.import_module("PIL.features")
    for name in ("jpg", "zlib", "webp"):
        there = features.check(name)
        turbo = " (libjpeg-turbo)" if name == "jpg" and features.check("libjpeg_turbo") else ""
        detail = (
            f"Pillow has {name} {features.version(name) or ''}{turbo}" if there else f"Pillow was built without {name}"
        )
        lines.append(_Line(f"pillow {name}", ok=there, needed=name != "webp", message=detail))
    return lines


def _engines() -> list[_Line]:
    lines = [_Line("engine python", ok=True, needed=True, message="Pillow and NumPy")]
    try:
        built = ", ".join(f"{name} {value}" for name, value in native.load().build().items())
    except MissingError as error:
        return [
            *lines,
            _Line("engine native", ok=False, needed=False, message=str(error).removeprefix("native engine: ")),
        ]
    return [*lines, _Line("engine native", ok=True, needed=False, message=built), _jpeg_line(native.jpeg_versions())]


def _jpeg_line(versions: native.JpegVersions) -> _Line:
    message = f"fast, with libjpeg-turbo {versions.running}"
    if not versions.fast:
        running = versions.running or "an unknown version"
        message = (
            f"slower: built with libjpeg-turbo {versions.built_with}, runs with {running}; install recordkit again"
        )
    return _Line("native jpeg", ok=versions.fast, needed=False, message=message)


def _optional() -> list[_Line]:
    lines = [_Line(finding.name, finding.ok, needed=False, message=finding.message) for finding in mxnet.describe()]
    for name, extra in _OPTIONAL.items():
        found = _version(name)
        lines.append(
            _Line(name, ok=found is not None, needed=False, message=found or f"pip install 'recordkit[{extra}]'")
        )
    return lines


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
