"""A process that is forked while threads load: the child has no threads, and must wait for none."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from images import write

import recordkit as rk
from recordkit.codec import encode
from recordkit.loading import assembler
from recordkit.sampling.sampler import Sampler

ROOT = Path(__file__).parents[2]
N_CHILDREN = 25
# Threads load a file of tiny images, which the native engine copies to memory; meanwhile the main thread forks.
PROGRAM = """
import os, sys, threading, time
import recordkit as rk
Loader, path, n_children = rk.Loader, sys.argv[1], int(sys.argv[2])
dataset = rk.RecordDataset(path)
def load(seed):
    for batch in Loader(dataset, batch_size=128, threads=1, shuffle=True, seed=seed, engine="native"):
        pass
list(Loader(rk.RecordDataset(path), batch_size=20000, engine="native"))  # everything is imported
threads = [threading.Thread(target=load, args=(seed,)) for seed in range(4)]
for thread in threads:
    thread.start()
children = []
for _ in range(n_children):
    time.sleep(0.002)
    children.append(os.fork())
    if not children[-1]:
        load(99)
        os._exit(0)
for thread in threads:
    thread.join()
print(sum(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.usefixtures("require_native")
@pytest.mark.skipif(sys.platform != "linux", reason="forks with threads")
def test_a_child_that_is_forked_while_threads_load_waits_for_none_of_them(tmp_path):
    rec = write(tmp_path / "a.rec", [b"P6\n32 32\n255\n" + bytes(3072)] * 20_000, [0.0] * 20_000)  # 62 MB
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, rec, str(N_CHILDREN)]
    environment = {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=180)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # and the children that wait
            process.communicate()
    assert output == "0\n"


def test_a_process_that_is_forked_while_a_thread_computes_an_order_loads_the_epoch(tmp_path, monkeypatch):
    path = write(tmp_path / "dots.rec", [encode(np.zeros((2, 2, 1), np.uint8), "raw")] * 40)
    parent, calls, begun, forked, original = os.getpid(), [], threading.Event(), threading.Event(), Sampler.batches

    def batches(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2 and os.getpid() == parent:
            begun.set()
            forked.wait(60)
        return original(*arguments, **options)

    monkeypatch.setattr(Sampler, "batches", batches)
    monkeypatch.setattr(assembler, "_MAX_BATCHES_PER_ITEM", 1)
    monkeypatch.setattr(assembler, "_N_DRAWN", 1)
    with rk.Loader(path, batch_size=4, threads=2, engine="python") as loader:
        next(iter(loader))
        begun.wait(60)
        child = os.fork()
        if not child:
            signal.alarm(60)  # ends the child if it waits for ever
            n_batches = 0
            try:
                n_batches = len(list(loader))
            finally:
                os._exit(n_batches)
        forked.set()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 10
