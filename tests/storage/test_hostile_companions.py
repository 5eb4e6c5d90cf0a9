"""Every file of a set and of a source as a pipe, a link, a folder, another format, 64 MiB: no hang, no traceback."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import recordkit

# A case takes some hundredths of a second; a pipe took forever, and 64 MiB of JSON more than a minute.
_TIMEOUT_S = 300
_MAX_KB = 400_000


@pytest.mark.parametrize("engine", ["native", "python"])
def test_no_reader_hangs_or_fails_in_another_way_on_a_hostile_file(tmp_path, engine, request):
    if engine == "native":
        request.getfixturevalue("require_native")
    script = Path(__file__).with_name("hostile_child.py")
    environment = {"PYTHONPATH": str(Path(recordkit.__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        [sys.executable, script, tmp_path, engine], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        case, other_errors = "the start", []
        while line := _next_line(child, case):
            if line.startswith("VmHWM"):
                n_kb = int(line.split()[1])
            elif line.startswith("another error"):
                other_errors.append(f"{case}: {line}")
            elif line not in ("done", "refused"):
                case = line
    assert child.returncode == 0, case
    assert not other_errors, "\n".join(other_errors)
    assert n_kb < _MAX_KB


def _next_line(child, case):
    """Return the next line that a process prints, or end it."""
    killer = threading.Timer(_TIMEOUT_S, child.kill)
    killer.start()
    line = child.stdout.readline()
    killer.cancel()
    assert line or child.wait(_TIMEOUT_S) >= 0, f"hangs: {case}"
    return line.rstrip("\n")
