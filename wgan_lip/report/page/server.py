"""A page that follows running trainings: served on this machine, and told of news as it comes."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from wgan_lip.report.page.pages import Page
from wgan_lip.report.page.run import read_run

_LOCAL = ("127.0.0.1", "localhost", "::1")


class PageServer(ThreadingHTTPServer):
    """Serves the page of some runs, made anew when their files have changed.

    ``/`` is the page; ``/main?since=VERSION`` is what is inside its ``<main>``, or nothing (204) if that is the
    version still. No other file can be read through it.

    Args:
        folders: of the runs; each holds metrics.csv.
        host: address to listen on.
        port: 0 takes any free one.

    Raises:
        OSError: the address cannot be listened on.
    """

    daemon_threads = True

    def __init__(self, folders: Sequence[Path], host: str = "127.0.0.1", port: int = 0) -> None:
        self.folders = tuple(folders)
        self.host = host
        self._lock = Lock()
        self._made: tuple[str, Page] | None = None
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


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # A page of elsewhere whose name leads here must not read what is served.
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        if self.server.host in _LOCAL and host not in _LOCAL:
            self._send(HTTPStatus.FORBIDDEN, "this server answers to localhost only")
            return
        url = urlsplit(self.path)
        if url.path not in ("/", "/main"):
            self._send(HTTPStatus.NOT_FOUND, "there is / and nothing else")
            return
        try:
            version, page = self.server.page()
        except (ValueError, OSError) as error:
            # A training that has just begun has nothing to show yet.
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
            return
        if url.path == "/":
            self._send(HTTPStatus.OK, page.html(), "text/html")
        elif version in parse_qs(url.query).get("since", ()):
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
        if version is not None:
            self.send_header("X-Version", version)
        # A reader may have left in the meantime.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            self.wfile.write(content)

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
