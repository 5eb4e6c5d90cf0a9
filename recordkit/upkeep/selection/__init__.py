"""Choosing some samples of a dataset: by key, label, class, list, expression, and by their number."""

from recordkit.upkeep.selection.selection import Selection
from recordkit.upkeep.selection.table import SampleTable

__all__ = ["SampleTable", "Selection"]
