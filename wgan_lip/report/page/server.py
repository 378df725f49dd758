"""A page that follows running trainings: served on this machine, and told of news as it comes."""

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

from wgan_lip.report.page.pages import Page
from wgan_lip.report.page.run import read_run

_LOCAL = ("127.0.0.1", "localhost", "::1")
# A name or an address, IPv6 in brackets, and a port.
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^\s\[\]@/?#\\:]*))(?::[0-9]*)?", re.IGNORECASE)
# Connections at once, each a thread; and seconds that one may take to send a request, or to take its answer.
_CONNECTIONS = 32
_SECONDS = 10.0
# What http.server calls faults of the server: a method that the handler does not have, another version of HTTP.
_FAULTS = {
    HTTPStatus.NOT_IMPLEMENTED: HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: HTTPStatus.BAD_REQUEST,
}


class PageServer(ThreadingHTTPServer):
    """Serves the page of some runs, made anew when their files have changed.

    ``/`` is the page; ``/main?since=VERSION`` is what is inside its ``<main>``, or nothing (204) if that is the
    version still. No other file can be read through it.

    A connection is closed that takes more than ten seconds to send a request or to take its answer. Of 32, the one that
    has taken longest is closed as soon as another one comes: nobody who is slow keeps others out.

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
        # Open connections: since when each has been waited for; None while its answer is being made.
        self._open: dict[socket.socket, float | None] = {}
        self._changed = Condition()
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where it is to be seen."""
        return f"http://{self.host}:{self.server_address[1]}/"

    def page(self) -> tuple[str, Page]:
        """The page of the files as they are, and the name of this version of them.

        Raises:
            ValueError: a run holds no evaluation yet.
            OSError: a file cannot be read.
        """
        version = _version(self.folders)
        with self._lock:
            if self._made is None or self._made[0] != version:
                self._made = version, Page([read_run(folder) for folder in self.folders], live=True)
            return self._made

    def waiting(self, connection: socket.socket, waits: bool) -> None:
        """Note whether a connection is waited for, or its answer is being made.

        Args:
            connection: an open one.
            waits: for its request, or for its reader.
        """
        with self._changed:
            if connection in self._open:
                self._open[connection] = time.monotonic() if waits else None
                self._changed.notify_all()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            # Where answers are being made for all, one of them will soon be ready.
            self._changed.wait_for(lambda: len(self._open) < _CONNECTIONS or self._waits())
            if len(self._open) >= _CONNECTIONS:
                _, longest = min(self._waits(), key=lambda pair: pair[0])
                _end(longest)
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
            for since, connection in self._waits():
                if time.monotonic() - since > _SECONDS:
                    _end(connection)

    def _waits(self) -> list[tuple[float, socket.socket]]:
        return [(since, connection) for connection, since in self._open.items() if since is not None]

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A reader that has left is none of the terminal's business.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS

    def handle_one_request(self) -> None:
        self.server.waiting(self.connection, True)
        super().handle_one_request()

    def parse_request(self) -> bool:
        understood = super().parse_request()
        self.server.waiting(self.connection, False)
        return understood

    def do_GET(self) -> None:
        if self.headers.get("Transfer-Encoding") or self.headers.get("Content-Length", "0") != "0":
            # What follows is no request.
            self.close_connection = True
        hosts = self.headers.get_all("Host", [""])
        found = _HOST.fullmatch(hosts[0].strip())
        path, _, query = self.path.partition("?")
        if len(hosts) > 1 or found is None or not path.startswith("/"):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        # A page of elsewhere whose name leads here must not read what is served.
        if self.server.host in _LOCAL and (found["v6"] or found["name"]).lower() not in _LOCAL:
            self._send(HTTPStatus.FORBIDDEN, "this server answers to localhost only")
            return
        if path not in ("/", "/main"):
            self._send(HTTPStatus.NOT_FOUND, "there is / and nothing else")
            return
        try:
            version, page = self.server.page()
        except (ValueError, OSError) as error:
            # A training that has just begun has nothing to show yet.
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
        self.server.waiting(self.connection, True)
        # A reader may have left in the meantime.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request, or none of ours, in one line, and end the connection."""
        self.close_connection = True
        # Of a request line that was not understood there is no version, without which no status would be sent.
        self.request_version = self.protocol_version
        status = _FAULTS.get(HTTPStatus(code), HTTPStatus(code))
        self._send(status, f"{status.phrase}: this server answers to GET, on / and /main")
        # The answer is lost if the connection is closed while some of the request has not been read.
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1.0)
            for _ in range(64):
                if not self.connection.recv(1 << 16):
                    break

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the terminal is for what concerns the reader."""


def serve_page(folders: Sequence[Path], host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve the page of some runs until interrupted.

    Args:
        folders: of the runs.
        host: address to listen on.
        port: 0 takes any free one.
        tell: is told the page's address.

    Raises:
        OSError: the address cannot be listened on.
    """
    with PageServer(folders, host, port) as server:
        tell(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            # How it is meant to end.
            return


def _end(connection: socket.socket) -> None:
    """End a connection; the thread that waits for it sees its end, and closes it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _version(folders: Sequence[Path]) -> str:
    """A name for the state of all files that the page is made of."""
    state = hashlib.sha256()
    for folder in folders:
        named = (folder / name for name in ("metrics.csv", "config.yaml", "finished"))
        for path in sorted([*named, *folder.glob("samples/*.png"), *folder.glob("critic/*.png")]):
            if path.is_file():
                found = path.stat()
                state.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return state.hexdigest()[:16]
