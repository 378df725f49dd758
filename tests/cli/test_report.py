"""``wgan-lip report``: from a folder that fit made to a page and figures."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from tests.support.commands import DIGITS, SMALL, failure, run
from tests.support.runs import GAN_CONFIG, classifier_rows, gan_rows, write_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "disabled")
        run(patch, "fit", "-c", DIGITS, *SMALL, "--run=a", "--gradient_norms.n=20", "--gradient_norms.every=10")
    return folder / "runs" / "digits" / "a"


def test_a_trained_run(trained, monkeypatch, capsys):
    capsys.readouterr()
    run(monkeypatch, "report", trained)
    path = trained / "report.html"
    assert capsys.readouterr().out == f"Written:\n  {path}\n"
    html = path.read_text()
    assert "Finished at generator step 20." in html
    # The certificate is that of the checkpoint, layer by layer.
    assert "Of the last checkpoint (generator step 20), in l2" in html
    assert html.count("<td>OrthogonalLinear</td>") == 5
    assert "model.init_args.critic.class_path" in html


def test_figures_for_a_paper(trained, monkeypatch, tmp_path):
    run(monkeypatch, "report", trained, "-o", tmp_path / "page.html", "--figures", tmp_path / "figures")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["digits-a-w1.png", "digits-a-w1.svg"]
    with Image.open(tmp_path / "figures" / "digits-a-w1.png") as image:
        assert image.width > 1000
    assert (tmp_path / "figures" / "digits-a-w1.svg").read_text().startswith("<?xml")


def test_several_runs_make_one_page_here(trained, monkeypatch, tmp_path, capsys):
    other = write_run(tmp_path / "digits" / "b", gan_rows(), GAN_CONFIG)
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "report", trained, other)
    assert "  report.html\n" in capsys.readouterr().out
    html = Path("report.html").read_text()
    assert "Where their configs differ" in html
    # The other one was made without training.
    assert "There is none: " in html


def test_a_run_without_a_certificate_says_why(monkeypatch, tmp_path):
    folder = write_run(tmp_path / "robust" / "a", classifier_rows())
    run(monkeypatch, "report", folder, "--figures", tmp_path / "figures")
    assert "There is none: " in (folder / "report.html").read_text()
    assert (tmp_path / "figures" / "robust-a-accuracy.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "RUN nowhere: there is no such folder"),
        (["."], "is not the folder of a run: there is no metrics.csv in it"),
        (["run", "-o", "page.pdf"], "argument -o/--output: must end in .html; got page.pdf"),
        (["run", "-o", "no/page.html"], "argument -o/--output: there is no folder"),
        (["run", "--serve", "-o", "page.html"], "--serve writes nothing: leave --output and --figures out"),
        (["run", "--serve", "--port", "70000"], "argument --port: must be between 0 and 65535; got '70000'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, message, monkeypatch, tmp_path, capsys):
    write_run(tmp_path / "run", gan_rows())
    monkeypatch.chdir(tmp_path)
    assert message in failure(capsys, monkeypatch, "report", *arguments)


def test_serving_ends_with_an_interruption(tmp_path):
    folder = write_run(tmp_path / "run", gan_rows())
    command = [sys.executable, "-m", "wgan_lip", "report", str(folder), "--serve", "--port", "0"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[2]
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
            assert b"generator step 20" in answer.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
