"""A bad line between a laptop and a facility: a proxy on the loopback that does what a test tells it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

_HOP_BY_HOP = frozenset(
    {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "host", "server", "date"}
)


@dataclass
class Line:
    """What goes wrong, with the bytes of files only."""

    url: str = ""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes the next answers end."""
    busy: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Statuses and headers of the next answers."""
    damages: int = 0
    """In how many of the next answers a byte is another one."""
    slow: float = 0.0
    """Seconds before each piece."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Addresses and headers of what was asked for."""
    held: threading.Event = field(default_factory=threading.Event)
    """Set while the bytes of a file are on their way."""

    def ranges(self) -> list[str | None]:
        """Of the requests for files."""
        return [headers.get("range") for address, headers in self.asked if "/files/" in address]


@contextmanager
def bad_line() -> Iterator[Line]:
    line = Line()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            line.asked.append((self.path, headers))
            is_file = "/files/" in self.path and self.command == "GET"
            if is_file and line.busy:
                status, more = line.busy.pop(0)
                self._begin(status, {**more, "Content-Length": "0"})
                return
            passed = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            with httpx2.stream(
                self.command, self.path, headers=passed, content=body, trust_env=False, timeout=30
            ) as answer:
                self._begin(answer.status_code, answer.headers)
                if self.command == "HEAD":
                    return
                cut = line.cuts.pop(0) if is_file and line.cuts else None
                if is_file and line.damages:
                    line.damages -= 1
                    damage = True
                else:
                    damage = False
                sent = 0
                for piece in answer.iter_raw(65536):
                    if damage:
                        piece, damage = bytes([piece[0] ^ 1]) + piece[1:], False
                    if cut is not None:
                        piece = piece[: cut - sent]
                    self.wfile.write(piece)
                    sent += len(piece)
                    if is_file:
                        line.held.set()
                        threading.Event().wait(line.slow)
                    if sent == cut:
                        self.close_connection = True
                        return

        do_HEAD = do_POST = do_GET

        def _begin(self, status: int, headers: Any) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            if "content-length" not in {name.lower() for name in headers}:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """The program may go away in the middle."""

    server = Server(("127.0.0.1", 0), Handler)
    line.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield line
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
