"""Fetching from a real HTTP server on the loopback address, which also answers as broken servers do."""

import errno
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest
import requests

from recordkit.errors import FetchError, PlanError
from recordkit.interop.fetch import DATASETS, Dataset, RemoteFile, fetch, transfer


def ubyte(shape, seed):
    header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    n_values = 1
    for size in shape:
        n_values *= size
    return header + random.Random(seed).randbytes(n_values)


def remote(name, shape, unpacked):
    return RemoteFile(name, shape, hashlib.sha256(unpacked).hexdigest())


SHAPE = (50, 28, 28)
UNPACKED = ubyte(SHAPE, seed=1)
PACKED = gzip.compress(UNPACKED, mtime=0)
IMAGES = remote("images.gz", SHAPE, UNPACKED)
OTHER_PACKED = gzip.compress(ubyte(SHAPE, seed=2), mtime=0)
OTHER_SHA256 = hashlib.sha256(ubyte(SHAPE, seed=2)).hexdigest()
LABELS_UNPACKED = ubyte((50,), seed=3)
LABELS_PACKED = gzip.compress(LABELS_UNPACKED, mtime=0)
LABELS = remote("labels.gz", (50,), LABELS_UNPACKED)
HALF = len(PACKED) // 2


class Mirror(ThreadingHTTPServer):
    """A server that gives the answers of its script first, then those of `always`; it logs the requests."""

    daemon_threads = False  # server_close() waits for every answer

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.script = []  # one answer for each of the next requests
        self.always = serve
        self.requests = []  # paths
        self.encodings = []  # Accept-Encoding headers
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    timeout = 20

    def do_GET(self):
        server = self.server
        server.requests.append(self.path)
        server.encodings.append(self.headers["Accept-Encoding"])
        answer = server.script.pop(0) if server.script else server.always
        answer(self, server.files.get(self.path.lstrip("/")))

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(handler, data):
    """Answer 200 or 404."""
    if data is None:
        handler.head(404, Content_Length=0)
        return
    handler.head(200, Content_Length=len(data))
    handler.wfile.write(data)


def drop_after(n_bytes, *, reset=False):
    """Announce the whole file, send its beginning, and close the connection."""

    def answer(handler, data):
        handler.head(200, Content_Length=len(data))
        handler.wfile.write(data[:n_bytes])
        if reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(handler.connection.detach())  # before http.server shuts the connection down

    return answer


def status(code, **headers):
    return lambda handler, _: handler.head(code, **({"Content_Length": 0} | headers))


def endless(handler, _):
    handler.head(200)
    while True:  # until the client closes the connection
        handler.wfile.write(b"\x1f\x8b" * 32768)


def silent(handler, _):
    handler.server.closing.wait(20)


def silent_after_half(handler, data):
    handler.head(200, Content_Length=len(data))
    handler.wfile.write(data[:HALF])
    silent(handler, data)


def send_slowly(handler):
    """Send a byte every tenth of a second."""
    while not handler.server.closing.wait(0.1):
        handler.wfile.write(b"x")


def drip(handler, _data):
    handler.head(200)
    send_slowly(handler)


def drip_a_header(handler, _data):
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Drip: ")
    send_slowly(handler)


def broken_chunks(handler, data):
    handler.protocol_version = "HTTP/1.1"
    handler.head(200, Transfer_Encoding="chunked", Connection="close")
    handler.wfile.write(b"%x\r\n" % len(data) + data[:HALF])


@pytest.fixture
def mirrors(monkeypatch):
    """Return a function that starts servers of IMAGES and LABELS."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    started = []

    def start(files=None):
        server = Mirror({IMAGES.name: PACKED, LABELS.name: LABELS_PACKED} if files is None else files)
        server.thread.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.closing.set()
        server.shutdown()
        server.server_close()
        server.thread.join()


@pytest.fixture
def mirror(mirrors):
    return mirrors()


@pytest.fixture
def waits_s(monkeypatch):
    """Seconds that pooch waited between attempts; the test itself does not wait."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def get(tmp_path, waits_s):
    """Return a function that fetches IMAGES from these servers into a folder."""

    def call(*servers, timeout_s=5.0, **options):
        dataset = Dataset("tiny", tuple(server.url for server in servers), (IMAGES,))
        return fetch(dataset, tmp_path / "out", timeout_s=timeout_s, **options)

    return call


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


