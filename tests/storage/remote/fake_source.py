"""A source of bytes as an object in a store is one, without a store: pieces of a file come as they are asked for."""

import itertools
import tempfile
from pathlib import Path

from recordkit.storage.remote.extents import make_extents


class FakeSource:
    """The bytes of a file, in pieces that are added to the extents when they are read, as files and in memory in turn.

    Parameters
    ----------
    content : bytes
    piece_bytes : int
    error : Exception, optional
        What fetching raises if it reaches the byte `error_at`.
    """

    name = "s3://bucket/a.rec"

    def __init__(self, content, piece_bytes=1000, *, error=None, error_at=0, make=make_extents):
        self.content = content
        self.piece_bytes = piece_bytes
        self.size = len(content)
        self.error, self.error_at = error, error_at
        self.extents = make(self.size, self.fetch)
        self.asked = []
        self.n_closed = 0
        self._numbers = itertools.count()

    def fetch(self, begin, end):
        if self.n_closed:
            raise ValueError("I/O operation on closed source")
        self.asked.append((begin, end))
        begin -= begin % self.piece_bytes
        end = min(begin + self.piece_bytes, self.size)
        if self.error is not None and begin <= self.error_at < end:
            raise self.error
        if next(self._numbers) % 2:
            self.extents.add_bytes(begin, self.content[begin:end])
            return
        with tempfile.NamedTemporaryFile(prefix="piece") as file:
            Path(file.name).write_bytes(b"head" + self.content[begin:end])
            self.extents.add_file(begin, end, file.name, 4)

    def pread(self, size, offset, at_least=None):
        if self.n_closed:
            raise ValueError("I/O operation on closed source")
        return self.extents.read(size, offset, at_least)

    def close(self):
        self.n_closed += 1
