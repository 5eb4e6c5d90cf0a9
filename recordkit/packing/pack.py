"""Packing a source: check the labels, plan the sets, run the engine, publish all sets at once.

One image goes this way: `pack` plans the sets, `recordkit.packing.steps.pack_set` hands blocks of a set's samples to
threads, `recordkit.packing.piece.pack_block` reads, encodes and frames a block, and
`recordkit.packing.writer.SetWriter` appends the blocks in order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError
from recordkit.memory import choose_memory
from recordkit.packing.native import choose_engine
from recordkit.packing.plan import PackPlan, plan_or_default
from recordkit.packing.planned_sets import Im2recFiles
from recordkit.packing.preview import expected_sets, old_names
from recordkit.packing.replaced_set import Overwrite
from recordkit.packing.report import PackReport, Progress
from recordkit.packing.steps import (
    PackSource,
    Resources,
    check_outputs,
    open_sources,
    pack_set,
    plan_pack,
    refuse_empty_result,
)
from recordkit.storage.names import refuse_file_name
from recordkit.storage.refusals import refuse_overwrite
from recordkit.storage.remote.urls import Url, is_url
from recordkit.storage.set_files import write_manifest
from recordkit.storage.staging import Staging
from recordkit.threads import count_threads


def pack(
    source: PackSource,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    memory: int | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PackReport:
    """Pack images into PREFIX.rec, .idx, .lst, .crc and .json, or into several shards and a manifest that names them.

    The files appear together when all of them are complete. Until then, and after any error, the previous files stay in
    place. Files that an earlier pack wrote are replaced, and others only with `overwrite`.

    Memory: `memory` and 16 bytes per image, 24 more per row of a list, or the file names of a folder.

    Parameters
    ----------
    source : str, Path, (ndarray, ndarray), Source, or mapping of str to Source or (ndarray, ndarray)
        A path is opened with `recordkit.open_source`; call it to give its arguments, such as `root` or `columns`. A
        pair is images, uint8 of shape (n, H, W) or (n, H, W, C), and labels, whole numbers of shape (n,) or (n, width).
        Each source of a mapping is packed to PREFIX_NAME; splits are then taken from the source called "train".
    prefix : str or Path
        Folder of the output, which is made if it is missing, and the beginning of its file names. With a URL, such as
        ``s3://bucket/photos``, the files are packed on this machine and then published there, see `pack_to_store`.
    plan : PackPlan, optional
    engine : {"auto", "native", "python"}, default "auto"
    memory : int or str, optional
        A number of bytes, or a text such as "512M" or "2G".
        Most memory that images may take, encoded and decoded together; by default a quarter of the memory of
        the machine or its control group. An image that needs more is a bad sample.
    overwrite : bool, default False
        Also replace files at these names that no pack wrote, such as an InsightFace set, lists that were edited, and
        sets of merge, split and other edits. A file that is being packed is never replaced.
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
        The output cannot be written, another pack is writing to it, or it has files that no pack wrote, or the set of
        an edit, and `overwrite` is false.
    MissingError
        The engine is not built.

    Examples
    --------
    >>> import numpy as np, recordkit as rk, tempfile
    >>> prefix = tempfile.mkdtemp() + "/digits"
    >>> report = rk.pack((np.zeros((6, 28, 28), np.uint8), np.arange(6)), prefix)
    >>> report.ok, report.n_packed, rk.RecordDataset(prefix).labels.tolist()
    (True, 6, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    """
    if is_url(prefix):
        refuse_overwrite(overwrite=overwrite)
        return pack_to_store(source, prefix, plan=plan, engine=engine, memory=memory, progress=progress)
    may_replace: Overwrite = "all" if overwrite else "nothing"
    return _pack(source, prefix, plan, engine, memory, may_replace, progress=progress)


def pack_as_im2rec(
    source: PackSource,
    prefix: str | Path,
    files: Im2recFiles,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    progress: Progress | None = None,
) -> PackReport:
    """Pack images with im2rec's rules for its files; otherwise as `pack`.

    Parameters
    ----------
    source, prefix, plan, engine, progress
        As for `pack`, but the prefix is no URL.
    files : Im2recFiles

    Raises
    ------
    RecordkitError
        An error of `pack`.
    """
    if is_url(prefix):
        raise PlanError(path=str(Url.parse(prefix)), expected="a folder of this machine", got="a URL")
    return _pack(source, prefix, plan, engine, None, "records", files, progress=progress)


def _pack(
    source: PackSource,
    prefix: str | Path,
    plan: PackPlan | None,
    engine: str,
    memory: int | str | None,
    may_replace: Overwrite,
    files: Im2recFiles | None = None,
    *,
    progress: Progress | None,
) -> PackReport:
    begin_s = time.monotonic()
    plan = plan_or_default(plan)
    engine_class = choose_engine(engine)
    resources = Resources(count_threads(plan.threads), choose_memory(memory), progress)
    sources = open_sources(source, plan)
    record_name, keep = files or Im2recFiles()
    if record_name is None:
        refuse_file_name(Path(prefix))
    with Staging(Path(prefix), allow_folder=record_name is not None) as staging:
        planned_sets, warnings = plan_pack(sources, staging.prefix, plan, record_name)
        warnings += check_outputs(planned_sets, staging.prefix, may_replace)
        reports = []
        shards: dict[Path, list[tuple[dict[str, Any], tuple[int, int] | None]]] = {}
        for planned_set in planned_sets:
            packed = pack_set(planned_set, plan, engine_class, staging, resources)
            reports.append(packed.report)
            if planned_set.dataset is not None:
                shards.setdefault(planned_set.dataset, []).append((packed.description, packed.keys))
        refuse_empty_result(reports, staging.prefix)
        new_names, obsolete_files = old_names(planned_sets, staging.prefix, sources, keep)
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
    source: PackSource,
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
    from recordkit.storage.remote.published import refuse_other_pack
    from recordkit.storage.remote.scratch import scratch_folder
    from recordkit.storage.remote.store import open_store

    url = parse_prefix(prefix)
    begin_s = time.monotonic()
    store = open_store(url)
    names = store.list_folder(url.parent.key) or {}
    plan = plan_or_default(plan)
    sources = open_sources(source, plan)

    with scratch_folder() as folder:
        refuse_other_pack(store, url, names, lambda: expected_sets(sources, folder / url.name, plan))
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