class Bar:
    """A progress bar that remembers its numbers."""

    def __init__(self):
        self.total, self.n, self.is_closed = 0, 0, False

    def update(self, n):
        self.n += n

    def reset(self):
        self.n = 0

    def close(self):
        self.is_closed = True


def names(folder):
    return sorted(path.name for path in folder.glob("*"))  # none if the folder was not made


def dead_url():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


# ---- servers that work


def test_every_file_is_fetched_checked_and_reported(mirror, out):
    report = fetch(Dataset("tiny", (mirror.url,), (IMAGES, LABELS)), out)
    assert names(out) == [IMAGES.name, LABELS.name]
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert (report.dataset, report.folder) == ("tiny", str(out))
    images, labels = report.files
    assert (images.status, images.source, images.failures) == ("fetched", f"{mirror.url}/{IMAGES.name}", ())
    assert (images.path, images.size_bytes) == (str(out / IMAGES.name), len(PACKED))
    assert (labels.sha256, labels.published) == (LABELS.sha256, True)


def test_a_right_file_is_not_requested_again(mirror, get):
    get(mirror)
    bars = []
    report = get(mirror, progress=bars.append)
    assert mirror.requests == ["/images.gz"] and bars == []
    assert (report.files[0].status, report.files[0].source) == ("present", None)


def test_progress_ends_at_the_bytes_of_the_whole_file(mirror, get):
    bars = {}
    mirror.script = [drop_after(HALF)]
    get(mirror, progress=lambda url: bars.setdefault(f"{url} {len(bars)}", Bar()))
    assert list(bars) == [f"{mirror.url}/images.gz 0", f"{mirror.url}/images.gz 1"]  # one bar for each request
    last = bars[f"{mirror.url}/images.gz 1"]
    assert (last.total, last.n) == (len(PACKED), len(PACKED))
    assert all(bar.is_closed for bar in bars.values())


def test_nothing_is_printed_or_logged(mirrors, get, capfd, caplog):
    get(mirrors({}), mirrors())
    assert capfd.readouterr() == ("", "") and caplog.records == []
    assert pooch.get_logger().filters == []


def test_the_server_is_asked_not_to_compress_compressed_data(mirror, get):
    get(mirror)
    assert mirror.encodings == ["identity"]


def test_the_bytes_are_on_disk_before_the_final_name_is(mirror, get, out, monkeypatch):
    sync, exists = os.fsync, []

    def spy(descriptor):
        exists.append((out / IMAGES.name).exists())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    get(mirror)
    assert exists == [False, True]  # the file, then the folder with its new name


def test_a_fetched_file_has_the_mode_that_the_umask_gives(mirror, get, out):
    before = os.umask(0o027)
    try:
        get(mirror)
    finally:
        os.umask(before)
    assert (out / IMAGES.name).stat().st_mode & 0o777 == 0o640


