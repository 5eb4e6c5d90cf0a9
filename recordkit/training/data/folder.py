"""A folder of images as packed files: packed once, into a folder beside the model, and again when it has changed."""

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
"""Share of a folder's images that is measured and not learnt from; of ubyte files the test set is."""


def packed(
    folder: Path,
    cache: Path,
    *,
    side: int | None = None,
    hold_out: bool = True,
    progress: Callable[[int], None] | None = None,
) -> tuple[Path, Path | None]:
    """Return the .rec files of a folder tree, of a flat folder or of ubyte files, to learn from and to measure on.

    Parameters
    ----------
    folder : Path
    cache : Path
        Folder for the packed files, and for nothing else.
    side : int, optional
        Images in a folder tree are resized, the short side to so many pixels.
    hold_out : bool
        Keep a part to measure on.
    progress : callable, optional
        Called with the number of images packed since the last call.

    Returns
    -------
    train, val : Path
        `val` is None if nothing is held out.

    Raises
    ------
    SourceError, FormatError
        The folder is at fault.
    PackError
        Images cannot be packed, or not be decoded.

    Warns
    -----
    UserWarning
        Files, or whole folders, are left alone.
    """
    source = open_source(folder)
    for note in () if isinstance(source, dict) else source.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    prefix = cache / (folder.resolve().name or "images")
    tested = isinstance(source, dict) and "test" in source
    ratio = VAL_RATIO if hold_out and not tested else 0.0
    held_out = "test" if tested else "val"
    several = ratio or isinstance(source, dict)
    train = prefix.with_name(f"{prefix.name}_train.rec" if several else f"{prefix.name}.rec")
    val = prefix.with_name(f"{prefix.name}_{held_out}.rec") if hold_out else None
    stamp, state = cache / "packed-from.json", _state(folder, side, ratio)
    if stamp.exists() and stamp.read_text() == state and all(path.exists() for path in (train, val) if path):
        return train, val
    resize = None if isinstance(source, dict) else side
    cache.mkdir(parents=True, exist_ok=True)
    report = pack(source, prefix, plan=PackPlan(val_ratio=ratio, resize=resize), progress=progress)
    if not report.ok:
        raise PackError(
            f"{folder}: expected images that can be read, got {report.n_failed} that cannot, named in "
            f"{prefix}*.failed.tsv; remove them, or 'recordkit pack --on-error skip' and train on the .rec"
        )
    if not isinstance(source, dict) and resize is None:  # a resize has decoded them
        for rec in filter(None, (train, val)):
            _check_images(rec, folder)
    write_atomically(stamp, lambda path: path.write_text(state))
    return train, val


def _check_images(rec: Path, folder: Path) -> None:
    """Refuse images that cannot be decoded, by the names of their files, which the .rec file no longer has."""
    bad = [problem for problem in verify(rec, decode=True).problems if problem.place.startswith("byte ")]
    if bad:
        with RecordDataset(rec) as records, ListFile(rec.with_suffix(".lst")) as rows:
            position = records.offsets.tolist().index(int(bad[0].place.removeprefix("byte ")))
            file = folder / rows[position].path
        others = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise PackError(f"{file}: {bad[0].reason}{others}; mend or remove it")


def _state(folder: Path, side: int | None, ratio: float) -> str:
    """Return what changes when a file of the folder does: the SHA-256 of names, sizes and times."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            digest.update(os.fsencode(path.relative_to(folder)))
            digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    facts = {"folder": str(folder.resolve()), "side": side, "held_out": ratio, "sha256": digest.hexdigest()}
    return json.dumps(facts) + "\n"
