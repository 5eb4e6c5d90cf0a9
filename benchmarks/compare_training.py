"""How accurate is a LeNet, and how fast its training? By Module and Gluon with each iterator, and by PyTorch.

Usage: python benchmarks/compare_training.py REC VAL [--epochs N] [--seeds N] [--json FILE]

It needs recordkit[mxnet], and torch for the last row. REC and VAL are packed MNIST; each run is a process of its own.
`recordkit train` runs with both APIs and all iterators; PyTorch has the same network, optimizer, batch size and shifts.
"waiting" is the share of the training time without a batch.
It does not show other networks or other data.
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

from recordkit.training.data.iterators import ITERATORS
from recordkit.training.trainer import APIS


def run_mxnet(api: str, iterator: str, arguments: argparse.Namespace, seed: int) -> dict[str, float]:
    """Return the results of `recordkit train`."""
    options = ["--num-epochs", arguments.epochs, "--seed", seed, "--api", api, "--iterator", iterator]
    return run(arguments.rec, arguments.val, *options)


def run_torch(arguments: argparse.Namespace, seed: int) -> dict[str, float]:
    """Return accuracy and seconds of PyTorch in a process of its own."""
    command = [sys.executable, __file__, str(arguments.rec), str(arguments.val)]
    command += ["--epochs", str(arguments.epochs), "--torch", str(seed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    facts: dict[str, float] = json.loads(done.stdout)
    return facts


def train_in_torch(arguments: argparse.Namespace) -> None:
    """Train in PyTorch, evaluate, and print the results as JSON."""
    import time

    import torch
    from torch import nn

    import recordkit as rk
    from recordkit.interop.torch import Loader
    from recordkit.transforms import Pad

    torch.manual_seed(arguments.torch)
    normalize, shift = rk.Normalize(128, 256), [Pad(2), rk.RandomCrop(28)]
    options = {"dtype": "float32", "seed": arguments.torch}
    train = Loader(
        arguments.rec, batch_size=128, shuffle=True, transforms=[*shift, normalize], last_batch="drop", **options
    )
    test = Loader(arguments.val, batch_size=256, transforms=[normalize], **options)
    net = nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip
    begin_s = time.perf_counter()
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=0.0005)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, arguments.epochs * len(train), cycle_momentum=False)
    for _ in range(arguments.epochs):
        for batch in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch.data), batch.label).backward()
            optimizer.step()
            schedule.step()
    n_right = n = 0
    with torch.no_grad():
        for batch in test:
            n_right += int((net(batch.data).argmax(1) == batch.label)[: batch.n_valid].sum())
            n += batch.n_valid
    print(json.dumps({"accuracy": n_right / n, "seconds": time.perf_counter() - begin_s}))


def main() -> None:
    """Run all trainings, print the results and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rec", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--torch", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch is not None:
        train_in_torch(arguments)
        return
    cases = {
        f"{api}, {iterator}'s iterator": functools.partial(run_mxnet, api, iterator, arguments)
        for api in APIS
        for iterator in ITERATORS[1:]
    }
    if importlib.util.find_spec("torch"):
        cases["PyTorch, recordkit's loader"] = functools.partial(run_torch, arguments)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for seed in range(arguments.seeds):
        for name, run_case in cases.items():
            runs[name].append(run_case(seed))
    for name, results in runs.items():
        accuracies = [result["accuracy"] for result in results]
        text = (
            f"{name:30} accuracy {statistics.mean(accuracies):.4f} ({min(accuracies):.4f} to {max(accuracies):.4f}), "
        )
        text += f"{statistics.median(result['seconds'] for result in results):.1f} s"
        if "rate_img_s" in results[0]:
            rate, wait = (statistics.median(result[key] for result in results) for key in ("rate_img_s", "wait_share"))
            text += f", training {rate:,.0f} img/s, waiting {wait:.1%}"
        print(text)
    write(arguments.json, [{"title": "training", "epochs": arguments.epochs, "runs": runs}])


if __name__ == "__main__":
    main()
