"""Time whole programs side by side: in turn, round after round, with the statistics of a comparison.

`recordkit.bench.protocol` times loaders inside their processes; this module is for work that a program does once.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence

from recordkit.bench.process import child_environment, describe_failure
from recordkit.bench.report import Case
from recordkit.errors import PlanError


def time_commands(commands: Mapping[str, Sequence[str]], *, rounds: int = 5, threads: int = 2) -> list[Case]:
    r"""Run programs in turn and return their rates.

    Parameters
    ----------
    commands : mapping of str to sequence of str
        Title and command line of each program. The last line of its output is a JSON object with "n", the number of
        items, and optionally "seconds" for them; without it the whole process is timed, its start included.
    rounds : int, default 5
        Number of rounds that count; one more round runs before them.
    threads : int, default 2
        Limit on the threads of libraries, by environment variables.

    Returns
    -------
    cases : list of Case
        `img_s` has the items per second of each round; a program that failed has that status.

    Raises
    ------
    PlanError
        `rounds` is below 1.

    Examples
    --------
    >>> import sys
    >>> program = [sys.executable, "-c", "print('{\"n\": 6, \"seconds\": 0.5}')"]
    >>> [case] = time_commands({"constant": program}, rounds=2)
    >>> case.title, case.img_s
    ('constant', [12.0, 12.0])
    """
    if rounds < 1:
        raise PlanError(argument="rounds", expected="at least 1", got=rounds)
    cases = [Case(title, title, threads) for title in commands]
    for round_number in range(rounds + 1):
        for case in cases:
            if case.status == "measured":
                rate = _run(case, commands[case.title])
                if round_number and rate:
                    case.img_s.append(rate)
    for case in cases:
        if case.status == "failed":
            case.img_s.clear()  # the other cases have rounds that this one has not
    return cases


def _run(case: Case, command: Sequence[str]) -> float:
    """Return the items per second of one run; mark the case as failed if there are none."""
    begin_s = time.perf_counter()
    done = subprocess.run(command, env=child_environment(case.threads), capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - begin_s
    if done.returncode:
        case.status, case.note = "failed", describe_failure(done.returncode, done.stderr)
        return 0.0
    facts = json.loads(done.stdout.strip().splitlines()[-1])
    return float(facts["n"] / facts.get("seconds", wall_s))
