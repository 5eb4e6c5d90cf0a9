"""Ctrl-C while images are decoded: it is answered after the image under way, and not after its block or batch."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from images import write
from peaks import flat_image

ROOT = Path(__file__).parents[1]
N_IMAGES = 64
BEGIN = """
import sys, threading, time
import recordkit as rk
from recordkit.cli.main import main
from PIL import Image
Image.init()
path, engine, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
"""
PROGRAMS = {
    "pack": 'rk.pack(path, f"{path}-out", plan=rk.PackPlan(encoding="raw", resize=8, threads=threads), engine=engine)',
    "loader": """
with rk.Loader(f"{path}.rec", batch_size=64, transforms=[rk.Resize(16), rk.CenterCrop(16)], exact=True,
               threads=threads, engine=engine) as loader:
    for batch in loader:
        pass
""",
    "transform": """
crop = rk.CenterCrop(16)
with rk.Loader(f"{path}.rec", batch_size=64, transforms=[lambda image, draws: crop(image, draws)],
               threads=threads, engine=engine) as loader:
    for batch in loader:
        pass
""",
}


@pytest.fixture(scope="module")
def slow_images(tmp_path_factory):
    """Images that take about 0.3 s each, in a folder and in a .rec file: 10 s and more for a block of 64."""
    folder = tmp_path_factory.mktemp("slow")
    payload = flat_image("jpeg", 4000, progressive=True)
    (folder / "photos" / "a").mkdir(parents=True)
    for number in range(N_IMAGES):
        (folder / "photos" / "a" / f"{number}.jpg").write_bytes(payload)
    write(folder / "photos.rec", [payload] * N_IMAGES, [0.0] * N_IMAGES)
    return folder / "photos"


def cpu_time(pid):
    """The seconds that a process has computed so far: what it did after a signal, on a machine of any load."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells the time of another process")
@pytest.mark.parametrize(("program", "threads"), [("pack", 1), ("pack", 2), ("loader", 2), ("transform", 2)])
def test_an_interrupt_is_answered_after_the_image_under_way(slow_images, engine, program, threads):
    command = [sys.executable, "-c", BEGIN + PROGRAMS[program], slow_images, engine, str(threads)]
    environment = {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    assert process.stdout.readline() == "ready\n"
    begin_s = cpu_time(process.pid)
    while cpu_time(process.pid) - begin_s < 1:  # a few images are decoded, in the first block
        time.sleep(0.02)
    before_s = os.times()
    process.send_signal(signal.SIGINT)
    used_s = cpu_time(process.pid)
    errors = process.communicate(timeout=300)[1]
    after_s = os.times()
    assert "KeyboardInterrupt" in errors
    # The image of each thread, and the end of the program; the block would take 20 s.
    children_s = after_s.children_user + after_s.children_system - before_s.children_user - before_s.children_system
    assert children_s - used_s < 5
    assert not [path.name for path in slow_images.parent.iterdir() if path.name.startswith((".", "photos-out"))]
