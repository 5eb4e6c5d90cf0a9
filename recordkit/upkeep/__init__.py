"""Existing .rec files: summaries, and checks for damage."""

from recordkit.upkeep.inspect import FacesInfo, FileInfo, RecordInfo, head, inspect
from recordkit.upkeep.report import Problem, VerifyReport
from recordkit.upkeep.verify import verify

__all__ = ["FacesInfo", "FileInfo", "Problem", "RecordInfo", "VerifyReport", "head", "inspect", "verify"]
