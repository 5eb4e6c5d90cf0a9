"""The parts that exports to all formats share: the report, the facts about labels, and encoded samples in their order.

It is no format. `recordkit.interop.conversions` lists the formats.
"""

from recordkit.interop.export.labels import LabelFacts, survey_labels
from recordkit.interop.export.report import ExportedSet, ExportedSplit, ExportReport
from recordkit.interop.export.samples import (
    copying_engine,
    image_suffix,
    name_sources,
    only_source,
    payloads_of,
    read_samples,
)

__all__ = [
    "ExportReport",
    "ExportedSet",
    "ExportedSplit",
    "LabelFacts",
    "copying_engine",
    "image_suffix",
    "name_sources",
    "only_source",
    "payloads_of",
    "read_samples",
    "survey_labels",
]
