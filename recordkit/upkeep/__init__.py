"""Existing .rec files: summaries, views, checks for damage, a new index, and new sets made of their records."""

from recordkit.upkeep.diff import DiffReport, diff
from recordkit.upkeep.division import KeyParts, Ratios, Shards
from recordkit.upkeep.duplicates import DuplicateGroup, DuplicateSample, DuplicatesReport, duplicates
from recordkit.upkeep.edit.append import append
from recordkit.upkeep.edit.lost_ranges import LostRange
from recordkit.upkeep.edit.merge import merge
from recordkit.upkeep.edit.relabel import relabel
from recordkit.upkeep.edit.repair import RepairReport, repair
from recordkit.upkeep.edit.report import EditReport, WrittenSet
from recordkit.upkeep.edit.shuffle import shuffle
from recordkit.upkeep.edit.split import SplitReport, split
from recordkit.upkeep.edit.subset import subset
from recordkit.upkeep.inspect import FacesInfo, FileInfo, RecordInfo, head, inspect
from recordkit.upkeep.labels.change import LabelChange, LabelReport
from recordkit.upkeep.look.stats import Stats, stats
from recordkit.upkeep.look.view import Choice, ViewReport, write_page, write_sheet
from recordkit.upkeep.reindex import ReindexReport, reindex
from recordkit.upkeep.report import Problem, VerifyReport
from recordkit.upkeep.selection import SampleTable, Selection
from recordkit.upkeep.verify import verify

__all__ = [
    "Choice",
    "DiffReport",
    "DuplicateGroup",
    "DuplicateSample",
    "DuplicatesReport",
    "EditReport",
    "FacesInfo",
    "FileInfo",
    "KeyParts",
    "LabelChange",
    "LabelReport",
    "LostRange",
    "Problem",
    "Ratios",
    "RecordInfo",
    "ReindexReport",
    "RepairReport",
    "SampleTable",
    "Selection",
    "Shards",
    "SplitReport",
    "Stats",
    "VerifyReport",
    "ViewReport",
    "WrittenSet",
    "append",
    "diff",
    "duplicates",
    "head",
    "inspect",
    "merge",
    "reindex",
    "relabel",
    "repair",
    "shuffle",
    "split",
    "stats",
    "subset",
    "verify",
    "write_page",
    "write_sheet",
]
