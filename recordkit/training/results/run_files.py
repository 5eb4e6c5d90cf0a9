"""What a run leaves beside its checkpoints: figures by epoch, a summary, pictures.

PREFIX-metrics.jsonl     a line of JSON an epoch, those before a resume too
PREFIX-summary.json      what was asked for, the SHA-256 of the data, what came of it
PREFIX-samples.png       the first images as they are learnt from
PREFIX-curves.png        accuracy and loss over the epochs
PREFIX-confusion.png     of the last checkpoint on the validation file; with several labels one each, -confusion-1.png
PREFIX-predictions.png   what the last checkpoint says of images of the validation file, wrong ones first
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, MissingError
from recordkit.formats.files import write_atomically
from recordkit.formats.fileset import fingerprint
from recordkit.training.checkpoint import Checkpoints
from recordkit.training.data.feed import Feed, Shuffle, as_images
from recordkit.training.evaluation import Measured, Score
from recordkit.training.plan import EpochReport, TrainReport
from recordkit.training.predict import Prediction, named
from recordkit.training.results import pictures
from recordkit.training.results.log import Curves
from recordkit.version import __version__

_N_SHOWN = 32


class Artefacts:
    """The files of a run.

    Parameters
    ----------
    prefix : str or Path
        Of the checkpoints.
    """

    def __init__(self, prefix: str | Path) -> None:
        self._checkpoints = Checkpoints(prefix)
        self.missing: str | None = None
        try:
            pictures.check()
        except MissingError as error:
            self.missing = str(error)

    def path(self, ending: str) -> Path:
        """Return the name of a file of the run."""
        return self._checkpoints.beside(ending)

    def begin(self, done: int) -> None:
        """Keep the figures of the epochs that are done, and none of others."""
        kept = [row for row in self.epochs() if row["epoch"] <= done]
        text = "".join(json.dumps(row) + "\n" for row in kept)
        write_atomically(self.path("metrics.jsonl"), lambda path: path.write_text(text))

    def add(self, report: EpochReport) -> None:
        """Write the figures of an epoch."""
        row = {
            "epoch": report.epoch,
            "lr": report.lr,
            "train": as_dict(report.train),
            "val": as_dict(report.val),
            "seconds": round(report.seconds, 3),
            "wait_share": round(report.wait_share, 4),
        }
        with open(self.path("metrics.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def epochs(self) -> list[dict[str, Any]]:
        """Return the figures of all epochs so far.

        Raises
        ------
        FormatError
            The file has something else in it.
        """
        path = self.path("metrics.jsonl")
        if not path.exists():
            return []
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            return [row | {"epoch": int(row["epoch"])} for row in rows]
        except (ValueError, TypeError, KeyError):
            raise FormatError("expected a JSON object a line, each with its epoch; remove it", path=str(path)) from None

    def summary(self) -> dict[str, Any]:
        """Return the summary."""
        facts: dict[str, Any] = json.loads(self.path("summary.json").read_bytes())
        return facts

    def summarise(self, report: TrainReport, records: Path) -> None:
        """Write the summary.

        Parameters
        ----------
        report : TrainReport
        records : Path
            The .rec file.
        """
        plan, fitted = report.fitted.plan, report.fitted
        facts = {
            "recipe": plan.recipe or None,
            "recordkit": __version__,
            "checkpoint": f"{plan.output}-{report.checkpoint:04d}.params",
            "epoch": report.checkpoint,
            "data": {"name": records.name, "sha256": fingerprint(records)},
            "network": plan.network,
            "api": plan.api,
            "iterator": plan.iterator,
            "loss": plan.loss,
            "n_classes": list(fitted.target.sizes),
            "data_shape": list(fitted.shape),
            "batch_size": fitted.batch_size,
            "optimizer": asdict(plan.optimizer),
            "augment": asdict(fitted.augment),
            "seed": plan.seed,
            "device": plan.device,
            "threads": plan.threads,
            "seconds": round(report.seconds, 3),
            "epochs": self.epochs(),
            "final": as_dict(report.final.score if report.final else None),
        }
        text = json.dumps(facts, indent=1) + "\n"
        write_atomically(self.path("summary.json"), lambda path: path.write_text(text))

    def draw_samples(self, feed: Feed, shuffle: Shuffle, classes: tuple[str, ...]) -> None:
        """Draw the first images of an epoch, as they are learnt from."""
        batch, n = next(iter(feed.epoch(shuffle)))
        n = min(n, _N_SHOWN)
        images = as_images(batch.data[0].asnumpy()[:n])
        labels = batch.label[0].asnumpy()[:n].reshape(n, -1).astype(int)
        titles = [named(tuple(row), classes) for row in labels.tolist()]
        title = f"{feed.survey.path.name}: as they are learnt from, with their labels"
        pictures.save(pictures.draw_images(images, titles, [False] * n, title), self.path("samples.png"))

    def draw_predictions(self, found: Iterable[Prediction], classes: tuple[str, ...]) -> None:
        """Draw images with what is said of them, the first wrong ones and then the first right ones."""
        right: list[Prediction] = []
        wrong: list[Prediction] = []
        n_right = n_wrong = 0
        for one in found:
            n_right, n_wrong = n_right + (not one.wrong), n_wrong + one.wrong
            some = wrong if one.wrong else right
            if len(some) < _N_SHOWN:
                some.append(one)
        wrong = wrong[: max(_N_SHOWN // 2, _N_SHOWN - len(right))]
        right = right[: _N_SHOWN - len(wrong)]
        shown = [*wrong, *right]
        titles, bad = [one.title(classes) for one in shown], [one.wrong for one in shown]
        title = f"{len(wrong)} of {n_wrong:,} that are wrong, marked, and {len(right)} of {n_right:,} that are right"
        figure = pictures.draw_images([one.image for one in shown], titles, bad, title)
        pictures.save(figure, self.path("predictions.png"))

    def draw_curves(self) -> None:
        """Draw accuracy and loss over the epochs."""
        curves: Curves = {}
        for row in self.epochs():
            for part, name in (("train", "train"), ("validation", "val")):
                for what in ("accuracy", "loss"):
                    if row[name] is not None:
                        curves.setdefault(what, {}).setdefault(part, {})[row["epoch"]] = row[name][what]
        if curves:
            pictures.save(pictures.draw_curves(curves, self._checkpoints.prefix.name), self.path("curves.png"))

    def draw_confusion(self, measured: Measured, classes: tuple[str, ...]) -> None:
        """Draw the confusion matrix of each label."""
        for number, table in enumerate(measured.confusion, 1):
            several = len(measured.confusion) > 1
            title = f"label {number}" if several else f"accuracy {measured.score.accuracy:.2%}"
            names = [str(value) for value in range(len(table))] if several else classes
            ending = f"confusion-{number}.png" if several else "confusion.png"
            pictures.save(pictures.draw_confusion(table, names, title), self.path(ending))


def as_dict(score: Score | None) -> dict[str, float] | None:
    """Return a score as JSON has it."""
    if score is None:
        return None
    return {
        "accuracy": score.accuracy,
        "loss": score.loss,
        "n": score.n,
        "rate_img_s": round(score.rate_img_s, 1),
    }
