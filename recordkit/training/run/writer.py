"""Writing the files of a run. An earlier run at the prefix stays whole until the first checkpoint replaces it.

A new run keeps the files that it has before its first checkpoint in memory: the record, the network and the figures of
the epochs. With the first checkpoint all of them are published as one set, which takes the place of the earlier run's
files (`recordkit.storage.staging`). So a run that ends before that, by an error or by Ctrl-C, changes nothing, and
``recordkit eval`` finds the earlier model meanwhile. Later files are written one by one, each with `write_atomically`,
and the ``.params`` after the ``.states``: a checkpoint exists once its parameters do.
"""

from __future__ import annotations

import hashlib
import json
from types import TracebackType
from typing import Any, BinaryIO

from recordkit.interop.mxnet import last_line
from recordkit.storage.replacement import write_atomically
from recordkit.storage.staging import Staging, as_publish_error
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.names import RECORD, SYMBOL
from recordkit.training.trainer import Model


class RunWriter:
    """Writes the files of a run, and keeps other runs, and packs to this prefix, away until its block ends.

    Parameters
    ----------
    checkpoints : Checkpoints
    resume : bool
        The run has a checkpoint and continues.

    Attributes
    ----------
    checkpoints : Checkpoints

    Raises
    ------
    InUseError
        Another run or a pack writes to the prefix; the error names it.
    PublishError
        The folder cannot be created or written.
    """

    def __init__(self, checkpoints: Checkpoints, *, resume: bool = False) -> None:
        self.checkpoints = checkpoints
        # Content by the ends of the names; None once there is a checkpoint.
        self._unpublished: dict[str, bytes] | None = None if resume else {}
        self._staging = Staging(checkpoints.prefix, allow_folder=True, holder="a training run")

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the prefix free. Files that wait for the first checkpoint are dropped."""
        self._staging.close()

    @property
    def has_checkpoint(self) -> bool:
        """There is a checkpoint of this run. After an interrupt of the first one this is known once the block ends."""
        return self._unpublished is None or self._staging.has_published

    @property
    def has_begun(self) -> bool:
        """The run has passed all checks, or continues."""
        return self._unpublished != {}

    def begin(self, network: Any, facts: dict[str, Any]) -> int:
        """Take the record and the network of a new run.

        Parameters
        ----------
        network : mxnet.symbol.Symbol
        facts : dict
            Content of the record of the run, to which the SHA-256 of the network is added.

        Returns
        -------
        n_replaced : int
            Number of checkpoints of an earlier run, which the first checkpoint replaces.

        Raises
        ------
        TrainError
            See `Checkpoints.check_owner`.
        """
        self.checkpoints.check_owner()
        content = network.tojson().encode()
        # It tells a network that another program writes here later, see `recordkit.training.model.trained_model`.
        facts = facts | {"network_sha256": hashlib.sha256(content).hexdigest()}
        self.write_record(facts)
        self.write(SYMBOL, content)
        return len(self.checkpoints.epochs())

    def write_record(self, facts: dict[str, Any]) -> None:
        """Write the record of the run. Raises: see `write`."""
        self.write(RECORD, (json.dumps(facts, indent=1) + "\n").encode())

    def write(self, ending: str, content: bytes) -> None:
        """Write a file of the run, or keep it until the first checkpoint.

        Parameters
        ----------
        ending : str
            What follows the prefix in the name, such as ``metrics.jsonl``.
        content : bytes

        Raises
        ------
        PublishError
            The file cannot be written, for example because the disk is full.
        """
        if self._unpublished is None:
            write_atomically(self.checkpoints.path(ending), lambda file: file.write(content))
        else:
            self._unpublished[ending] = content

    def save(self, mx: Any, model: Model, states: bytes, epoch: int) -> None:
        """Write a checkpoint; the first one of a new run replaces the files of an earlier run.

        Parameters
        ----------
        mx : module
        model : Model
            Network, arg_params and aux_params.
        states : bytes
            State of the optimizer.
        epoch : int, 1 to 9999

        Raises
        ------
        PublishError
            A file cannot be written, for example because the disk is full.
        """
        arrays = {
            f"{kind}:{name}": array
            for kind, arrays_by_name in zip(("arg", "aux"), model[1:], strict=True)
            for name, array in arrays_by_name.items()
        }
        states_path, params_path = self.checkpoints.states_path(epoch), self.checkpoints.params_path(epoch)
        if self._unpublished is None:
            write_atomically(states_path, lambda file: file.write(states))
            write_atomically(params_path, lambda file: _save_arrays(mx, file, arrays))
            return
        with as_publish_error(self.checkpoints.prefix.parent):
            for ending, content in self._unpublished.items():
                with self._staging.create(self.checkpoints.path(ending).name) as file:
                    file.write(content)
            with self._staging.create(states_path.name) as file:
                file.write(states)
            with self._staging.create(params_path.name) as file:
                _save_arrays(mx, file, arrays)
        self._staging.commit(remove=self.checkpoints.files(), hold=True)
        self._unpublished = None
        self.checkpoints.remove_temporary_files()


def _save_arrays(mx: Any, file: BinaryIO, arrays: dict[str, Any]) -> None:
    """Let MXNet write arrays; its errors become OSError, as if the system had raised them."""
    try:
        # The open file, by a name that nobody else can take.
        mx.nd.save(f"/dev/fd/{file.fileno()}", arrays)
    except mx.base.MXNetError as error:
        raise OSError(last_line(error)) from None
