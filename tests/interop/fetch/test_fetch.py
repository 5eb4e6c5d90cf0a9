"""Fetching, against a real HTTP server on loopback that does what servers do on bad days."""

import errno
import fcntl
import gzip
import hashlib
import io
import json
import os
import random
import re
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recordkit.cli import program
from recordkit.cli.main import recordkit
from recordkit.errors import FetchError, PlanError
from recordkit.interop.fetch import DATASETS, Dataset, RemoteFile, RetryPolicy, fetch
from recordkit.interop.fetch import part as part_module
from recordkit.interop.fetch.partial import Origin, open_part

UBYTE_MAGIC = bytes([0, 0, 8])


def ubyte(shape, seed):
    header = UBYTE_MAGIC + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    n_values = 1
    for length in shape:
        n_values *= length
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
    """A server that answers as its script says, then well; it notes what was asked and sent."""

    daemon_threads = False  # so that closing the server waits for every answer

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.script = []  # one answer for each request to come
        self.always = well
        self.asked = []  # (path, Range, If-Range)
        self.encodings = []  # Accept-Encoding
        self.sent_bytes = 0
        self.over = threading.Event()
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
        server.asked.append((self.path, self.headers["Range"], self.headers["If-Range"]))
        server.encodings.append(self.headers["Accept-Encoding"])
        answer = server.script.pop(0) if server.script else server.always
        answer(self, server.files.get(self.path.lstrip("/")))

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def body(self, data):
        self.server.sent_bytes += len(data)  # first, because the client may be done before this thread goes on
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def etag(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def well(handler, data, **headers):
    """Answer as a good server does: 404, 206, 416 or 200."""
    if data is None:
        handler.head(404, Content_Length=0)
        return
    asked = re.fullmatch("bytes=([0-9]+)-", handler.headers["Range"] or "")
    headers = {"ETag": etag(data)} | headers
    if asked is None or handler.headers["If-Range"] not in headers.values():
        handler.head(200, Content_Length=len(data), **headers)
        handler.body(data)
        return
    start = int(asked[1])
    content_range = f"bytes {start}-{len(data) - 1}/{len(data)}"
    handler.head(206, Content_Length=len(data) - start, Content_Range=content_range, **headers)
    handler.body(data[start:])


def ignoring_ranges(handler, data):
    handler.head(200, Content_Length=len(data), ETag=etag(data))
    handler.body(data)


def serving(data, **headers):
    """Serve these bytes whatever was asked for."""
    return lambda handler, _: well(handler, data, **headers)


def dropping(n_bytes, *, reset=False, **headers):
    """Announce the whole file, send a part of it, and hang up."""

    def answer(handler, data):
        handler.head(200, Content_Length=len(data), **({"ETag": etag(data)} | headers))
        handler.body(data[:n_bytes])
        if reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(handler.connection.detach())  # before http.server can say goodbye

    return answer


def saying(status, **headers):
    return lambda handler, _: handler.head(status, **({"Content_Length": 0} | headers))


def endless(handler, _):
    handler.head(200)
    while True:  # until the client hangs up
        handler.body(b"\x1f\x8b" * 32768)


def silent(handler, _):
    handler.server.over.wait(20)


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
        server.over.set()
        server.shutdown()
        server.server_close()
        server.thread.join()


@pytest.fixture
def mirror(mirrors):
    return mirrors()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def get(tmp_path, slept):
    """Return a function that fetches IMAGES from these servers into a folder."""

    def call(*servers, attempts=3, timeout_s=5.0, **options):
        dataset = Dataset("tiny", tuple(server.url for server in servers), (IMAGES,))
        policy = RetryPolicy(attempts=attempts, timeout_s=timeout_s, sleep=slept.append)
        return fetch(dataset, tmp_path / "out", policy=policy, **options)

    return call


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def ranges(server):
    return [asked[1] for asked in server.asked]


def dead_url():
    with socket.socket() as closed_soon:
        closed_soon.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed_soon.getsockname()[1]}"


# ---- a good day


def test_every_file_is_fetched_checked_and_reported(mirror, out):
    report = fetch(Dataset("tiny", (mirror.url,), (IMAGES, LABELS)), out)
    assert names(out) == [IMAGES.name, LABELS.name]
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert (report.dataset, report.folder) == ("tiny", str(out))
    images, labels = report.files
    assert (images.status, images.source) == ("fetched", f"{mirror.url}/{IMAGES.name}")
    assert images.size_bytes == images.received_bytes == len(PACKED)
    assert (labels.sha256, labels.published) == (LABELS.sha256, True)


