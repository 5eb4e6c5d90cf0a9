"""What a LeNet learns, and how fast, by Module and Gluon from each iterator, and from recordkit's loader in PyTorch.

Usage: python benchmarks/compare_training.py REC VAL [--epochs N] [--seeds N] [--json FILE]

For an environment with recordkit[mxnet], and torch for the last row. REC and VAL are packed MNIST; each run is a
process of its own. `recordkit train` with both APIs and all iterators; in PyTorch the same net, optimiser, batch size
and shifts. "waiting" is the share of the time of learning in which no batch was there.
What it does not show: other nets, other data.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import statistics
import subprocess
import sys
from pathlib import Path

from _run import write
from _train import run

from recordkit.training.data.batches import ITERATORS
from recordkit.training.trainer import APIS


def by_mxnet(api: str, iterator: str, given: argparse.Namespace, seed: int) -> dict[str, float]:
    """Return what comes of `recordkit train`."""
    options = ["--num-epochs", given.epochs, "--seed", seed, "--api", api, "--iterator", iterator]
    return run(given.rec, given.val, *options)


def by_torch(given: argparse.Namespace, seed: int) -> dict[str, float]:
    """Return accuracy and seconds of PyTorch, in a process of its own."""
    command = [sys.executable, __file__, str(given.rec), str(given.val)]
    command += ["--epochs", str(given.epochs), "--torch", str(seed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    facts: dict[str, float] = json.loads(done.stdout)
    return facts


def train_in_torch(given: argparse.Namespace) -> None:
    """Train, measure, print."""
    import time

    import torch
    from torch import nn

    import recordkit as rk
    from recordkit.interop.torch import Loader
    from recordkit.transforms import Pad

    torch.manual_seed(given.torch)
    normalize, shift = rk.Normalize(128, 256), [Pad(2), rk.RandomCrop(28)]
    options = {"dtype": "float32", "channels": 1, "seed": given.torch}
    train = Loader(
        given.rec, batch_size=128, shuffle=True, transforms=[*shift, normalize], last_batch="drop", **options
    )
    test = Loader(given.val, batch_size=256, transforms=[normalize], **options)
    net = nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip
    begin_s = time.perf_counter()
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=0.0005)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, given.epochs * len(train), cycle_momentum=False)
    for _ in range(given.epochs):
        for batch in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch.data), batch.label.long()).backward()
            optimizer.step()
            schedule.step()
    right = n = 0
    with torch.no_grad():
        for batch in test:
            right += int((net(batch.data).argmax(1) == batch.label.long())[: batch.n_valid].sum())
            n += batch.n_valid
    print(json.dumps({"accuracy": right / n, "seconds": time.perf_counter() - begin_s}))


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rec", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--torch", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.torch is not None:
        train_in_torch(given)
        return
    ways = {
        f"{api}, {iterator}'s iterator": functools.partial(by_mxnet, api, iterator, given)
        for api in APIS
        for iterator in ITERATORS[1:]
    }
    if importlib.util.find_spec("torch"):
        ways["PyTorch, recordkit's loader"] = functools.partial(by_torch, given)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for seed in range(given.seeds):
        for name, way in ways.items():
            runs[name].append(way(seed))
    for name, found in runs.items():
        accuracies = [one["accuracy"] for one in found]
        text = (
            f"{name:30} accuracy {statistics.mean(accuracies):.4f} ({min(accuracies):.4f} to {max(accuracies):.4f}), "
        )
        text += f"{statistics.median(one['seconds'] for one in found):.1f} s"
        if "rate_img_s" in found[0]:
            rate, wait = (statistics.median(one[what] for one in found) for what in ("rate_img_s", "wait_share"))
            text += f", learning {rate:,.0f} img/s, waiting {wait:.1%}"
        print(text)
    write(given.json, [{"title": "training", "epochs": given.epochs, "runs": runs}])


if __name__ == "__main__":
    main()
