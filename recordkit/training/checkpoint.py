"""Checkpoints of a run, in MXNet's own file names, each there whole or not at all.

    PREFIX-symbol.json    the net
    PREFIX-NNNN.params    the parameters after epoch NNNN, from 0001
    PREFIX-NNNN.states    the optimizer's state after that epoch (its momentum)
    PREFIX-run.json       what the run was started with, see `recordkit.training.run_record`

``mxnet.model.load_checkpoint`` reads them. A file is written under a temporary name, flushed to disk and renamed,
and the ``.params`` come last: with them the checkpoint counts. A run that is killed leaves whole checkpoints, and
at most one file ``.NAME.tmp``, which the next run overwrites or removes.

MXNet keeps the states as a pickle, which can run code when it is read: resume your own runs only. ``recordkit
eval`` reads no states.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, PlanError, TrainError
from recordkit.formats.files import write_atomically
from recordkit.interop.mxnet import last_line
from recordkit.training.run_record import Description

# What `recordkit.training.results.artefacts` writes, and would otherwise be taken for the new run's.
_OTHERS = (
    *("metrics.jsonl", "summary.json"),
    *(f"{name}.png" for name in ("samples", "curves", "confusion", "predictions")),
)
_PARAMS = re.compile(r"(.+)-(\d{4})\.params", re.DOTALL)


class Checkpoints:
    """The checkpoints at one prefix.

    Parameters
    ----------
    prefix : str or Path
        ``models/lenet`` for ``models/lenet-0001.params``.

    Examples
    --------
    >>> Checkpoints("models/lenet").params(3).as_posix()
    'models/lenet-0003.params'
    """

    def __init__(self, prefix: str | Path) -> None:
        self.prefix = Path(prefix)
        if not self.prefix.name:
            raise PlanError(f"--model-prefix: expected the beginning of a name, as models/lenet, got {str(prefix)!r}")

    def __str__(self) -> str:
        return str(self.prefix)

    @property
    def symbol(self) -> Path:
        """Where the net is."""
        return self._path("symbol.json")

    @property
    def run(self) -> Path:
        """Where the description of the run is."""
        return self._path("run.json")

    def beside(self, ending: str) -> Path:
        """Return where another file of the run is, as ``curves.png``."""
        return self._path(ending)

    def params(self, epoch: int) -> Path:
        """Return where the parameters after an epoch are."""
        return self._path(f"{epoch:04d}.params")

    def states(self, epoch: int) -> Path:
        """Return where the optimizer's state after an epoch is."""
        return self._path(f"{epoch:04d}.states")

    def _path(self, ending: str) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}-{ending}")

    def epochs(self) -> list[int]:
        """List the epochs that have a checkpoint, in order."""
        matches = (_PARAMS.fullmatch(path.name) for path in _entries(self.prefix.parent))
        return sorted(int(match[2]) for match in matches if match and match[1] == self.prefix.name)

    def last(self) -> int:
        """Return the last epoch that has a checkpoint.

        Raises
        ------
        TrainError
            There is none.
        """
        epochs = self.epochs()
        if not epochs:
            raise TrainError(
                f"{self.prefix}: expected a checkpoint such as {self.params(1).name}, got none; {self._meant()}"
            )
        return epochs[-1]

    def _meant(self) -> str:
        """Say what may have been meant: a file of a checkpoint, or the folder of a model, was given for its prefix."""
        prefixes = {match[1] for path in _entries(self.prefix) if (match := _PARAMS.fullmatch(path.name))}
        if (match := _PARAMS.fullmatch(self.prefix.name)) or prefixes:
            meant = [self.prefix.with_name(match[1])] if match else [self.prefix / name for name in sorted(prefixes)]
            return f"the prefix of a model there is {', or '.join(map(str, meant))}"
        return "give the prefix of a model, or train one first"

    def clear(self) -> int:
        """Remove an earlier run, so that none of its checkpoints can be taken for the new one's.

        Returns
        -------
        n_removed : int
            Checkpoints.

        Raises
        ------
        TrainError
            There are files of these names, but without the description that a run of recordkit leaves: not ours.
        """
        epochs = self.epochs()
        there = [path.name for path in (*map(self.params, epochs), self.symbol, *self._others()) if path.exists()]
        if there and not self.run.exists():
            raise TrainError(
                f"{self.prefix}: expected an earlier run of recordkit train, got {there[0]} "
                f"without {self.run.name}; choose another --model-prefix"
            )
        # The description goes last: cut off here, the next run still knows the rest for ours.
        for epoch in epochs:
            self.params(epoch).unlink()
            self.states(epoch).unlink(missing_ok=True)
        for path in (*self._leftovers(), *self._others(), self.symbol, self.run):
            path.unlink(missing_ok=True)
        return len(epochs)

    def _others(self) -> list[Path]:
        several = self.prefix.parent.glob(f"{glob.escape(self.prefix.name)}-confusion-*.png")
        return [*(self._path(ending) for ending in _OTHERS), *several]

    def _leftovers(self) -> list[Path]:
        name = re.compile(rf"\.{re.escape(self.prefix.name)}-(\d{{4}}\.(params|states)|symbol\.json|run\.json)\.tmp")
        return [path for path in _entries(self.prefix.parent) if name.fullmatch(path.name)]

    def begin(self, mx: Any, net: Any, description: dict[str, Any]) -> None:
        """Write what stays the same during a run.

        Parameters
        ----------
        mx : module
        net : mxnet.symbol.Symbol
        description : dict
            As `recordkit.training.run_record` has it.

        Raises
        ------
        PublishError
            The folder cannot be made or written.
        """
        text = json.dumps(description, indent=1) + "\n"
        write_atomically(self.run, lambda path: path.write_text(text, encoding="utf-8"))
        write_atomically(self.symbol, lambda path: _by_mxnet(mx, lambda: net.save(str(path))))

    def save(self, mx: Any, model: tuple[Any, Any, Any], states: bytes, epoch: int) -> None:
        """Write a checkpoint.

        Parameters
        ----------
        mx : module
        model : tuple
            Net, arg_params and aux_params.
        states : bytes
            Of the optimiser.
        epoch : int, 1 to 9999

        Raises
        ------
        PublishError
            The disk is full, or the like.
        """
        values = {
            f"{kind}:{name}": value
            for kind, part in zip(("arg", "aux"), model[1:], strict=True)
            for name, value in part.items()
        }
        write_atomically(self.states(epoch), lambda path: path.write_bytes(states))
        write_atomically(self.params(epoch), lambda path: _by_mxnet(mx, lambda: mx.nd.save(str(path), values)))

    def describe(self) -> Description:
        """Read the description of the run. Raises: see `Description.read`."""
        return Description.read(self.run)

    def load(self, mx: Any, epoch: int) -> tuple[Any, Any, Any]:
        """Read a checkpoint from disk.

        Parameters
        ----------
        mx : module
        epoch : int

        Returns
        -------
        net : mxnet.symbol.Symbol
        arg_params, aux_params : dict of str to mxnet.ndarray.NDArray

        Raises
        ------
        FileNotFoundError
            There is no such checkpoint.
        FormatError
            A file is damaged.
        """
        net = self.load_symbol(mx)
        params = self.params(epoch)
        params.stat()  # MXNet would report a missing file with a stack trace
        try:
            return net, *mx.model.load_params(str(self.prefix), epoch)
        except (mx.base.MXNetError, ValueError) as error:
            raise FormatError(f"expected a checkpoint, got {last_line(error)}; train again", path=str(params)) from None

    def load_symbol(self, mx: Any) -> Any:
        """Read the net from disk.

        Raises
        ------
        FileNotFoundError
            There is none.
        FormatError
            The file is damaged.
        """
        text = self.symbol.read_bytes()
        try:
            json.loads(text)  # of a text that is cut short MXNet's parser says little
            return mx.sym.load_json(text.decode())
        except (mx.base.MXNetError, ValueError) as error:
            raise FormatError(
                f"expected a network as MXNet saves it, got {last_line(error)}; train again", path=str(self.symbol)
            ) from None

    def load_states(self, epoch: int) -> bytes:
        """Return the optimizer's state of a checkpoint.

        Raises
        ------
        TrainError
            The file is missing.
        """
        states = self.states(epoch)
        try:
            return states.read_bytes()
        except FileNotFoundError:
            raise TrainError(
                f"{states}: expected the optimizer's state, got no file; train again without --resume"
            ) from None


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _by_mxnet(mx: Any, write: Callable[[], object]) -> None:
    """Have MXNet write, and say what goes wrong as the system would."""
    try:
        write()
    except mx.base.MXNetError as error:
        raise OSError(last_line(error)) from None