def test_a_file_that_is_there_and_right_is_not_asked_for_again(mirror, get):
    get(mirror)
    seen = []
    report = get(mirror, progress=seen.append)
    assert len(mirror.asked) == 1
    assert (report.files[0].status, report.files[0].source, report.files[0].received_bytes) == ("present", None, 0)
    assert [now.state for now in seen] == ["present"]


def test_progress_counts_the_bytes_of_the_whole_file(mirror, get):
    seen = []
    get(mirror, progress=seen.append)
    assert [now.state for now in seen if now.state != "bytes"] == ["start", "done"]
    counts = [now.done_bytes for now in seen if now.state == "bytes"]
    assert counts == sorted(counts) and counts[-1] == len(PACKED)
    assert {now.total_bytes for now in seen if now.state == "bytes"} == {len(PACKED)}


def test_the_server_is_asked_not_to_compress_what_is_compressed(mirror, get):
    get(mirror)
    assert mirror.encodings == ["identity"]


def test_the_bytes_are_on_disk_before_the_final_name_is(mirror, get, out, monkeypatch):
    sync, named = os.fsync, []

    def spying(descriptor):
        named.append((out / IMAGES.name).exists())
        sync(descriptor)

    monkeypatch.setattr(part_module.os, "fsync", spying)
    get(mirror)
    assert named == [False, True]  # the file, then the folder with its new name


