"""Writing tar shards, byte for byte the same for the same samples."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

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
from recordkit.interop.export.output import SHARD_BYTES, new_folder
from recordkit.interop.export.report import Notify, Progress, announce
from recordkit.memory import choose_memory, read_size
from recordkit.sample import Entry, Source
from recordkit.storage.staging import check_new_folder
from recordkit.threads import count_threads

INFO = "_info.json"
"""The file that names the shards of each split."""

_MIN_DIGITS = 6


def write_webdataset(
    source: RecordDataset | Source | Mapping[str, Source],
    folder: str | Path,
    *,
    shard_bytes: int | str = SHARD_BYTES,
    threads: int = 0,
    memory: int | str | None = None,
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
    threads, memory, dry_run, on_note, progress
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
        `folder` has files, or the disk is full.

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
        ExportedSplit(folder, len(each), None, _notes(each, facts[name]), name or "train", ())
        for name, each in sources.items()
    )
    announce(planned, on_note)
    if dry_run:
        check_new_folder(folder)
        return ExportReport("webdataset", planned, time.monotonic() - begin_s, dry_run=True)
    sets: list[ExportedSplit] = []
    info: dict[str, object] = {}
    with new_folder(folder) as output:
        for name, each in sources.items():
            shards = _Shards(output.staged, name or "train", max_bytes)
            try:
                _write_samples(each, facts[name], shards, n_threads, n_bytes, progress)
            finally:
                shards.close()
            info[shards.name] = {**shards.info(), **({"classes": each.classes} if each.classes else {})}
            notes = planned[len(sets)].notes
            sets.append(ExportedSplit(folder, len(each), shards.image_bytes, notes, shards.name, tuple(shards.lengths)))
        (output.staged / INFO).write_text(json.dumps({"splits": info}, indent=1) + "\n", encoding="ascii")
    return ExportReport("webdataset", tuple(sets), time.monotonic() - begin_s)


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

    def __init__(self, folder: Path, name: str, max_bytes: int) -> None:
        self.name = name
        self.lengths: dict[str, int] = {}
        self.image_bytes = 0
        self._folder, self._max_bytes = folder, max_bytes
        self._file: BinaryIO | None = None
        self._n_bytes = 0

    def append(self, members: Mapping[str, bytes]) -> None:
        """Write the members of a sample side by side."""
        size = sum(tar.BLOCK + len(content) + -len(content) % tar.BLOCK for content in members.values())
        if self._file is None or self._n_bytes + size + len(tar.END) > self._max_bytes:
            self.close()
            shard = f"{self.name}-{len(self.lengths):06d}.tar"
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

    def info(self) -> dict[str, object]:
        """Return what ``_info.json`` says about a split."""
        return {
            "name": self.name,
            "num_samples": sum(self.lengths.values()),
            "filenames": list(self.lengths),
            "shard_lengths": list(self.lengths.values()),
        }
