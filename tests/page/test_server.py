"""A page that follows its runs: served to this machine alone, and made anew when there is news."""

import http.client
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from html import unescape

import pytest

from tests.support.runs import GAN_CONFIG, gan_rows, write_run
from wgan_lip.page import server as page_server
from wgan_lip.page.page import Page
from wgan_lip.page.server import PageServer


@contextmanager
def serving(*folders):
    with PageServer(folders) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server: PageServer, path: str, host: str = "127.0.0.1") -> tuple[int, str, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.getheader("X-Version")


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "digits" / "a", gan_rows(), GAN_CONFIG, {"0000000.png": 0, "0000020.png": 200})


def test_the_page_may_ask_its_own_server_and_no_other(run):
    with serving(run) as server:
        status, html, _ = ask(server, "/")
        assert (status, server.url) == (200, f"http://127.0.0.1:{server.server_address[1]}/")
        assert "connect-src 'self';" in unescape(html)
        assert "data-live" in html


def test_what_is_new_is_sent_once(run):
    with serving(run) as server:
        status, first, version = ask(server, "/main?since=")
        assert (status, "<h1>digits/a</h1>" in first) == (200, True)
        assert ask(server, f"/main?since={version}")[:2] == (204, "")
        with (run / "metrics.csv").open("a") as file:
            file.write("30,90,2.25,0.5" + "," * (len(gan_rows()[0]) + 6) + "\n")
        status, _, later = ask(server, f"/main?since={version}")
        assert status == 200
        assert later != version
        assert ask(server, f"/main?since={later}")[0] == 204


@pytest.mark.parametrize("path", ["/metrics.csv", "/../metrics.csv", "//etc/passwd", "/main/..", "/figures"])
def test_no_file_can_be_read_through_it(run, path):
    with serving(run) as server:
        assert ask(server, path)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""])
def test_a_name_that_leads_here_is_refused(run, host):
    with serving(run) as server:
        assert ask(server, "/", host)[0] == 403
        assert ask(server, "/", "localhost:1234")[0] == 200


def test_a_training_that_has_just_begun_is_waited_for(tmp_path):
    folder = write_run(tmp_path / "a", [{"generator_step": 5, "train/w1_critic": 1.0}])
    with serving(folder) as server:
        status, text, _ = ask(server, "/")
        assert status == 503
        assert "holds no evaluation" in text


def send(server: PageServer, request: bytes) -> bytes:
    """All that is answered to some bytes, until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
        return answer


@pytest.mark.parametrize(
    "host",
    ["[::1", "[", "]", "[::1]x", "[[::1]]", "localhost:x", "a b", "user@localhost", "localhost/x", "localhost?x"],
)
def test_a_malformed_host_is_a_bad_request(tmp_path, capfd, host):
    with serving(tmp_path) as server:
        answer = send(server, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert ask(server, "/x", "[::1]:8000")[0] == ask(server, "/x", "LocalHost")[0] == 404
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / FTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1 x\r\n\r\n", 400),
        (b"GET http://[::1/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET /[::1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /%00\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 403),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000), 405),
        (b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"__class__ / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: " + b"x" * 200_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2000 + b"\r\n", 431),
    ],
)
def test_what_is_no_request_gets_one_line_and_no_traceback(tmp_path, capfd, request_, status):
    with serving(tmp_path) as server:
        head, _, body = send(server, request_).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"\n" not in body
        assert ask(server, "/x")[0] == 404
    assert capfd.readouterr() == ("", "")


def test_the_body_of_a_request_is_no_request_of_its_own(tmp_path):
    inner = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(tmp_path) as server:
        answer = send(server, b"GET /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner)
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("said", [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_those_who_are_slow_keep_nobody_out_and_take_no_more_threads(tmp_path, capfd, said):
    before = threading.active_count()
    with serving(tmp_path) as server, ExitStack() as stack:
        for _ in range(100):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=30))
            slow.sendall(said)
        for _ in range(3):
            start = time.monotonic()
            assert ask(server, "/x")[0] == 404
            assert time.monotonic() - start < 5
        assert threading.active_count() - before <= page_server._CONNECTIONS + 8
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("drip", [b"", b"A"])
def test_a_request_that_does_not_end_is_ended(tmp_path, monkeypatch, drip):
    monkeypatch.setattr(page_server, "_SECONDS", 0.5)
    with serving(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=0.1) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")
            start, ended = time.monotonic(), False
            while not ended and time.monotonic() - start < 20:
                try:
                    connection.sendall(drip)
                    ended = connection.recv(1) == b""
                except TimeoutError:
                    continue
                except OSError:
                    ended = True
        assert ended
        assert ask(server, "/x")[0] == 404


def test_readers_who_take_nothing_keep_nobody_out(run, monkeypatch):
    monkeypatch.setattr(page_server, "_CONNECTIONS", 4)
    monkeypatch.setattr(Page, "html", lambda page: "x" * 5_000_000)
    with serving(run) as server, ExitStack() as stack:
        ask(server, "/")
        for _ in range(8):
            greedy = stack.enter_context(socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=30))
            greedy.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        start = time.monotonic()
        assert ask(server, "/")[0] == 200
        assert time.monotonic() - start < 20