def test_a_folder_that_is_not_there_is_made(mirror, tmp_path):
    fetch(Dataset("tiny", (mirror.url,), (LABELS,)), tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == [LABELS.name]


def test_a_folder_that_cannot_be_made_is_named(mirror, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchError, match="file: cannot make the folder: File exists; choose another"):
        fetch(Dataset("tiny", (mirror.url,), (LABELS,)), tmp_path / "file")


# ---- resume


@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_connection_is_resumed_where_it_stopped(mirror, get, out, slept, reset):
    mirror.script = [dropping(HALF, reset=reset)]
    report = get(mirror)
    assert (out / IMAGES.name).read_bytes() == PACKED
    asked = ranges(mirror)[1]
    if not reset:  # a reset may throw away what was still on its way
        assert asked == f"bytes={HALF}-"
        assert mirror.asked[1][2] == etag(PACKED)
    kept = int(asked[6:-1]) if asked else 0
    assert mirror.sent_bytes == HALF + len(PACKED) - kept
    assert report.files[0].received_bytes == len(PACKED)
    assert len(slept) == 1


def test_a_part_of_an_earlier_run_is_resumed(mirror, get, out):
    mirror.script = [dropping(HALF)]
    with pytest.raises(FetchError, match=f"expected {len(PACKED)} bytes, got {HALF} before the connection ended"):
        get(mirror, attempts=1)
    assert names(out) == ["images.gz.part", "images.gz.part.json"]
    report = get(mirror)
    assert ranges(mirror) == [None, f"bytes={HALF}-"]
    assert mirror.sent_bytes == len(PACKED)
    assert report.files[0].received_bytes == len(PACKED) - HALF
    assert names(out) == ["images.gz"]


def test_resume_is_right_at_every_place_where_a_connection_can_drop(mirror, tmp_path):
    dataset = Dataset("tiny", (mirror.url,), (LABELS,))
    policy = RetryPolicy(attempts=2, sleep=lambda _: None)
    for n_bytes in range(len(LABELS_PACKED)):
        mirror.script = [dropping(n_bytes)]
        folder = tmp_path / str(n_bytes)
        report = fetch(dataset, folder, policy=policy)
        assert (folder / LABELS.name).read_bytes() == LABELS_PACKED
        assert report.files[0].received_bytes == len(LABELS_PACKED)


def test_a_server_that_ignores_ranges_means_starting_over(mirror, get, out):
    mirror.script = [dropping(HALF), ignoring_ranges]
    report = get(mirror)
    assert ranges(mirror) == [None, f"bytes={HALF}-"]
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert report.files[0].received_bytes == HALF + len(PACKED)


def test_a_file_that_changed_on_the_server_is_fetched_from_its_start(mirrors, get, out):
    mirror = mirrors({IMAGES.name: OTHER_PACKED})
    mirror.script = [dropping(HALF), serving(PACKED)]
    get(mirror)
    assert mirror.asked[1][2] == etag(OTHER_PACKED)
    assert (out / IMAGES.name).read_bytes() == PACKED


def rest_of(data, start, **changed):
    """Send 206 whatever If-Range says."""
    content_range = f"bytes {start}-{len(data) - 1}/{len(data)}"
    headers = {"Content_Length": len(data) - start, "Content_Range": content_range, "ETag": etag(data)} | changed

    def answer(handler, _):
        handler.head(206, **headers)
        handler.body(data[start:])

    return answer


@pytest.mark.parametrize(
    "bad_answer",
    [
        rest_of(OTHER_PACKED, HALF),
        rest_of(PACKED, HALF + 1),
        rest_of(PACKED, HALF, Content_Range=f"bytes {HALF}-{HALF + 9}/{len(PACKED)}"),
        rest_of(PACKED, HALF, Content_Range=f"bytes {HALF}-{len(PACKED)}/{len(PACKED) + 1}"),
        rest_of(PACKED, HALF, Content_Range="bytes nonsense"),
    ],
    ids=["other version", "other start", "cut short", "other size", "no range"],
)
def test_a_part_of_another_file_is_never_glued_on(mirror, get, out, bad_answer):
    seen = []
    mirror.script = [dropping(HALF), bad_answer]
    get(mirror, progress=seen.append)
    assert ranges(mirror) == [None, f"bytes={HALF}-", None]
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert any("got a part of another; starting over" in now.note for now in seen)


def test_a_range_that_cannot_be_satisfied_means_starting_over(mirror, get, out):
    mirror.script = [dropping(HALF), saying(416)]
    get(mirror)
    assert ranges(mirror) == [None, f"bytes={HALF}-", None]
    assert (out / IMAGES.name).read_bytes() == PACKED


def test_without_a_validator_nothing_is_resumed_or_kept(mirror, get, out):
    mirror.script = [dropping(HALF, ETag='W/"weak"')] * 2
    with pytest.raises(FetchError, match="before the connection ended"):
        get(mirror, attempts=2)
    assert ranges(mirror) == [None, None]
    assert names(out) == []


def test_a_date_serves_as_validator_where_there_is_no_strong_etag(mirror, get):
    date = {"ETag": 'W/"weak"', "Last_Modified": "Sat, 14 Nov 2020 00:00:00 GMT"}
    mirror.script = [dropping(HALF, **date), serving(PACKED, **date)]
    get(mirror)
    assert mirror.asked[1][1:] == (f"bytes={HALF}-", "Sat, 14 Nov 2020 00:00:00 GMT")
    assert mirror.sent_bytes == len(PACKED)


def test_wrong_bytes_after_a_resume_are_fetched_again_from_the_start(mirror, get, out):
    mirror.script = [dropping(HALF)]
    with pytest.raises(FetchError):
        get(mirror, attempts=1)
    part = out / "images.gz.part"
    part.write_bytes(bytes(HALF))  # a bad disk
    get(mirror)
    assert ranges(mirror) == [None, f"bytes={HALF}-", None]
    assert (out / IMAGES.name).read_bytes() == PACKED


def test_a_whole_part_is_checked_and_published_without_asking(mirror, get, out):
    out.mkdir()
    with open_part(out / IMAGES.name) as part:
        part.begin(Origin(f"{mirror.url}/{IMAGES.name}", etag(PACKED), len(PACKED)))
        part.write(PACKED)
    get(mirror)
    assert mirror.asked == []
    assert names(out) == ["images.gz"]


@pytest.mark.parametrize("origin", [b"", b"{", b"[]", b'{"url": 1}', b"\xff", None])
def test_a_part_of_unknown_origin_is_thrown_away(mirror, get, out, origin):
    out.mkdir()
    (out / "images.gz.part").write_bytes(b"from somewhere" * len(PACKED))
    if origin is not None:
        (out / "images.gz.part.json").write_bytes(origin)
    get(mirror)
    assert ranges(mirror) == [None]
    assert names(out) == ["images.gz"]


def test_a_validator_that_does_not_fit_a_header_is_not_sent(mirror, get, out):
    out.mkdir()
    with open_part(out / IMAGES.name) as part:
        part.begin(Origin(f"{mirror.url}/{IMAGES.name}", '"a\r\nHost: evil"', len(PACKED)))
        part.write(PACKED[:HALF])
    get(mirror)
    assert ranges(mirror) == [None]


def test_the_mirror_that_a_part_came_from_is_asked_first(mirrors, get):
    first, second = mirrors(), mirrors()
    first.script = [saying(404)]
    second.script = [dropping(HALF)]
    with pytest.raises(FetchError):
        get(first, second, attempts=1)
    get(first, second)
    assert len(first.asked) == 1
    assert ranges(second) == [None, f"bytes={HALF}-"]


def test_interrupting_keeps_the_part_for_a_resume(mirror, get, out):
    def interrupt(now):
        if now.state == "bytes":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(mirror, progress=interrupt)
    kept = (out / "images.gz.part").stat().st_size
    assert kept > 0 and "images.gz" not in names(out)
    get(mirror)
    assert names(out) == ["images.gz"]


# ---- bad servers


def test_wrong_bytes_are_refused_and_the_next_mirror_is_used(mirrors, get, out):
    bad, good = mirrors({IMAGES.name: OTHER_PACKED}), mirrors()
    seen = []
    report = get(bad, good, progress=seen.append)
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert report.files[0].source == f"{good.url}/{IMAGES.name}"
    assert report.files[0].received_bytes == len(OTHER_PACKED) + len(PACKED)
    (given_up,) = [now.note for now in seen if now.state == "next"]
    assert given_up == f"{bad.url}/images.gz: expected sha256 {IMAGES.sha256} unpacked, got {OTHER_SHA256}"


def test_wrong_bytes_never_get_the_final_name(mirrors, get, out):
    bad = mirrors({IMAGES.name: OTHER_PACKED})
    with pytest.raises(FetchError, match=f"^images.gz: not fetched from 1 source: .*got {OTHER_SHA256}; try again"):
        get(bad)
    assert names(out) == []
    assert len(bad.asked) == 1  # wrong bytes do not get better by asking again


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<!DOCTYPE html><p>Please log in", "expected gzip data, got bytes starting b'<!DOCTYPE html>"),
        (b"", "expected an ubyte header starting 00000803, got nothing"),
        (PACKED[:HALF], f"expected whole gzip data, got {HALF} bytes that end too early"),
        (PACKED[:HALF] + bytes([PACKED[HALF] ^ 1]) + PACKED[HALF + 1 :], "expected valid gzip data, got damage"),
        (PACKED + b"tail", "expected valid gzip data, got damage"),
        (gzip.compress(LABELS_UNPACKED), "expected an ubyte header starting 00000803, got 00000801"),
        (gzip.compress(UNPACKED[:-1]), f"expected {len(UNPACKED)} unpacked bytes as its header says, got"),
        (gzip.compress(UNPACKED + b"x"), f"expected {len(UNPACKED)} unpacked bytes as its header says, got more"),
        (gzip.compress(ubyte((51, 28, 28), 1)), f"at most {len(UNPACKED)} unpacked bytes, got a header for 40000"),
        (gzip.compress(UNPACKED[:16] + bytes(1 << 24)), "as its header says, got more"),
    ],
    ids=["html", "empty", "cut", "flipped", "tail", "labels", "short", "long", "larger", "bomb"],
)
def test_what_is_no_ubyte_file_is_refused_with_its_reason(mirrors, get, out, data, message):
    with pytest.raises(FetchError, match=re.escape(message)):
        get(mirrors({IMAGES.name: data}))
    assert names(out) == []


