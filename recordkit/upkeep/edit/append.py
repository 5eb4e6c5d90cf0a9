"""Adding samples to a dataset: its file is written anew with them, or they become a new shard beside it.

Readers see the dataset as it was or with all new samples. Before anything is written, the dataset is compared with its
description, because damage could no longer be found after its files are replaced. After the lock is held, it must still
be the one that was read, because another program may have replaced it meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from recordkit.arguments import one_or_more
from recordkit.errors import FormatError, NotFoundError, PlanError, PublishError, plural, quoted
from recordkit.formats.files import not_found, read_file
from recordkit.formats.frame import verify_advice
from recordkit.storage.description import described_size
from recordkit.storage.fileset import Fileset, fingerprint
from recordkit.storage.manifest import Manifest, Shard
from recordkit.storage.manifest import read as read_manifest
from recordkit.storage.names import MANIFEST_SUFFIX, SUFFIXES, suffix_of
from recordkit.storage.refusals import refusal
from recordkit.storage.search import find_manifest_of, find_sets
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.lists import InputLists
from recordkit.upkeep.edit.old_files import EarlierShards, OldFile
from recordkit.upkeep.edit.output import write_sets
from recordkit.upkeep.edit.union import KeyRule, Union, unite
from recordkit.upkeep.labels.change import LabelReport, add_changes
from recordkit.upkeep.labels.values import count_changed

# Options of a pack that decide what a record is, and values that need no option.
_PACK_OPTIONS = (
    *("resize", "filter", "exact", "center_crop", "channels", "encoding", "quality"),
    *("labels", "exact_labels"),
)
_DEFAULTS = ("None", "False", "antialias", "all")
# Largest PREFIX.failed.tsv that is carried over.
_MAX_FAILURES_BYTES = 1 << 30


def append(  # noqa: PLR0913 (one keyword for each choice)
    path: str | Path,
    more: str | Path | Sequence[str | Path],
    *,
    keys: KeyRule = "keep",
    pad_labels: float | None = None,
    shard: bool = False,
    threads: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> LabelReport:
    """Add the samples of datasets to another one. No image is decoded.

    Readers see the old dataset or the new one, also if the program is killed. Class names of the new samples are those
    of `path`; new names get the next labels (`recordkit.upkeep.merge` has all rules).

    Parameters
    ----------
    path : str or Path
        The dataset that grows: a .rec file, its prefix, or a manifest.
    more : str, Path, or sequence of them
        For each dataset a .rec file, its prefix, a manifest, or a pattern. They stay as they are.
    keys : {"keep", "renumber"}, default "keep"
        "keep": two records with one key are an error. "renumber": the keys of the new records follow the largest one of
        `path`, whose own keys stay.
    pad_labels : float or int, optional
        Value after the labels of records with fewer labels than others, so that all have the same number.
    shard : bool, default False
        Write only the new records, as PREFIX_1.rec or the next free number, and PREFIX.manifest.json, which names
        all files of the dataset. Nothing old is written again. By default PREFIX.rec is written anew.
    threads : int, default 0
        Number of threads; 0 means the CPUs that this process may use.
    overwrite : bool, default False
        Also replace files at the names of the set that are none of its files, such as a .json of another program.
    dry_run : bool, default False
        Write nothing, and return the report of what would be written.
    progress : callable, optional
        Called with the number of records written since the last call.

    Returns
    -------
    report : LabelReport

    Raises
    ------
    NotFoundError, FormatError
        A dataset does not exist, is damaged, or is not the one in its description; nothing is written.
    SourceError
        Keys, labels or classes contradict each other.
    PlanError
        Two datasets are one file, there are no new records, or the dataset cannot grow in this way.
    PublishError
        The dataset was replaced meanwhile, its list or a file that is none of the set would be lost, or a file cannot
        be written.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit import RecordDataset
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, keys in (("a", (0, 1)), ("b", (0, 1, 2))):
    ...     with MXIndexedRecordIO(f"{folder / name}.idx", f"{folder / name}.rec", "w") as writer:
    ...         for key in keys:
    ...             writer.write_idx(key, pack(IRHeader(0, 7.0, key, 0), b"jpeg"))
    >>> append(folder / "a", [folder / "b"], keys="renumber").n_records
    5
    >>> RecordDataset(folder / "a").keys
    array([0, 1, 2, 3, 4], dtype=uint64)
    """
    more = one_or_more(more)
    if not more:
        raise PlanError(argument="more", expected="a .rec file or more", got="none")
    target = _Target(path)
    names = [str(path), *map(str, more)]
    target.check(is_rewritten=not shard)
    target.refuse_images(more, is_shard=shard)
    if not overwrite:
        target.refuse_other_files(is_rewritten=not shard)
    with Inputs([target.path, *more]) as inputs:
        n_kept = inputs.starts[1]
        if len(inputs) == n_kept:
            raise PlanError(argument="more", expected="records to append", got="none")
        union = unite(inputs, names, keys=keys, n_kept=n_kept, pad_labels=pad_labels)
        if shard:
            _refuse_changes(inputs, union, n_kept, names[0])
            new_set = union.new_set(target.next_shard(), np.arange(n_kept, len(inputs)))
        else:
            _refuse_lost_metadata(inputs, names[0])
            target.refuse_lost_list(inputs)
            grown = union.new_set(target.prefix, np.arange(len(inputs)))
            new_set = replace(grown, failures=target.failures(), replaces=target.old_file)
        edit = {"command": "append", "inputs": set_ids(inputs), "keys": keys, "pad_labels": pad_labels}
        report = write_sets(
            inputs,
            [new_set],
            target.prefix,
            edit=edit,
            shards=EarlierShards(target.manifest(inputs), target.old_file) if shard else False,
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
    return add_changes(report, union.notes, union.changes, union.n_relabeled)


class _Target:
    """The dataset that grows."""

    def __init__(self, path: str | Path) -> None:
        self._files = Fileset(path)
        self._files.refuse_remote()
        self.prefix = self._files.prefix
        manifest_path = self._final(MANIFEST_SUFFIX)
        suffix = suffix_of(os.fspath(path))
        is_sharded = suffix == MANIFEST_SUFFIX or (not suffix and self._files.exists(MANIFEST_SUFFIX))
        self.path = manifest_path if is_sharded else self._final(".rec")
        if not is_sharded:
            self._files.rec_size()  # raises NotFoundError
        elif not self._files.exists(MANIFEST_SUFFIX):
            raise not_found(manifest_path, "a manifest of shards", suffix=MANIFEST_SUFFIX)
        self.old_file = OldFile.at(self.path)
        self._manifest = read_manifest(self._files.path(MANIFEST_SUFFIX)) if is_sharded else None

    def _final(self, suffix: str) -> Path:
        return self.prefix.with_name(self.prefix.name + suffix)

    def check(self, *, is_rewritten: bool) -> None:
        """Refuse a dataset that is not the one of its description, or that cannot grow in this way."""
        if self._manifest is not None:
            if is_rewritten:
                raise PlanError(
                    path=str(self.path),
                    expected="a dataset of one file",
                    got=plural(len(self._manifest.shards), "shard"),
                    advice="give `shard=True`, and the new records become the next shard",
                )
            return  # readers compare the shards with the manifest
        self._refuse_shard()
        rec = self._files.description().get("rec")
        if not isinstance(rec, dict):
            return  # another tool wrote it
        path = self._files.path(".rec")
        if (size := self._files.rec_size()) != rec.get("bytes"):
            expected: object = f"the {rec.get('bytes')} bytes of {self._files.path('.json')}"
            raise FormatError(path=str(path), expected=expected, got=size, advice=verify_advice(path))
        if is_rewritten and not self._files.exists(".crc") and (sha256 := fingerprint(path)) != rec.get("sha256"):
            expected = f"the SHA-256 {rec.get('sha256')} of {self._files.path('.json')}"
            raise FormatError(path=str(path), expected=expected, got=sha256, advice=verify_advice(path))

    def refuse_other_files(self, *, is_rewritten: bool) -> None:
        """Refuse files at the names of the set that are none of its files; the edit would replace or remove them."""
        own_names = {self.path.name, self._files.path(".rec").name}
        suffixes = [MANIFEST_SUFFIX]
        if is_rewritten:
            description = self._files.description()
            is_own = described_size(description) is not None or "classes" in description
            suffixes += [""] if is_own else ["", ".json"]
        for path in map(self._final, suffixes):
            if os.path.lexists(path) and path.name not in own_names:
                raise refusal(path, "another file")

    def refuse_images(self, more: Sequence[str | Path], *, is_shard: bool) -> None:
        """Refuse a folder of images, with the commands that pack and append it."""
        for path in filter(os.path.isdir, more):
            try:
                find_sets(path)
            except NotFoundError as error:
                add_options = _options({"renumber": True, "shard": is_shard})
                error.advice = (
                    f"pack its images with 'recordkit pack {quoted(path)} NEW{self._pack_options()}', and add them "
                    f"with 'recordkit append {quoted(self.path)} NEW.rec{add_options}'"
                )
                raise

    def _pack_options(self) -> str:
        """Return the options of the pack that made the dataset, as far as they decide what a record is."""
        plan = self._files.description().get("plan") if self._manifest is None else self._manifest.plan
        facts = plan if isinstance(plan, dict) else {}
        return _options({name: facts.get(name) for name in _PACK_OPTIONS})

    def _refuse_shard(self) -> None:
        """Refuse a file that a manifest names, because the manifest would no longer describe it."""
        if (found := find_manifest_of(self._files)) is not None:
            raise PlanError(
                path=str(self.path),
                expected="a dataset",
                got=f"a shard of {found[0]}",
                advice=f"append to {quoted(found[0])}",
            )

    def refuse_lost_list(self, inputs: Inputs) -> None:
        """Refuse to write a dataset that has a list without one."""
        path = self._files.path(".lst")
        if not path.exists():
            return
        with InputLists(inputs) as lists:
            if not lists:
                raise PublishError(
                    f"the list would be lost: {'; '.join(lists.notes)}",
                    path=str(path),
                    advice="write a new shard with `shard=True`, or move the list away",
                )

    def failures(self) -> bytes:
        """Return the failures of the pack that made the dataset, which stay known."""
        path = self._files.path(".failed.tsv")
        return read_file(path, max_bytes=_MAX_FAILURES_BYTES, what="failures of a pack") if path.exists() else b""

    def next_shard(self) -> Path:
        """Return the prefix of the new shard: PREFIX_N with the first number for which there is no file."""
        number = 1 if self._manifest is None else len(self._manifest.shards)
        while True:
            prefix = self.prefix.with_name(f"{self.prefix.name}_{number}")
            if not any(os.path.lexists(f"{prefix}{suffix}") for suffix in SUFFIXES):
                return prefix
            number += 1

    def manifest(self, inputs: Inputs) -> Manifest:
        """Return the manifest of the shards that the dataset has; one file is the only shard."""
        if self._manifest is not None:
            return self._manifest
        path, keys = self._files.path(".rec"), inputs.datasets[0].keys
        if path.suffix != ".rec":
            raise PlanError(path=str(path), expected="a name that ends in .rec, as shards have", got=path.name)
        key_range = (int(np.min(keys)), int(np.max(keys))) if len(keys) else None
        description = self._files.description()
        rec = description.get("rec")
        sha256 = str(rec.get("sha256")) if isinstance(rec, dict) else fingerprint(path)
        n_failed = description.get("failed", 0)
        shard = Shard(path.name, self._files.rec_size(), sha256, len(keys), n_failed, key_range, self._files.id())
        widths = inputs.labels().widths[: len(keys)]
        label_width = (int(np.min(widths)), int(np.max(widths))) if len(keys) else (0, 0)
        return Manifest(self.prefix.name, self.prefix.name, (shard,), label_width=label_width)


def _options(values: Mapping[str, object]) -> str:
    """Return options of a command, each after a blank."""
    words = []
    for name, value in values.items():
        if str(value) not in _DEFAULTS:
            words.append(f" --{name.replace('_', '-')}" + ("" if value is True else f" {quoted(str(value))}"))
    return "".join(words)


def _refuse_lost_metadata(inputs: Inputs, path: str) -> None:
    """Refuse to write InsightFace's file anew, because its header and identities would be in no file any more."""
    if inputs.datasets[0].has_metadata:
        raise PlanError(
            path=path,
            expected="a dataset of samples only, because its file is written anew",
            got="the header and the identities of InsightFace's files, which would be lost",
            advice="write the records into a shard with `shard=True`",
        )


def _refuse_changes(inputs: Inputs, union: Union, n_kept: int, path: str) -> None:
    """Refuse a new shard if the records that the dataset has would change with it."""
    old, rows = inputs.labels(), np.arange(n_kept)
    if union.labels.is_exact and not inputs.datasets[0].has_exact_labels and n_kept:
        got = "exact labels in the new records"
    elif count_changed(old.at(rows), union.labels.at(rows)):
        got = "new records with more labels"
    else:
        return
    raise PlanError(
        path=path,
        expected="new records that leave those of the dataset as they are, because a shard does not change them",
        got=got,
        advice="'recordkit merge' writes all of them into a new set",
    )
