"""The output of a command: its result on stdout, everything else on stderr.

With --json stdout has JSON alone: one document, or one a line from commands that report image by image. With --quiet
there is no progress, no note and no text on stdout. Warnings and errors are always printed.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.cli.progress import Bar, Progress, open_bar
from recordkit.cli.terminal import print_line, print_message


@dataclass(frozen=True)
class Console:
    """The output of a command.

    Attributes
    ----------
    as_json : bool
        Results are printed as JSON.
    quiet : bool
        Only warnings, errors and JSON are printed.
    """

    as_json: bool = False
    quiet: bool = False

    def report(self, document: object, *lines: str) -> None:
        """Print a result: the document with --json, otherwise the lines.

        Parameters
        ----------
        document : object
            JSON-compatible values. A number that JSON cannot hold (NaN, infinity) becomes null.
        *lines : str
            The same result for a reader.
        """
        if self.as_json:
            print_line(as_json_text(document))
        elif not self.quiet:
            for line in lines:
                print_line(line)

    def note(self, message: str) -> None:
        """Print a line on stderr that is neither a warning nor an error."""
        if not self.quiet:
            print_message("recordkit", message)

    def warn(self, message: str) -> None:
        """Print a warning on stderr."""
        print_message("recordkit", f"warning: {message}")

    @contextlib.contextmanager
    def progress(self, total: int | None, label: str, *, unit: str = "img") -> Iterator[Progress]:
        """Show progress on stderr while the block runs; see `recordkit.cli.progress.open_bar` for the parameters."""
        with contextlib.closing(self.open_bar(total, label, unit=unit)) as bar:
            yield bar.update

    def open_bar(self, total: int | None, label: str, *, unit: str = "img") -> Bar:
        """Return a progress bar for work whose total may become known later; the caller closes it."""
        return open_bar(total, label, unit=unit, quiet=self.quiet)


def old_file_lines(replaced: Sequence[Path], removed: Sequence[Path] = ()) -> list[str]:
    """Return the lines of a dry run about old files."""
    return [f"{path}: would be replaced" for path in replaced] + [f"{path}: would be removed" for path in removed]


def as_json_text(document: object) -> str:
    """Return a document as one line of JSON; a number that JSON cannot hold becomes null.

    Examples
    --------
    >>> as_json_text({"loss": [0.5, float("nan")]})
    '{"loss": [0.5, null]}'
    """
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError:
        text = json.dumps(_with_nulls(document), allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # the one control character that JSON need not escape


def _with_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_nulls(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_nulls(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
