"""Files that another process cuts short while they are read: an error, and never a signal."""

import os
import signal
import subprocess
import sys

import pytest

from recordkit.formats import frame, irheader

# Reads a file in an endless loop, in the way that the first argument names, until an error says that it has shrunk.
READ = """
import sys
import recordkit as rk
from recordkit import recordio
from recordkit.dataset.records import open_record_file
from recordkit.errors import RecordkitError

way, path, engine = sys.argv[1:]
dataset = rk.RecordDataset(path)
file = open_record_file(path)
offsets = file.scan()
reader = recordio.MXRecordIO(path, "r")
def load():
    list(rk.Loader(dataset, batch_size=8, threads=2, shuffle=True, engine=engine))
def read_in_order():
    reader.reset()
    while reader.read() is not None:
        pass
ways = {
    "load": load,
    "sample": lambda: [dataset[i] for i in range(len(dataset))],
    "recordio": read_in_order,
    "read_many": lambda: file.read_many(offsets, 2),
    "headers": lambda: file.headers(offsets),
    "scan": lambda: file.scan(),
}
print("reading", flush=True)
try:
    while True:
        ways[way]()
except (RecordkitError, OSError) as error:
    print(type(error).__name__, error)
"""
WAYS = ["load", "sample", "recordio", "read_many", "headers", "scan"]
N_TRIES = int(os.environ.get("RECORDKIT_N_CUTS", "1"))


@pytest.fixture
def rec(tmp_path):
    """Return the path of a file of 300 raw images of 49 kB."""
    with open(tmp_path / "a.rec", "wb") as file:
        writer = frame.RecordWriter(file)
        for key in range(300):
            writer.write(irheader.pack(irheader.IRHeader(float(key % 3), key), b"P6 128 128 255\n" + bytes(3 * 128**2)))
    return tmp_path / "a.rec"


def cut_while_reading(way, path, engine, at):
    """Cut the file to a part of its size while a process reads it; return the process's exit status and output."""
    whole = path.read_bytes()
    process = subprocess.Popen([sys.executable, "-c", READ, way, path, engine], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "reading\n"
        os.truncate(path, int(at * len(whole)) - 100)  # inside a record: half of a file is 150 whole records
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
        path.write_bytes(whole)
    return process.returncode, output


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_cut_while_it_is_read_is_an_error(way, rec):
    for n in range(N_TRIES):
        status, output = cut_while_reading(way, rec, "auto", (n + 0.5) / N_TRIES)
        assert status == 0, f"ended by {signal.Signals(-status).name if status < 0 else status}"
        assert "Error" in output and f"{rec}: byte " in output
        # `reset` opens the file again, and then it has only its new size.
        assert "expected the file to keep its" in output or way == "recordio"