def test_missing_folders_are_created(mirror, tmp_path):
    fetch(Dataset("tiny", (mirror.url,), (LABELS,)), tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == [LABELS.name]


def test_a_folder_that_cannot_be_created_is_named(mirror, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchError, match="file: cannot make the folder: File exists; choose another"):
        fetch(Dataset("tiny", (mirror.url,), (LABELS,)), tmp_path / "file")


def test_a_redirect_is_followed(mirrors, get, out):
    mirror, target = mirrors(), mirrors()
    mirror.always = status(302, Location=f"{target.url}/images.gz")
    get(mirror)
    assert target.requests == ["/images.gz"]
    assert (out / IMAGES.name).read_bytes() == PACKED


def test_a_redirect_to_an_address_without_https_is_not_followed(mirror, get, out):
    mirror.always = status(302, Location="http://192.0.2.1/images.gz")
    with pytest.raises(FetchError, match=r"expected a redirect to https, got one to http://192\.0\.2\.1/images\.gz"):
        get(mirror)
    assert len(mirror.requests) == 1 and names(out) == []


@pytest.mark.parametrize("target", ["http://host/images.gz", "//other/images.gz", "ftp://host/images.gz"])
def test_a_redirect_must_keep_https(target):
    answer = requests.Response()
    answer.status_code, answer.url, answer.headers["location"] = 302, "https://host/x/images.gz", target
    if target.startswith("//"):  # the scheme of the address before
        transfer.refuse_unprotected_redirect(answer)
        return
    with pytest.raises(FetchError, match=f"expected a redirect to https, got one to {target}"):
        transfer.refuse_unprotected_redirect(answer)


# ---- servers that fail


def test_wrong_bytes_are_refused_and_the_next_mirror_is_used(mirrors, get, out):
    bad, good = mirrors({IMAGES.name: OTHER_PACKED}), mirrors()
    (file,) = get(bad, good).files
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert file.source == f"{good.url}/{IMAGES.name}"
    assert file.failures == (f"{bad.url}/images.gz: expected sha256 {IMAGES.sha256} unpacked, got {OTHER_SHA256}",)


def test_wrong_bytes_never_get_the_final_name(mirrors, get, out):
    bad = mirrors({IMAGES.name: OTHER_PACKED})
    with pytest.raises(FetchError, match=f"images.gz: not fetched from 1 source: .*got {OTHER_SHA256}; try again"):
        get(bad)
    assert names(out) == []
    assert len(bad.requests) == 1  # a second request would bring the same bytes


def test_swapped_files_are_refused(mirrors, get, out):
    swapped = mirrors({IMAGES.name: LABELS_PACKED})
    with pytest.raises(FetchError, match="expected a ubyte header starting 00000803, got 00000801"):
        get(swapped)
    assert names(out) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<!DOCTYPE html><p>Please log in", "expected gzip data, got bytes starting b'<!DOCTYPE html>"),
        (b"", "expected a ubyte header starting 00000803, got nothing"),
        (PACKED[:HALF], f"expected whole gzip data, got {HALF} bytes that end too early"),
        (PACKED[:HALF] + bytes([PACKED[HALF] ^ 1]) + PACKED[HALF + 1 :], "expected valid gzip data, got damage"),
        (PACKED + b"tail", "expected valid gzip data, got damage"),
        (gzip.compress(UNPACKED[:-1]), f"expected {len(UNPACKED)} unpacked bytes, as the header announces, got"),
        (gzip.compress(UNPACKED[:14]), "expected a ubyte header starting 00000803, got 00000803"),
        (gzip.compress(UNPACKED + b"x"), f"expected {len(UNPACKED)} unpacked bytes, as the header announces, got more"),
        (gzip.compress(ubyte((51, 28, 28), 1)), f"at most {len(UNPACKED)} unpacked bytes, got a header for 40000"),
        (gzip.compress(UNPACKED[:16] + bytes(1 << 24)), "as the header announces, got more"),
    ],
    ids=["html", "empty", "cut", "flipped", "tail", "short", "header", "long", "larger", "bomb"],
)
def test_a_file_that_is_no_valid_ubyte_data_is_refused_with_the_reason(mirrors, get, out, data, message):
    with pytest.raises(FetchError, match=re.escape(message)):
        get(mirrors({IMAGES.name: data}))
    assert names(out) == []


def test_a_missing_file_is_requested_once_and_then_from_the_next_mirror(mirrors, get, waits_s):
    empty, good = mirrors({}), mirrors()
    (file,) = get(empty, good).files
    assert len(empty.requests) == 1 and waits_s == []
    assert file.failures == (f"{empty.url}/images.gz: HTTP 404 Not Found",)


@pytest.mark.parametrize(
    "answer",
    [
        status(503), status(429), drop_after(HALF), drop_after(HALF, reset=True), broken_chunks,
        lambda handler, _: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n"),
    ],
    ids=["busy", "too many", "dropped", "reset", "chunks", "not http"],
)  # fmt: skip
def test_a_transient_failure_is_repeated(mirror, get, out, waits_s, answer):
    mirror.script = [answer, answer]
    get(mirror, attempts=3)
    assert len(mirror.requests) == 3 and waits_s == [1, 2]
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert names(out) == [IMAGES.name]


