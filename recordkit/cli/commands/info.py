"""``recordkit info``: summaries of .rec files and sharded datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console
from recordkit.cli.datasets import Result, for_each_dataset, recs_argument, total_bytes
from recordkit.cli.options import examples, output_options
from recordkit.errors import enumerate_some, plural, quoted
from recordkit.formats.insightface.verification_pairs import VerificationPairs, is_pickle, read_pairs
from recordkit.storage.fileset import Fileset, reindex_advice
from recordkit.upkeep import FileInfo, inspect
from recordkit.upkeep.labels.text import MAX_COUNTED, label_text

# Longest table of labels that is printed; --json has longer ones.
_N_LABELS_SHOWN = 20
_N_RANGES_SHOWN = 8


@click.command("info", epilog=examples("recordkit info out/mnist_train.rec", "recordkit info out/*.rec"))
@recs_argument
@output_options
def command(recs: tuple[Path, ...], console: Console) -> None:
    """Summarize each REC: number of records, labels, image formats, and the files beside it.

    REC is a .rec file, a manifest and so all its shards, the prefix of either, a pattern between quotes, or a folder
    with one dataset. It may also be a verification set of InsightFace, such as lfw.bin. --json prints a line for
    each dataset.
    """

    def summarize(path: Path) -> Result:
        if is_pickle(path):
            pairs = read_pairs(path)
            return Result([pairs.as_json()], _pairs_lines(pairs))
        with console.progress(total_bytes(path), f"info {path.name}", unit="B") as progress:
            info = inspect(path, progress=progress)
        return Result([info.as_json()], _lines(info))

    for_each_dataset(recs, summarize, console)


def _pairs_lines(pairs: VerificationPairs) -> list[str]:
    formats = ", ".join(f"{n} {name}" for name, n in pairs.formats.items())
    return [
        f"{pairs.path}: InsightFace verification set: {plural(pairs.n_images, 'image')}, "
        f"{plural(pairs.n_pairs, 'pair')}, {pairs.n_same} same, {pairs.n_bytes / 1e6:.1f} MB",
        f"images     {formats or 'none'}",
    ]


def _lines(info: FileInfo) -> list[str]:
    shards = f" in {plural(len(info.shards), 'shard')}" if info.shards else ""
    lines = [f"{info.path}: {plural(info.n_records, 'record')}{shards}, {info.n_bytes / 1e6:.1f} MB"]
    if info.shard_of:
        lines.append(f"shard of   {info.shard_of}, which has all records")
    if info.made_by:
        lines.append(f"made by    {info.made_by}{_edit_text(info.edit or {})}")
    companions = [suffix for suffix, exists in info.companions.items() if exists]
    lines.append(f"beside it  {', '.join(companions) or 'no files'}")
    if not info.companions[".idx"]:
        without = next((path for path in info.shards if not Fileset(path).exists(".idx")), info.path)
        lines.append(f"           some readers need an .idx; {reindex_advice(without)}")
    if info.faces:
        lines.append(
            f"layout     InsightFace: {plural(info.faces.n_images, 'image is a sample', 'images are samples')}; "
            f"the header and {plural(info.faces.n_identities, 'identity', 'identities')} are not"
        )
    if info.key_range is not None:
        lines.append(f"keys       {info.key_range[0]} to {info.key_range[1]}")
    if info.other_records:
        lines.append(f"content    {info.other_records}; {info.mean_image_bytes:.0f} bytes on average")
    elif info.n_records:
        formats = ", ".join(f"{n} {name}" for name, n in info.formats.items())
        heading = "content    no known image format: " if info.formats.keys() <= {"unknown"} else "images     "
        lines.append(f"{heading}{formats}; {info.mean_image_bytes:.0f} bytes on average")
    if info.first_shape:
        height, width, channels = info.first_shape
        lines.append(f"first one  {width} x {height}, {plural(channels, 'channel')}")
    if info.key_range is not None:
        return lines + _label_lines(info)
    return [*lines, "           recordkit.recordio.MXRecordIO reads them"] if info.other_records else lines


def _edit_text(edit: Mapping[str, Any]) -> str:
    """Return the command that made the set and the names of its inputs; "" for a set that was packed from images."""
    command, inputs = edit.get("command"), edit.get("inputs")
    if not isinstance(command, str) or not isinstance(inputs, list):
        return ""
    names = [str(each.get("name")) for each in inputs if isinstance(each, dict)]
    return f": {command} of {enumerate_some(names)}"


def _label_lines(info: FileInfo) -> list[str]:
    low, high = info.label_width
    width_text = str(low) if low == high else f"{low} to {high}"
    lines = [f"labels     {width_text} per record{', ' if high == 1 else ': '}{_ranges_text(info)}"]
    if low != high:
        lines.append('           not as many in each record; a Loader takes them with label="pad" or label="list"')
    if info.n_not_finite:
        n = plural(info.n_not_finite, "is", "are")
        lines.append(f"           {n} not finite; 'recordkit verify {quoted(info.path)}' lists them")
    if info.exact_labels:
        lines.append("           exact int64 labels are in .labels.npy")
    elif any(span is not None and span[1] >= 2**24 for span in info.label_ranges):
        lines.append("           float32 does not hold every whole number above 2**24, so labels may have been rounded")
    return lines + _count_lines(info)


def _ranges_text(info: FileInfo) -> str:
    """Return the range of each label of a record."""
    spans = info.label_ranges
    texts = ["none finite" if span is None else " to ".join(map(label_text, span)) for span in spans[:_N_RANGES_SHOWN]]
    n_more = info.label_width[1] - len(texts)
    return ", ".join(texts) + (f" and {n_more} more; --json has up to {MAX_COUNTED}" if n_more else "")


def _count_lines(info: FileInfo) -> list[str]:
    if info.labels is None or len(info.labels) > _N_LABELS_SHOWN:
        first = " first" if info.label_width[1] > 1 else ""
        n = f"more than {MAX_COUNTED} distinct{first} labels"
        if info.labels is not None:
            n = plural(len(info.labels), f"distinct{first} label")
        names = f", {plural(len(info.classes), 'class')} with names" if info.classes else ""
        return [f"           {n}{names}"]
    heading = ["           records by first label:"] if info.label_width[1] > 1 else []
    names_by_label: dict[float, str] = {label: name for name, label in (info.classes or {}).items()}
    return heading + [
        f"{label_text(label):>11}  {n:8d}  {names_by_label.get(label, '')}".rstrip() for label, n in info.labels.items()
    ]