def test_a_missing_file_is_not_asked_for_twice(mirrors, get, slept):
    without, good = mirrors({}), mirrors()
    get(without, good)
    assert len(without.asked) == 1 and slept == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(mirror, get, slept, status):
    mirror.script = [saying(status)] * 2
    get(mirror)
    assert len(mirror.asked) == 3
    assert 0.25 <= slept[0] <= 0.5 <= slept[1] <= 1.0


def test_waits_double_up_to_a_limit_and_retry_after_is_obeyed_up_to_it():
    policy = RetryPolicy(backoff_s=1.0, backoff_max_s=8.0)
    assert [policy.delay_s(n, jitter=1.0) for n in range(1, 7)] == [1, 2, 4, 8, 8, 8]
    assert policy.delay_s(1, jitter=0.0, asked_s=3.0) == 3.0
    assert policy.delay_s(1, jitter=0.0, asked_s=999999.0) == 8.0


@pytest.mark.parametrize(("said", "waited"), [("7", 7.0), ("Wed, 21 Oct 2037 07:28:00 GMT", None), ("-1", None)])
def test_a_server_may_say_when_to_come_back(mirror, get, slept, said, waited):
    mirror.script = [saying(503, Retry_After=said)]
    get(mirror)
    assert slept == [waited] if waited else slept[0] <= 0.5


