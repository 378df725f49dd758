"""A page that follows its runs: served to this machine alone, and made anew when there is news."""

import http.client
import threading
from contextlib import contextmanager
from html import unescape

import pytest

from tests.report.runs import GAN_CONFIG, gan_rows, write_run
from wgan_lip.report.page.server import PageServer


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
