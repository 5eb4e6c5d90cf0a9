"""The .rec files and manifests that a path of a user stands for: a prefix, a file, a pattern or a folder."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from recordkit.errors import NotFoundError, PlanError, enumerate_some, plural, quoted
from recordkit.formats.files import not_found
from recordkit.storage.fileset import Fileset
from recordkit.storage.manifest import Manifest
from recordkit.storage.names import MANIFEST_SUFFIX, possible_prefixes, suffix_of
from recordkit.storage.remote.urls import Url, is_url
from recordkit.storage.snapshot import find_files, read_manifest

# PREFIX_3, PREFIX-00003-of-00010, and PREFIX_3_val of a pack with splits: only the number may differ among shards.
_NUMBERED = re.compile(r"(.*[_.-])([0-9]{1,9})((?:-of-[0-9]+)?(?:_(?:train|val|test))?)\.rec")


def find_sets(path: str | Path) -> list[str]:
    """Return the paths of the sets that a path stands for, as `recordkit.storage.snapshot.read_sets` takes them.

    Parameters
    ----------
    path : str or Path
        A .rec file, a manifest, a prefix of either, a pattern such as ``"train_*.rec"`` or ``"*.manifest.json"``, or a
        folder with one dataset; or the URL of any of these.

    Returns
    -------
    paths : list of str
        Files that match a pattern are in natural order: shard 10 comes after shard 9. A path without wildcards is
        returned unchanged, whether it exists or not.

    Raises
    ------
    NotFoundError
        No file matches the pattern, or the folder has no .rec file.
    PlanError
        The folder has several datasets, or a numbered shard is missing.

    Examples
    --------
    >>> find_sets("out/train")
    ['out/train']
    """
    text = os.fspath(path)
    _refuse_other_name(text)
    if is_url(text):
        return _find_in_store(text)
    if Path(text).is_dir():
        return [text] if _is_prefix(text) else _find_in_folder(text)
    if not glob.has_magic(text) or Fileset(text).exists(".rec"):
        return [text]
    names = find_files(text, MANIFEST_SUFFIX if text.endswith(".json") else ".rec")
    if not names:
        raise NotFoundError(path=text, expected=".rec files that fit the pattern", got="none")
    return names


def _refuse_other_name(text: str) -> None:
    """Name a file as it was typed if neither it nor a .rec file exists: ``a.manifst.json`` is no mistyped ``a.rec``."""
    suffix = suffix_of(text)
    if suffix in ("", ".rec", MANIFEST_SUFFIX) or glob.has_magic(text):
        return
    files = Fileset(text)
    if not files.exists(suffix) and not files.exists(".rec"):
        if files.mirror is not None:
            raise files.mirror.not_found(files.prefix.name + suffix)
        raise not_found(text, "a file of a dataset", suffix=suffix)


def _find_in_store(text: str) -> list[str]:
    url = Url.parse(text)
    if not url.name:
        return _find_in_folder(str(url))
    if text.endswith("/"):
        return _find_in_folder(str(url.join("")))
    if glob.has_magic(url.name) and not _is_prefix(text):
        names = find_files(text, MANIFEST_SUFFIX if text.endswith(".json") else ".rec")
        if not names:
            raise NotFoundError(path=str(url), expected=".rec files that fit the pattern", got="none")
        return names
    if suffix_of(url.name) or _is_prefix(text):
        return [str(url)]
    return _find_in_folder(str(url.join("")))


def find_rec_files(path: str | Path) -> list[Path]:
    """Return the .rec files that a path stands for: as `find_sets`, with all shards in place of a manifest.

    Raises
    ------
    NotFoundError, PlanError
        As for `find_sets`.
    FormatError
        A manifest is damaged.

    Examples
    --------
    >>> [path.name for path in find_rec_files("out/train.rec")]
    ['train.rec']
    """
    paths: list[Path] = []
    for found in find_sets(path):
        files, manifest = read_manifest(found)
        shards = [] if manifest is None else [files.prefix.parent / shard.name for shard in manifest.shards]
        paths += shards or [Path(found)]
    return paths


def find_manifest_of(files: Fileset) -> tuple[Path, Manifest] | None:
    """Return the manifest, and its final name, of which a .rec file is a shard; None if there is none.

    Raises
    ------
    FormatError
        A manifest is damaged.

    Examples
    --------
    >>> find_manifest_of(Fileset("out/train_0.rec")) is None
    True
    """
    shard = files.prefix
    for name in possible_prefixes(shard.name):
        _, manifest = read_manifest(shard.with_name(name))
        if manifest is not None and any(each.name == f"{shard.name}.rec" for each in manifest.shards):
            return shard.with_name(name + MANIFEST_SUFFIX), manifest
    return None


def _is_prefix(folder: str) -> bool:
    """Tell whether a path is a prefix of a dataset, although it is a folder too."""
    if not Path(folder).name:
        return False
    files = Fileset(folder)
    return any(map(files.exists, (".rec", MANIFEST_SUFFIX)))


def _find_in_folder(folder: str) -> list[str]:
    """Return the sets of the one dataset in a folder: a manifest, or all shards of one prefix, or one .rec file."""
    is_remote = is_url(folder)
    beginning = folder.removesuffix("/") + "/" if is_remote else str(Path(folder, "x"))[:-1]
    pattern = f"{beginning if is_remote else glob.escape(beginning)}*"
    datasets: dict[str, list[str]] = {path: [path] for path in find_files(pattern, MANIFEST_SUFFIX)}
    found = [manifest for _, manifest in map(read_manifest, datasets) if manifest is not None]
    listed = {f"{beginning}{shard.name}" for manifest in found for shard in manifest.shards}
    for path in find_files(pattern, ".rec"):
        if path not in listed:
            datasets.setdefault(_dataset_name(path), []).append(path)
    if not datasets:
        raise NotFoundError(
            path=folder,
            expected="a folder with .rec files",
            got="none in it",
            advice=None if is_remote else f"if it has images, 'recordkit pack {quoted(folder)} PREFIX' packs them",
        )
    if len(datasets) > 1:
        names = enumerate_some([Path(name).name for name in datasets])
        raise PlanError(
            path=folder,
            expected="a folder with one dataset",
            got=f"{plural(len(datasets), 'dataset')}: {names}",
            advice="name one of them, or list their files",
        )
    (paths,) = datasets.values()
    _check_numbers(paths)
    return paths


def _dataset_name(path: str) -> str:
    """Return what the shards of a dataset without a manifest have in common: the path, with "*" for the number."""
    match = _NUMBERED.fullmatch(path)
    return path if match is None else f"{match[1]}*{match[3]}.rec"


def _check_numbers(paths: list[str]) -> None:
    """Raise PlanError if numbered shards do not count from 0 or 1 on: one is missing, or they are several datasets."""
    matches = [match for match in map(_NUMBERED.fullmatch, paths) if match]
    if len(matches) < 2:
        return
    numbers = [int(match[2]) for match in matches]
    first = min(numbers[0], 1)
    if numbers != list(range(first, first + len(numbers))):
        raise PlanError(
            path=_dataset_name(paths[0]),
            expected=f"shards from {first} on without a gap",
            got=enumerate_some(numbers),
            advice="list the files to open them as they are",
        )
