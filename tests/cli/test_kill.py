"""A command that is killed leaves its input, and either nothing or its whole output; run again, it succeeds."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest

import recordkit as rk
from recordkit.codec import encode
from recordkit.interop.webdataset import write_webdataset
from recordkit.upkeep import verify

# Forks a command for each line of its input, which has the arguments and the seconds until the kill. A fork saves the
# imports, if the first command has made them.
FORK = """
import json, os, signal, sys, time
from recordkit.cli.main import main
for line in sys.stdin:
    arguments, delay_s = json.loads(line)
    pid = os.fork() if delay_s is not None else 0
    if not pid:
        sys.argv = ["recordkit", *arguments, "--quiet"]
        try:
            main()
        except SystemExit as end:
            if delay_s is not None: os._exit(end.code or 0)
            print(end.code or 0, flush=True)
        continue
    time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

COMMANDS = {
    "merge": ["merge", "a.rec", "b.rec", "OUT", "--renumber"],
    "split": ["split", "a.rec", "OUT", "--shards", "3"],
    "subset": ["subset", "a.rec", "OUT", "--where", "label == 1"],
    "shuffle": ["shuffle", "a.rec", "OUT"],
    "relabel": ["relabel", "a.rec", "OUT", "--map", "0=7"],
    "repair": ["repair", "a.rec", "OUT"],
    "pack": ["pack", "images", "OUT", "--shards", "3"],
    "export": ["export", "a.rec", "OUT"],
    "export-webdataset": ["export", "a.rec", "OUT", "--to", "webdataset"],
    "export-insightface": ["export", "a.rec", "OUT", "--to", "insightface"],
    "import": ["import", "tars", "OUT"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    for name, start in (("images", 0), ("more", 100)):
        (folder / name).mkdir()
        for key in range(start, start + 60):
            image = encode(np.full((8, 8, 3), key, np.uint8), "jpg")
            (folder / name / f"{key:06d}_{key % 2}.jpg").write_bytes(image)
    for name, prefix in (("images", "a"), ("more", "b")):
        rk.pack(folder / name, folder / prefix, plan=rk.PackPlan(shuffle=False))
    return folder


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json"
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_can_be_run_again(name, folder):
    randomness = random.Random(name)
    program = [sys.executable, "-W", "ignore", "-c", FORK]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as fork:

        def run(out, delay_s):
            out.mkdir(exist_ok=True)
            arguments = [word.replace("OUT", f"{out.name}/o") for word in COMMANDS[name]]
            fork.stdin.write(json.dumps([arguments, delay_s]) + "\n")
            fork.stdin.flush()
            return int(fork.stdout.readline())

        if name == "import" and not (folder / "tars").exists():
            with rk.RecordDataset(folder / "a") as dataset:
                write_webdataset(dataset, folder / "tars")
        assert run(folder / f"{name}-whole", None) == 0
        whole, inputs = content(folder / f"{name}-whole"), content(folder)
        for number in range(25):
            out = folder / f"{name}-{number}"
            run(out, randomness.uniform(0, 0.1))
            is_whole = content(out) == whole
            if (out / "o.rec").exists() or (out / "o.manifest.json").exists():
                assert verify(out / "o").ok
            assert is_whole or run(out, None) == 0 or content(out) == whole, number
            assert content(out) == whole, number  # also in hidden folders, of which an empty one may be left
        assert {path: bytes_ for path, bytes_ in content(folder).items() if path in inputs} == inputs
        fork.stdin.close()
