# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
A web server on this machine that gives parts of files, and counts what it gives.
"""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body):
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first, last, status = 0, len(content) - 1, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted and self.server.ranges:
            first = int(wanted[1])
            last = min(int(wanted[2] or last), last)
            status = 206
        part = content[first : last + 1]
        self.send_response(status)
        if self.server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if body:
            self.server.sent += len(part)
            with contextlib.suppress(OSError):  # the reader may have enough
                self.wfile.write(part)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def served(folder, ranges=True):
    """Serve a folder; gives the server, with its ``address`` and bytes ``sent``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.folder, server.ranges, server.sent = Path(folder), ranges, 0
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
