"""What a run was started with, PREFIX-run.json: `--resume` compares it, and eval and predict have to know it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, TrainError
from recordkit.training.data.target import LOSSES, Target


@dataclass(frozen=True, slots=True)
class Description:
    """The description of a run.

    Attributes
    ----------
    path : Path
    facts : dict
        What the file holds; empty where there is none, as for models that other programs trained.
    """

    path: Path
    facts: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Description:
        """Read it from disk.

        Raises
        ------
        FormatError
            It is not a JSON object.
        """
        try:
            facts = json.loads(path.read_bytes())
        except FileNotFoundError:
            return cls(path, {})
        except ValueError as error:
            raise FormatError(f"expected JSON, got {error}; train again", path=str(path)) from None
        if not isinstance(facts, dict):
            raise FormatError("expected a JSON object; train again", path=str(path))
        return cls(path, facts)

    def image_shape(self) -> tuple[int, int, int]:
        """Return the (C, H, W) the model was trained with.

        Raises
        ------
        TrainError
            It is not known: recordkit did not train the model, and does not know how its images were normalised.
        """
        match self.facts.get("shape"):
            case [int(channels), int(height), int(width)]:
                return channels, height, width
        raise TrainError(f"{self.path}: expected the shape of the model's images, got none; recordkit train writes it")

    def target(self) -> Target:
        """Return what the model says of an image.

        Raises
        ------
        TrainError
            It is not known.
        """
        match self.facts.get("loss"), self.facts.get("n_classes"):
            case str(loss), [*sizes] if loss in LOSSES and all(isinstance(size, int) for size in sizes):
                return Target(loss, tuple(sizes))
        raise TrainError(
            f"{self.path}: expected loss and n_classes, as recordkit train writes them, got others; train again"
        )

    @property
    def epochs(self) -> int | None:
        """The number the run was to have; None where that is not known."""
        return _positive(self.facts.get("epochs"))

    @property
    def side(self) -> int | None:
        """The short side of the images, before the shape was cut out of them; None where they were not alike."""
        return _positive(self.facts.get("side"))

    @property
    def class_numbers(self) -> dict[str, int] | None:
        """The numbers of the classes by name; None where there are no names."""
        return self.facts.get("classes") or None

    def classes(self, target: Target) -> tuple[str, ...]:
        """Return the names of the classes, in the order of their numbers; numbers where there are no names."""
        by_number = {number: name for name, number in (self.class_numbers or {}).items()}
        return tuple(str(by_number.get(number, number)) for number in range(max(target.n_values)))


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
