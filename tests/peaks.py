"""The peak memory of a program, and large images in small files for it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
BEGIN = """
import json, sys
import numpy as np
import recordkit as rk
from PIL import Image
Image.init()

def status_bytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

def begin():
    global start
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    start = status_bytes("VmRSS")

def grown():
    return status_bytes("VmHWM") - start
"""


def peak_of(program, *arguments):
    """Return the bytes by which a program's memory grew between its calls of begin() and its end, and its output."""
    program = f"{BEGIN}\n{program}\nprint(json.dumps(grown()))"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    # One arena: glibc keeps what each of its arenas freed.
    environment = {"PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    *output, peak = done.stdout.splitlines()
    return json.loads(peak), output


def needs_proc():
    return pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak")


def flat_image(encoding, side, **options):
    """An image of one colour, which takes few bytes in a file and `side` * `side` * 3 in memory."""
    file = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), 99, np.uint8)).save(file, encoding, **options)
    return file.getvalue()


def noise(side, *, seed=0):
    """A PNG that is about as large as its pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", compress_level=0)
    return file.getvalue()
