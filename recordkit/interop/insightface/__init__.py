"""InsightFace's face datasets and verification sets, read and written without MXNet.

A face dataset is a folder with train.rec, train.idx and property; `recordkit.formats.insightface.faces` describes its
records. A verification set is a file such as lfw.bin, with pairs of images.
"""

from recordkit.interop.insightface.pairs import (
    ExportedPairs,
    PairSource,
    is_verification_set,
    read_verification_set,
    write_verification_set,
)
from recordkit.interop.insightface.read import is_insightface, read_insightface
from recordkit.interop.insightface.write import ExportedFaces, write_insightface

__all__ = [
    "ExportedFaces",
    "ExportedPairs",
    "PairSource",
    "is_insightface",
    "is_verification_set",
    "read_insightface",
    "read_verification_set",
    "write_insightface",
    "write_verification_set",
]
