"""Crafted and damaged checkpoints through all commands: one line that says what is wrong, and exit status 2."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.support.commands import DIGITS, SMALL, failure, fit, run
from tests.support.crafted import CASES, write_crafted


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a GAN's run that is not finished."""
    runs = tmp_path_factory.mktemp("crafted")
    with pytest.MonkeyPatch.context() as patch:
        folder = fit(patch, runs, "--wandb.mode=disabled", "--run=good")
    (folder / "finished").unlink()
    return folder


def refusal(capsys, monkeypatch, command: str, folder: Path) -> str:
    """The line in which a command refuses a run's checkpoint."""
    path = folder / "checkpoints" / "last.ckpt"
    monkeypatch.chdir(folder)
    small = ["-c", DIGITS, *SMALL, "--wandb.mode=disabled", f"--runs_dir={folder.parent.parent}"]
    longer = "--model.init_args.generator_steps=30"
    arguments = {
        "fit": ["fit", *small, longer, "--run", folder.name],
        "validate": ["validate", *small, "--ckpt_path", path],
        "test": ["test", *small, "--ckpt_path", path],
        "report": ["report", folder, "-o", folder / "report.html"],
        "sample": ["sample", path, "-n", 2, "-o", folder / "s.npz"],
        "diagnose": ["diagnose", path, "-n", 8],
        "certify": ["certify", path, "-n", 8],
        "export": ["export", path, "-o", folder / "n.pt"],
    }
    return failure(capsys, monkeypatch, *arguments[command])


def crafted(trained: Path, name: str, tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "digits" / "crafted"
    shutil.copytree(trained, folder)
    write_crafted(trained / "checkpoints" / "last.ckpt", CASES[name], folder / "checkpoints" / "last.ckpt")
    return folder


def check_refused(command: str, name: str, trained: Path, monkeypatch, tmp_path: Path, capsys) -> None:
    folder = crafted(trained, name, tmp_path)
    line = refusal(capsys, monkeypatch, command, folder)
    assert CASES[name].message in line
    assert line.isprintable()
    if command == "report":
        # All else of the run is shown, and why there is no certificate.
        page = (folder / "report.html").read_text()
        assert "There is none: " in page
        assert "\x1b" not in page


PAIRS = [(command, name) for name in CASES for command in CASES[name].commands]
# One command reads as well as another; of those that train, some.
QUICK = [(command, name) for command, name in PAIRS if command == "sample"] + [
    *(("report", "laughs"), ("certify", "NaN"), ("export", "no counter"), ("diagnose", "aliases")),
    *(("fit", "text for an epoch"), ("fit", "no moment"), ("validate", "Lightning x"), ("test", "meta")),
]


@pytest.mark.parametrize(("command", "name"), QUICK)
def test_a_crafted_checkpoint_is_refused_in_one_line(command, name, trained, monkeypatch, tmp_path, capsys):
    check_refused(command, name, trained, monkeypatch, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "name"), [pair for pair in PAIRS if pair not in QUICK])
def test_every_command_refuses_every_case(command, name, trained, monkeypatch, tmp_path, capsys):
    check_refused(command, name, trained, monkeypatch, tmp_path, capsys)


@pytest.mark.parametrize("command", ["sample", "fit"])
def test_the_checkpoint_that_they_are_made_of_is_good(command, trained, monkeypatch, tmp_path):
    folder = tmp_path / "runs" / "digits" / "good"
    shutil.copytree(trained, folder)
    path = folder / "checkpoints" / "last.ckpt"
    if command == "sample":
        run(monkeypatch, "sample", path, "-n", 2, "-o", tmp_path / "s.npz")
        assert (tmp_path / "s.npz").is_file()
    else:
        longer = ["--model.init_args.generator_steps=22", f"--runs_dir={tmp_path / 'runs'}", "--run=good"]
        run(monkeypatch, "fit", "-c", DIGITS, *SMALL, "--wandb.mode=disabled", *longer)
        assert torch.load(path, weights_only=True)["wgan_lip"]["generator_step"] == 22


def test_escapes_of_a_checkpoint_that_is_not_trusted_are_harmless_on_the_page(trained, monkeypatch, tmp_path):
    """There the page is made, for to trust is the user's choice."""
    folder = crafted(trained, "escapes in YAML", tmp_path)
    run(monkeypatch, "report", folder)
    page = (folder / "report.html").read_text()
    assert "names wgan_lip.\\x1b[31mx" in page
    assert "\x1b" not in page
