"""A fixture with a small web server on this machine, whose answers a test changes."""

import http.server
import re
import threading
from urllib.parse import unquote

import pytest


class WebServer(http.server.ThreadingHTTPServer):
    """The server.

    `files` has contents by name, and those of `folder` count too; a name may stand behind the name of a bucket. Others
    get `missing_status`; all get `status` if it is set. `headers` come with each file. `gate` is called with method and
    path before each answer, and `requests` has both, with the query, in the order in which they came.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files, self.folder = {}, None
        self.status, self.missing_status = 0, 404
        self.headers, self.has_ranges = {"ETag": '"1"'}, True
        self.gate = lambda method, path: None
        self.requests = []

    def content(self, path):
        """Return the bytes of a file; None if there is none."""
        for name, content in self.files.items():
            if f"/{path}".endswith(f"/{name}"):
                return content
        path = self.folder / path if self.folder else None
        return path.read_bytes() if path and path.is_file() else None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server, path = self.server, unquote(self.path.partition("?")[0])[1:]
        server.requests.append((self.command, unquote(self.path)[1:]))
        server.gate(self.command, path)
        content = server.content(path)
        if server.status or content is None:
            return self.answer(server.status or server.missing_status, b"", {})
        if self.headers.get("If-Match") not in (None, server.headers.get("ETag")):
            return self.answer(412, b"", {})
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if not asked or not server.has_ranges:
            return self.answer(200, content, server.headers)
        begin, end = int(asked[1]), min(int(asked[2]) + 1, len(content))
        headers = {**server.headers, "Content-Range": f"bytes {begin}-{end - 1}/{len(content)}"}
        return self.answer(206, content[begin:end], headers)

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def web():
    """A web server."""
    server = WebServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