def test_a_server_that_stays_busy_is_given_up_after_the_stated_attempts(mirror, get):
    mirror.always = saying(503)
    with pytest.raises(FetchError, match=r"HTTP 503 Service Unavailable \(3 attempts\)"):
        get(mirror)
    assert len(mirror.asked) == 3


@pytest.mark.parametrize("status", [204, 206, 304, 401, 403, 416, 501])
def test_any_other_status_is_final(mirror, get, status):
    mirror.always = saying(status)
    with pytest.raises(FetchError, match=f"HTTP {status} "):
        get(mirror)
    assert len(mirror.asked) == 1


def test_an_endless_body_is_cut_at_the_stated_limit(mirror, get, out):
    mirror.always = endless
    seen = []
    with pytest.raises(FetchError, match=f"expected at most {IMAGES.limit_bytes} bytes, got more"):
        get(mirror, progress=seen.append)
    assert max(now.done_bytes for now in seen) <= IMAGES.limit_bytes
    assert names(out) == []


def test_a_file_that_announces_too_many_bytes_is_not_downloaded(mirror, get):
    mirror.always = saying(200, Content_Length=10**15)
    with pytest.raises(FetchError, match=f"expected at most {IMAGES.limit_bytes} bytes, got a file of {10**15}"):
        get(mirror)


def test_the_limit_leaves_room_for_data_that_gzip_cannot_compress():
    stored = gzip.compress(UNPACKED, compresslevel=0)
    assert len(UNPACKED) < len(stored) < IMAGES.limit_bytes
    assert DATASETS["mnist"].files[0].limit_bytes < 48_000_000


def test_a_body_shorter_than_announced_is_an_error(mirror, get):
    mirror.always = dropping(len(PACKED) - 1, ETag='W/"weak"')
    with pytest.raises(FetchError, match=f"expected {len(PACKED)} bytes, got {len(PACKED) - 1} before"):
        get(mirror)


def test_a_body_that_goes_on_after_its_announced_length_is_cut_there(mirror, get, out):
    mirror.always = lambda handler, data: (
        handler.head(200, Content_Length=len(data)),
        handler.body(data + b"junk"),
    )
    get(mirror)
    assert (out / IMAGES.name).read_bytes() == PACKED


@pytest.mark.parametrize("length", ["x", "-5", "9" * 5000])
def test_a_content_length_that_is_no_number_counts_as_none(mirror, get, length):
    mirror.always = lambda handler, data: (handler.head(200, Content_Length=length), handler.body(data))
    get(mirror)


def test_a_chunked_body_that_breaks_off_is_tried_again(mirror, get, out):
    def breaking(handler, data):
        handler.protocol_version = "HTTP/1.1"
        handler.head(200, Transfer_Encoding="chunked", ETag=etag(data), Connection="close")
        handler.body(b"%x\r\n" % len(data) + data[:HALF])

    mirror.script = [breaking]
    get(mirror)
    assert (out / IMAGES.name).read_bytes() == PACKED


def test_a_silent_server_is_given_up_after_the_timeout(mirror, get):
    mirror.always = silent
    with pytest.raises(FetchError, match=r"no answer within 0.1 s \(2 attempts\)"):
        get(mirror, timeout_s=0.1, attempts=2)


def test_a_server_that_falls_silent_in_the_middle_is_resumed(mirror, get):
    def stall(handler, data):
        handler.head(200, Content_Length=len(data), ETag=etag(data))
        handler.body(data[:HALF])
        silent(handler, data)

    mirror.script = [stall]
    get(mirror, timeout_s=0.2)
    assert ranges(mirror) == [None, f"bytes={HALF}-"]


