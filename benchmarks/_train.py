"""A run of `recordkit train`, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def run(rec: Path, val: Path, *options: object) -> dict[str, Any]:
    """Return accuracy, seconds of the whole process, images per second, share of waiting, and accuracy by epoch."""
    begin_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "recordkit", "train", rec, "--val", val, "--json", "--no-pictures", *options]
        words = [*map(str, command), "--model-prefix", f"{work}/lenet"]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"recordkit train failed: {done.stderr}")
    facts = json.loads(done.stdout)
    epochs = facts["epochs"]
    learning_s = sum(one["seconds"] for one in epochs)
    return {
        "accuracy": facts["final"]["accuracy"],
        "seconds": time.perf_counter() - begin_s,
        "rate_img_s": sum(one["train"]["n"] for one in epochs) / learning_s,
        "wait_share": sum(one["wait_share"] * one["seconds"] for one in epochs) / learning_s,
        "by_epoch": [one["val"]["accuracy"] for one in epochs],
    }
