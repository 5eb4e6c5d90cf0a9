"""A folder of images as packed files: packed once, into a folder beside the model, and again when it has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from recordkit.apps.train.checkpoint import write_whole
from recordkit.errors import PackError
from recordkit.packing import PackPlan, pack
from recordkit.sources import open_source

VAL_RATIO = 0.2
"""Share of a folder's images that is measured and not learnt from; of ubyte files the test set is."""


def packed(
    folder: Path, cache: Path, *, side: int | None = None, progress: Callable[[int], None] | None = None
) -> tuple[Path, Path]:
    """Return the .rec files of a folder tree, of a flat folder or of ubyte files, to learn from and to measure on.

    Parameters
    ----------
    folder : Path
    cache : Path
        Folder for the packed files.
    side : int, optional
        Images in a folder tree are resized, the short side to so many pixels.
    progress : callable, optional
        Called with the number of images packed since the last call.

    Returns
    -------
    train, val : Path

    Raises
    ------
    SourceError, FormatError
        The folder is at fault.
    PackError
        Images cannot be packed.
    """
    source = open_source(folder)
    prefix = cache / (folder.resolve().name or "images")
    splits = ("train", "test") if isinstance(source, dict) else ("train", "val")
    train, val = (prefix.with_name(f"{prefix.name}_{split}.rec") for split in splits)
    stamp, state = cache / f"{prefix.name}.packed-from.json", _state(folder, side)
    if train.exists() and val.exists() and stamp.exists() and stamp.read_text() == state:
        return train, val
    plan = PackPlan() if isinstance(source, dict) else PackPlan(shuffle=True, val_ratio=VAL_RATIO, resize=side)
    cache.mkdir(parents=True, exist_ok=True)
    report = pack(source, prefix, plan=plan, progress=progress)
    if not report.ok:
        raise PackError(f"{folder}: {report.n_failed} images cannot be packed; they are named in {prefix}*.failed.tsv")
    write_whole(stamp, lambda path: path.write_text(state))
    return train, val


def _state(folder: Path, side: int | None) -> str:
    """Return what changes when a file of the folder does: the SHA-256 of names, sizes and times."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            digest.update(f"{path.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return json.dumps({"folder": str(folder.resolve()), "side": side, "sha256": digest.hexdigest()}) + "\n"
