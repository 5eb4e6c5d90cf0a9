"""Reads records in one way and prints their number and the time.

Usage: python benchmarks/_read.py {recordkit,python,mxnet} {sequential,single,many,scan,index} PREFIX
"""

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

N_RANDOM = 200_000
BATCH = 4096


def main(reader: str, how: str, prefix: str) -> None:
    """Open the file, then time one read."""
    read = _mxnet(how, prefix) if reader == "mxnet" else _recordkit(reader, how, prefix)
    begin_s = time.perf_counter()
    n = read()
    print(json.dumps({"n": n, "seconds": time.perf_counter() - begin_s}))


def _mxnet(how: str, prefix: str) -> Callable[[], int]:
    from recordkit.interop import mxnet

    return _recordio(mxnet.load().recordio, how, prefix)


def _recordkit(reader: str, how: str, prefix: str) -> Callable[[], int]:
    import numpy as np

    from recordkit import native, recordio

    if reader == "python":
        sys.modules["recordkit.native._core"] = None  # type: ignore[assignment]  # its import fails, as if not built
    if how in ("sequential", "single"):
        return _recordio(recordio, how, prefix)
    core = native.load()
    if how == "index":
        return lambda: len(core.read_idx(f"{prefix}.idx", 2)[1])
    file = core.RecordFile(f"{prefix}.rec")
    if how == "scan":
        return lambda: file.size if len(file.scan()) else 0
    offsets = file.scan()
    chosen = offsets[np.random.default_rng(0).integers(0, len(offsets), N_RANDOM)]

    def many() -> int:
        for begin in range(0, len(chosen), BATCH):
            file.read_many(chosen[begin : begin + BATCH], 2)
        return len(chosen)

    return many


def _recordio(recordio: Any, how: str, prefix: str) -> Callable[[], int]:
    """Return a read by the classes that MXNet and recordkit share."""
    if how == "index":
        return lambda: len(recordio.MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "r").keys)
    if how == "sequential":
        reader = recordio.MXRecordIO(f"{prefix}.rec", "r")

        def sequential() -> int:
            n = 0
            while reader.read() is not None:
                n += 1
            return n

        return sequential
    reader = recordio.MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "r")
    rng = random.Random(0)
    keys = [rng.randrange(len(reader.keys)) for _ in range(N_RANDOM)]

    def single() -> int:
        for key in keys:
            reader.read_idx(key)
        return len(keys)

    return single


if __name__ == "__main__":
    main(*sys.argv[1:])
