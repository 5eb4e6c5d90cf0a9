"""Folders of images for training: packed once into a folder beside the model, and again when a file changes."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PackError
from recordkit.formats.files import write_atomically
from recordkit.formats.lst import ListFile
from recordkit.packing import PackPlan, pack
from recordkit.sources import open_source
from recordkit.upkeep import verify

VAL_RATIO = 0.2
"""Share of a folder's images that is held out for validation. Ubyte files with a test set use that set instead."""


def pack_if_changed(
    folder: Path,
    cache: Path,
    *,
    side: int | None = None,
    hold_out: bool = True,
    progress: Callable[[int], None] | None = None,
) -> tuple[Path, Path | None]:
    """Pack a folder tree, a flat folder or ubyte files for training, unless the packed files are up to date.

    Parameters
    ----------
    folder : Path
    cache : Path
        Folder for the packed files, with nothing else in it.
    side : int, optional
        Short side to which the images of a folder tree are resized, in pixels.
    hold_out : bool
        Hold out images for validation.
    progress : callable, optional
        Called with the number of images packed since the last call.

    Returns
    -------
    train, val : Path
        The .rec files; `val` is None if nothing is held out.

    Raises
    ------
    SourceError, FormatError
        The folder cannot be packed.
    PackError
        Images cannot be packed or decoded.

    Warns
    -----
    UserWarning
        Files or folders are ignored.
    """
    source = open_source(folder)
    is_ubyte = isinstance(source, dict)
    for note in () if isinstance(source, dict) else source.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    prefix = cache / (folder.resolve().name or "images")
    has_test_set = isinstance(source, dict) and "test" in source
    val_ratio = VAL_RATIO if hold_out and not has_test_set else 0.0
    train = prefix.with_name(f"{prefix.name}_train.rec" if val_ratio or is_ubyte else f"{prefix.name}.rec")
    val = prefix.with_name(f"{prefix.name}_{'test' if has_test_set else 'val'}.rec") if hold_out else None
    packed = [path for path in (train, val) if path]
    stamp, state = cache / "packed-from.json", _state(folder, side, val_ratio)
    if stamp.exists() and stamp.read_text() == state and all(path.exists() for path in packed):
        return train, val
    resize = None if is_ubyte else side
    cache.mkdir(parents=True, exist_ok=True)
    report = pack(source, prefix, plan=PackPlan(val_ratio=val_ratio, resize=resize), progress=progress)
    if not report.ok:
        raise PackError(
            path=str(folder),
            expected="images that can be read",
            got=f"{report.n_failed} that cannot, named in {prefix}*.failed.tsv",
            advice="remove them, or leave them out in a pack of your own and train on its .rec",
        )
    if not is_ubyte and resize is None:  # a resize has decoded every image
        for path in packed:
            _check_images(path, folder)
    write_atomically(stamp, lambda path: path.write_text(state))
    return train, val


def _check_images(path: Path, folder: Path) -> None:
    """Refuse images that cannot be decoded; the error names the file, which the list of the .rec file has."""
    bad = [problem for problem in verify(path, decode=True).problems if problem.offset is not None]
    if bad:
        with RecordDataset(path) as records, ListFile(path.with_suffix(".lst")) as rows:
            index = records.offsets.tolist().index(bad[0].offset)
            file = folder / rows[index].path
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise PackError(f"{bad[0].reason}{more}", path=str(file), advice="repair or remove it")


def _state(folder: Path, side: int | None, val_ratio: float) -> str:
    """Return a text that changes with any file of the folder: the SHA-256 of names, sizes and times."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            digest.update(os.fsencode(path.relative_to(folder)))
            digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    facts = {"folder": str(folder.resolve()), "side": side, "held_out": val_ratio, "sha256": digest.hexdigest()}
    return json.dumps(facts) + "\n"
