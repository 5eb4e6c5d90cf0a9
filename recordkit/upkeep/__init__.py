"""Existing .rec files: summaries, checks for damage, and a new index."""

from recordkit.upkeep.inspect import FacesInfo, FileInfo, RecordInfo, head, inspect
from recordkit.upkeep.reindex import ReindexReport, reindex
from recordkit.upkeep.report import Problem, VerifyReport
from recordkit.upkeep.verify import verify

__all__ = [
    "FacesInfo",
    "FileInfo",
    "Problem",
    "RecordInfo",
    "ReindexReport",
    "VerifyReport",
    "head",
    "inspect",
    "reindex",
    "verify",
]
