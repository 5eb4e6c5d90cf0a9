"""Writing tar shards, byte for byte the same for the same samples."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import RecordkitError
from recordkit.formats import tar
from recordkit.interop.export import (
    ExportedSplit,
    ExportReport,
    copying_engine,
    image_suffix,
    name_sources,
    read_samples,
    survey_labels,
)
from recordkit.interop.export.labels import LabelFacts, is_whole
from recordkit.interop.export.output import SHARD_BYTES, check_outputs, new_folder
from recordkit.interop.export.parts import SPLIT, PartOptions
from recordkit.interop.export.report import Notify, Progress, announce
from recordkit.memory import choose_memory, read_size
from recordkit.sample import Entry, Source
from recordkit.threads import count_threads

INFO = "_info.json"
"""The file that names the shards of each split."""

_MIN_DIGITS = 6
# Most bytes of the JSON of a label besides names and numbers, and of a number in it.
_JSON_BYTES, _NUMBER_BYTES = 80, 28
_UNLIMITED = 1 << 62


def write_webdataset(  # noqa: PLR0913 (one keyword for each choice)
    source: RecordDataset | Source | Mapping[str, Source],
    folder: str | Path,
    *,
    shard_bytes: int | str = SHARD_BYTES,
    threads: int = 0,
    memory: int | str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    on_note: Notify | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the samples of a source into tar shards in a new folder, with ``_info.json``.

    The members of a sample are ``KEY.jpg``, or another suffix of an image, and ``KEY.cls`` with its label. If a sample
    of the set has several labels, or one that is no whole number, all have ``KEY.json`` instead: its field `labels` has
    all labels, `label` the first, and `class` the name of the first. Encoded images are copied; pixels become PNG.

    Parameters
    ----------
    source : RecordDataset, Source, or mapping of str to Source
        Each source of a mapping is a split; a single one is the split "train".
    folder : str or Path
        A new or an empty folder. Missing folders above it are created.
    shard_bytes : int or str, default 2**29
        Largest size of a shard, as a number or a text such as "512M". A larger sample has a shard of its own.
    threads, memory, overwrite, dry_run, on_note, progress
        See `recordkit.interop.folder.write_folder`.

    Returns
    -------
    report : ExportReport

    Raises
    ------
    PlanError
        `shard_bytes` is no size.
    SourceError, FormatError
        The source is empty or damaged, an image cannot be read, or a label is not finite.
    PublishError
        `folder` has files and `overwrite` is false, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack_img
    >>> import numpy as np
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     writer.write_idx(7, pack_img(IRHeader(0, 4, 7, 0), np.zeros((2, 2, 3), np.uint8), img_fmt=".png"))
    >>> with RecordDataset(prefix) as dataset:
    ...     report = write_webdataset(dataset, prefix + "-tar")
    >>> report.sets[0].files
    ('train-000000.tar',)
    """
    begin_s = time.monotonic()
    n_threads, n_bytes = count_threads(threads), choose_memory(memory)
    max_bytes = read_size(shard_bytes, "shard_bytes")
    folder = Path(folder)
    sources = name_sources(source)
    facts = {name: survey_labels(each) for name, each in sources.items()}
    for each_facts in facts.values():
        each_facts.check_finite("JSON")
    planned = tuple(
        ExportedSplit(folder, len(each), None, _notes(each, facts[name]), name or SPLIT, ())
        for name, each in sources.items()
    )
    announce(planned, on_note)
    replaced = check_outputs(folder, source, overwrite=overwrite, dry_run=dry_run)
    if dry_run:
        return ExportReport("webdataset", planned, time.monotonic() - begin_s, dry_run=True, replaced=replaced)
    sets: list[ExportedSplit] = []
    info: dict[str, object] = {}
    with new_folder(folder, overwrite=overwrite) as output:
        for name, each in sources.items():
            shards = _Shards(output.staged, name or SPLIT, max_bytes)
            try:
                _write_samples(each, facts[name], shards, n_threads, n_bytes, progress)
            finally:
                shards.close()
            info[shards.name] = _describe_split(shards.name, shards.lengths, each.classes)
            notes = planned[len(sets)].notes
            sets.append(ExportedSplit(folder, len(each), shards.image_bytes, notes, shards.name, tuple(shards.lengths)))
        (output.staged / INFO).write_bytes(_pack_info(info))
    return ExportReport("webdataset", tuple(sets), time.monotonic() - begin_s, replaced=replaced)


def _notes(source: Source, facts: LabelFacts) -> tuple[str, ...]:
    notes = [*source.notes]
    if not facts.has_one_whole_label:
        kind = (
            f"up to {facts.max_width} labels" if facts.max_width > 1 else "labels that are no whole numbers of 64 bits"
        )
        notes.append(f"samples have {kind}, which .cls cannot hold; they are in KEY.json, the field labels")
    if source.classes:
        notes.append(f"the class names are in {INFO}, which only recordkit reads")
    return tuple(notes)


