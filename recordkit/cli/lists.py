"""Writing .lst files from a source, for ``recordkit list`` and ``im2rec --list``."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from recordkit.errors import plural
from recordkit.formats import lst
from recordkit.packing.splits import IM2REC_SEED, Split, packing_order, split_samples
from recordkit.sample import Source
from recordkit.sources.classes import format_classes
from recordkit.storage.names import CLASSES_SUFFIX
from recordkit.storage.refusals import reading_refusal, refusal
from recordkit.storage.staging import Staging, as_publish_error, check_prefix

# Number of rows per write.
_N_ROWS_PER_WRITE = 4096


class WrittenLists(NamedTuple):
    """The result of `write_lists`.

    Attributes
    ----------
    files : list of Path
    replaced, removed : list of Path
        Old files that got another content, and an old class map that belongs to no list any more.
    warnings : list of str
        Notes of the source, images that are in no list, and bad files.
    """

    files: list[Path]
    replaced: list[Path]
    removed: list[Path]
    warnings: list[str]


Content = Callable[[], Iterator[bytes]]
"""Gives the content of a file, piece by piece."""


def write_lists(  # noqa: PLR0913 (one keyword for each choice)
    source: Source | Mapping[str, Source],
    prefix: Path,
    *,
    shards: int = 1,
    train_ratio: float = 1.0,
    test_ratio: float = 0.0,
    shuffle: bool = True,
    seed: int = IM2REC_SEED,
    write_classes: bool = False,
    overwrite: bool = False,
    inputs: Sequence[Path] = (),
    dry_run: bool = False,
) -> WrittenLists:
    """Write the .lst files that im2rec.py writes, with the same bytes. Either all files are written or none.

    Parameters
    ----------
    source : Source, or mapping of str to Source
        Each source of a mapping has its list, PREFIX_NAME.lst; all of them have one class map, that of the first.
    prefix : Path
        Files are called PREFIX.lst, or PREFIX_0_train.lst and so on. They may stand beside a folder of the name PREFIX.
    shards, train_ratio, test_ratio
        Number of shards and fractions of the splits; see `recordkit.packing.splits.split_samples`.
    shuffle : bool, default True
        Write the rows in shuffled order.
    seed : int, default 100
        Seed of the shuffle; im2rec uses 100.
    write_classes : bool, default False
        Also write the class map PREFIX.classes.json; see `recordkit.sources.read_classes`.
    overwrite : bool, default False
        Replace files of another content.
    inputs : sequence of Path, optional
        Files that are never replaced.
    dry_run : bool, default False
        Write nothing.

    Returns
    -------
    written : WrittenLists

    Raises
    ------
    PublishError
        There are files of another content and `overwrite` is false, or the files cannot be written.
    """
    sources = dict(source) if isinstance(source, Mapping) else {"": source}
    if train_ratio == 1.0 and test_ratio:
        warnings = ["the test ratio has no effect because the train ratio is 1, as in im2rec"]
    else:
        warnings = []
    contents: dict[str, Content] = {}
    for name, each_source in sources.items():
        splits = split_samples(len(each_source), shards=shards, train_ratio=train_ratio, test_ratio=test_ratio)
        stem = f"{prefix.name}_{name}" if name else prefix.name
        warnings += _warnings(each_source, stem, splits)
        order = packing_order(len(each_source), shuffle=shuffle, seed=seed)
        for split in splits:
            contents[f"{stem}{split.suffix}.lst"] = functools.partial(_lines, each_source, order, split)
    classes = next(iter(sources.values())).classes
    if write_classes and classes is not None:
        text = format_classes(classes)
        contents[prefix.name + CLASSES_SUFFIX] = lambda: iter([text])
    if dry_run:
        check_prefix(prefix, allow_folder=True)
        replaced, removed = _check_old_files(prefix, contents, inputs, overwrite=overwrite)
    else:
        with Staging(prefix, allow_folder=True) as staging, as_publish_error(prefix.parent):
            replaced, removed = _check_old_files(prefix, contents, inputs, overwrite=overwrite)
            for name, content in contents.items():
                with staging.create(name) as file:
                    file.writelines(content())
            staging.commit(remove=removed)
    warnings += [f"{bad.location}: {bad.reason}; left out" for each in sources.values() for bad in each.bad]
    return WrittenLists([prefix.with_name(name) for name in contents], replaced, removed, warnings)


def _lines(source: Source, order: Sequence[int], split: Split) -> Iterator[bytes]:
    for begin in range(split.begin, split.end, _N_ROWS_PER_WRITE):
        yield lst.lines(source.entries(order[begin : min(begin + _N_ROWS_PER_WRITE, split.end)]))


def _check_old_files(
    prefix: Path, contents: Mapping[str, Content], inputs: Sequence[Path], *, overwrite: bool
) -> tuple[list[Path], list[Path]]:
    """Refuse to replace or remove files of another content; return those that are replaced, and those removed."""
    paths = {prefix.with_name(name): content for name, content in contents.items()}
    replaced = [path for path in paths if os.path.lexists(path) and not _is_same(path, paths[path]())]
    # An earlier list's class names would be read as the names of this list.
    class_map = prefix.with_name(prefix.name + CLASSES_SUFFIX)
    removed = [class_map] if class_map not in paths and os.path.lexists(class_map) else []
    for path in (*replaced, *removed):
        if path.exists() and any(path.samefile(file) for file in inputs):
            raise reading_refusal(path)
        if not overwrite:
            got = "another class map" if path == class_map else "another list"
            raise refusal(path, got, also="one of the same content")
    return replaced, removed


def _is_same(path: Path, content: Iterator[bytes]) -> bool:
    """Tell whether a file has a content."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return all(file.read(len(piece)) == piece for piece in content) and not file.read(1)


def _warnings(source: Source, stem: str, splits: Sequence[Split]) -> list[str]:
    """Return the notes of a source, and warnings about images that are in no list and about empty lists."""
    warnings = list(source.notes)
    n_unlisted = len(source) - sum(split.end - split.begin for split in splits)
    if n_unlisted:
        warnings.append(
            f"{n_unlisted} of {plural(len(source), 'image')} {'is' if n_unlisted == 1 else 'are'} in no list; "
            "sizes are rounded down, as in im2rec"
        )
    empty = [f"{stem}{split.suffix}.lst" for split in splits if split.begin == split.end]
    if empty:
        others = f"and {plural(len(empty) - 1, 'other list')} are" if empty[1:] else "is"
        warnings.append(f"{empty[0]} {others} empty")
    return warnings
