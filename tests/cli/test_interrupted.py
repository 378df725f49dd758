"""Long commands on a terminal: how far they are is shown, and Ctrl-C ends them with what there is, in one line."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_diagnose import CLASSIFIER
from tests.support.commands import ABSOLUTE, DIGITS, SMALL, SMALL_ESTIMATOR, run
from wgan_lip.cli import submit


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With a trained GAN, a classifier, and two sample sets that take long to compare."""
    made = tmp_path_factory.mktemp("long")
    (made / "classifier.yaml").write_text(CLASSIFIER)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        for config, small in ((DIGITS, SMALL), ("classifier.yaml", [])):
            run(patch, "fit", "-c", config, *small, "--run=a", "--wandb.mode=disabled")
    for seed, name in enumerate("xy"):
        np.save(made / f"{name}.npy", np.random.default_rng(seed).normal(size=(12_000, 2)))
    return made


def interrupted(folder: Path, pattern: str, *words: object) -> tuple[int, str]:
    """The exit status of a command that is sent Ctrl-C when it shows a pattern, and all that it wrote."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "wgan_lip", *map(str, words)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    written, shown, sent = b"", "", False
    with subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                written += os.read(ours, 65536)
            except OSError:
                # The other end is closed.
                break
            # Without colours and cursor movements.
            shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode(errors="replace"))
            if not sent and re.search(pattern, shown):
                process.send_signal(signal.SIGINT)
                sent = True
        else:
            process.kill()
        os.close(ours)
    assert sent, shown
    assert "Traceback" not in shown
    return process.returncode, shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "words", "said"),
    [
        (
            r"A against B \(\d+x\d+\): round \d+",
            ["w1", "x.npy", "y.npy", "--method", "column-generation"],
            r"interrupted: [\d.]+ ≤ W1 ≤ [\d.]+ between the samples is proven",
        ),
        (
            r"attacking .*[1-9]\d*/\d+ .*<",
            ["certify", "runs/classifier/a", "--eps", *np.linspace(0.01, 0.3, 100), "--restarts", 2],
            r"certified ≥(.|\n)*interrupted: attacks were made at \d+ of 100 radii; the certificate is complete",
        ),
        (
            r"diagnosing .* ([2-9]|\d\d+)/200 .*<",
            ["diagnose", *["runs/digits/a"] * 200],
            r"digits/a \(2\)(.|\n)*interrupted: \d+ of 200 checkpoints were diagnosed",
        ),
        (r"sampling .*<", ["sample", "runs/digits/a", "-n", 50_000_000], r"wgan-lip: interrupted\r?\n"),
        (
            r"\[2/50\].*(.|\n)*cells .*\d/\d+ .*<",
            [
                *("compare", "--name=c", "--wandb.mode=disabled", f"--seeds={list(range(50))}", "--n=64"),
                *("--exact_n=20", "--set", "steps=50", "--jobs=1"),
                "--pairs={absolute: wgan_lip.distributions.AbsoluteValue}",
                "--critics={small: {critic: {class_path: wgan_lip.networks.MLPCritic, init_args: {width: 8}}}}",
            ],
            r"comparison\.png(.|\n)*interrupted: \d+ of 50 cells are left; the same command goes on with them",
        ),
        (
            r"step .*\d+/100000 .*<",
            ["fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, "--model.init_args.steps=100000", "--wandb.mode=disabled"],
            r"Written:(.|\n)*w1\.png",
        ),
        (
            r"features .*[1-9]\d*/100000 .*<",
            [
                *("fit", "-c", DIGITS, *SMALL, "--wandb.mode=disabled", "--run=features"),
                *("--feature_quality.n=50", "--feature_quality.training_steps=100000"),
            ],
            r"",
        ),
    ],
    ids=["w1", "certify", "diagnose", "sample", "compare", "fit", "features"],
)
def test_on_a_terminal(pattern, words, said, folder):
    status, shown = interrupted(folder, pattern, *words)
    assert status == 128 + signal.SIGINT, shown
    assert re.search(said, shown), shown
    # Nothing half written.
    assert not list(folder.rglob("*.tmp"))
    assert not (folder / "samples.npz").exists()


def test_export_leaves_nothing(folder, monkeypatch, capsys, tmp_path):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wgan_lip.files.networks.torch.export.save", stop)
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "export", folder / "runs" / "classifier" / "a", "-o", tmp_path / "classifier.pt2")
    assert exit_.value.code == 130
    assert capsys.readouterr().err == "wgan-lip: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_waiting_for_jobs_says_how_to_end_them(monkeypatch, capsys):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wgan_lip.comparison.wait_for_jobs", stop)
    with pytest.raises(SystemExit) as exit_:
        submit._wait(["7_1", "7_2"], submit.Console())
    assert exit_.value.code == 130
    assert capsys.readouterr().err == "wgan-lip: interrupted: the jobs go on; scancel 7_1 7_2 ends them\n"


def test_nothing_is_shown_where_there_is_no_terminal(folder, monkeypatch, capsys, tmp_path):
    run(monkeypatch, "sample", folder / "runs" / "digits" / "a", "-o", tmp_path / "s.npz")
    run(monkeypatch, "certify", folder / "runs" / "classifier" / "a", "--n", 20, "--steps", 2, "--restarts", 1)
    run(monkeypatch, "diagnose", folder / "runs" / "digits" / "a", "-n", 10)
    run(monkeypatch, "export", folder / "runs" / "classifier" / "a", "-o", tmp_path / "c.pt")
    assert capsys.readouterr().err == ""
