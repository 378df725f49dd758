"""A local HTTP server for the page of running trainings, which updates itself as they log."""

import hashlib
import re
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Lock
from typing import Any
from urllib.parse import parse_qs

from wgan_lip.page.page import Page
from wgan_lip.report import read_run

_LOCAL = ("127.0.0.1", "localhost", "::1")
# A name or an address, IPv6 in brackets, and a port.
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^\s\[\]@/?#\\:]*))(?::[0-9]*)?", re.IGNORECASE)
# Connections at once, each with a thread; and seconds for sending a request, and for receiving its answer.
_CONNECTIONS = 32
_SECONDS = 10.0
# Errors of the client that http.server reports as errors of the server: an unknown method, another version of HTTP.
_CLIENT_ERRORS = {
    HTTPStatus.NOT_IMPLEMENTED: HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: HTTPStatus.BAD_REQUEST,
}


class PageServer(ThreadingHTTPServer):
    """Serves the page of some runs, and makes it again when their files have changed.

    ``/`` is the page; ``/main?since=VERSION`` is the content of its ``<main>``, or nothing (204) if VERSION is the
    latest. No other file can be read through it.

    A connection that takes more than ten seconds to send a request or to receive its answer is closed. When another
    connection arrives while 32 are open, the one that has been waited for longest is closed, so that slow clients do
    not keep others out.

    Args:
        folders: of the runs; each holds metrics.csv.
        host: address to listen on.
        port: 0 takes any free one.

    Raises:
        OSError: the address cannot be listened on.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folders: Sequence[Path], host: str = "127.0.0.1", port: int = 0) -> None:
        self.folders = tuple(folders)
        self.host = host
        self._lock = Lock()
        self._made: tuple[str, Page] | None = None
        # Open connections, with the time since when each is waited for; None while its answer is being made.
        self._open: dict[socket.socket, float | None] = {}
        self._changed = Condition()
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{self.host}:{self.server_address[1]}/"

    def page(self) -> tuple[str, Page]:
        """The version of the files as they are now, and their page.

        Raises:
            ValueError: a run holds no evaluation yet.
            OSError: a file cannot be read.
        """
        version = _version(self.folders)
        with self._lock:
            if self._made is None or self._made[0] != version:
                self._made = version, Page([read_run(folder) for folder in self.folders], live=True)
            return self._made

    def note_waiting(self, connection: socket.socket, waits: bool) -> None:
        """Note whether a connection is waited for, or its answer is being made.

        Args:
            connection: an open one.
            waits: whether the server waits for its client.
        """
        with self._changed:
            if connection in self._open:
                self._open[connection] = time.monotonic() if waits else None
                self._changed.notify_all()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            # If answers are being made for all connections, one of them will soon be ready.
            self._changed.wait_for(lambda: len(self._open) < _CONNECTIONS or self._waiting())
            if len(self._open) >= _CONNECTIONS:
                _, longest = min(self._waiting(), key=lambda pair: pair[0])
                _shut_down(longest)
                del self._open[longest]
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changed:
            self._open.pop(request, None)
            self._changed.notify_all()
        super().shutdown_request(request)

    def service_actions(self) -> None:
        with self._changed:
            for since, connection in self._waiting():
                if time.monotonic() - since > _SECONDS:
                    _shut_down(connection)

    def _waiting(self) -> list[tuple[float, socket.socket]]:
        return [(since, connection) for connection, since in self._open.items() if since is not None]

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that has closed its connection is no error.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS

    def handle_one_request(self) -> None:
        self.server.note_waiting(self.connection, True)
        super().handle_one_request()

    def parse_request(self) -> bool:
        understood = super().parse_request()
        self.server.note_waiting(self.connection, False)
        return understood

    def do_GET(self) -> None:
        if self.headers.get("Transfer-Encoding") or self.headers.get("Content-Length", "0") != "0":
            # The body of this request must not be read as the next one.
            self.close_connection = True
        hosts = self.headers.get_all("Host", [""])
        found = _HOST.fullmatch(hosts[0].strip())
        path, _, query = self.path.partition("?")
        if len(hosts) > 1 or found is None or not path.startswith("/"):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        # DNS rebinding: a page of another site whose name leads here must not read what is served.
        if self.server.host in _LOCAL and (found["v6"] or found["name"]).lower() not in _LOCAL:
            self._send(HTTPStatus.FORBIDDEN, "this server answers to localhost only")
            return
        if path not in ("/", "/main"):
            self._send(HTTPStatus.NOT_FOUND, "not found: the page is at /")
            return
        try:
            version, page = self.server.page()
        except (ValueError, OSError) as error:
            # A training that has just started has no evaluation yet.
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
            return
        if path == "/":
            self._send(HTTPStatus.OK, page.html(), "text/html")
        elif version in parse_qs(query).get("since", ()):
            self._send(HTTPStatus.NO_CONTENT, "")
        else:
            self._send(HTTPStatus.OK, page.body(), "text/html", version)

    def _send(self, status: HTTPStatus, text: str, kind: str = "text/plain", version: str | None = None) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        if version is not None:
            self.send_header("X-Version", version)
        self.server.note_waiting(self.connection, True)
        # The client may have closed the connection.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a bad request in one line, and close the connection."""
        self.close_connection = True
        # A malformed request line leaves the version unset, without which no status line would be sent.
        self.request_version = self.protocol_version
        status = _CLIENT_ERRORS.get(HTTPStatus(code), HTTPStatus(code))
        self._send(status, f"{status.phrase}: this server answers to GET, on / and /main")
        # Closing the connection before the whole request is read would discard the answer.
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1.0)
            for _ in range(64):
                if not self.connection.recv(1 << 16):
                    break

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""


def serve_page(folders: Sequence[Path], host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve the page of some runs until interrupted.

    Args:
        folders: of the runs.
        host: address to listen on.
        port: 0 takes any free one.
        announce: called with the page's address.

    Raises:
        OSError: the address cannot be listened on.
    """
    with PageServer(folders, host, port) as server:
        announce(server.url)
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)


def _shut_down(connection: socket.socket) -> None:
    """Shut a connection down; the thread that waits for it then closes it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _version(folders: Sequence[Path]) -> str:
    """A hash of names, sizes and times of all files that the page is made of."""
    state = hashlib.sha256()
    for folder in folders:
        named = (folder / name for name in ("metrics.csv", "config.yaml", "finished"))
        for path in sorted([*named, *folder.glob("samples/*.png"), *folder.glob("critic/*.png")]):
            if path.is_file():
                found = path.stat()
                state.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return state.hexdigest()[:16]
