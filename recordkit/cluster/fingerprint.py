"""The versions that decide the bytes of a pack besides the plan and the images: recordkit, its core, the codecs.

A pack on several machines gives the same bytes as on one only if these are equal on all of them.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import platform
from collections.abc import Mapping
from pathlib import Path

import recordkit
from recordkit.errors import ClusterError, MissingError
from recordkit.packing.native import choose_engine
from recordkit.storage.fileset import fingerprint as file_digest
from recordkit.version import __version__

# Facts of the core's build that depend on the processor and change no byte.
_OF_THE_PROCESSOR = ("resize",)
_DIGITS = 16


@functools.cache
def take_fingerprint(engine: str) -> dict[str, str]:
    """Return the fingerprint of this process, for an engine by its name: "auto", "native" or "python".

    Returns
    -------
    fingerprint : dict of str to str
        Name of each part, and its version or digest.

    Raises
    ------
    MissingError
        The engine is not built.

    Examples
    --------
    >>> take_fingerprint("python")["engine"]
    'python'
    """
    name = choose_engine(engine).name
    parts = {"recordkit": __version__, "code": _code_digest(), "engine": name, **_codec_versions()}
    if name == "native":
        core = importlib.import_module("recordkit.native._core")
        parts["core"] = file_digest(Path(core.__file__ or ""))[:_DIGITS]
        parts |= {f"core {key}": str(value) for key, value in core.build().items() if key not in _OF_THE_PROCESSOR}
    return parts


def check_fingerprint(expected: Mapping[str, str]) -> None:
    """Refuse to work in a process that may give other bytes than the one that planned the work.

    Parameters
    ----------
    expected : mapping of str to str
        The fingerprint of the process that planned.

    Raises
    ------
    ClusterError
        The fingerprint of this process differs. The error says in what, and on which machine.
    """
    try:
        got = take_fingerprint(expected["engine"])
    except MissingError as error:
        got = {"engine": f"none ({error.problem})"}
    if differences := describe_differences(expected, got):
        raise ClusterError(
            f"the machine {platform.node()} would not give the same bytes: {differences}",
            advice="install the same recordkit, Pillow and libjpeg on all machines",
        )


def describe_differences(expected: Mapping[str, str], got: Mapping[str, str]) -> str:
    """Return the parts of two fingerprints that differ, as a text; "" if there are none.

    Examples
    --------
    >>> describe_differences({"pillow": "12.0", "engine": "python"}, {"pillow": "11.0", "engine": "python"})
    'pillow is 11.0, not 12.0'
    """
    if "engine" in expected and expected["engine"] != got.get("engine"):
        return f"its engine is {got.get('engine')}, not {expected['engine']}"
    names = [name for name in expected if expected[name] != got.get(name)]
    return ", ".join(f"{name} is {got.get(name)}, not {expected[name]}" for name in names)


def _code_digest() -> str:
    """Return a digest of recordkit's own Python code, because versions under development have one number."""
    digest = hashlib.sha256()
    root = Path(recordkit.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:_DIGITS]


def _codec_versions() -> dict[str, str]:
    pil, features = importlib.import_module("PIL"), importlib.import_module("PIL.features")
    versions = {"pillow": pil.__version__}
    for name in ("libjpeg_turbo", "jpg", "zlib", "webp"):
        versions[f"pillow {name}"] = str(features.version(name))
    return versions
