"""Random damages of a good .rec file, and the records that `recordkit.upkeep.repair` loses beyond the least possible.

A record can be saved if all its bytes, frame included, still stand together in the damaged file. So each damage is made
on a list of pieces of the good file, which tells for every record whether it does. Run it with the number of damages::

    python tests/upkeep/random_damages.py 1000
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recordkit.errors import FormatError
from recordkit.formats import idx, irheader
from recordkit.formats.frame import MAGIC_BYTES, RecordReader, RecordWriter
from recordkit.storage import checksums
from recordkit.upkeep import repair


class GoodFile(NamedTuple):
    """A .rec file, and where its records are."""

    content: bytes
    offsets: list[int]
    records: list[bytes]


def good_file(rng, n=40):
    """Return a file of records of many sizes; some have several labels, some the magic inside."""
    content, records, offsets = bytearray(), [], []

    class Sink:
        def writelines(self, lines):
            content.extend(b"".join(lines))

    writer = RecordWriter(Sink())
    largest = int(rng.choice([40, 300, 3000, 30_000]))
    for key in range(n):
        payload = bytearray(rng.bytes(int(rng.integers(0, largest))))
        for _ in range(int(rng.integers(3)) if rng.random() < 0.2 else 0):
            at = int(rng.integers(len(payload) + 1))
            payload[at:at] = MAGIC_BYTES
        label = float(key) if rng.random() < 0.8 else (float(key), 0.5)
        records.append(irheader.pack(irheader.IRHeader(label, 100 + key), bytes(payload)))
        offsets.append(writer.write(records[-1]))
    return GoodFile(bytes(content), offsets, records)


class Damaged:
    """A file in the making: its bytes, and for each the offset in the good file; -1 for a byte that is new."""

    def __init__(self, good):
        self.bytes = np.frombuffer(good.content, np.uint8).copy()
        self.origin = np.arange(len(good.content))

    def put(self, begin, new):
        """Overwrite bytes."""
        new = np.frombuffer(bytes(new), np.uint8)[: len(self.bytes) - begin]
        is_other = self.bytes[begin : begin + len(new)] != new
        self.bytes[begin : begin + len(new)] = new
        self.origin[begin : begin + len(new)][is_other] = -1

    def remove(self, begin, end):
        self.bytes, self.origin = np.delete(self.bytes, slice(begin, end)), np.delete(self.origin, slice(begin, end))

    def insert(self, at, new, origin=None):
        new = np.frombuffer(bytes(new), np.uint8)
        origin = np.full(len(new), -1) if origin is None else origin
        self.bytes = np.concatenate([self.bytes[:at], new, self.bytes[at:]])
        self.origin = np.concatenate([self.origin[:at], origin, self.origin[at:]])

    def intact(self, good):
        """Return the rows of the records whose bytes stand together."""
        ends = [*good.offsets[1:], len(good.content)]
        # Bytes of which each follows the one before it in the good file, too.
        breaks = np.append(np.flatnonzero(np.diff(self.origin) != 1) + 1, len(self.origin))
        rows, begin = set(), 0
        for end in breaks.tolist():
            if end > begin and self.origin[begin] >= 0:
                first, last = int(self.origin[begin]), int(self.origin[end - 1])
                rows.update(row for row in range(len(ends)) if first <= good.offsets[row] and ends[row] - 1 <= last)
            begin = end
        return rows


def flip(rng, good, damaged, begin, end):
    for _ in range(int(rng.integers(1, 8))):
        damaged.put(int(rng.integers(max(len(damaged.bytes), 1))), rng.bytes(1))


def insert_records(rng, good, damaged, begin, end):
    other = good_file(rng, 3).content
    damaged.insert(begin, other[: int(rng.integers(len(other) + 1))])


def repeat(rng, good, damaged, begin, end):
    at = int(rng.integers(len(damaged.bytes) + 1))
    damaged.insert(at, damaged.bytes[begin:end].tobytes(), damaged.origin[begin:end].copy())


def change_length(rng, good, damaged, begin, end):
    length = int(rng.integers(1 << 29)) >> int(rng.integers(29))
    damaged.put(any_head(rng, good, damaged) + 4, length.to_bytes(4, "little"))


def change_cflag(rng, good, damaged, begin, end):
    at = min(any_head(rng, good, damaged) + 7, len(damaged.bytes) - 1)
    if at >= 0:
        damaged.put(at, bytes([int(rng.integers(8)) << 5 | int(damaged.bytes[at]) & 31]))


def add_zero_tail(rng, good, damaged, begin, end):
    size = len(damaged.bytes)
    damaged.put(begin, bytes(size - begin))
    damaged.insert(size, bytes(end - begin))


def damage_often(rng, good, damaged, begin, end):
    for kind in rng.choice([kind for kind in KINDS if kind != "several"], int(rng.integers(2, 7))):
        damage(str(kind), rng, good, damaged)


KINDS = {
    "flipped bytes": flip,
    "zeroed range": lambda rng, good, damaged, begin, end: damaged.put(begin, bytes(end - begin)),
    "removed range": lambda rng, good, damaged, begin, end: damaged.remove(begin, end),
    "inserted zeros": lambda rng, good, damaged, begin, end: damaged.insert(begin, bytes(end - begin)),
    "inserted noise": lambda rng, good, damaged, begin, end: damaged.insert(begin, rng.bytes(end - begin)),
    "inserted records": insert_records,
    "repeated range": repeat,
    "wrong length": change_length,
    "wrong magic": lambda rng, good, damaged, begin, end: damaged.put(any_head(rng, good, damaged), rng.bytes(4)),
    "wrong cflag": change_cflag,
    "cut end": lambda rng, good, damaged, begin, end: damaged.remove(begin, len(damaged.bytes)),
    "zero tail": add_zero_tail,
    "several": damage_often,
}


def any_head(rng, good, damaged):
    """Return the offset of the head of a record of the good file; 0 if none is left."""
    heads = np.flatnonzero(np.isin(damaged.origin, good.offsets))
    return int(rng.choice(heads)) if len(heads) else 0


def damage(kind, rng, good, damaged):
    """Damage a file in one way, at a random place of a random size."""
    begin = int(rng.integers(max(len(damaged.bytes), 1)))
    end = min(len(damaged.bytes), begin + int(rng.choice([1, 2, 3, 4, 8, 100, 1000, 5000])))
    KINDS[kind](rng, good, damaged, begin, end)


def write_set(prefix, good, content, *, companions):
    """Write a damaged file with the index and the checksums of the good one, or alone."""
    prefix.with_suffix(".rec").write_bytes(content)
    if "idx" in companions:
        keys = [irheader.unpack(record)[0].id for record in good.records]
        prefix.with_suffix(".idx").write_bytes(idx.lines(keys, good.offsets))
    if "crc" in companions:
        prefix.with_suffix(".crc").write_bytes(checksums.pack([zlib.crc32(record) for record in good.records]))


def one(kind, seed, folder):
    """Damage a good file, repair it alone and with its companions, and return the numbers of records."""
    rng = np.random.default_rng(seed)
    good = good_file(rng, 40)
    damaged = Damaged(good)
    damage(kind, rng, good, damaged)
    intact = {good.records[row] for row in damaged.intact(good)}
    counts = Counter()
    for companions in ((), ("idx",), ("crc",), ("idx", "crc")):
        prefix, out = folder / f"{seed}-{'-'.join(companions)}", folder / f"{seed}-{'-'.join(companions)}-out"
        write_set(prefix, good, damaged.bytes.tobytes(), companions=companions)
        kept = repaired(prefix, out)
        counts += Counter(files=1, records=len(good.records), intact=len(intact))
        counts["lost"] += len(good.records) - len(intact & kept)
        counts["lost more than the least"] += len(intact - kept)
        counts["others kept"] += len(kept - set(good.records))
        counts["others kept with .crc"] += len(kept - set(good.records)) if "crc" in companions else 0
    return counts


def repaired(prefix, out):
    """Return the records of the repaired set."""
    try:
        repair(prefix, out)
    except FormatError as error:
        if error.expected == "a .rec file" or error.expected == "at least one whole record":
            return set()
        raise
    with RecordReader(out.with_suffix(".rec")) as reader:
        return set(reader)


def main(n):
    """Damage and repair n files, with and without checksums and an index; print a line for each kind of damage."""
    columns = ("files", "records", "intact", "lost", "lost more than the least", "others kept", "others kept with .crc")
    counts = {kind: Counter() for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(n):
            kind = list(KINDS)[seed % len(KINDS)]
            counts[kind] += one(kind, seed, Path(folder))
    total = sum(counts.values(), Counter())
    print("damage".ljust(16), *(name.rjust(max(8, len(name))) for name in columns))
    for kind, count in [*counts.items(), ("all", total)]:
        print(kind.ljust(16), *(str(count[name]).rjust(max(8, len(name))) for name in columns))
    return total


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]))["lost more than the least"] > 0)
