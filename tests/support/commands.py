"""Running the command line in this process, on the shipped digits config made small."""

import sys
from pathlib import Path

import pytest

from wgan_lip.cli import main

CONFIGS = Path(__file__).parents[2] / "configs"
DIGITS = CONFIGS / "gan" / "digits.yaml"
SMALL = [
    "--model.init_args.critic.init_args.width=16",
    "--model.init_args.generator.init_args.width=16",
    "--model.init_args.generator_steps=20",
    "--model.init_args.log_every=10",
    "--exact_w1.every=5",
    "--exact_w1.n=50",
    "--exact_w1.fit=never",
    "--sample_grid.every=10",
    "--checkpoint.every=5",
]

ABSOLUTE = CONFIGS / "w1" / "absolute_value.yaml"
SMALL_ESTIMATOR = [
    "--model.init_args.critic.init_args.width=16",
    "--model.init_args.steps=20",
    "--model.init_args.batch_size=16",
    "--model.init_args.log_every=10",
    "--heldout_w1.every=5",
    "--heldout_w1.n=100",
    "--heldout_w1.exact_n=50",
    "--draw_critic.every=10",
    "--checkpoint.every=5",
]
_GAN = [
    *("fit", "--model.init_args.generator_steps=2", "--exact_w1.n=20", "--exact_w1.fit=never"),
    "--trainer.accelerator=cpu",
]
# Two steps of whatever lies in a folder of configs.
TWO_STEPS = {
    "gan": _GAN,
    "family": _GAN,
    "w1": ["fit", "--model.init_args.steps=2", "--heldout_w1.n=64", "--heldout_w1.exact_n=20"],
    "robust": ["fit", "--model.init_args.steps=2", "--certified_accuracy.n=20", "--trainer.accelerator=cpu"],
    "compare": ["compare", "--set", "steps=2", "--seeds=[0]", "--n=64", "--exact_n=20", "--jobs=1"],
}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """``wgan-lip ARGUMENTS``."""
    monkeypatch.setattr(sys, "argv", ["wgan-lip", *map(str, arguments)])
    main()


def failure(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """The one line that a failing command prints."""
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, *arguments)
    assert exit_.value.code == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    lines = [line for line in printed.splitlines() if line.startswith("wgan-lip: error: ")]
    assert lines == printed.splitlines()[-1:]
    return lines[0]


def fit(monkeypatch: pytest.MonkeyPatch, runs: Path, *arguments: object) -> Path:
    """A small run of the digits config; returns its folder, the newest there is."""
    run(monkeypatch, "fit", "-c", DIGITS, *SMALL, f"--runs_dir={runs}", *arguments)
    return max((runs / "digits").iterdir())
