"""Checkpoints that were saved by the version of 27 November 2026, after half of a run: this version finishes the run.

``earlier/NAME`` holds the folder of a run after 10 of 20 steps; its ``expected.csv`` has the metrics of a run that was
not stopped.
"""

import csv
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.support.commands import ABSOLUTE, CONFIGS, DIGITS, failure, run
from wgan_lip.cli.rebuild import load_module

EARLIER = Path(__file__).parent / "earlier"
MODEL = "--model.init_args."
COMMANDS = {
    "digits": [
        *("-c", DIGITS, f"{MODEL}critic.init_args.width=8", f"{MODEL}critic.init_args.depth=2"),
        *(f"{MODEL}generator.init_args.width=8", f"{MODEL}generator_steps=20", f"{MODEL}log_every=10"),
        *("--exact_w1.every=5", "--exact_w1.n=50", "--sample_grid.every=50", "--checkpoint.every=5"),
    ],
    "absolute_value": [
        *("-c", ABSOLUTE, f"{MODEL}critic.init_args.width=8", f"{MODEL}steps=20", f"{MODEL}batch_size=16"),
        *(f"{MODEL}log_every=10", "--heldout_w1.every=5", "--heldout_w1.n=100", "--heldout_w1.exact_n=50"),
        *("--draw_critic.every=50", "--checkpoint.every=5"),
    ],
    "fashion_mnist_linf": [
        *("-c", CONFIGS / "robust" / "fashion_mnist_linf.yaml", "--data=wgan_lip.data.Digits"),
        *("--data.init_args.labels=true", "--data.init_args.batch_size=32", f"{MODEL}steps=20", f"{MODEL}log_every=10"),
        *(f"{MODEL}network.init_args.input_shape=[1,8,8]", f"{MODEL}network.init_args.hidden=[16,16]"),
        *(f"{MODEL}network.init_args.activation.init_args.group_size=4", "--checkpoint.every=5"),
        *("--certified_accuracy.every=5", "--certified_accuracy.n=50"),
    ],
}


def rows(path: Path) -> list[dict[str, float]]:
    """The records of a metrics.csv, without times."""
    with path.open(newline="") as file:
        return [
            {name: float(value) for name, value in row.items() if value and not name.endswith("seconds")}
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_checkpoint_of_an_earlier_version_goes_on(name, monkeypatch, tmp_path):
    folder = tmp_path / name / "half"
    shutil.copytree(EARLIER / name, folder)
    arguments = [f"--runs_dir={tmp_path}", "--run=half", "--wandb.mode=disabled"]
    run(monkeypatch, "fit", *COMMANDS[name], *arguments)
    found, expected = rows(folder / "metrics.csv"), rows(folder / "expected.csv")
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        # The lower confidence bound is another and larger one now; further metrics were added.
        same = [name for name in theirs if not name.endswith("/population_lower")]
        # Training is in float32, which processors round differently.
        assert {name: mine.get(name) for name in same} == pytest.approx(
            {name: theirs[name] for name in same}, rel=1e-4, abs=1e-6
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_config_of_an_earlier_version_begins_the_same_run(name, monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "fit", "-c", EARLIER / name / "config.yaml", "--print_config")
    printed = yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]
    earlier = yaml.safe_load((EARLIER / name / "config.yaml").read_text())["model"]["init_args"]
    assert {key: printed[key] for key in printed if key in earlier} == {
        key: earlier[key] for key in earlier if key in printed
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_the_network_of_an_earlier_checkpoint_is_built(name):
    path = EARLIER / name / "checkpoints" / "last.ckpt"
    module = load_module(path)
    state = torch.load(path, weights_only=True)["state_dict"]
    assert module.step == 10
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


def test_arguments_of_an_earlier_training_do_not_matter_to_its_network(monkeypatch, tmp_path, capsys):
    content = torch.load(EARLIER / "absolute_value" / "checkpoints" / "last.ckpt", weights_only=True)
    config = yaml.safe_load(content["wgan_lip"]["config"])
    config["model"]["init_args"] |= {"project": "epoch", "epoch_steps": 5, "batch_growth": [[0.5, 2]]}
    content["wgan_lip"]["config"] = yaml.safe_dump(config)
    torch.save(content, tmp_path / "other.ckpt")
    assert load_module(tmp_path / "other.ckpt").step == 10
    # A new run would be another training.
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(config))
    line = failure(capsys, monkeypatch, "fit", "-c", tmp_path / "other.yaml", f"--runs_dir={tmp_path}")
    assert "W1Estimator has no key 'batch_growth'" in line or "W1Estimator has no key 'project'" in line