def test_a_server_that_stays_busy_is_given_up_after_the_attempts(mirror, get):
    mirror.always = status(503)
    with pytest.raises(FetchError, match=r"HTTP 503 Service Unavailable \(2 attempts\)"):
        get(mirror, attempts=2)
    assert len(mirror.requests) == 2


@pytest.mark.parametrize("code", [401, 403, 416, 501])
def test_any_other_error_status_is_final(mirror, get, code):
    mirror.always = status(code)
    with pytest.raises(FetchError, match=f"HTTP {code} "):
        get(mirror)
    assert len(mirror.requests) == 1


def test_a_truncated_body_is_an_error_with_both_sizes(mirror, get, out):
    mirror.always = drop_after(HALF)
    with pytest.raises(FetchError, match=f"expected {len(PACKED)} bytes, got {HALF} before the connection ended"):
        get(mirror)
    assert names(out) == []


@pytest.mark.parametrize("answer", [silent, silent_after_half])
def test_a_silent_server_is_given_up_after_the_timeout(mirror, get, out, answer):
    mirror.always = answer
    with pytest.raises(FetchError, match=r"no answer within 0.1 s \(2 attempts\)"):
        get(mirror, timeout_s=0.1, attempts=2)
    assert names(out) == []


@pytest.mark.parametrize("answer", [drip, drip_a_header])
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(mirrors, get, out, answer):
    slow, good = mirrors(), mirrors()
    slow.always = answer
    report = get(slow, good, timeout_s=0.5)
    assert "expected at least 1000 bytes per second, got 0 bytes in 1 s" in report.files[0].failures[0]
    assert len(slow.requests) == 1 and names(out) == [IMAGES.name]


def test_an_endless_body_is_cut_at_the_limit(mirror, get, out):
    mirror.always = endless
    with pytest.raises(FetchError, match=f"expected at most {IMAGES.limit_bytes} bytes, got more"):
        get(mirror)
    assert len(mirror.requests) == 1
    assert names(out) == []


def test_the_limit_leaves_room_for_data_that_gzip_cannot_compress():
    stored = gzip.compress(UNPACKED, compresslevel=0)
    assert len(UNPACKED) < len(stored) < IMAGES.limit_bytes
    assert DATASETS["mnist"].files[0].limit_bytes < 48_000_000


def test_without_a_network_the_error_names_each_mirror_and_its_reason(mirrors, out, waits_s, monkeypatch):
    asked = []

    def no_name(*_, **__):
        asked.append(1)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    broken, dead = mirrors({}), dead_url()
    dataset = Dataset("tiny", (broken.url, dead), (IMAGES,))
    with pytest.raises(FetchError) as caught:
        fetch(dataset, out, attempts=2)
    assert caught.value.path == str(out / "images.gz")
    assert str(caught.value) == (
        f"{out}/images.gz: not fetched from 2 sources: {broken.url}/images.gz: HTTP 404 Not Found; "
        f"{dead}/images.gz: Connection refused (2 attempts); "
        "try again later, or name a copy of your own with source"
    )
    assert names(out) == []
    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    waits_s.clear()
    with pytest.raises(FetchError, match="the address of the host cannot be found"):
        fetch(Dataset("tiny", ("https://mirror.invalid",), (IMAGES,)), out, attempts=3)
    assert waits_s == [] and len(asked) == 1


def test_files_that_were_finished_stay_when_a_later_one_fails(mirrors, out):
    mirror = mirrors({IMAGES.name: PACKED})
    with pytest.raises(FetchError, match=r"labels.gz: not fetched"):
        fetch(Dataset("tiny", (mirror.url,), (IMAGES, LABELS)), out)
    assert names(out) == [IMAGES.name]


# ---- this machine fails


