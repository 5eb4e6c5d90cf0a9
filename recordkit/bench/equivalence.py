"""The check before a comparison: every peer's first batch has to equal the Python engine's, within a bound.

The batch is loaded in file order with a centre crop and no mirror, in a process of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.bench.peers.registry import find_peer
from recordkit.bench.process import CaseProcess
from recordkit.bench.report import Case
from recordkit.bench.workload import Workload
from recordkit.errors import PlanError

CHECK_WITH = "python"
"""The peer whose first batch is the expected one."""

# Bounds of the mean difference in grey levels, over the batch and in its worst image. Other decoders and resizes differ
# by less; another normalisation, crop or channel order differs by more.
_MAX_MEAN = 1.0
_MAX_IMAGE_MEAN = 2.5
# FFCV and TurboLoader decode with libjpeg-turbo's fast settings, which change photos by 1.3 to 1.4 levels.
_MAX_MEAN_BY_PEER = {"ffcv": 1.5, "turboloader": 1.5}
# These have no exact way to do some workloads. They are measured there all the same: `Peer.note` says what they do
# instead, and the note of their row by how much the batch differs.
OTHER_WORK = ("turboloader", "spdl")
# Above these, a loader of other work is not measured either. SPDL's resize of photos to a third, which smooths, changes
# them by 5.5 grey levels on average and 16 in the worst image, and one to a sixth by 9.4 and 25. Red and blue that are
# swapped change photos by 21 and 60.
_MAX_OTHER_WORK_MEAN = 8.0
_MAX_OTHER_WORK_IMAGE_MEAN = 20.0


def check_cases(
    cases: Sequence[Case],
    workload: Workload,
    start: Callable[[str, str], AbstractContextManager[CaseProcess]],
) -> dict[str, str]:
    """Set the status and note of each case, and return the versions of all libraries.

    Parameters
    ----------
    cases : sequence of Case
        Cases of peers that are missing, fail or differ get that status; they are not to be measured.
    workload : Workload
    start : callable
        Called with the name of a peer and the path of a file; starts a process that saves the peer's batch there.

    Raises
    ------
    PlanError
        The Python engine itself cannot load a batch.
    """
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="recordkit-bench-") as folder:
        path = str(Path(folder, "batch.npy"))
        expected: NDArray[Any] | None = None
        for name in dict.fromkeys((CHECK_WITH, *(case.name for case in cases))):
            batch, peer_versions, status, note = _load_batch(name, workload, start, path)
            if expected is None:
                if batch is None:
                    raise PlanError(f"the reference engine cannot load a batch: {note}")
                expected = batch
            elif batch is not None:
                status, note = judge_batch(name, batch, expected, workload)
            versions |= peer_versions
            for case in cases:
                if case.name == name:
                    case.status, case.note = status, note or case.note
    return versions


def _load_batch(
    name: str, workload: Workload, start: Callable[[str, str], AbstractContextManager[CaseProcess]], path: str
) -> tuple[NDArray[Any] | None, dict[str, str], str, str]:
    """Return a peer's batch or None, its versions, its status, and why it has no batch."""
    reason = find_peer(name).unavailable_reason(workload)
    if reason:
        return None, {}, "absent", reason
    with start(name, path) as process:
        if process.error is not None:
            return None, {}, "failed", process.error
        return np.load(path), process.facts()["versions"], "measured", ""


def judge_batch(name: str, batch: NDArray[Any], expected: NDArray[Any], workload: Workload) -> tuple[str, str]:
    """Return a peer's status, "measured" or "differs", and how its batch differs from the expected one; often ""."""
    difference = describe_difference(name, batch, expected, workload)
    if not difference:
        return "measured", ""
    other_work = find_peer(name).note(workload) if name in OTHER_WORK else ""
    if other_work and not _describe_type(batch, expected):
        mean, worst = _measure_difference(batch, expected, workload)
        if mean <= _MAX_OTHER_WORK_MEAN and worst <= _MAX_OTHER_WORK_IMAGE_MEAN:
            return "measured", f"{other_work}; {difference}"
        difference += f", and at most {_MAX_OTHER_WORK_MEAN} and {_MAX_OTHER_WORK_IMAGE_MEAN} are other work"
    return "differs", f"not compared: {difference}"


def describe_difference(name: str, batch: NDArray[Any], expected: NDArray[Any], workload: Workload) -> str:
    """Return how a peer's batch differs from the expected one; "" if it is the same within the peer's bounds."""
    if len(expected) < workload.batch_size:
        batch = batch[: len(expected)]  # DALI fills its only batch with samples of the next epoch
    if difference := _describe_type(batch, expected):
        return difference
    mean, worst = _measure_difference(batch, expected, workload)
    max_mean = _MAX_MEAN_BY_PEER.get(name, _MAX_MEAN)
    if mean <= max_mean and worst <= _MAX_IMAGE_MEAN:
        return ""
    return (
        f"its first batch differs from recordkit python's by {mean:.2f} grey levels, {worst:.2f} in the "
        f"worst image; at most {max_mean} and {_MAX_IMAGE_MEAN} are the same work"
    )


def _measure_difference(batch: NDArray[Any], expected: NDArray[Any], workload: Workload) -> tuple[float, float]:
    """Return the mean difference in grey levels over the batch, and in its worst image."""
    levels = np.abs(batch.astype(np.float32) - expected.astype(np.float32))
    if workload.is_float:
        levels *= np.array(workload.std, np.float32)[:, None, None]
    return float(levels.mean()), max(float(image.mean()) for image in levels)


def _describe_type(batch: NDArray[Any], expected: NDArray[Any]) -> str:
    if batch.shape == expected.shape and batch.dtype == expected.dtype:
        return ""
    types = (f" {batch.dtype}", f" {expected.dtype}") if batch.dtype != expected.dtype else ("", "")
    return f"its first batch is {batch.shape}{types[0]}, not {expected.shape}{types[1]}"