def _write_samples(
    source: Source, facts: LabelFacts, shards: _Shards, n_threads: int, memory: int, progress: Progress | None
) -> None:
    engine = copying_engine(source)
    n_digits = max(_MIN_DIGITS, len(str(facts.max_key)))
    names: dict[float, str] = {label: name for name, label in (source.classes or {}).items()}
    for samples in read_samples(source, engine, n_threads=n_threads, memory=memory):
        for entry, payload in samples:
            key = f"{entry.key:0{n_digits}d}"
            try:
                suffix = image_suffix(payload)
                label = b"%d" % int(entry.labels[0]) if facts.has_one_whole_label else _pack_labels(entry, names)
            except RecordkitError as error:
                raise error.located(path=entry.name, key=entry.key) from None
            shards.append({key + suffix: payload, key + (".cls" if facts.has_one_whole_label else ".json"): label})
            shards.image_bytes += len(payload)
        if progress:
            progress(len(samples))


def _pack_labels(entry: Entry, names: Mapping[float, str]) -> bytes:
    first, *_ = labels = [int(label) if is_whole(label) else label for label in entry.labels]
    content: dict[str, object] = {"key": entry.key, "label": first, "labels": labels}
    if (name := names.get(first)) is not None:
        content["class"] = name
    return json.dumps(content).encode()


class _Shards:
    """Tar files of limited size, ``NAME-000000.tar`` and so on.

    Attributes
    ----------
    name : str
    lengths : dict of str to int
        Number of samples by the name of the shard.
    image_bytes : int
        Total size of the images so far.
    """

    def __init__(self, folder: Path, name: str, max_bytes: int, first_number: int = 0) -> None:
        self.name = name
        self.lengths: dict[str, int] = {}
        self._first_number = first_number
        self.image_bytes = 0
        self._folder, self._max_bytes = folder, max_bytes
        self._file: BinaryIO | None = None
        self._n_bytes = 0

    def append(self, members: Mapping[str, bytes]) -> None:
        """Write the members of a sample side by side."""
        size = sum(tar.BLOCK + len(content) + -len(content) % tar.BLOCK for content in members.values())
        if self._file is None or self._n_bytes + size + len(tar.END) > self._max_bytes:
            self.close()
            shard = _file_name(self.name, self._first_number + len(self.lengths))
            self._file = open(self._folder / shard, "xb")  # noqa: SIM115 (closed by `close`)
            self.lengths[shard] = self._n_bytes = 0
        for name, content in members.items():
            self._file.write(tar.pack_header(name, len(content)))
            self._file.write(content)
            self._file.write(tar.padding(len(content)))
        self._n_bytes += size
        self.lengths[next(reversed(self.lengths))] += 1

    def close(self) -> None:
        """End the last shard."""
        if self._file is not None:
            file, self._file = self._file, None
            with file:
                file.write(tar.END)


def _file_name(split: str, number: int) -> str:
    return f"{split}-{number:06d}.tar"


def _describe_split(name: str, lengths: Mapping[str, int], classes: Mapping[str, int] | None) -> dict[str, object]:
    """Return what ``_info.json`` says about a split."""
    return {
        "name": name,
        "num_samples": sum(lengths.values()),
        "filenames": list(lengths),
        "shard_lengths": list(lengths.values()),
        **({"classes": classes} if classes else {}),
    }


def _pack_info(splits: Mapping[str, object]) -> bytes:
    return json.dumps({"splits": splits}, indent=1).encode("ascii") + b"\n"


def _in_blocks(n_bytes: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
    """Return sizes of contents with their padding."""
    return np.asarray(-(-n_bytes // tar.BLOCK) * tar.BLOCK, np.int64)


class TarParts:
    """See `recordkit.interop.export.parts.PartWriter`."""

    file_bytes = len(tar.END)

    def options(self, facts: LabelFacts, classes: dict[str, int] | None) -> PartOptions:
        """Return the facts, without a schema."""
        facts.check_finite("JSON")
        return PartOptions(dataclasses.replace(facts, first_labels=set()), classes)

    def notes(self, source: Source, facts: LabelFacts) -> tuple[str, ...]:
        """Return the notes of `write_webdataset`."""
        return _notes(source, facts)

    def sizes(self, record_bytes: NDArray[np.int64], options: PartOptions) -> NDArray[np.int64]:
        """Return the bytes of the members: of the image, which is smaller than the record, and of the label."""
        label_bytes = 0
        if not options.facts.has_one_whole_label:
            names = max((len(json.dumps(name)) for name in options.classes or ()), default=0)
            label_bytes = _JSON_BYTES + names + _NUMBER_BYTES * (1 + options.facts.max_width)
        others = 2 * tar.BLOCK + _in_blocks(np.int64(max(label_bytes, 1)))
        return _in_blocks(record_bytes) + others

    def file_name(self, number: int, n_files: int) -> str:
        """Return ``train-000007.tar``, whatever the number of files is."""
        del n_files
        return _file_name(SPLIT, number)

    def write(self, path: Path, source: Source, options: PartOptions, *, threads: int, memory: int) -> int:
        """Write a tar file."""
        number = int(path.stem.rpartition("-")[2])
        shards = _Shards(path.parent, SPLIT, _UNLIMITED, number)
        with contextlib.closing(shards):
            _write_samples(source, options.facts, shards, threads, memory, None)
        return shards.image_bytes

    def index(self, lengths: Mapping[str, int], classes: dict[str, int] | None) -> tuple[str, bytes] | None:
        """Return ``_info.json``."""
        return INFO, _pack_info({SPLIT: _describe_split(SPLIT, lengths, classes)})
