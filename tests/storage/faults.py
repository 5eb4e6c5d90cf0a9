"""Publishing with a fault at its n-th system call. `Faults` runs this file as a program and sends it requests.

The program forks a child for each request. It imports nothing of pytest, because forking MXNet is slow and forking
with threads causes a warning. In the child, a profile function counts every call from Python into the operating
system, so it also covers code that is added later.
"""

import errno
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from recordkit import PackPlan
from recordkit.packing.pack import pack_as_im2rec
from recordkit.packing.planned_sets import Im2recFiles
from recordkit.storage.staging import Staging
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.writer import RunWriter
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.edit.output import NewSet, write_sets


def publish(prefix, generation, names, remove, hold=False):
    """Publish files that contain their generation and name."""
    prefix = Path(prefix)
    with Staging(prefix) as staging:
        for name in names:
            with staging.create(name) as file:
                file.write(f"{generation} {name}".encode())
        staging.commit(remove=[prefix.with_name(name) for name in remove], hold=hold)


def publish_folder(prefix, *, overwrite=False):
    """Publish a folder with a file in it, and a list."""
    prefix = Path(prefix)
    with Staging(prefix, allow_folder=True) as staging:
        (staging.create_folder(overwrite=overwrite) / "1.png").write_text("new")
        with staging.create(f"{prefix.name}.lst") as file:
            file.write(b"new")
        staging.commit()


def replace_folder(prefix):
    """Publish the same in place of an old folder."""
    publish_folder(prefix, overwrite=True)


def pack_images(source, prefix, options, record_name):
    """Pack a folder of images, on this thread's own engine."""
    plan, files = PackPlan(threads=1, **options), Im2recFiles(record_name)
    pack_as_im2rec(source, prefix, files, plan=plan, engine="python")


def edit_sets(source, prefix):
    """Write two sets of records of another one."""
    prefix = Path(prefix)
    sets = [
        NewSet(prefix.with_name(f"{prefix.name}_{name}"), np.arange(start, 3, 2))
        for name, start in (("x", 0), ("y", 1))
    ]
    with Inputs([source]) as inputs:
        write_sets(inputs, sets, prefix, edit={}, threads=1)


def save_checkpoint(prefix, generation):
    """Write the files of a run and a checkpoint of it, as training does, without MXNet."""
    network = SimpleNamespace(tojson=lambda: f"{generation} network")
    arrays = SimpleNamespace(save=lambda path, _arrays: Path(path).write_text(f"{generation} arrays"))
    mx = SimpleNamespace(nd=arrays, base=SimpleNamespace(MXNetError=RuntimeError))
    with RunWriter(Checkpoints(prefix)) as writer:
        writer.begin(network, {"generation": generation})
        writer.save(mx, (network, {}, {}), f"{generation} states".encode(), 1)


def recover(prefix, *, folder=False):
    """Complete or remove an interrupted pack, as the next pack does."""
    with Staging(Path(prefix), allow_folder=folder):
        pass


FUNCTIONS = {
    each.__name__: each
    for each in (publish, publish_folder, replace_folder, pack_images, edit_sets, save_checkpoint, recover)
}


class Faults:
    """A context manager that starts the program."""

    def __enter__(self):
        # One thread, because with NumPy's threads each fork would cause a warning.
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "error", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        return self

    def __exit__(self, *_):
        self._process.communicate(timeout=300)

    def __call__(self, function, *arguments, how="kill", at=1):
        """Run one of the functions above with a fault; return "killed", "done" or the error's text."""
        self._process.stdin.write(json.dumps([function, arguments, how, at]).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def is_system_call(function):
    """Tell whether a C function calls the operating system. A few that do not are harmless."""
    if function.__module__ in ("posix", "fcntl"):
        return function.__name__ != "fspath"
    return function is open or isinstance(getattr(function, "__self__", None), io.IOBase)


def act_before_call(at, action):
    """Call `action` before the `at`-th system call from now on; return a function that tells the number of calls."""
    n_calls = 0

    def count(_frame, event, function):
        nonlocal n_calls
        if event != "c_call" or not is_system_call(function):
            return
        n_calls += 1
        if n_calls == at:
            action()

    sys.setprofile(count)
    return lambda: n_calls


def fail_at(how, at):
    """Make the `at`-th system call from now on fail, before it happens."""

    def fail():
        if how == "kill":
            signal.raise_signal(signal.SIGKILL)
        elif how == "interrupt":
            raise KeyboardInterrupt
        else:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    act_before_call(at, fail)


def child(function, arguments, how, at, report):
    """Run one request, in a forked process."""
    if how == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (at, at))
    else:
        fail_at(how, at)
    try:
        FUNCTIONS[function](*arguments)
        end = "done"
    except BaseException as error:  # noqa: BLE001 (the parent checks it)
        end = f"{type(error).__name__}: {error}"
    sys.setprofile(None)
    os.write(report, json.dumps(end).encode())
    os._exit(0)


def main():
    """Serve requests until the input ends."""
    with tempfile.TemporaryDirectory() as folder:  # modules that are imported when they are used are imported before
        (Path(folder) / "images").mkdir()
        Image.new("L", (4, 4)).save(Path(folder) / "images" / "1_1.png")
        pack_images(f"{folder}/images", f"{folder}/a", {"encoding": "png"}, None)
    for request in sys.stdin:
        end, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            child(*json.loads(request), report)
        os.close(report)
        with open(end, "rb") as pipe:
            answer = pipe.read().decode()
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print('"killed"' if killed else answer or '"died"', flush=True)


if __name__ == "__main__":
    main()
