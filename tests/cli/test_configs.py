"""Configs that come along are found by their names, from any folder, by every command that reads a config."""

from pathlib import Path

import pytest
import yaml

from scripts import random_search
from scripts.shared.sweeps import load_sweep
from tests.support.commands import CONFIGS, TWO_STEPS, failure, run
from wgan_lip.cli.configs import config_names, config_path

NAMES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))


def test_all_have_names_and_other_paths_are_left_alone():
    assert config_names() == NAMES
    for name in NAMES:
        assert config_path(f"wgan_lip:{name}") == str(CONFIGS / name)
    for path in ("gan/digits.yaml", "../x.yaml", "/etc/x.yaml"):
        assert config_path(path) == path


@pytest.mark.parametrize("name", ["", "gan/digits", "../pyproject.toml", "gan/../gan/digits.yaml", "/etc/passwd", "."])
def test_no_other_name_leads_anywhere(name):
    with pytest.raises(ValueError, match=rf"there is no config wgan_lip:{name}; choose from compare/absolute_value"):
        config_path(f"wgan_lip:{name}")


def test_they_are_listed_with_what_they_are_and_printed(monkeypatch, capsys):
    run(monkeypatch, "configs")
    listed = capsys.readouterr().out.split("\n\n")
    assert [block.splitlines()[0] for block in listed] == [f"wgan_lip:{name}" for name in NAMES]
    assert all(len(block.splitlines()) > 1 for block in listed)
    for name in ("gan/digits.yaml", "wgan_lip:gan/digits.yaml"):
        run(monkeypatch, "configs", name)
        assert capsys.readouterr().out == (CONFIGS / "gan" / "digits.yaml").read_text()
    assert "there is no config wgan_lip:digits; choose" in failure(capsys, monkeypatch, "configs", "digits")


def test_fit_takes_one_and_an_overlay_from_an_empty_folder(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = ("fit", "-c", "wgan_lip:gan/fashion_mnist.yaml", "-c", "wgan_lip:gan/family/gp.yaml")
    with pytest.raises(SystemExit):
        run(monkeypatch, *arguments, "--print_config")
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["model"]["init_args"]["penalty"]["class_path"] == "wgan_lip.lipschitz.GradientPenalty"
    assert printed["data"]["class_path"] == "wgan_lip.data.FashionMNIST"


@pytest.mark.parametrize("command", ["fit", "validate", "test", "compare"])
def test_an_unknown_one_is_one_line_that_lists_them(command, monkeypatch, capsys):
    line = failure(capsys, monkeypatch, command, "-c", "wgan_lip:no.yaml")
    assert "there is no config wgan_lip:no.yaml; choose from" in line
    assert all(name in line for name in NAMES)


def test_compare_and_submit_take_one(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    _, *two_steps = TWO_STEPS["compare"]
    small = ["--pairs={a: wgan_lip.distributions.AbsoluteValue}", "--wandb.mode=disabled"]
    run(monkeypatch, "compare", "--config=wgan_lip:compare/absolute_value.yaml", *small, *two_steps)
    assert list(tmp_path.glob("runs/compare/*/summary.csv"))
    run(monkeypatch, "submit", "-c", "wgan_lip:gan/digits.yaml", "--time=30", "--dry-run")
    assert "--job-name=wgan-lip-digits" in capsys.readouterr().out
    said = failure(capsys, monkeypatch, "submit", "-c", "wgan_lip:no.yaml", "--time=30", "--dry-run")
    assert "there is no config wgan_lip:no.yaml" in said


@pytest.mark.parametrize("sweep", [name for name in NAMES if name.startswith("sweeps/")])
def test_sweeps_name_theirs_so(sweep, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = load_sweep(CONFIGS / sweep).command
    assert command[0] == "-c"
    name, runs_dir = random_search.experiment([*command])
    assert name == yaml.safe_load(Path(config_path(command[1])).read_text())["name"]
    assert str(runs_dir) == "runs"
