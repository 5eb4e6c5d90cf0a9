"""Reads records in one way and prints how many and how long.

Usage: python benchmarks/_read.py {recordkit,python,mxnet} {sequential,single,many,scan,index} PREFIX
"""

import json
import random
import sys
import time


def main(who: str, how: str, prefix: str) -> None:
    """Time one case."""
    act = _mxnet(how, prefix) if who == "mxnet" else _own(who, how, prefix)
    begin_s = time.perf_counter()
    n = act()
    print(json.dumps({"n": n, "seconds": time.perf_counter() - begin_s}))


def _mxnet(how, prefix):
    from recordkit.interop import mxnet

    return _recordio(mxnet.load().recordio, how, prefix)


def _own(who, how, prefix):
    import numpy as np

    from recordkit import native, recordio

    if who == "python":
        sys.modules["recordkit.native._core"] = None
    if how in ("sequential", "single"):
        return _recordio(recordio, how, prefix)
    core = native.load()
    if how == "index":
        return lambda: len(core.read_idx(f"{prefix}.idx", 2)[1])
    file = core.RecordFile(f"{prefix}.rec")
    if how == "scan":
        return lambda: file.size if len(file.scan()) else 0
    offsets = file.scan()
    chosen = offsets[np.random.default_rng(0).integers(0, len(offsets), 200_000)]

    def many():
        for begin in range(0, len(chosen), 4096):
            file.read_many(chosen[begin : begin + 4096], 2)
        return len(chosen)

    return many


def _recordio(recordio, how, prefix):
    if how == "index":
        return lambda: len(recordio.MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "r").keys)
    if how == "sequential":
        reader = recordio.MXRecordIO(f"{prefix}.rec", "r")

        def sequential():
            n = 0
            while reader.read() is not None:
                n += 1
            return n

        return sequential
    reader = recordio.MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "r")
    draw = random.Random(0)
    keys = [draw.randrange(len(reader.keys)) for _ in range(200_000)]

    def single():
        for key in keys:
            reader.read_idx(key)
        return len(keys)

    return single


if __name__ == "__main__":
    main(*sys.argv[1:])
