"""Writing .lst files from a source, for ``recordkit list`` and ``im2rec --list``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from recordkit.errors import plural
from recordkit.formats import lst
from recordkit.packing.splits import IM2REC_SEED, Split, packing_order, split_samples
from recordkit.sample import Source
from recordkit.sources.classes import format_classes
from recordkit.storage.staging import Staging, as_publish_error

# Number of rows per write.
_N_ROWS_PER_WRITE = 4096


def write_lists(
    source: Source | Mapping[str, Source],
    prefix: Path,
    *,
    shards: int = 1,
    train_ratio: float = 1.0,
    test_ratio: float = 0.0,
    shuffle: bool = True,
    seed: int = IM2REC_SEED,
    write_classes: bool = False,
) -> list[str]:
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

    Returns
    -------
    warnings : list of str
        Notes of the source, images that are in no list, and bad files.

    Raises
    ------
    PublishError
        The files cannot be written.
    """
    sources = dict(source) if isinstance(source, Mapping) else {"": source}
    if train_ratio == 1.0 and test_ratio:
        warnings = ["the test ratio has no effect because the train ratio is 1, as in im2rec"]
    else:
        warnings = []
    with Staging(prefix, allow_folder=True) as staging, as_publish_error(prefix.parent):
        for name, each_source in sources.items():
            splits = split_samples(len(each_source), shards=shards, train_ratio=train_ratio, test_ratio=test_ratio)
            stem = f"{prefix.name}_{name}" if name else prefix.name
            warnings += _warnings(each_source, stem, splits)
            order = packing_order(len(each_source), shuffle=shuffle, seed=seed)
            for split in splits:
                with staging.create(f"{stem}{split.suffix}.lst") as file:
                    for begin in range(split.begin, split.end, _N_ROWS_PER_WRITE):
                        end = min(begin + _N_ROWS_PER_WRITE, split.end)
                        file.write(lst.lines(each_source.entries(order[begin:end])))
        classes = next(iter(sources.values())).classes
        if write_classes and classes is not None:
            with staging.create(f"{prefix.name}.classes.json") as file:
                file.write(format_classes(classes))
        # An earlier list's class names would be read as the names of this list.
        staging.commit(remove=[prefix.with_name(f"{prefix.name}.classes.json")])
    return warnings + [
        f"{bad.location}: {bad.reason}; left out" for each_source in sources.values() for bad in each_source.bad
    ]


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
