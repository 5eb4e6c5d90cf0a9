"""The error about a path that has a dataset in .rec files, where one that is to be packed is expected."""

from __future__ import annotations

from pathlib import Path

from recordkit.errors import SourceError, quoted
from recordkit.formats.signatures import find_other_format
from recordkit.storage.names import MANIFEST_SUFFIX


def packed_set_error(path: Path, expected: str) -> SourceError | None:
    """Return the error about a path that has a packed dataset, or None if it has none.

    Parameters
    ----------
    path : Path
        A .rec file, a manifest, or the prefix of one.
    expected : str

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "photos.rec").touch()
    >>> packed_set_error(folder / "photos", "a folder").got
    'a .rec dataset, which is packed already'
    >>> packed_set_error(folder, "a folder") is None
    True
    """
    names = (str(path), f"{path}.rec", f"{path}{MANIFEST_SUFFIX}")
    name = next((name for name in names if _is_packed(name)), None)
    return None if name is None else already_packed(name, expected)


def already_packed(name: str, expected: str) -> SourceError:
    """Return the error about a .rec file or a manifest in the place of something else."""
    return SourceError(
        path=name,
        expected=expected,
        got="a .rec dataset, which is packed already",
        advice=f"'recordkit merge {quoted(name)} NEW' copies it, and 'recordkit export {quoted(name)} FOLDER' "
        "writes its images as files",
    )


def _is_packed(name: str) -> bool:
    if not name.endswith((".rec", MANIFEST_SUFFIX)) or not Path(name).is_file():
        return False
    return name.endswith(MANIFEST_SUFFIX) or find_other_format(name) is None
