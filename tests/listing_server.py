"""An S3 server that lists any keys, also those that no client can write."""

import contextlib
import http.server
import threading


@contextlib.contextmanager
def listing_server(keys):
    """Run a server that answers each request with a list of the keys; yield the environment that leads to it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            facts = "<LastModified>2024-01-01T00:00:00.000Z</LastModified><Size>0</Size>"
            items = "".join(f"<Contents><Key>{key}</Key>{facts}</Contents>" for key in keys)
            head = f"<KeyCount>{len(keys)}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
            body = f"<ListBucketResult><Name>b</Name>{head}{items}</ListBucketResult>".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "key",
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
