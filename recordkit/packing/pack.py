"""Packing a source: check the labels, plan the sets, run the engine, publish all sets at once.

One image goes this way: `pack` plans the sets, `recordkit.packing.steps.pack_set` hands blocks of a set's samples to
threads, `recordkit.packing.packed_block.pack_block` reads, encodes and frames a block, and
`recordkit.packing.writer.SetWriter` appends the blocks in order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError
from recordkit.memory import choose_memory
from recordkit.packing.native import choose_engine
from recordkit.packing.plan import PackPlan, plan_or_default
from recordkit.packing.planned_sets import is_input
from recordkit.packing.replaced_set import find_obsolete_files
from recordkit.packing.report import PackReport, Progress
from recordkit.packing.steps import (
    Resources,
    check_outputs,
    open_sources,
    pack_set,
    plan_facts,
    plan_pack,
    refuse_empty_result,
)
from recordkit.sample import Source
from recordkit.storage.names import MANIFEST_SUFFIX, refuse_file_name
from recordkit.storage.remote.urls import Url, is_url
from recordkit.storage.set_files import write_manifest
from recordkit.storage.staging import Staging, check_prefix
from recordkit.threads import count_threads


def pack(
    source: Source | Mapping[str, Source] | str | Path,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    record_name: str | None = None,
    keep: Collection[Path] = (),
    memory: int | str | None = None,
    progress: Progress | None = None,
) -> PackReport:
    """Pack images into PREFIX.rec, .idx, .lst, .crc and .json, or into several shards and a manifest that names them.

    The files appear together when all of them are complete. Until then, and after any error, the previous files stay in
    place. Memory: `memory` and 16 bytes per image, 24 more per row of a list, or the file names of a folder.

    Parameters
    ----------
    source : Source, mapping of str to Source, str or Path
        A path is opened with `recordkit.open_source`; call it to give its arguments, such as `root` or `columns`. Each
        source of a mapping is packed to PREFIX_NAME; splits are then taken from the source called "train".
    prefix : str or Path
        Folder of the output, and the beginning of its file names. The folder must exist. With a URL, such as
        ``s3://bucket/photos``, the files are packed on this machine and then published there, see `pack_to_store`.
    plan : PackPlan, optional
    engine : {"auto", "native", "python"}, default "auto"
    record_name : str, optional
        Name of the record file, for a plan without splits: PREFIX.rec, or PREFIX as im2rec's OUT may be. Without it the
        name is PREFIX.rec, and PREFIX may not be a folder.
    keep : collection of Path
        Files of the replaced set that stay, such as lists that will be packed next.
    memory : int or str, optional
        A number of bytes, or a text such as "512M" or "2G".
        Most memory that images may take, encoded and decoded together; by default a quarter of the memory of
        the machine or its control group. An image that needs more is a bad sample.
    progress : callable, optional
        Called with the number of samples packed or left out since the last call.

    Returns
    -------
    report : PackReport
        Check ``report.ok``: samples that could not be read are left out and counted.

    Raises
    ------
    PlanError
        The plan does not fit the source.
    SourceError, FormatError
        The source as a whole is at fault: a wrong root, two rows with one key, a label that float32 would change.
    PackError
        A sample failed and ``plan.on_error`` is "raise", or no sample could be packed.
    PublishError
        The output cannot be written, another pack is writing to it, or it would overwrite a file that no pack wrote, or
        the set of an edit.
    MissingError
        The engine is not built.

    Examples
    --------
    >>> import tempfile, recordkit
    >>> import numpy as np
    >>> from recordkit.formats import ubyte
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     digits, out = Path(folder, "digits"), Path(folder, "digits_rec")
    ...     digits.mkdir()
    ...     _ = (digits / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((6, 28, 28), np.uint8)))
    ...     _ = (digits / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.arange(6, dtype=np.uint8)))
    ...     report = recordkit.pack(digits, out, plan=recordkit.PackPlan(encoding="raw"))
    ...     [(s.prefix.name, s.n_packed) for s in report.sets], sorted(p.name for p in Path(folder).glob("*_rec*"))
    ([('digits_rec_train', 6)], ['digits_rec_train.crc', 'digits_rec_train.idx', 'digits_rec_train.json',
      'digits_rec_train.lst', 'digits_rec_train.rec'])
    """
    if is_url(prefix):
        if record_name is not None or keep:
            raise PlanError(path=str(Url.parse(prefix)), expected="a folder of this machine", got="a URL")
        return pack_to_store(source, prefix, plan=plan, engine=engine, memory=memory, progress=progress)
    begin_s = time.monotonic()
    plan = plan_or_default(plan)
    engine_class = choose_engine(engine)
    resources = Resources(count_threads(plan.threads), choose_memory(memory), progress)
    sources = open_sources(source, plan)
    if record_name is None:
        refuse_file_name(Path(prefix))
    with Staging(Path(prefix), allow_folder=record_name is not None) as staging:
        planned_sets, warnings = plan_pack(sources, staging.prefix, plan, record_name)
        warnings += check_outputs(planned_sets, staging.prefix)
        reports = []
        shards: dict[Path, list[tuple[dict[str, Any], tuple[int, int] | None]]] = {}
        for planned_set in planned_sets:
            packed = pack_set(planned_set, plan, engine_class, staging, resources)
            reports.append(packed.report)
            if planned_set.dataset is not None:
                shards.setdefault(planned_set.dataset, []).append((packed.description, packed.keys))
        refuse_empty_result(reports, staging.prefix)
        # All names that the new sets may have; some, such as .failed.tsv, may not be written this time.
        new_names = [path for planned_set in planned_sets for path in planned_set.names.all()]
        new_names += [dataset.with_name(dataset.name + MANIFEST_SUFFIX) for dataset in shards]
        obsolete_files = [
            path
            for path in find_obsolete_files(staging.prefix, new_names)
            if path not in keep and not is_input(path, sources)
        ]
        if obsolete_files:
            warnings.append(f"removed from the replaced set: {', '.join(path.name for path in obsolete_files)}")
        manifest_paths = [write_manifest(staging, dataset, facts) for dataset, facts in shards.items()]
        staging.commit(remove=new_names + obsolete_files)
    ok = plan.on_error == "skip" or not any(report.n_failed for report in reports)
    duration_s = time.monotonic() - begin_s
    return PackReport(
        tuple(reports), engine_class.name, resources.n_threads, duration_s, tuple(warnings), ok, tuple(manifest_paths)
    )


def pack_to_store(
    source: Source | Mapping[str, Source] | str | Path,
    prefix: str | Path | Url,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    memory: int | str | None = None,
    progress: Progress | None = None,
    show_upload: Callable[[int], contextlib.AbstractContextManager[Progress]] | None = None,
) -> PackReport:
    """Pack images on this machine and publish the files in an object store.

    The files wait for their upload in the folder of the cache. Every .json is written after the files of its set, and
    the manifest last, so readers see whole sets only. Nothing is overwritten; the same files that are there already
    are left.

    Parameters
    ----------
    source, plan, engine, memory, progress
        As for `pack`.
    prefix : str, Path or Url
        Such as ``s3://bucket/photos``.
    show_upload : callable, optional
        Called with the number of bytes of all files before the upload. It returns a context manager of a function,
        which is called with the number of bytes since the last call.

    Returns
    -------
    report : PackReport
        It names URLs.

    Raises
    ------
    PublishError
        Files of other content have the names, or there is no room on this machine. A set that was packed with other
        options, or has other class names, is refused before the first image is read.
    RemoteError, NotFoundError
        The store refuses or does not answer, or there is no such bucket. The list of the destination's objects is
        asked for before the first image is read, so most of these errors come at once.
    """
    from recordkit.storage.remote.publish import in_order, parse_prefix, publish_shown
    from recordkit.storage.remote.published import ExpectedSet, refuse_other_pack
    from recordkit.storage.remote.scratch import scratch_folder
    from recordkit.storage.remote.store import open_store

    url = parse_prefix(prefix)
    begin_s = time.monotonic()
    store = open_store(url)
    names = store.list_folder(url.parent.key) or {}
    plan = plan_or_default(plan)
    sources = open_sources(source, plan)

    def expect(prefix: Path) -> list[ExpectedSet]:
        return [
            ExpectedSet(
                planned.names.prefix.name,
                planned.names.name(".rec"),
                None if planned.dataset is None else planned.dataset.name,
                {"plan": plan_facts(plan), "classes": planned.source.classes},
            )
            for planned in plan_pack(sources, prefix, plan)[0]
        ]

    with scratch_folder() as folder:
        refuse_other_pack(store, url, names, lambda: expect(folder / url.name))
        report = pack(sources, folder / url.name, plan=plan, engine=engine, memory=memory, progress=progress)
        files = in_order(folder)
        published = publish_shown(files, url.parent, show_upload)
        warnings = tuple(warning.replace(f"{folder}/", f"{url.parent}/") for warning in report.warnings)
    sets = tuple(dataclasses.replace(done, prefix=url.with_name(done.prefix.name)) for done in report.sets)
    manifests = tuple(url.with_name(path.name) for path in report.manifests)
    return dataclasses.replace(
        report,
        sets=sets,
        manifests=manifests,
        warnings=warnings,
        duration_s=time.monotonic() - begin_s,
        uploaded_bytes=sum(file.n_bytes for file in published if not file.was_there),
    )


def check_pack(
    source: Source | Mapping[str, Source] | str | Path, prefix: str | Path, *, plan: PackPlan | None = None
) -> list[str]:
    """Check what `pack` would check before it reads an image: labels, names, and the files that it would replace.

    Nothing is written. The arguments are those of `pack`, which raises the same errors.

    Returns
    -------
    warnings : list of str
    """
    plan = plan_or_default(plan)
    sources, prefix = open_sources(source, plan), Path(prefix)
    refuse_file_name(prefix)
    check_prefix(prefix)
    planned_sets, warnings = plan_pack(sources, prefix, plan)
    return [*warnings, *check_outputs(planned_sets, prefix)]
