"""A replacement for ``mxnet.recordio`` with the same names, arguments and results, without MXNet.

To migrate, change ``from mxnet import recordio`` to ``from recordkit import recordio``. Both read and write the
same bytes. The behaviour differs where MXNet loses data or crashes:

- A writer refuses `reset` and pickling, with which MXNet empties the file.
- `seek` and `read_idx` work after the end of the file was reached, without `reset`.
- A record without its last part, or with parts out of order, is an error, not a missing record.
- An index with an offset after the end of the file, or between records, is an error.
- A line of the index is on disk as soon as its record is, so a killed writer leaves readable files.
- A duplicate key in the index, a label of None or an empty list, and an image whose values the format cannot hold,
  cause a warning.
- Forked processes may use a reader; each continues from the position at the fork.

FormatError replaces ``MXNetError``. Images are BGR arrays, as in OpenCV. Pillow is imported by `pack_img` and
`unpack_img` only.
"""

from recordkit.recordio.files import MXIndexedRecordIO, MXRecordIO
from recordkit.recordio.images import pack_img, unpack_img
from recordkit.recordio.records import IRHeader, pack, unpack

__all__ = ["IRHeader", "MXIndexedRecordIO", "MXRecordIO", "pack", "pack_img", "unpack", "unpack_img"]
