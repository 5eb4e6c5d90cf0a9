"""Runs im2rec.py from MXNet's wheel, with the names that it needs and NumPy has since removed.

Usage: python benchmarks/peers/im2rec_py.py N ARGUMENTS...

N is the number of images; it is printed as JSON for `recordkit.bench.commands`.
"""

import contextlib
import importlib.util
import json
import runpy
import sys
import warnings
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name in ("bool", "object", "int", "float"):
        if name not in vars(np):
            setattr(np, name, {"bool": bool, "object": object, "int": int, "float": float}[name])
    spec = importlib.util.find_spec("mxnet")
    assert spec is not None, "im2rec.py comes with mxnet"
    n = int(sys.argv[1])
    sys.argv = ["im2rec.py", *sys.argv[2:]]
    with contextlib.redirect_stdout(sys.stderr):
        runpy.run_path(str(Path(str(spec.origin)).parent / "tools" / "im2rec.py"), run_name="__main__")
    print(json.dumps({"n": n}))
