"""The record of a run, PREFIX-run.json: facts that a resumed run compares with its own, and that evaluation needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError, TrainError
from recordkit.formats import json_file
from recordkit.training.data.appearance import Appearance
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.target import Target

_ADVICE = "train again"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The facts about a run.

    Attributes
    ----------
    path : Path
    facts : dict
        Content of the file; empty if there is no file, as for models of other programs.
    """

    path: Path
    facts: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """Read the record from disk.

        Raises
        ------
        FormatError
            The file is not a JSON object.
        """
        try:
            return cls(path, json_file.read_object(path, "a JSON object", advice=_ADVICE))
        except FileNotFoundError:
            return cls(path, {})

    def image_shape(self) -> tuple[int, int, int]:
        """Return the (C, H, W) of the model's input.

        Raises
        ------
        TrainError
            The file does not have it: another program trained the model, with unknown normalization.
        """
        match self.facts.get("shape"):
            case [int(channels), int(height), int(width)]:
                return channels, height, width
        raise TrainError(
            path=str(self.path),
            expected="the shape of the model's images",
            got="none",
            advice=_ADVICE,
        )

    def normalization(self) -> Normalization:
        """Return the normalization that the model was trained with.

        Raises
        ------
        TrainError
            The file does not have it, or other values.
        """
        facts = self.facts.get("normalization")
        try:
            return Normalization.from_facts(facts or {})
        except (KeyError, TypeError, PlanError):
            raise TrainError(
                path=str(self.path),
                expected="the normalization of the model's images, as recordkit train writes it",
                got=facts or "none",
                advice=_ADVICE,
            ) from None

    def check_identity(self, identity: dict[str, Any]) -> None:
        """Refuse to resume a run of another program, or one with other images or options.

        Parameters
        ----------
        identity : dict
            See `recordkit.training.resolve.ResolvedPlan.identity`.

        Raises
        ------
        TrainError
            There is no record of the run, or a fact differs.
        """
        if not self.facts:
            raise TrainError(
                path=str(self.path),
                expected="the record of a run",
                got="none",
                advice="train again without `resume` and with another `model_prefix`",
            )
        different = [name for name in identity if identity[name] != self.facts.get(name)]
        if different:
            raise TrainError(
                path=str(self.path),
                expected=", ".join(f"`{name}` {self.facts.get(name)!r}" for name in different)
                + " to continue this run",
                got=", ".join(repr(identity[name]) for name in different),
                advice="give the same file and options, or leave out `resume`",
            )

    @property
    def epochs(self) -> int | None:
        """Number of epochs that the run began with; None if unknown."""
        return _positive(self.facts.get("epochs"))

    @property
    def side(self) -> int | None:
        """Short side of the training images before the crop, in pixels; None if they differed."""
        return _positive(self.facts.get("side"))

    def appearance(self) -> Appearance | None:
        """Return how the training images look; None if the record does not say it, as that of an earlier version."""
        return Appearance.from_facts(self.facts.get("images"))

    @property
    def class_numbers(self) -> dict[str, int] | None:
        """Numbers of the classes by name; None if the classes have no names."""
        return self.facts.get("classes") or None

    def class_names(self, target: Target) -> tuple[str, ...]:
        """Return the names of the classes in the order of their numbers; a number stands for a missing name.

        They are those of the label with the most classes; none if the model predicts numbers alone.
        """
        by_number = {number: name for name, number in (self.class_numbers or {}).items()}
        return tuple(str(by_number.get(number, number)) for number in range(max(target.n_classes, default=0)))


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
