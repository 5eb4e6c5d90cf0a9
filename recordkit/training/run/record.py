"""The record of a run, PREFIX-run.json: its options, facts that a resumed run compares, and those evaluation needs.

Paths in it are relative to its folder, so that model and data may move together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.errors import PlanError, TrainError
from recordkit.formats import json_file
from recordkit.storage.remote.urls import is_url
from recordkit.training.data.appearance import Appearance
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.target import Target

_ADVICE = "train again"
# Options of a resumed run that may differ from those that it began with.
_MAY_CHANGE = ("path", "val", "epochs", "device", "gpu", "threads", "checkpoint_every", "pictures")


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

    def continue_with(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options with which a run continues, by their arguments as in `TrainPlan.options`.

        Parameters
        ----------
        given : mapping
            Options that are given. They may be the same, or among those that may change.

        Raises
        ------
        PlanError
            The run has another value of an option that cannot change.
        TrainError
            There is no record of the run, or it has no such options.
        """
        recorded = self._options()
        # The shape is resolved again: a folder of images is packed by the one that was asked for, or without any.
        resolved = {"epochs": self.epochs, **{name: self.facts.get(name) for name in ("batch_size", "iterator")}}
        values = recorded | {name: value for name, value in resolved.items() if value}
        resolved_values = values | {"shape": self.image_shape()}
        for name, value in given.items():
            if name in _MAY_CHANGE or (_is_path(name, value) and _is_path(name, values[name])):
                values[name] = value  # the content of a network's file is compared later
            elif value not in (resolved_values.get(name), recorded.get(name)):
                raise PlanError(
                    argument=name,
                    expected=f"{_text(resolved_values.get(name))} to continue the run",
                    got=_text(value),
                    advice="leave it out, or leave out `resume`",
                )
        # A number of a GPU would select it.
        return {name: value for name, value in values.items() if name != "gpu" or values["device"] == "gpu"}

    def _options(self) -> dict[str, Any]:
        self._require()
        try:
            recorded = self.facts["options"]
            options = {name: tuple(value) if isinstance(value, list) else value for name, value in recorded.items()}
            options["recipe"], options["device"] = str(options["recipe"]), str(options["device"])
            for name in ("path", "val", "network"):
                if _is_path(name, recorded[name]):
                    path = _from_folder(recorded[name], self.path.parent)
                    options[name] = str(path) if name == "network" else path
        except (AttributeError, KeyError, TypeError):
            raise TrainError(
                path=str(self.path),
                expected="the options of the run, as recordkit train writes them",
                got="other values" if "options" in self.facts else "none",
                advice="train again without `resume`",
            ) from None
        return options

    def _require(self) -> None:
        if not self.facts:
            raise TrainError(
                path=str(self.path),
                expected="the record of a run",
                got="none",
                advice="train again without `resume` and with another `model_prefix`",
            )

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
        self._require()
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


def recorded_options(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the options of a run as values for the record in a folder.

    Parameters
    ----------
    options : mapping
        Options by their arguments, see `recordkit.training.plan.TrainPlan.options`.
    folder : Path
    """
    return {
        name: _from_here(value, folder) if _is_path(name, value) else list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
    }


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str("none" if value in (None, "") else value)


def _is_path(name: str, value: Any) -> bool:
    if name == "network":
        return str(value).endswith(".py")
    return name in ("path", "val") and value is not None


def _from_here(path: Any, folder: Path) -> str:
    """Return a path relative to a folder. A link keeps its own name, because the other files of a set are beside it."""
    if is_url(path):
        return str(path)
    path = Path(path)
    return os.path.relpath(path.parent.resolve() / path.name, folder.resolve())


def _from_folder(text: str, folder: Path) -> Path:
    """Return a path that was relative to a folder, relative to the working folder if it is in there."""
    if is_url(text):
        return Path(text)
    path = Path(os.path.normpath(folder.resolve() / text))
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