def test_an_answer_that_is_not_http_is_tried_again(mirror, get):
    mirror.script = [lambda handler, _: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")]
    get(mirror)
    assert len(mirror.asked) == 2


# ---- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_takes_the_range_along(mirrors, get, status):
    mirror, target = mirrors(), mirrors()
    mirror.always = saying(status, Location=f"{target.url}/images.gz")
    target.script = [dropping(HALF)]
    get(mirror)
    assert ranges(target) == [None, f"bytes={HALF}-"]


def test_a_redirect_may_be_relative_and_hold_spaces(mirrors, get):
    mirror = mirrors({"new%20place/images.gz": PACKED})
    mirror.script = [saying(302, Location="/new place/images.gz")]
    get(mirror)
    assert mirror.asked[1][0] == "/new%20place/images.gz"


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/images.gz", "file:///etc/passwd", "http://[bad"])
def test_a_redirect_away_from_http_is_refused(mirror, get, location):
    mirror.always = saying(302, Location=location)
    with pytest.raises(FetchError, match="expected a redirect to an http address, got '" + re.escape(location)):
        get(mirror)


def test_a_redirect_loop_ends(mirror, get):
    mirror.always = saying(302, Location="/images.gz")
    with pytest.raises(FetchError, match="expected the file, got more than 5 redirects"):
        get(mirror)
    assert len(mirror.asked) == 6


# ---- all is lost


def test_when_every_mirror_is_dead_one_line_names_each(mirrors, out, slept):
    broken, gone = mirrors({}), dead_url()
    dataset = Dataset("tiny", (broken.url, gone), (IMAGES,))
    with pytest.raises(FetchError) as caught:
        fetch(dataset, out, policy=RetryPolicy(attempts=2, sleep=slept.append))
    assert str(caught.value) == (
        f"images.gz: not fetched from 2 sources: {broken.url}/images.gz: HTTP 404 Not Found; "
        f"{gone}/images.gz: Connection refused (2 attempts); "
        "try again later, or use --from with a copy of your own"
    )
    assert names(out) == []


def test_files_that_were_finished_stay_when_a_later_one_fails(mirrors, out):
    mirror = mirrors({IMAGES.name: PACKED})
    with pytest.raises(FetchError, match=r"labels.gz: not fetched"):
        fetch(Dataset("tiny", (mirror.url,), (IMAGES, LABELS)), out)
    assert names(out) == [IMAGES.name]


def test_a_full_disk_is_said_and_not_taken_for_the_network(mirror, get, slept, monkeypatch):
    def full(_descriptor, _data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(part_module.os, "write", full)
    with pytest.raises(FetchError, match=r"images.gz.part: cannot write: No space left on device; make room"):
        get(mirror)
    assert slept == []


def test_a_write_that_takes_only_some_bytes_is_gone_on_with(mirror, get, out, monkeypatch):
    write = os.write
    monkeypatch.setattr(part_module.os, "write", lambda descriptor, data: write(descriptor, data[:1000]))
    get(mirror)
    assert (out / IMAGES.name).read_bytes() == PACKED


# ---- what is there already


def test_a_broken_file_that_is_there_is_replaced(mirror, get, out):
    out.mkdir()
    (out / IMAGES.name).write_bytes(PACKED[:HALF])
    get(mirror)
    assert (out / IMAGES.name).read_bytes() == PACKED


def test_a_broken_file_that_is_there_stays_until_a_right_one_came(mirrors, get, out):
    out.mkdir()
    (out / IMAGES.name).write_bytes(b"old")
    with pytest.raises(FetchError):
        get(mirrors({}))
    assert (out / IMAGES.name).read_bytes() == b"old"


def test_other_data_that_is_there_is_never_overwritten(mirror, get, out):
    out.mkdir()
    (out / IMAGES.name).write_bytes(OTHER_PACKED)
    with pytest.raises(FetchError, match=f"got other data, {OTHER_SHA256}; move it away"):
        get(mirror)
    assert (out / IMAGES.name).read_bytes() == OTHER_PACKED
    assert mirror.asked == []


# ---- two at once


def test_a_part_that_another_fetch_writes_is_left_alone(mirror, get, out):
    out.mkdir()
    message = "images.gz.part: another fetch is writing this file; wait until it ends"
    with open_part(out / IMAGES.name) as part:
        part.begin(Origin(mirror.url, '"v"'))
        part.write(b"mine")
        with pytest.raises(FetchError, match=message):
            get(mirror)
        assert part.path.read_bytes() == b"mine"


def test_two_fetches_at_once_end_with_one_right_file(mirror, get, out):
    ends = []

    def one():
        try:
            ends.append(get(mirror).files[0].status)
        except FetchError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "fetched" in ends
    assert all(end in ("fetched", "present") or "another fetch is writing" in end for end in ends)
    assert (out / IMAGES.name).read_bytes() == PACKED
    assert names(out) == ["images.gz"]


def test_a_lock_on_a_part_that_was_just_published_is_not_used(tmp_path, monkeypatch):
    target = tmp_path / "images.gz"
    lock = fcntl.flock

    def publish_first(descriptor, how):
        monkeypatch.setattr(part_module.fcntl, "flock", lock)
        (tmp_path / "images.gz.part").replace(target)
        lock(descriptor, how)

    (tmp_path / "images.gz.part").write_bytes(PACKED)
    monkeypatch.setattr(part_module.fcntl, "flock", publish_first)
    with open_part(target) as part:
        part.begin(None)
        part.write(b"new")
    assert target.read_bytes() == PACKED


# ---- a source of the user's own


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "my copy"
    folder.mkdir()
    (folder / IMAGES.name).write_bytes(gzip.compress(UNPACKED, compresslevel=1))
    return folder


@pytest.mark.parametrize("spell", [str, Path.as_uri], ids=["folder", "file address"])
def test_a_copy_compressed_anew_is_known_for_the_published_data(mirror, get, out, mine, spell):
    report = get(mirror, source=spell(mine))
    assert (out / IMAGES.name).read_bytes() == (mine / IMAGES.name).read_bytes()
    assert report.files[0].published
    assert report.files[0].source == str(mine / IMAGES.name)
    assert mirror.asked == []


def test_an_address_of_ones_own_is_the_only_source(mirrors, get):
    mirror, own = mirrors(), mirrors({})
    with pytest.raises(FetchError, match=f"not fetched from 1 source: {own.url}/images.gz: HTTP 404"):
        get(mirror, source=own.url + "/")
    assert mirror.asked == []


def test_a_copy_in_another_order_needs_a_word(mirror, get, out, mine):
    (mine / IMAGES.name).write_bytes(OTHER_PACKED)
    with pytest.raises(FetchError, match="--any-checksum takes a copy of your own in another order"):
        get(mirror, source=str(mine))
    report = get(mirror, source=str(mine), any_checksum=True)
    assert (report.files[0].sha256, report.files[0].published) == (OTHER_SHA256, False)
    again = get(mirror, source=str(mine), any_checksum=True)
    assert (again.files[0].status, again.files[0].published) == ("present", False)


def test_a_smaller_copy_is_well_formed_too(mirror, get, mine):
    (mine / IMAGES.name).write_bytes(gzip.compress(ubyte((2, 28, 28), 5)))
    assert not get(mirror, source=str(mine), any_checksum=True).files[0].published


@pytest.mark.parametrize("data", [b"not gzip", OTHER_PACKED[:-9], LABELS_PACKED], ids=["plain", "cut", "labels"])
def test_any_checksum_does_not_mean_any_bytes(mirror, get, out, mine, data):
    (mine / IMAGES.name).write_bytes(data)
    with pytest.raises(FetchError, match=r"expected .* got .*; put the right file there"):
        get(mirror, source=str(mine), any_checksum=True)
    assert names(out) == []


def test_a_file_that_the_own_folder_lacks_is_named(mirror, get, mine):
    (mine / IMAGES.name).unlink()
    with pytest.raises(FetchError, match=r"my copy/images.gz: no such file; put the right file there"):
        get(mirror, source=str(mine))


def test_a_file_in_the_own_folder_that_is_too_large_is_not_copied(mirror, get, mine):
    os.truncate(mine / IMAGES.name, 10**12)
    with pytest.raises(FetchError, match=f"expected at most {IMAGES.limit_bytes} bytes, got a file of {10**12}"):
        get(mirror, source=str(mine))


@pytest.mark.parametrize("source", ["ftp://host/mnist", "s3://bucket/mnist", "file://host/x", "http://", "http://[x"])
def test_a_source_of_another_kind_is_a_fault_of_the_command_line(mirror, get, source):
    with pytest.raises(PlanError, match=re.escape(source)):
        get(mirror, source=source)


def test_a_password_in_an_address_is_refused_and_not_repeated(mirror, get):
    with pytest.raises(PlanError, match="user name or password") as caught:
        get(mirror, source="https://me:secret@host/mnist")
    assert "secret" not in str(caught.value)


def test_options_that_make_no_sense_are_refused(mirror, get, out):
    with pytest.raises(PlanError, match="from a source of your own only; name it with --from"):
        get(mirror, any_checksum=True)
    with pytest.raises(PlanError, match="tiny has no mirrors; name a copy of your own"):
        get()
    with pytest.raises(PlanError, match="expected 1 attempt or more and a timeout above 0 s, got 0 and 1 s"):
        RetryPolicy(attempts=0, timeout_s=1)
    assert not out.exists()


# ---- the tables


def test_the_tables_name_four_files_each_of_the_published_shapes():
    for dataset in DATASETS.values():
        assert [file.unpacked_bytes for file in dataset.files] == [47040016, 60008, 7840016, 10008]
        assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in dataset.files)
        assert len(dataset.mirrors) >= 2
    assert len({file.sha256 for dataset in DATASETS.values() for file in dataset.files}) == 8


def test_the_real_mnist_has_the_published_checksums(real_data, out):
    report = fetch(DATASETS["mnist"], out, source=str(real_data / "mnist"))
    assert all(file.published for file in report.files)


def test_the_real_fashion_mnist_labels_have_the_published_checksums(real_data, out):
    report = fetch(DATASETS["fashion-mnist"], out, source=str(real_data / "fashion-mnist"), any_checksum=True)
    assert [file.published for file in report.files if "labels" in file.name] == [True, True]


# ---- the command


@pytest.fixture
def run(monkeypatch, mirror):
    """Return a function that runs `recordkit fetch` on a tiny MNIST, and returns its exit code."""
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)
    monkeypatch.setitem(DATASETS, "mnist", Dataset("mnist", (mirror.url,), (IMAGES, LABELS)))

    def call(*arguments):
        try:
            program.run(lambda: recordkit.main(["fetch", *map(str, arguments)], standalone_mode=False), "recordkit")
        except SystemExit as end:
            return end.code
        return 0

    return call


