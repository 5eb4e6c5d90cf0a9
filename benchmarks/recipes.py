"""What a recipe of the trainer reaches, over several seeds.

Usage: python benchmarks/recipes.py RECIPE REC VAL [--seeds 3] [--epochs N] [--jobs N] [--json FILE]

For an environment with recordkit[mxnet]. Each run is `recordkit train REC --val VAL --recipe RECIPE`, a process of its
own, timed as a whole. VAL decides nothing: the accuracy is that of the last checkpoint. "waiting" is the share of the
time of learning in which no batch was there. With --jobs several runs go on at once, with one thread each: their
accuracies count, their seconds do not.
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _run import write
from _train import run

from recordkit.training.recipes import find


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("rec", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="Others than the recipe has.")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    recipe = find(given.recipe)
    epochs = given.epochs or recipe.options["epochs"]
    options = ["--recipe", recipe.name, "--num-epochs", epochs, *(["--threads", 1] if given.jobs > 1 else [])]
    runs = []
    with ThreadPoolExecutor(given.jobs) as pool:
        done = pool.map(lambda seed: run(given.rec, given.val, *options, "--seed", seed), range(given.seeds))
        for seed, one in enumerate(done):
            said = " ".join(f"{accuracy:.4f}" for accuracy in one["by_epoch"])
            print(f"seed {seed}: {one['accuracy']:.4f} in {one['seconds']:.1f} s; by epoch {said}")
            runs.append(one)
    accuracies = [one["accuracy"] for one in runs]
    seconds, rate, wait = (
        statistics.median(one[what] for one in runs) for what in ("seconds", "rate_img_s", "wait_share")
    )
    print(
        f"{recipe.name}, {epochs} epochs, {len(runs)} seeds: {statistics.mean(accuracies):.4f} "
        f"({min(accuracies):.4f} to {max(accuracies):.4f}), {seconds:.1f} s, {rate:,.0f} img/s, waiting {wait:.1%}"
    )
    facts = {"recipe": recipe.name, "version": recipe.version, "epochs": epochs, "jobs": given.jobs, "runs": runs}
    write(given.json, [facts])


if __name__ == "__main__":
    main()
