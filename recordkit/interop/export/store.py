"""Exports to an object store: written on this machine as any export, then published."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recordkit.errors import PublishError, enumerate_some
from recordkit.interop.export.report import ExportedSet, ExportReport, Progress
from recordkit.sample import Source
from recordkit.storage.refusals import refuse_overwrite
from recordkit.storage.remote.publish import in_order, parse_destination, publish_shown
from recordkit.storage.remote.scratch import scratch_folder
from recordkit.storage.remote.store import open_store
from recordkit.storage.remote.urls import Url


def export_to_store(
    write: Callable[..., ExportReport],
    source: Source | Mapping[str, Source],
    destination: str | Path | Url,
    *,
    show_upload: Callable[[int], contextlib.AbstractContextManager[Progress]] | None = None,
    **options: Any,
) -> ExportReport:
    """Export a source into a new folder or file of an object store.

    The files wait for their upload in the folder of the cache. The same files that are there already are left; nothing
    is overwritten.

    Parameters
    ----------
    write : callable
        ``write_X`` of a format, see `recordkit.interop.conversions`.
    source : Source, or mapping of str to Source
    destination : str, Path or Url
        Such as ``s3://bucket/photos``.
    show_upload : callable, optional
        Called with the number of bytes of all files before the upload. It returns a context manager of a function,
        which is called with the number of bytes since the last call.
    **options
        Arguments of `write`.

    Returns
    -------
    report : ExportReport
        It names URLs.

    Raises
    ------
    PublishError
        The folder has other files, it is a web server or a whole bucket, or there is no room on this machine.
    RemoteError, NotFoundError
        The store refuses or does not answer, or there is no such bucket.
    """
    url = parse_destination(destination)
    refuse_overwrite(overwrite=options.get("overwrite", False))
    begin_s = time.monotonic()
    store, notify = open_store(url), options.get("on_note") or (lambda note: None)
    present = store.list_folder(url.key) or {}
    if next(store.list_tree(url.key), None) or store.find(url.key):
        notify(f"{url} is there already; the export succeeds if it has the same content, and overwrites nothing")
    with scratch_folder() as folder:
        options["on_note"] = lambda note: notify(note.replace(f"{folder}/", f"{url.parent}/"))
        report = write(source, folder / url.name, **options)
        files = in_order(folder)
        others = sorted(set(present) - {path.name for path in files if path.parent == folder / url.name})
        if others:
            got = f"one that has {enumerate_some(others)}"
            advice = "choose another name, or remove the objects"
            raise PublishError(path=str(url), expected="a new folder", got=got, advice=advice)
        if not report.dry_run:
            published = publish_shown(files, url.parent, show_upload, base=folder)
            if all(file.was_there for file in published):
                notify(f"{url}: all files were already there, nothing uploaded")
        sets = tuple(_with_urls(done, folder, url) for done in report.sets)
    return dataclasses.replace(report, sets=sets, duration_s=time.monotonic() - begin_s)


def _with_urls(done: ExportedSet, folder: Path, url: Url) -> ExportedSet:
    """Return the report of a set with URLs in place of its paths in the scratch folder."""
    paths = {each.name: getattr(done, each.name) for each in dataclasses.fields(done)}
    urls: dict[str, Any] = {
        name: url.parent.join(path.relative_to(folder).as_posix())
        for name, path in paths.items()
        if isinstance(path, Path)
    }
    return dataclasses.replace(done, **urls)
