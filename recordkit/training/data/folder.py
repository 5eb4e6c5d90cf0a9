"""Folders of images for training: packed once into a folder beside the model, and again when a file changes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PackError, SourceError, enumerate_some, plural, quoted
from recordkit.formats.files import read_file
from recordkit.formats.lst import ListFile
from recordkit.packing import PackPlan, pack
from recordkit.packing.planned_sets import is_training_set, set_beside
from recordkit.sample import Source
from recordkit.sources import open_source
from recordkit.storage.replacement import write_atomically
from recordkit.storage.staging import Staging
from recordkit.upkeep import verify

VAL_RATIO = 0.2
"""Share of the images held out for validation, if the folder has no set for it: "val", or else "test"."""


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
        Folder for the packed files, with nothing else in it. No other process packs into it at the same time.
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
    InUseError
        Another process is packing into `cache`.

    Warns
    -----
    UserWarning
        Files or folders are ignored.
    """
    source = open_source(folder)
    all_sets = source if isinstance(source, dict) else {"": source}
    sets = _choose_sets(folder, all_sets, hold_out=hold_out)
    train_set, *held_out_sets = sets
    for note in _notes(folder, all_sets, sets):
        warnings.warn(note, UserWarning, stacklevel=2)
    prefix = cache / (folder.resolve().name or "images")
    val_ratio = VAL_RATIO if hold_out and not held_out_sets else 0.0
    train_name = train_set or ("train" if val_ratio else "")
    train = prefix.with_name(f"{prefix.name}_{train_name}.rec" if train_name else f"{prefix.name}.rec")
    val_name = held_out_sets[0] if held_out_sets else set_beside(train_set, "val")
    val = prefix.with_name(f"{prefix.name}_{val_name}.rec") if hold_out else None
    packed = [path for path in (train, val) if path]
    stamp, state = cache / "packed-from.json", _state(folder, side, val_ratio)

    def is_current() -> bool:
        return (
            stamp.exists()
            and read_file(stamp, max_bytes=1 << 20) == state.encode()
            and all(path.exists() for path in packed)
        )

    if is_current():
        return train, val
    with Staging(cache, allow_folder=True, holder="a training run that packs its images"):
        if not is_current():  # another run may have packed them since
            pixels = sets[train_set].pixels
            plan = PackPlan(val_ratio=val_ratio, resize=None if pixels else side, labels="first" if pixels else "all")
            is_new = not cache.exists()
            try:
                _pack(folder, sets, prefix, plan, progress)
                if not pixels and side is None:  # a resize has decoded every image
                    for path in packed:
                        _check_images(path, folder)
                write_atomically(stamp, lambda file: file.write(state.encode()))
            except BaseException:
                if is_new:
                    shutil.rmtree(cache, ignore_errors=True)
                raise
    return train, val


def _pack(
    folder: Path,
    sets: Mapping[str, Source],
    prefix: Path,
    plan: PackPlan,
    progress: Callable[[int], None] | None,
) -> None:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    report = pack(sets, prefix, plan=plan, progress=progress)
    if not report.ok:
        failures = [f"{failure.name} ({failure.reason})" for done in report.sets for failure in done.failures]
        raise PackError(
            path=str(folder),
            expected="images that can be read",
            got=f"{report.n_failed} that cannot: {enumerate_some(failures)}",
            advice=f"remove them, or run 'recordkit pack {quoted(folder)} PREFIX --on-error skip' and train on its "
            ".rec",
        )


def _choose_sets(folder: Path, sets: Mapping[str, Source], *, hold_out: bool) -> dict[str, Source]:
    """Return the training set and, after it, the set to validate on if there is one."""
    training = list(filter(is_training_set, sets))
    if len(training) != 1:
        raise SourceError(
            path=str(folder),
            expected="one training set",
            got=enumerate_some(sets),
            advice="pack them with 'recordkit pack', and train on one of the .rec files",
        )
    beside = (set_beside(training[0], split) for split in ("val", "test"))
    held_out = [name for name in beside if name in sets and hold_out]
    return {name: sets[name] for name in training + held_out[:1]}


def _notes(folder: Path, all_sets: Mapping[str, Source], used_sets: Mapping[str, Source]) -> list[str]:
    notes = [note for source in all_sets.values() for note in source.notes]
    if unused := all_sets.keys() - used_sets:
        notes.append(f"{folder}: sets not used here: {enumerate_some(sorted(unused))}")
    widths = {
        len(labels)
        for source in used_sets.values()
        if source.pixels
        for labels in source.labels(range(len(source))[:1])
    }
    if max(widths, default=1) > 1:
        notes.append(f"{folder}: the first of the {plural(max(widths), 'label')} of each image is taken as its class")
    return notes


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