def test_a_full_disk_is_reported_and_not_retried(mirror, get, out, waits_s, monkeypatch):
    def full(_file, _data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(transfer._LimitedFile, "write", full)
    with pytest.raises(FetchError, match=r"images.gz: cannot write: No space left on device; make room"):
        get(mirror, mirror)
    assert len(mirror.requests) == 1 and waits_s == []
    assert names(out) == []


def test_a_disk_that_fills_up_at_the_last_step_keeps_the_old_file(mirror, get, out, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out.mkdir()
    (out / IMAGES.name).write_bytes(b"old")
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(FetchError, match=r"images.gz: cannot write: No space left on device"):
        get(mirror)
    assert (out / IMAGES.name).read_bytes() == b"old"
    assert names(out) == [IMAGES.name]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_fetch_leaves_nothing_half_written(mirror, get, out, interrupt):
    class Interrupting(Bar):
        def update(self, n):
            raise interrupt

    with pytest.raises(interrupt):
        get(mirror, progress=lambda url: Interrupting())
    assert names(out) == []
    get(mirror)
    assert names(out) == [IMAGES.name]


def test_two_fetches_at_once_end_with_one_right_file(mirror, get, out):
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(get(mirror).files[0].status)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 6 and set(statuses) <= {"fetched", "present"}
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert names(out) == [IMAGES.name]


# ---- existing files


def test_an_existing_broken_file_is_replaced(mirror, get, out):
    out.mkdir()
    (out / IMAGES.name).write_bytes(PACKED[:HALF])
    get(mirror)
    assert (out / IMAGES.name).read_bytes() == PACKED


def test_an_existing_broken_file_stays_if_no_mirror_has_a_right_one(mirrors, get, out):
    out.mkdir()
    (out / IMAGES.name).write_bytes(b"old")
    with pytest.raises(FetchError):
        get(mirrors({}))
    assert (out / IMAGES.name).read_bytes() == b"old"


def test_existing_valid_data_with_another_checksum_is_never_overwritten(mirror, get, out):
    out.mkdir()
    (out / IMAGES.name).write_bytes(OTHER_PACKED)
    with pytest.raises(FetchError, match=f"got other data, {OTHER_SHA256}; move it away"):
        get(mirror)
    assert (out / IMAGES.name).read_bytes() == OTHER_PACKED
    assert mirror.requests == []


# ---- a source of the user's own


@pytest.fixture
def copies(tmp_path):
    folder = tmp_path / "my copy"
    folder.mkdir()
    (folder / IMAGES.name).write_bytes(gzip.compress(UNPACKED, compresslevel=1))
    return folder


@pytest.mark.parametrize("spell", [str, Path.as_uri], ids=["folder", "file address"])
def test_a_copy_that_was_compressed_again_is_recognised(mirror, get, out, copies, spell):
    report = get(mirror, source=spell(copies))
    assert (out / IMAGES.name).read_bytes() == (copies / IMAGES.name).read_bytes()
    assert report.files[0].published
    assert report.files[0].source == str(copies / IMAGES.name)
    assert mirror.requests == []


def test_an_address_of_the_users_own_is_the_only_source(mirrors, get):
    mirror, server = mirrors(), mirrors({})
    with pytest.raises(FetchError, match=f"not fetched from 1 source: {server.url}/images.gz: HTTP 404"):
        get(mirror, source=server.url + "/")
    assert mirror.requests == []
    server.files = {IMAGES.name: PACKED}
    assert get(mirror, source=server.url).files[0].source == f"{server.url}/images.gz"


def test_a_copy_in_another_order_needs_any_checksum(mirror, get, out, copies):
    (copies / IMAGES.name).write_bytes(OTHER_PACKED)
    with pytest.raises(FetchError, match="any_checksum accepts a copy of your own in another order"):
        get(mirror, source=str(copies))
    report = get(mirror, source=str(copies), any_checksum=True)
    assert (report.files[0].sha256, report.files[0].published) == (OTHER_SHA256, False)
    again = get(mirror, source=str(copies), any_checksum=True)
    assert (again.files[0].status, again.files[0].published) == ("present", False)


def test_a_smaller_copy_is_well_formed_too(mirror, get, copies):
    (copies / IMAGES.name).write_bytes(gzip.compress(ubyte((2, 28, 28), 5)))
    assert not get(mirror, source=str(copies), any_checksum=True).files[0].published


@pytest.mark.parametrize("data", [b"not gzip", OTHER_PACKED[:-9], LABELS_PACKED], ids=["plain", "cut", "labels"])
def test_any_checksum_still_checks_the_format(mirror, get, out, copies, data):
    (copies / IMAGES.name).write_bytes(data)
    with pytest.raises(FetchError, match=r"expected .* got .*; put the right file there"):
        get(mirror, source=str(copies), any_checksum=True)
    assert names(out) == []


def test_a_file_that_the_users_folder_lacks_is_named(mirror, get, copies):
    (copies / IMAGES.name).unlink()
    with pytest.raises(FetchError, match=r"my copy/images.gz: no such file; put the right file there"):
        get(mirror, source=str(copies))


def test_a_pipe_in_the_users_folder_is_not_read(mirror, get, copies):
    (copies / IMAGES.name).unlink()
    os.mkfifo(copies / IMAGES.name)
    with pytest.raises(FetchError, match=r"my copy/images.gz: expected a file, got a pipe or device"):
        get(mirror, source=str(copies))


def test_a_file_in_the_users_folder_that_cannot_be_read_is_named(mirror, get, out, copies, monkeypatch):
    def fail(_path, **_options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(transfer, "read_file", fail)
    with pytest.raises(FetchError, match=r"my copy/images.gz: cannot read: Input/output error; put"):
        get(mirror, source=str(copies))
    assert names(out) == []


def test_a_file_in_the_users_folder_that_is_too_large_is_not_copied(mirror, get, copies):
    os.truncate(copies / IMAGES.name, 10**12)
    with pytest.raises(FetchError, match=f"expected a file of at most {IMAGES.limit_bytes} bytes, got {10**12} bytes"):
        get(mirror, source=str(copies))


@pytest.mark.parametrize("source", ["ftp://host/mnist", "s3://bucket/mnist", "file://host/x", "http://", "http://[x"])
def test_a_source_of_another_kind_is_a_plan_error(mirror, get, source):
    with pytest.raises(PlanError, match=re.escape(source)):
        get(mirror, source=source)


def test_a_password_in_an_address_is_refused_and_not_repeated(mirror, get):
    with pytest.raises(PlanError, match="user name or password") as caught:
        get(mirror, source="https://me:secret@host/mnist")
    assert "secret" not in str(caught.value)


def test_options_out_of_range_are_refused(mirror, get, out):
    with pytest.raises(PlanError, match="any_checksum needs a source of your own; give source too"):
        get(mirror, any_checksum=True)
    with pytest.raises(PlanError, match="tiny has no mirrors; name a copy of your own with source"):
        get()
    with pytest.raises(PlanError, match="attempts: expected at least 1, got 0"):
        get(mirror, attempts=0)
    with pytest.raises(PlanError, match="timeout_s: expected more than 0 s, got 0"):
        get(mirror, timeout_s=0)
    assert not out.exists()


def test_http_is_for_a_copy_whose_bytes_a_checksum_protects(get, mirror, out):
    with pytest.raises(PlanError, match="source: expected https, because any_checksum accepts any bytes, got http://"):
        get(mirror, source="http://192.0.2.1/mnist", any_checksum=True)
    assert not out.exists()
    assert get(mirror, source=mirror.url, any_checksum=True).files[0].published


# ---- the tables


def test_mirrors_have_https():
    assert all(mirror.startswith("https://") for dataset in DATASETS.values() for mirror in dataset.mirrors)
    with pytest.raises(PlanError, match="mirrors: expected https addresses, got http://host/mnist"):
        Dataset("tiny", ("https://host/mnist", "http://host/mnist"), (IMAGES,))


def test_the_tables_name_four_files_each_of_the_published_shapes():
    for dataset in (DATASETS["mnist"], DATASETS["fashion-mnist"]):
        assert [file.unpacked_bytes for file in dataset.files] == [47040016, 60008, 7840016, 10008]
        assert len(dataset.mirrors) >= 2


def test_every_file_has_a_checksum_of_its_own():
    checksums = [file.sha256 for dataset in DATASETS.values() for file in dataset.files]
    assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in checksums)
    assert len(set(checksums)) == len(checksums) == 4 * 4 + 3
    assert list(DATASETS) == ["mnist", "fashion-mnist", "kmnist", "qmnist", "emnist", "cifar10", "cifar100"]


def test_the_real_mnist_has_the_published_checksums(real_data, out):
    report = fetch(DATASETS["mnist"], out, source=str(real_data / "mnist"))
    assert all(file.published for file in report.files)


def test_the_real_fashion_mnist_labels_have_the_published_checksums(real_data, out):
    report = fetch(DATASETS["fashion-mnist"], out, source=str(real_data / "fashion-mnist"), any_checksum=True)
    assert [file.published for file in report.files if "labels" in file.name] == [True, True]


# ---- the command


def test_a_reason_phrase_of_a_server_cannot_control_the_terminal(run, mirror, out):
    mirror.always = lambda handler, _: handler.send_response(404, "\x1b]0;owned\x07\x9b2J") or handler.end_headers()
    code, _, errors = run("mnist", out)
    assert code == 1 and r"HTTP 404 \x1b]0;owned\x07\x9b2J" in errors
    assert errors.replace("\n", "").isprintable()


@pytest.fixture
def run(cli, monkeypatch, mirror):
    """Return a function that runs `recordkit fetch` on a tiny MNIST."""
    monkeypatch.setitem(DATASETS, "mnist", Dataset("mnist", (mirror.url,), (IMAGES, LABELS)))
    return lambda *arguments: cli("fetch", *arguments)


def test_the_command_prints_a_line_for_each_file(run, mirror, out):
    code, text, errors = run("mnist", out)
    assert (code, text) == (
        0,
        f"images.gz: {len(PACKED):,} bytes, from {mirror.url}/images.gz\n"
        f"labels.gz: {len(LABELS_PACKED):,} bytes, from {mirror.url}/labels.gz\n"
        f"mnist: 2 files fetched, 0 already there, in {out}\n",
    )
    assert errors == (f"recordkit: downloading {mirror.url}/images.gz\nrecordkit: downloading {mirror.url}/labels.gz\n")
    code, text, errors = run("mnist", out)
    assert (code, errors) == (0, "")
    assert text.endswith(f"mnist: 0 files fetched, 2 already there, in {out}\n")


def test_the_command_prints_json_alone_on_stdout(run, mirrors, mirror, out, monkeypatch):
    monkeypatch.setitem(DATASETS, "mnist", Dataset("mnist", (mirrors({}).url, mirror.url), (IMAGES, LABELS)))
    code, text, errors = run("mnist", out, "--json")
    report = json.loads(text)
    assert code == 0
    assert [file["status"] for file in report["files"]] == ["fetched", "fetched"]
    assert "HTTP 404 Not Found" in report["files"][0]["failures"][0]
    assert "recordkit: warning: images.gz came from another source: http://127.0.0.1" in errors


def test_the_command_fails_with_one_line_and_code_1(run, mirror, out):
    mirror.files = {}
    code, _, errors = run("mnist", out)
    *_, last = errors.splitlines()
    assert code == 1 and last.startswith(f"recordkit: {out}/images.gz: not fetched from 1 source: ")
    assert last.endswith("HTTP 404 Not Found; try again later, or name a copy of your own with --from")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["imagenet", "x"], "'imagenet' is not one of 'mnist', 'fashion-mnist'"),
        (["mnist"], "recordkit: DIR is missing; see 'recordkit fetch --help'\n"),
        (["mnist", "x", "--from", "ftp://a"], "recordkit: --from: expected a folder, or an http, https or file"),
        (["mnist", "x", "--any-checksum"], "--any-checksum needs a source of your own; give --from too\n"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_fault_of_the_command_line_is_code_2(run, arguments, message):
    code, _, errors = run(*arguments)
    assert code == 2 and message in errors


def test_the_command_accepts_a_copy_in_another_order(run, out, tmp_path):
    (tmp_path / IMAGES.name).write_bytes(OTHER_PACKED)
    (tmp_path / LABELS.name).write_bytes(LABELS_PACKED)
    code, text, _ = run("mnist", out, "--from", tmp_path, "--any-checksum", "--attempts", 1, "--timeout", 1)
    assert code == 0 and "images.gz, not the published data\n" in text


def test_a_terminal_gets_a_bar(run, out, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    code, text, _ = run("mnist", out)
    assert code == 0 and text.startswith("images.gz: ")
    assert re.search(r"images.gz: +[0-9]+%\|", terminal.getvalue())
