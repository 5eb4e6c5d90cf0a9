"""Existing .rec files: summaries, and checks for damage."""

from recordkit.upkeep.inspect import FileInfo, RecordInfo, head, inspect
from recordkit.upkeep.report import Problem, VerifyReport
from recordkit.upkeep.verify import verify

__all__ = ["FileInfo", "Problem", "RecordInfo", "VerifyReport", "head", "inspect", "verify"]
