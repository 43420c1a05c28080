"""A local HTTP server of files in memory that answers range requests, as object stores do."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """A running server. `requests` has (first byte, length) of each answered GET."""

    url: str
    files: Mapping[str, bytes]
    requests: list[tuple[int, int]] = field(default_factory=list)


@contextlib.contextmanager
def served(files: Mapping[str, bytes]) -> Iterator[FileServer]:
    """Serve `files`, by name, on the loopback interface until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(has_body=False)

        def do_GET(self) -> None:
            self._answer(has_body=True)

        def _answer(self, *, has_body: bool) -> None:
            data = files.get(self.path.lstrip("/"))
            if data is None:
                self.send_error(404)
                return
            requested = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(requested[1]) if requested else 0
            end = min(int(requested[2]) + 1, len(data)) if requested and requested[2] else len(data)
            if start >= len(data) > 0:
                self.send_error(416)
                return
            self.send_response(206 if requested else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(end - start))
            if requested:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
            self.end_headers()
            if has_body:
                server.requests.append((start, end - start))
                self.wfile.write(data[start:end])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server = FileServer(f"http://127.0.0.1:{http.server_address[1]}", files)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
