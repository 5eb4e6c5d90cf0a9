"""Accuracy and time of a recipe of the trainer over several seeds.

Usage: python benchmarks/recipes.py RECIPE REC VAL [--seeds 3] [--epochs N] [--jobs N] [--json FILE]

It needs recordkit[mxnet]. Each run is `recordkit train REC --val VAL --recipe RECIPE` in a process of its own, timed as
a whole. Validation never influences training: the accuracy is that of the final checkpoint. "waiting" is the share of
the training time without a batch. With --jobs several runs share the machine, with one thread each; their accuracies
are valid, their times are not.
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _run import write
from _train import run

from recordkit.training.recipes import find_recipe


def main() -> None:
    """Run the trainings, print the results and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("rec", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="Epochs, instead of the recipe's number.")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    recipe = find_recipe(arguments.recipe)
    epochs = arguments.epochs or recipe.options["epochs"]
    options = ["--recipe", recipe.name, "--num-epochs", epochs, *(["--threads", 1] if arguments.jobs > 1 else [])]
    runs = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = pool.map(
            lambda seed: run(arguments.rec, arguments.val, *options, "--seed", seed), range(arguments.seeds)
        )
        for seed, result in enumerate(results):
            by_epoch = " ".join(f"{accuracy:.4f}" for accuracy in result["by_epoch"])
            print(f"seed {seed}: {result['accuracy']:.4f} in {result['seconds']:.1f} s; by epoch {by_epoch}")
            runs.append(result)
    accuracies = [result["accuracy"] for result in runs]
    seconds, rate, wait = (
        statistics.median(result[name] for result in runs) for name in ("seconds", "rate_img_s", "wait_share")
    )
    print(
        f"{recipe.name}, {epochs} epochs, {len(runs)} seeds: {statistics.mean(accuracies):.4f} "
        f"({min(accuracies):.4f} to {max(accuracies):.4f}), {seconds:.1f} s, {rate:,.0f} img/s, waiting {wait:.1%}"
    )
    facts = {"recipe": recipe.name, "version": recipe.version, "epochs": epochs, "jobs": arguments.jobs, "runs": runs}
    write(arguments.json, [facts])


if __name__ == "__main__":
    main()
