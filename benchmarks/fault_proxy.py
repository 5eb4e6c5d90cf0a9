"""A proxy in front of an S3 server that makes faults, by a script or at random, and counts requests and bytes.

Faults of an answer: a delay, a reset or an end after some bytes, a status, a body that is too short, a wrong range, a
changed ETag, a slow drip, no answer at all, and an answer that is lost although the server did what was asked. A fault
of a request: a reset after some bytes of its body.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

_BUFFER = 1 << 16
_Headers = list[tuple[str, str]]


class Fault(NamedTuple):
    """One fault.

    `kind` is "delay" (`seconds`), "reset" and "end" (of the connection after `at` bytes of the answer's body), "status"
    (an answer of `status` in place of the server's), "short" (a whole answer of `at` bytes less), "range" (bytes from
    `at` later), "etag" (another ETag), "drip" (`at` bytes every `seconds`), "hang" (no answer), "lost" (the server gets
    the request and its answer does not arrive) or "upload" (a reset after `at` bytes of the request's body).
    """

    kind: str
    at: int = 1
    seconds: float = 0.1
    status: int = 503


class Request(NamedTuple):
    """One request that the proxy has got, and the fault that it made."""

    method: str
    path: str
    range: str
    fault: Fault | None


KINDS = ("delay", "reset", "end", "status", "short", "range", "drip", "lost", "upload")


def at_random(
    seed: int, rate: float, kinds: Iterable[str] = KINDS, *, seconds: float = 0.02
) -> Callable[[], Fault | None]:
    """Return a function that chooses the fault of the next request: none, or one of these kinds at the given rate."""
    generator, choices = random.Random(seed), tuple(kinds)

    def choose() -> Fault | None:
        if generator.random() >= rate:
            return None
        kind = generator.choice(choices)
        at = generator.choice((8192, 65536)) if kind == "drip" else generator.choice((0, 1, 10, 1000, 50_000))
        return Fault(kind, max(at, kind in ("short", "range")), seconds, generator.choice((429, 500, 502, 503, 504)))

    return choose


@dataclass
class FaultProxy:
    """The proxy. Tests change `script` and `choose` while it runs, and read the counters.

    `script` has the faults of the next requests, None for none; when it is empty, `choose` decides. Both apply to
    requests for which `applies` is true: by default all but HEAD.
    """

    target: str
    endpoint: str = ""
    script: deque[Fault | None] = field(default_factory=deque)
    choose: Callable[[], Fault | None] = lambda: None
    applies: Callable[[str, str], bool] = lambda method, path: method != "HEAD"
    requests: list[Request] = field(default_factory=list)
    n_bytes_down: int = 0
    n_bytes_up: int = 0
    n_at_once: int = 0
    most_at_once: int = 0

    @property
    def n_requests(self) -> int:
        """Number of requests so far."""
        return len(self.requests)

    def reset(self) -> None:
        """Forget script and counters."""
        self.script.clear()
        self.choose = lambda: None
        self.requests.clear()
        self.n_bytes_down = self.n_bytes_up = self.most_at_once = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, OSError, _ConnectionEndError):
                while await self._answer(reader, writer):
                    pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, headers = await _read_head(reader)
        method, path, _ = first.split(" ", 2)
        fault = None
        if self.applies(method, path):
            fault = self.script.popleft() if self.script else self.choose()
        self.requests.append(Request(method, path, _get(headers, "range"), fault))
        self.n_at_once += 1
        self.most_at_once = max(self.most_at_once, self.n_at_once)
        try:
            return await self._relay((first, headers), reader, writer, fault)
        finally:
            self.n_at_once -= 1

    async def _relay(
        self,
        request: tuple[str, _Headers],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault | None,
    ) -> bool:
        first, headers = request
        size = int(_get(headers, "content-length") or 0)
        if fault and fault.kind == "upload" and size:
            await reader.readexactly(min(fault.at, size))
            _reset(writer)
        if _get(headers, "expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            headers = [(name, value) for name, value in headers if name.lower() != "expect"]
        if fault and fault.kind == "status":
            await _skip(reader, size)
            code = b"<Error><Code>%s</Code></Error>" % (b"SlowDown" if fault.status >= 429 else b"Refused")
            writer.write(b"HTTP/1.1 %d Fault\r\nContent-Length: %d\r\n\r\n%s" % (fault.status, len(code), code))
            await writer.drain()
            return True
        if fault and fault.kind in ("delay", "hang"):
            await asyncio.sleep(3600 if fault.kind == "hang" else fault.seconds)
        address = urlsplit(self.target)
        server_reader, server_writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            server_writer.write(_pack_head(first, [*headers, ("Connection", "close")]))
            await self._copy_up(reader, server_writer, size)
            answer, answer_headers = await _read_head(server_reader)
            if fault and fault.kind == "lost":
                await server_reader.read()
                _reset(writer)
            return await self._send(first, (answer, answer_headers), server_reader, writer, fault)
        finally:
            server_writer.close()

    async def _copy_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
        while size:
            block = await reader.read(min(size, _BUFFER))
            if not block:
                raise _ConnectionEndError
            writer.write(block)
            await writer.drain()
            self.n_bytes_up += len(block)
            size -= len(block)

    async def _send(
        self,
        request: str,
        answer: tuple[str, _Headers],
        server: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault | None,
    ) -> bool:
        """Send the server's answer, with the fault."""
        first, headers = answer
        headers = [(name, value) for name, value in headers if name.lower() not in ("connection", "keep-alive")]
        if request.startswith("HEAD ") or re.match(r"\S+ (204|304)", first):
            if fault and fault.kind == "etag":
                headers = _set(headers, "ETag", '"changed"')
            writer.write(_pack_head(first, headers))
            await writer.drain()
            return True
        length = _get(headers, "content-length")
        body = await _whole_body(server, headers) if fault or not length else None
        if body is not None:
            headers = [(name, value) for name, value in headers if name.lower() != "transfer-encoding"]
            headers, body = _spoil(headers, body, fault)
            writer.write(_pack_head(first, headers))
            await self._send_spoiled(writer, body, fault)
            return True
        writer.write(_pack_head(first, headers))
        left = int(length)
        while left:
            block = await server.read(min(left, _BUFFER))
            if not block:
                raise _ConnectionEndError
            await self._write(writer, block)
            left -= len(block)
        return True

    async def _send_spoiled(self, writer: asyncio.StreamWriter, body: bytes, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if fault and kind in ("reset", "end"):
            await self._write(writer, body[: fault.at])
            if kind == "reset":
                _reset(writer)
            raise _ConnectionEndError
        if fault and kind == "drip":
            for begin in range(0, len(body), max(1, fault.at)):
                await self._write(writer, body[begin : begin + max(1, fault.at)])
                await asyncio.sleep(fault.seconds)
            return
        await self._write(writer, body)

    async def _write(self, writer: asyncio.StreamWriter, block: bytes) -> None:
        writer.write(block)
        await writer.drain()
        self.n_bytes_down += len(block)


@contextlib.contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    """Run a proxy of a server in a thread."""
    proxy, ready = FaultProxy(target), threading.Event()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        ready.set()
        await ended.wait()
        server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        for _ in range(3):  # turns of the loop in which closed connections end
            await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="fault proxy", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        stop[0]()
        thread.join()


class _ConnectionEndError(Exception):
    """The connection ends here, by a fault or by its other side."""


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset in place of an orderly end."""
    peer: socket.socket = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise _ConnectionEndError


def _spoil(headers: _Headers, body: bytes, fault: Fault | None) -> tuple[_Headers, bytes]:
    """Return headers and body with those faults that are in them."""
    kind = fault.kind if fault else ""
    if fault and kind == "short":
        body = body[: max(0, len(body) - fault.at)]
    elif fault and kind == "range":
        shown = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", _get(headers, "content-range"))
        if shown:
            begin, end, size = (int(number) for number in shown.groups())
            headers = _set(headers, "Content-Range", f"bytes {begin + fault.at}-{end + fault.at}/{size + fault.at}")
    elif kind == "etag":
        headers = _set(headers, "ETag", '"changed"')
    return _set(headers, "Content-Length", str(len(body))), body


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, _Headers]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        raise _ConnectionEndError from None
    lines = head.decode("latin-1").split("\r\n")
    return lines[0], [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:-2])]


def _pack_head(first: str, headers: _Headers) -> bytes:
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")


async def _whole_body(reader: asyncio.StreamReader, headers: _Headers) -> bytes:
    if _get(headers, "content-length"):
        return await reader.readexactly(int(_get(headers, "content-length")))
    if _get(headers, "transfer-encoding").lower() != "chunked":
        return await reader.read()
    body = b""
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        body += await reader.readexactly(size)
        await reader.readline()
        if not size:
            return body


async def _skip(reader: asyncio.StreamReader, size: int) -> None:
    while size:
        block = await reader.read(min(size, _BUFFER))
        if not block:
            raise _ConnectionEndError
        size -= len(block)


def _get(headers: _Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _set(headers: _Headers, name: str, value: str) -> _Headers:
    return [*((key, old) for key, old in headers if key.lower() != name.lower()), (name, value)]