def test_the_command_says_what_it_did(run, mirror, out, capsys):
    assert run("mnist", out) == 0
    said = capsys.readouterr()
    assert said.out == (
        f"images.gz: {len(PACKED):,} bytes, from {mirror.url}/images.gz\n"
        f"labels.gz: {len(LABELS_PACKED):,} bytes, from {mirror.url}/labels.gz\n"
        f"mnist: 2 files fetched, 0 already there, in {out}\n"
    )
    assert f"images.gz: {len(PACKED):,} bytes, checked\n" in said.err
    assert run("mnist", out) == 0
    said = capsys.readouterr()
    assert "images.gz: already there and right\n" in said.err
    assert said.out.endswith(f"mnist: 0 files fetched, 2 already there, in {out}\n")


def test_the_command_prints_json_alone_on_stdout(run, mirror, out, capsys):
    mirror.script = [saying(503, Retry_After="0"), dropping(HALF)]
    assert run("mnist", out, "--json") == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert [file["status"] for file in report["files"]] == ["fetched", "fetched"]
    assert report["files"][0]["received_bytes"] == len(PACKED)
    assert "HTTP 503 Service Unavailable; next attempt in" in said.err


def test_the_command_fails_with_one_line_and_code_1(run, mirror, out, capsys):
    mirror.files = {}
    assert run("mnist", out) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("recordkit: images.gz: not fetched from 1 source: ")
    assert last.endswith("HTTP 404 Not Found; try again later, or use --from with a copy of your own")


