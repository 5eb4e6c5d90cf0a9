"""A run of `recordkit train` in a process of its own, and its results."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def run(rec: Path, val: Path, *options: object) -> dict[str, Any]:
    """Train and return the results.

    Returns
    -------
    results : dict
        "accuracy" of the final checkpoint, "seconds" of the whole process, "rate_img_s" of the training, "wait_share",
        the share of its time without a batch, and "by_epoch", the accuracy after each epoch.
    """
    begin_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "recordkit", "train", rec, "--val", val, "--json", "--no-pictures", *options]
        words = [*map(str, command), "--model-prefix", f"{folder}/lenet"]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"recordkit train failed: {done.stderr}")
    facts = json.loads(done.stdout)
    epochs = facts["epochs"]
    training_s = sum(epoch["duration_s"] for epoch in epochs)
    return {
        "accuracy": facts["final"]["accuracy"],
        "seconds": time.perf_counter() - begin_s,
        "rate_img_s": sum(epoch["train"]["n_images"] for epoch in epochs) / training_s,
        "wait_share": sum(epoch["wait_share"] * epoch["duration_s"] for epoch in epochs) / training_s,
        "by_epoch": [epoch["val"]["accuracy"] for epoch in epochs],
    }
