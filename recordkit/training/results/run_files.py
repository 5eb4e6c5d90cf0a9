"""Files of a run beside its checkpoints: figures, a summary, pictures (`recordkit.training.run.names`)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, MissingError
from recordkit.formats import json_file
from recordkit.formats.files import read_file
from recordkit.storage.fileset import fingerprint
from recordkit.storage.replacement import write_atomically
from recordkit.training.data.batches import BatchReader
from recordkit.training.data.shuffle import Shuffle
from recordkit.training.data.target import Head, Target
from recordkit.training.results import pictures
from recordkit.training.results.log import Curves
from recordkit.training.results.prediction import class_name
from recordkit.training.results.report import EpochReport, TrainReport
from recordkit.training.results.score import HeadScore, Score
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.names import FILE, METRICS, PICTURES, SUMMARY
from recordkit.training.run.writer import RunWriter
from recordkit.version import __version__

_N_SHOWN = 32
# An epoch takes about 300 bytes, and 100 more for each output.
_MAX_METRICS_BYTES = 1 << 26


class RunFiles:
    """The files of a run.

    Parameters
    ----------
    model_prefix : str or Path
        Prefix of the checkpoints.

    Attributes
    ----------
    matplotlib_error : str or None
        Error text if matplotlib is missing; None if pictures can be drawn.
    """

    def __init__(self, model_prefix: str | Path) -> None:
        self._checkpoints = Checkpoints(model_prefix)
        self.matplotlib_error: str | None = None
        self._rows: list[dict[str, Any]] = []
        try:
            pictures.require_matplotlib()
        except MissingError as error:
            self.matplotlib_error = str(error)

    def path(self, ending: str) -> Path:
        """Return the path of a file of the run."""
        return self._checkpoints.path(ending)

    def begin(self, writer: RunWriter, n_done: int) -> None:
        """Keep the figures of the first epochs, which a resumed run does not repeat, and drop all others."""
        self._rows = [row for row in self.epochs() if row["epoch"] <= n_done] if n_done else []
        self._write_epochs(writer)

    def _write_epochs(self, writer: RunWriter) -> None:
        writer.write(METRICS, "".join(json.dumps(row) + "\n" for row in self._rows).encode())

    def add(self, writer: RunWriter, report: EpochReport) -> None:
        """Write the figures of an epoch."""
        row = {
            "epoch": report.epoch,
            "lr": report.lr,
            "train": as_dict(report.train),
            "val": as_dict(report.val),
            "duration_s": round(report.duration_s, 3),
            "wait_share": round(report.wait_share, 4),
        }
        self._rows.append(row)
        self._write_epochs(writer)

    def epochs(self) -> list[dict[str, Any]]:
        """Return the figures of all epochs so far.

        Raises
        ------
        FormatError
            The file has other content.
        """
        path = self.path(METRICS)
        if not path.exists():
            return []
        try:
            text = read_file(path, max_bytes=_MAX_METRICS_BYTES, what="the figures of epochs").decode()
            rows = [json_file.parse(line) for line in text.splitlines()]
            return [row | {"epoch": int(row["epoch"])} for row in rows]
        except FormatError:
            raise
        except (ValueError, TypeError, KeyError):
            raise FormatError(
                path=str(path),
                expected="a JSON object a line, each with its epoch",
                got="other text",
                advice="remove the file",
            ) from None

    def summary(self) -> dict[str, Any]:
        """Return the summary."""
        return json_file.read_object(self.path(SUMMARY), "the summary of a run", max_bytes=_MAX_METRICS_BYTES)

    def write_summary(self, report: TrainReport, path: Path) -> None:
        """Write the summary.

        Parameters
        ----------
        report : TrainReport
        path : Path
            The .rec file.
        """
        resolved, plan = report.resolved, report.resolved.plan
        facts = {
            "recipe": plan.recipe or None,
            "recordkit": __version__,
            "checkpoint": f"{plan.model_prefix}-{report.checkpoint:04d}.params",
            "epoch": report.checkpoint,
            "data": {"name": path.name, "sha256": fingerprint(path)},
            "images": self._checkpoints.run_record().facts.get("images"),
            "network": plan.network,
            "api": plan.api,
            "iterator": resolved.iterator,
            "n_classes": list(report.target.n_classes),
            "outputs": [_head_facts(head) for head in report.target.heads],
            "data_shape": list(resolved.shape),
            "batch_size": resolved.batch_size,
            "optimizer": asdict(plan.optimizer),
            "augment": asdict(resolved.augment),
            "normalization": plan.normalization.facts(),
            "seed": plan.seed,
            "device": plan.device,
            "n_threads": resolved.threads,
            "duration_s": round(report.duration_s, 3),
            "epochs": self.epochs(),
            "final": as_dict(report.final.score if report.final else None),
        }
        text = json.dumps(facts, indent=1) + "\n"
        write_atomically(self.path(SUMMARY), lambda file: file.write(text.encode()))

    def pictures(self) -> dict[Path, str]:
        """Return the pictures of the run that exist, each with what it shows."""
        matches = {path: FILE.fullmatch(path.name) for path in self._checkpoints.files()}
        return {path: PICTURES[match["picture"]] for path, match in matches.items() if match and match["picture"]}

    def draw_samples(self, reader: BatchReader, shuffle: Shuffle, target: Target, class_names: tuple[str, ...]) -> None:
        """Draw the first images of an epoch, augmented."""
        batch, n_valid = next(iter(reader.epoch(shuffle)))
        n = min(n_valid, _N_SHOWN)
        images = reader.normalization.images(batch.data[0].asnumpy()[:n])
        titles = [class_name(row, class_names) for row in target.true_labels(batch.label[0].asnumpy()[:n])]
        title = f"{reader.survey.path.name}: training images and their labels"
        pictures.save(pictures.draw_images(images, titles, [False] * n, title), self.path("samples.png"))

    def draw_curves(self, *, is_augmented: bool) -> None:
        """Draw accuracy and loss over the epochs, and the mean absolute error of each output for numbers."""
        images = "augmented images" if is_augmented else "the images as they are"
        curves: Curves = {}
        for row in self.epochs():
            for split, name in (("train", "train"), ("validation", "val")):
                for quantity, value in _curve_values(row[name] or {}).items():
                    curves.setdefault(quantity, {}).setdefault(split, {})[row["epoch"]] = value
        if curves:
            figure = pictures.draw_curves(curves, self._checkpoints.prefix.name, images)
            pictures.save(figure, self.path("curves.png"))


def as_dict(score: Score | None) -> dict[str, Any] | None:
    """Return a score as JSON values. Those of the outputs are there if there are several, or one for numbers."""
    if score is None:
        return None
    facts: dict[str, Any] = {
        "accuracy": score.accuracy,
        "loss": score.loss,
        "n_images": score.n,
        "rate_img_s": round(score.rate_img_s, 1),
    }
    if score.heads:
        facts["outputs"] = [_head_facts(of.head) | _figures(of) for of in score.heads]
    return facts


def _head_facts(head: Head) -> dict[str, Any]:
    return {"name": head.name, "loss": head.loss, "labels": list(head.columns), "weight": head.weight}


def _figures(score: HeadScore) -> dict[str, float]:
    figures = {"accuracy": score.accuracy, "mae": score.mae, "rmse": score.rmse}
    return {name: value for name, value in figures.items() if value is not None}


def _curve_values(score: dict[str, Any]) -> dict[str, float]:
    """Return the values of a score, as `as_dict` wrote it, that have a curve."""
    values = {name: score[name] for name in ("accuracy", "loss") if score.get(name) is not None}
    return values | {f"{of['name']} MAE": of["mae"] for of in score.get("outputs", ()) if "mae" in of}