@pytest.mark.parametrize(
    "arguments",
    [["emnist", "x"], ["mnist"], ["mnist", "x", "--from", "ftp://a"], ["mnist", "x", "--any-checksum"]],
    ids=" ".join,
)
def test_a_fault_of_the_command_line_is_code_2(run, arguments, capsys):
    assert run(*arguments) == 2
    assert capsys.readouterr().err


def test_the_command_takes_a_copy_in_another_order(run, out, tmp_path, capsys):
    (tmp_path / IMAGES.name).write_bytes(OTHER_PACKED)
    (tmp_path / LABELS.name).write_bytes(LABELS_PACKED)
    assert run("mnist", out, "--from", tmp_path, "--any-checksum", "--attempts", 1, "--timeout", 1) == 0
    assert "images.gz, not the published data\n" in capsys.readouterr().out


def test_an_interrupted_command_says_how_to_go_on(run, mirror, out, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("recordkit.cli.commands.fetch.fetch", interrupt)
    assert run("mnist", out) == 130
    assert "run the same again to go on" in capsys.readouterr().err


def test_a_terminal_gets_a_bar(run, out, monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run("mnist", out) == 0
    assert re.search(r"images.gz: +[0-9]+%\|", terminal.getvalue())
    assert capsys.readouterr().out.startswith("images.gz: ")
