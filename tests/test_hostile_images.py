"""Images made to harm: none starts a program, and each is decoded or refused in bounded memory and time."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from bombs import bombs
from images import picture, save, write

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n8 8 scale\n%%EOF\n"
EPS_WITH_PREVIEW = EPS.replace(b"%%EndComments", b"%%EndComments\n%%BeginPreview: 8 8 1 8\n%00\n%%EndPreview")
# The 32 bytes before an EPS of DOS: where PostScript, WMF and TIFF begin, and how long they are.
DOS_EPS = struct.pack("<IIIIIIIHH", 0xC6D3D0C5, 32, len(EPS), 0, 0, 0, 0, 0xFFFF, 0) + EPS
EPS_PAYLOADS = [
    EPS,
    EPS_WITH_PREVIEW,
    DOS_EPS,
    b'%ImageData: 8 8 8 1 0 1 1 "beginimage"\n' + EPS,
    b"\r\n" + EPS,
    b"icns" + struct.pack(">I", 16 + len(EPS)) + b"ic07" + struct.pack(">I", 8 + len(EPS)) + EPS,
    save(picture(), "JPEG")[:-2] + EPS,
    save(picture(), "TIFF") + EPS,
    save(picture(), "PNG")[:-12] + EPS,
]
# Runs commands, readers and packs over the files in the current folder, and prints each program that is started.
READ_EVERYTHING = """
import os, sys, warnings
from pathlib import Path

STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile", "pty.spawn")

def watch(event, arguments):
    if event in STARTS:
        print("started", event, arguments[:2], file=sys.__stderr__)

sys.addaudithook(watch)
warnings.simplefilter("ignore")
import recordkit as rk
from recordkit import recordio
from recordkit.cli.main import main
from recordkit.errors import RecordkitError
from recordkit.transforms import Resize

def run(*arguments):
    sys.argv = ["recordkit", *arguments]
    try:
        main()
    except SystemExit:
        pass

for command in (["info"], ["head"], ["verify", "--decode"]):
    run(*command, "eps.rec")
run("export", "eps.rec", "exported")
for n, options in enumerate(([], ["--resize", "8"], ["--any-file"], ["--encoding", "png"])):
    run("pack", "images", f"folder{n}", "--exts", ".jpg,.eps", *options)
    run("pack", "images.lst", f"list{n}", "--root", "images", *options)
transforms = [Resize(8), rk.CenterCrop(8)]
for engine in ("python", "auto"):
    loader = rk.Loader("eps.rec", batch_size=2, transforms=transforms, engine=engine, on_error="skip")
    print(sum(len(batch.label) for batch in loader), "of", len(rk.RecordDataset("eps.rec")))
for record in rk.RecordDataset("eps.rec"):
    recordio.unpack_img(recordio.pack(recordio.IRHeader(0, 1.0, 0, 0), bytes(record.payload)))
print("read everything")
"""


# Prints, for each file and both engines, the peak memory and the limit for it, in a process of its own.
MEASURE = """
import os, re, sys
import numpy as np
from recordkit import codec, native
from recordkit.errors import ImageError

def status(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1])

def decode_by_core(payload):
    core = native.load().Transcoder(channels=3, crop=False, filter="none", side=0, encoding="raw", quality=95)
    return core([payload])

for encoding in ("png", "jpg"):  # imports Pillow and its plugins
    codec.decode(codec.encode(np.zeros((8, 8, 3), np.uint8), encoding))
engines = [codec.decode] + ([decode_by_core] if native.available() else [])
for path in sys.argv[1:]:
    for decode in engines:
        if pid := os.fork():
            if os.waitpid(pid, 0)[1]:
                print("killed", path)
            continue
        payload = open(path, "rb").read()
        open("/proc/self/clear_refs", "w").write("5")
        before = status("VmRSS")
        try:
            decode(payload)
            codec.has_several_pictures(payload), codec.orientation(payload)
        except ImageError:
            pass
        peak = status("VmHWM") - before
        limit = codec.decode_bytes(payload) + 2 * len(payload) + (16 << 20)
        print("within" if peak <= limit else "above", decode.__name__, path, peak, limit, flush=True)
        os._exit(0)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak memory is read from Linux's /proc")
def test_no_bomb_takes_more_memory_than_its_header_says(tmp_path):
    paths = []
    for name, payload in bombs().items():
        paths.append(tmp_path / name.replace(" ", "_"))
        paths[-1].write_bytes(payload)
    command = [sys.executable, "-W", "ignore", "-c", MEASURE, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    results = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert len(results) >= len(paths)
    assert [line for line in results if line[0] != "within"] == []


def test_no_image_starts_a_program(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("gs", "gswin64c", "djpeg"):
        (programs / name).write_text('#!/bin/sh\ntouch "$0.was.started"\n')
        (programs / name).chmod(0o755)
    images = tmp_path / "images"
    images.mkdir()
    rows = []
    for number, payload in enumerate([save(picture(), "JPEG"), *EPS_PAYLOADS]):
        for suffix in (".jpg", ".eps"):
            (images / f"{number}{suffix}").write_bytes(payload)
        rows.append(f"{number}\t{number}\t{number}.jpg\n")
    (tmp_path / "images.lst").write_text("".join(rows))
    write(tmp_path / "eps.rec", [save(picture(), "JPEG"), *EPS_PAYLOADS])
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", READ_EVERYTHING],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.stdout.endswith("read everything\n"), done.stderr
    assert "started" not in done.stderr
    assert not list(programs.glob("*.was.started"))
