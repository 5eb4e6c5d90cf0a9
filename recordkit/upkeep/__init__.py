"""Existing .rec files: summaries, views, checks for damage, a new index, and new sets made of their records.

A name is imported at its first use, so that a command imports the modules of its own work only. No module here has the
name of one: its import would replace a function of that name.
"""

from typing import TYPE_CHECKING

from recordkit.public_names import importer as _importer

if TYPE_CHECKING:
    from recordkit.upkeep.check.report import Problem, VerifyReport
    from recordkit.upkeep.check.verify import verify
    from recordkit.upkeep.compare.diff import DiffReport, diff
    from recordkit.upkeep.compare.duplicates import DuplicateGroup, DuplicateSample, DuplicatesReport, duplicates
    from recordkit.upkeep.division import KeyParts, Ratios, Shards
    from recordkit.upkeep.edit.append import append
    from recordkit.upkeep.edit.lost_ranges import LostRange
    from recordkit.upkeep.edit.merge import merge
    from recordkit.upkeep.edit.relabel import relabel
    from recordkit.upkeep.edit.repair import RepairReport, repair
    from recordkit.upkeep.edit.report import EditReport, WrittenSet
    from recordkit.upkeep.edit.shuffle import shuffle
    from recordkit.upkeep.edit.split import SplitReport, split
    from recordkit.upkeep.edit.subset import subset
    from recordkit.upkeep.labels.change import LabelChange, LabelReport
    from recordkit.upkeep.look.head import RecordInfo, head
    from recordkit.upkeep.look.stats import Stats, stats
    from recordkit.upkeep.look.view import Choice, ViewReport, write_page, write_sheet
    from recordkit.upkeep.new_index import ReindexReport, reindex
    from recordkit.upkeep.selection import SampleTable, Selection
    from recordkit.upkeep.summary import FacesInfo, FileInfo, inspect

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

# The module of each name; tests compare this table with the imports for type checkers.
_MODULES = {
    "Choice": "recordkit.upkeep.look.view",
    "DiffReport": "recordkit.upkeep.compare.diff",
    "DuplicateGroup": "recordkit.upkeep.compare.duplicates",
    "DuplicateSample": "recordkit.upkeep.compare.duplicates",
    "DuplicatesReport": "recordkit.upkeep.compare.duplicates",
    "EditReport": "recordkit.upkeep.edit.report",
    "FacesInfo": "recordkit.upkeep.summary",
    "FileInfo": "recordkit.upkeep.summary",
    "KeyParts": "recordkit.upkeep.division",
    "LabelChange": "recordkit.upkeep.labels.change",
    "LabelReport": "recordkit.upkeep.labels.change",
    "LostRange": "recordkit.upkeep.edit.lost_ranges",
    "Problem": "recordkit.upkeep.check.report",
    "Ratios": "recordkit.upkeep.division",
    "RecordInfo": "recordkit.upkeep.look.head",
    "ReindexReport": "recordkit.upkeep.new_index",
    "RepairReport": "recordkit.upkeep.edit.repair",
    "SampleTable": "recordkit.upkeep.selection",
    "Selection": "recordkit.upkeep.selection",
    "Shards": "recordkit.upkeep.division",
    "SplitReport": "recordkit.upkeep.edit.split",
    "Stats": "recordkit.upkeep.look.stats",
    "VerifyReport": "recordkit.upkeep.check.report",
    "ViewReport": "recordkit.upkeep.look.view",
    "WrittenSet": "recordkit.upkeep.edit.report",
    "append": "recordkit.upkeep.edit.append",
    "diff": "recordkit.upkeep.compare.diff",
    "duplicates": "recordkit.upkeep.compare.duplicates",
    "head": "recordkit.upkeep.look.head",
    "inspect": "recordkit.upkeep.summary",
    "merge": "recordkit.upkeep.edit.merge",
    "reindex": "recordkit.upkeep.new_index",
    "relabel": "recordkit.upkeep.edit.relabel",
    "repair": "recordkit.upkeep.edit.repair",
    "shuffle": "recordkit.upkeep.edit.shuffle",
    "split": "recordkit.upkeep.edit.split",
    "stats": "recordkit.upkeep.look.stats",
    "subset": "recordkit.upkeep.edit.subset",
    "verify": "recordkit.upkeep.check.verify",
    "write_page": "recordkit.upkeep.look.view",
    "write_sheet": "recordkit.upkeep.look.view",
}


if not TYPE_CHECKING:  # a type checker would take every name for one that exists
    __getattr__ = _importer(__name__, _MODULES)


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
