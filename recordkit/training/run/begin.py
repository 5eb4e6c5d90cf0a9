"""The begin of a run: its prefix is claimed, and its plan is made.

A run holds its prefix from here to its end, so that of two runs that begin at once only one gets it. A prefix that is
the default has a number from the second run on: PREFIX, PREFIX-run02, PREFIX-run03.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from recordkit.errors import InUseError
from recordkit.storage.commit import staging_folder
from recordkit.training.plan import TrainPlan
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.writer import RunWriter

_NUMBER = re.compile(r"-run\d\d+$")


@contextlib.contextmanager
def open_run(
    path: Path | None, model_prefix: Path, *, is_numbered: bool = False, resume: bool = False, **options: Any
) -> Iterator[tuple[TrainPlan, RunWriter]]:
    """Claim the prefix of a run for a block, and make its plan.

    Parameters
    ----------
    path : Path, optional
        The .rec file to train on. Not needed to resume a run.
    model_prefix : Path
    is_numbered : bool
        The prefix is the first of those with numbers. A new run takes the first one that has no run, and that no other
        process has; a resumed run is the last one that has a checkpoint.
    resume : bool
        Continue the run at the prefix; options that are not given are as its record has them.
    **options
        See `TrainPlan.from_options`.

    Yields
    ------
    plan : TrainPlan
    writer : RunWriter

    Raises
    ------
    PlanError
        See `TrainPlan.from_options` and `TrainPlan.from_record`.
    TrainError, FormatError
        There is no run to resume, or its record is damaged.
    InUseError
        Another process writes to the prefix.
    PublishError
        The folder cannot be created or written.
    """
    if resume:
        with _claim_existing(_last_prefix(model_prefix) if is_numbered else model_prefix) as writer:
            record = writer.checkpoints.run_record()
            yield TrainPlan.from_record(record, path, writer.checkpoints.prefix, **options), writer
        return
    plan = TrainPlan.from_options(path, model_prefix, **options)
    with _claim_free(model_prefix) if is_numbered else RunWriter(Checkpoints(model_prefix)) as writer:
        yield replace(plan, model_prefix=writer.checkpoints.prefix), writer


def without_number(model_prefix: Path) -> Path:
    """Return the first of the prefixes with numbers.

    Examples
    --------
    >>> without_number(Path("photos-model/book-run02")).as_posix()
    'photos-model/book'
    """
    return model_prefix.with_name(_NUMBER.sub("", model_prefix.name))


def _numbered(first: Path) -> Iterator[Path]:
    yield first
    for number in itertools.count(2):
        yield first.with_name(f"{first.name}-run{number:02d}")


def _claim_existing(model_prefix: Path) -> RunWriter:
    checkpoints = Checkpoints(model_prefix)
    checkpoints.complete()
    checkpoints.last()  # a prefix without a run is an error that makes no folder
    return RunWriter(checkpoints, resume=True)


def _claim_free(first: Path) -> RunWriter:
    prefixes = _numbered(first)
    while True:
        checkpoints = Checkpoints(next(prefixes))
        if checkpoints.files():
            continue
        with contextlib.suppress(InUseError):
            writer = RunWriter(checkpoints)
            if not checkpoints.files():
                return writer
            writer.close()  # since the look before, another run has begun there and ended


def _last_prefix(first: Path) -> Path:
    """Return the last prefix that has a checkpoint, or the first one if none has."""
    prefixes = list(itertools.takewhile(_has_run, _numbered(first)))
    return next((prefix for prefix in reversed(prefixes) if Checkpoints(prefix).epochs()), first)


def _has_run(model_prefix: Path) -> bool:
    """Tell whether a prefix has files of a run, or a run that is about to write them."""
    return bool(Checkpoints(model_prefix).files()) or staging_folder(model_prefix).exists()
