"""Checkpoints of a run, with MXNet's file names (`recordkit.training.run.names`).

``mxnet.model.load_checkpoint`` reads them. `recordkit.training.run.writer` writes them, each as a whole: a run that is
killed leaves complete checkpoints, and at most one temporary file, which a later run removes.

MXNet stores the states as a pickle, which can run code when it is read: resume only your own runs. ``recordkit eval``
reads no states.
"""

from __future__ import annotations

import glob
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, PlanError, TrainError, enumerate_some
from recordkit.formats import json_file
from recordkit.formats.files import not_found, open_file, read_file
from recordkit.interop.mxnet import last_line
from recordkit.storage.replacement import find_temporary_files
from recordkit.storage.staging import complete_interrupted
from recordkit.training.run.names import FILE, MODEL_FOLDER, PARAMS_FILE, RECORD, RESULTS, SYMBOL
from recordkit.training.run.record import RunRecord
from recordkit.training.trainer import Model

# A network of 150 layers takes 300 kB.
_MAX_SYMBOL_BYTES = 1 << 24


class Checkpoints:
    """The checkpoints with one prefix.

    Parameters
    ----------
    model_prefix : str or Path
        ``models/lenet`` for ``models/lenet-0001.params``.

    Raises
    ------
    PlanError
        The prefix has no name, only a folder.

    Examples
    --------
    >>> Checkpoints("models/lenet").params_path(3).as_posix()
    'models/lenet-0003.params'
    """

    def __init__(self, model_prefix: str | Path) -> None:
        self.prefix = Path(model_prefix)
        if not self.prefix.name:
            raise PlanError(
                argument="model_prefix",
                expected="the beginning of a name, as models/lenet",
                got=repr(str(model_prefix)),
            )

    def __str__(self) -> str:
        return str(self.prefix)

    @property
    def symbol_path(self) -> Path:
        """Path of the network."""
        return self.path(SYMBOL)

    @property
    def run_path(self) -> Path:
        """Path of the record of the run."""
        return self.path(RECORD)

    def params_path(self, epoch: int) -> Path:
        """Return the path of the parameters after an epoch."""
        return self.path(f"{epoch:04d}.params")

    def states_path(self, epoch: int) -> Path:
        """Return the path of the optimizer's state after an epoch."""
        return self.path(f"{epoch:04d}.states")

    def path(self, ending: str) -> Path:
        """Return the path of a file of the run, such as ``curves.png``."""
        return self.prefix.with_name(f"{self.prefix.name}-{ending}")

    def epochs(self) -> list[int]:
        """List the epochs that have a checkpoint, in order."""
        matches = (PARAMS_FILE.fullmatch(path.name) for path in _entries(self.prefix.parent))
        return sorted(int(match["epoch"]) for match in matches if match and match["prefix"] == self.prefix.name)

    def last(self) -> int:
        """Return the last epoch that has a checkpoint.

        Raises
        ------
        TrainError
            There is no checkpoint.
        """
        epochs = self.epochs()
        if not epochs:
            raise self._no_checkpoint()
        return epochs[-1]

    def _no_checkpoint(self) -> TrainError:
        if prefixes := self._likely_prefixes():
            advice = f"did you mean {' or '.join(map(str, prefixes))}?"
            return TrainError(path=str(self.prefix), expected="the prefix of a model", got="none", advice=advice)
        return TrainError(
            path=str(self.prefix),
            expected=f"a checkpoint such as {self.params_path(1).name}",
            got="none",
            advice="give the prefix of a model, or train one first",
        )

    def _likely_prefixes(self) -> list[Path]:
        """Return prefixes that the user may have meant by a model's file, by its folder or by a similar name."""
        if match := FILE.fullmatch(self.prefix.name):
            return [self.prefix.with_name(match["prefix"])]
        if names := _model_names(self.prefix):
            return [self.prefix / name for name in names]
        similar = get_close_matches(self.prefix.name, _model_names(self.prefix.parent), n=1)
        return [self.prefix.with_name(name) for name in similar] or self._in_model_folders()

    def _in_model_folders(self) -> list[Path]:
        """Return the models of this name, and of data of this name, in the folders that `recordkit train` makes."""
        folders = sorted(path for path in _entries(self.prefix.parent) if path.name.endswith(MODEL_FOLDER))
        models = [folder / name for folder in folders for name in _model_names(folder)]
        data = self.prefix.name + MODEL_FOLDER
        return [path for path in models if path.name == self.prefix.name or path.parent.name == data]

    def complete(self) -> None:
        """Move the files of a run that was killed while it replaced an earlier one to their final names.

        Raises
        ------
        PublishError
            Another process writes to the prefix, or the files cannot be moved.
        """
        complete_interrupted(self.prefix)

    def files(self) -> list[Path]:
        """List the files of a run at the prefix, those of all epochs and of the results."""
        epochs = [path for epoch in self.epochs() for path in (self.params_path(epoch), self.states_path(epoch))]
        files = [*epochs, *self._results(), self.symbol_path, self.run_path]
        return [path for path in files if path.exists()]

    def check_owner(self) -> None:
        """Refuse a prefix whose files may belong to another program.

        Raises
        ------
        TrainError
            Files have the names of a run's files, but there is no record of a run.
        """
        existing = self.files()
        if existing and not self.run_path.exists():
            raise TrainError(
                path=str(self.prefix),
                expected="an earlier run of recordkit train",
                got=f"{existing[0].name} without {self.run_path.name}",
                advice="choose another `model_prefix`",
            )

    def _results(self) -> list[Path]:
        paths = [self.path(ending) for ending in RESULTS]
        per_label = self.prefix.parent.glob(f"{glob.escape(self.prefix.name)}-*-[0-9]*.png")
        return paths + [path for path in per_label if self._owns(path.name)]

    def _owns(self, name: str) -> bool:
        match = FILE.fullmatch(name)
        return match is not None and match["prefix"] == self.prefix.name

    def remove_temporary_files(self) -> None:
        """Remove the files that killed runs at the prefix were writing."""
        for path in find_temporary_files(self.prefix.parent, self._owns):
            path.unlink(missing_ok=True)

    def run_record(self) -> RunRecord:
        """Read the record of the run. Raises: see `RunRecord.read`."""
        return RunRecord.read(self.run_path)

    def load(self, mx: Any, epoch: int) -> Model:
        """Read a checkpoint from disk.

        Parameters
        ----------
        mx : module
        epoch : int

        Returns
        -------
        network : mxnet.symbol.Symbol
        arg_params, aux_params : dict of str to mxnet.ndarray.NDArray

        Raises
        ------
        NotFoundError
            There is no such checkpoint.
        TrainError
            There is no checkpoint at all.
        FormatError
            A file is damaged.
        """
        params = self.params_path(epoch)
        if not params.exists():  # MXNet would report it with a stack trace
            epochs = self.epochs()
            if not epochs:
                raise self._no_checkpoint()
            numbers = enumerate_some(epochs)
            advice = f"give as `epoch` one of {numbers}" if len(epochs) > 1 else f"give `epoch={numbers}`, the only one"
            raise not_found(params, "a checkpoint", advice=advice)
        network = self.load_symbol(mx)
        open_file(params, what="a checkpoint").close()  # MXNet would wait for the writer of a pipe
        try:
            return network, *mx.model.load_params(str(self.prefix), epoch)
        except mx.base.MXNetError as error:
            raise _damaged(params, "a checkpoint", error) from None
        except (ValueError, AttributeError):  # names without "arg:" or "aux:", or a list of arrays
            raise FormatError(
                path=str(params),
                expected="names that begin with arg: or aux:, as in a checkpoint",
                got="other names",
                advice="in Gluon, export() writes a checkpoint and save_parameters() does not",
            ) from None

    def load_symbol(self, mx: Any) -> Any:
        """Read the network from disk.

        Raises
        ------
        NotFoundError
            There is no network.
        FormatError
            The file is damaged.
        """
        try:
            text = read_file(self.symbol_path, max_bytes=_MAX_SYMBOL_BYTES, what="a network")
        except FileNotFoundError:
            raise not_found(self.symbol_path, "the network, which MXNet writes beside a checkpoint") from None
        try:
            json_file.parse(text)  # MXNet's parser does not explain truncated text
            return mx.sym.load_json(text.decode())
        except (mx.base.MXNetError, ValueError) as error:
            raise _damaged(self.symbol_path, "a network as MXNet saves it", error) from None

    def load_states(self, epoch: int) -> bytes:
        """Return the optimizer's state of a checkpoint.

        Raises
        ------
        TrainError
            The file is missing.
        """
        states = self.states_path(epoch)
        try:
            with open_file(states, what="the optimizer's state") as file:
                return file.read()
        except FileNotFoundError:
            raise TrainError(
                path=str(states),
                expected="the optimizer's state",
                got="no file",
                advice="train again without `resume`",
            ) from None


def _damaged(path: Path, expected: str, error: Exception) -> FormatError:
    return FormatError(path=str(path), expected=expected, got=last_line(error), advice="train again")


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _model_names(folder: Path) -> list[str]:
    """Return the prefixes of the checkpoints in a folder, without the folder."""
    matches = (PARAMS_FILE.fullmatch(path.name) for path in _entries(folder))
    return sorted({match["prefix"] for match in matches if match})
