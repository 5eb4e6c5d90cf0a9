"""One pass over all records of a .rec file, for checks and summaries that look at every record.

`scan` splits each record into header and payload. By default it raises the first error; with `on_damage` it reports
each error and continues at the next record head.

The loops over records without their content are in `recordkit.formats.frame` and in the native core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from recordkit.dataset.contents import no_header_error
from recordkit.errors import FormatError
from recordkit.formats import irheader
from recordkit.formats.frame import OnDamage, RecordReader
from recordkit.storage.fileset import Fileset


def scan(
    reader: RecordReader, *, on_damage: OnDamage | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[tuple[int, irheader.IRHeader, memoryview]]:
    """Yield every record of a .rec file, in file order.

    Parameters
    ----------
    reader : RecordReader
        The open file.
    on_damage : callable, optional
        Called with a FormatError and the number of skipped bytes for each damage. The number is 0 if the frame of a
        record is whole and only its image header is damaged. By default the first error is raised.
    progress : callable, optional
        Called with the number of bytes read since the last call; the numbers add up to the size of the file.

    Yields
    ------
    offset : int
        Offset of the record's head, in bytes.
    header : IRHeader
    payload : memoryview of uint8, shape (n,)
        The encoded image, possibly empty.

    Raises
    ------
    FormatError
        The file is damaged and `on_damage` is None. The error has path and offset.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.formats.frame import RecordWriter
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     RecordWriter(file).write(irheader.pack(irheader.IRHeader(4.0, 7), b"jpeg"))
    ...     file.flush()
    ...     with RecordReader(file.name) as reader:
    ...         [(offset, header.id, bytes(payload)) for offset, header, payload in scan(reader)]
    0
    [(0, 7, b'jpeg')]
    """
    for offset, record in scan_records(reader, on_damage=on_damage, progress=progress):
        try:
            header, payload = irheader.unpack_at(record, reader.path, offset)
        except FormatError as error:
            if on_damage is None:
                raise (no_header_error(Fileset(reader.path)) or error) from None
            on_damage(error, 0)
            continue
        yield offset, header, payload


def scan_records(
    reader: RecordReader, *, on_damage: OnDamage | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield the offset and the bytes of every record of a .rec file, in file order; see `scan`."""
    n_reported_bytes = 0
    for offset, record in reader.scan(on_damage=on_damage):
        if progress:
            progress(offset - n_reported_bytes)
            n_reported_bytes = offset
        yield offset, record
    if progress:
        progress(reader.size - n_reported_bytes)
