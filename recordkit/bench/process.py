"""The parent's side of a case: start its process, give it turns, and end it."""

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

# The child gets this process's sys.path, to import the same modules; -I keeps the current folder out of it.
_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from recordkit.bench.child import main
main()
"""


def child_environment(threads: int, scratch: str | None = None) -> dict[str, str]:
    """Return the environment of a measured process.

    Parameters
    ----------
    threads : int
        Limit on the threads of libraries.
    scratch : str, optional
        The process makes its temporary files in this folder, because some libraries leave theirs, and none can remove
        them when it is killed.
    """
    limits = {"OMP_NUM_THREADS": str(threads), "MXNET_CPU_WORKER_NTHREADS": str(threads)}
    # Threads that spin while they wait take processors from those that work; with them Gluon is 4 to 20 times slower.
    limits |= {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1", "MXNET_SUBGRAPH_VERBOSE": "0"}
    folders = {"TMPDIR": scratch} if scratch else {}
    return os.environ | limits | folders  # noqa: TID251 (a child process inherits the user's environment)


class CaseProcess:
    """A process that runs `recordkit.bench.child.main`; `start_case` makes one.

    Parameters
    ----------
    request : dict
        "peer", "workload", "threads" and the other keys that `recordkit.bench.child.main` reads.

    Attributes
    ----------
    error : str or None
        Why the process ended early or with a code other than 0.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.error: str | None = None
        request = request | {"parent": os.getpid()}
        # Files instead of pipes: a case that fills a pipe would wait for a reader that waits for the turn to end.
        self._stdout = tempfile.TemporaryFile("w+")  # noqa: SIM115 (`end` closes it)
        self._stderr = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (`end` closes it)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-W", "ignore", "-c", _PROGRAM, json.dumps(request), json.dumps(sys.path)],
            env=child_environment(request["threads"], request["workload"]["scratch"]),
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
        )

    def wait(self) -> None:
        """Wait until the process has stopped itself or has ended."""
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode or not self.facts():
            self._stderr.seek(0)
            self.error = describe_failure(self._process.returncode, self._stderr.read())

    def run_turn(self) -> None:
        """Let the process run one turn; nothing if it has ended."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGCONT)
            self.wait()
            if self._process.returncode == 0:
                self.error = "its process ended before its turns were over"

    def facts(self) -> dict[str, Any]:
        """Return the last line of JSON that the process wrote; empty if it wrote none."""
        self._stdout.seek(0)
        lines = [line for line in self._stdout if line.startswith("{")]
        facts: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return facts

    def end(self) -> None:
        """Kill the process and its workers, which can outlive it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.returncode is None:
            self._process.kill()  # it may not have its own process group yet
            self._process.wait()
        self._stdout.close()
        self._stderr.close()


def describe_failure(returncode: int, stderr: str) -> str:
    """Return why a process failed: its signal, otherwise the last line that it wrote, otherwise its exit code."""
    if returncode < 0:
        return f"its process was killed by {signal.Signals(-returncode).name}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"its process ended with {returncode}"


@contextlib.contextmanager
def start_case(request: dict[str, Any]) -> Iterator[CaseProcess]:
    """Start a process, and end it after the block.

    Parameters
    ----------
    request : dict
        See `CaseProcess`.

    Yields
    ------
    process : CaseProcess
        The process has stopped before its first turn, or has ended.
    """
    process = CaseProcess(request)
    try:
        process.wait()
        yield process
    finally:
        process.end()
