"""The process of a case, from outside: it is started, has its turns, and is ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

# Modules are found where this process finds them, and not in the folder where it was started.
_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from recordkit.bench.case import main
main()
"""


class CaseProcess:
    """A process that runs `recordkit.bench.case.main`; `started` makes one.

    Parameters
    ----------
    asked : dict
        What it has to do, see there.

    Attributes
    ----------
    error : str or None
        Why it ended by itself with something else than 0.
    """

    def __init__(self, asked: dict[str, Any]) -> None:
        self.error: str | None = None
        asked = asked | {"parent": os.getpid()}
        threads = str(asked["threads"])
        environment = {"OMP_NUM_THREADS": threads, "MXNET_CPU_WORKER_NTHREADS": threads}
        # Threads that spin while they wait take the processors from those that work: Gluon is 4 to 20 times as slow.
        environment |= {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1", "MXNET_SUBGRAPH_VERBOSE": "0"}
        # Files and not pipes: a case that fills a pipe would wait for a reader who waits for its turn to end.
        self._stdout = tempfile.TemporaryFile("w+")  # noqa: SIM115 (end closes it)
        self._stderr = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-W", "ignore", "-c", _PROGRAM, json.dumps(asked), json.dumps(sys.path)],
            env=os.environ | environment,  # noqa: TID251 (a child process inherits the user's environment)
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
        )

    def wait(self) -> None:
        """Wait until it has stopped itself, or has ended."""
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode or not self.facts():
            self._stderr.seek(0)
            said = [line.strip() for line in self._stderr if line.strip()]
            self.error = said[-1][:300] if said else f"its process ended with {self._process.returncode}"
            if self._process.returncode < 0:
                self.error = f"its process was killed by {signal.Signals(-self._process.returncode).name}"

    def turn(self) -> None:
        """Let it have its turn; nothing if it has ended."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGCONT)
            self.wait()
            if self._process.returncode == 0:
                self.error = "its process ended before its turns were over"

    def facts(self) -> dict[str, Any]:
        """Return what it said last; nothing if it has said nothing."""
        self._stdout.seek(0)
        lines = [line for line in self._stdout if line.startswith("{")]
        facts: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return facts

    def end(self) -> None:
        """End it and its workers, which may have outlived it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.returncode is None:
            self._process.kill()  # it may not have a group of its own yet
            self._process.wait()
        self._stdout.close()
        self._stderr.close()


@contextlib.contextmanager
def started(asked: dict[str, Any]) -> Iterator[CaseProcess]:
    """Start a process, and end it behind the block.

    Parameters
    ----------
    asked : dict
        As of `CaseProcess`.

    Yields
    ------
    process : CaseProcess
        It has stopped for its first turn, or has ended.
    """
    process = CaseProcess(asked)
    try:
        process.wait()
        yield process
    finally:
        process.end()
