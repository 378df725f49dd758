"""The shipped sweeps: W&B's agent would run what ``wgan-lip fit`` takes. And the search that needs no server."""

import csv
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from scripts import random_search
from scripts.shared.sweeps import load_sweep
from tests.support.commands import CONFIGS, SMALL, run

SWEEPS = sorted((CONFIGS / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_the_agent_s_command_is_one_that_fit_takes(path, monkeypatch, capsys):
    assert len(path.read_text().splitlines()) <= 40
    content = yaml.safe_load(path.read_text())
    assert content["method"] in ("random", "bayes")
    assert content["metric"] == {"name": "w1/exact", "goal": "minimize"}
    (drawn,) = load_sweep(path).draw(1, 0)
    assert drawn.keys() == content["parameters"].keys()
    # As wandb.wandb_agent expands it.
    arguments = create_sweep_command_args({"args": {key: {"value": value} for key, value in drawn.items()}})["args"]
    expanded: list[str] = []
    for word in create_sweep_command(content["command"]):
        expanded += {"${env}": ["/usr/bin/env"], "${args}": arguments}.get(word, [word])
    assert expanded[:3] == ["/usr/bin/env", "wgan-lip", "fit"]
    monkeypatch.chdir(CONFIGS.parent)
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, *expanded[2:], "--print_config")
    assert exit_.value.code in (0, None)
    printed = yaml.safe_load(capsys.readouterr().out)
    for key, value in drawn.items():
        got = printed
        for part in key.split("."):
            got = got[part]
        assert got == value


def test_there_are_a_random_and_a_bayesian_one():
    contents = [yaml.safe_load(path.read_text()) for path in SWEEPS]
    assert {content["method"] for content in contents} == {"random", "bayes"}
    (stops,) = [content["early_terminate"] for content in contents if content["method"] == "bayes"]
    assert stops["type"] == "hyperband"


def searched(capsys, *arguments: object) -> str:
    assert random_search.main([str(argument) for argument in arguments]) == 0
    return " ".join(capsys.readouterr().out.split())


SWEEP = """
metric: {{name: w1/exact, goal: minimize}}
command: [wgan-lip, fit, -c, {digits}, "${{args}}"]
parameters:
  model.init_args.critic_optimizer.init_args.lr: {{values: [1.0e-3, 1.0e-2, 1.0e+30]}}
  model.init_args.n_critic: {{values: [1, 2]}}
"""


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP.format(digits=CONFIGS / "gan" / "digits.yaml"))
    return path


@pytest.mark.slow
def test_a_search_trains_and_ranks_and_goes_on(sweep, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    common = (sweep, "--seed", 25, *SMALL, "--wandb.mode=disabled", f"--runs_dir={tmp_path / 'runs'}")
    printed = searched(capsys, *common, "-n", 3)
    folder = tmp_path / "runs" / "digits"
    scores = {}
    for path in folder.glob("*/metrics.csv"):
        if (path.parent / "finished").exists():
            with path.open(newline="") as file:
                scores[path.parent.name] = float(list(csv.DictReader(file))[-1]["w1/exact"])
    # A rate out of all proportion diverges; that run is told last, and does not keep the others from theirs.
    assert len(scores) == 2
    shown = printed[printed.index("3 runs by their last w1/exact, the least first") :]
    order = sorted(("search-25-000", "search-25-001", "search-25-002"), key=lambda name: shown.index(name))
    assert order == [*sorted(scores, key=lambda name: scores[name]), *({*order} - {*scores})]
    assert f"{order[2]} (not finished)" in shown
    assert f"{scores[order[0]]:.4f}" in shown
    assert "The score of the best of 3 is biased" in shown
    assert "critic_optimizer.lr=" in shown
    # Every score has its noise floor and its bracket beside it.
    assert shown.count(" - ") >= 2
    before = {path: path.read_bytes() for path in folder.rglob("metrics.csv")}
    assert searched(capsys, *common, "-n", 3, "--table").endswith(shown)
    searched(capsys, *common, "-n", 2)
    assert {path: path.read_bytes() for path in folder.rglob("metrics.csv") if path in before} == before


def test_the_lines_for_submit_are_arguments_of_fit(sweep, tmp_path, capsys, monkeypatch):
    lines = tmp_path / "lines.txt"
    printed = searched(capsys, sweep, "-n", 4, "--seed", 5, "--write", lines, "--seed_everything=3")
    assert f"4 runs, for wgan-lip submit -c {CONFIGS / 'gan' / 'digits.yaml'} --array {lines}" in printed
    written = [shlex.split(line) for line in lines.read_text().splitlines()]
    assert [words[-2:] for words in written] == [[f"--run=search-5-00{i}", "--seed_everything=3"] for i in range(4)]
    with pytest.raises(SystemExit):
        run(monkeypatch, "fit", "-c", CONFIGS / "gan" / "digits.yaml", *written[0], "--print_config")
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["run"] == "search-5-000"
    assert config["seed_everything"] == 3


def test_a_bad_search_is_one_line(sweep, tmp_path, capsys):
    for arguments, message in (
        ([sweep, "-n", 0], "-n must be at least 1; got 0"),
        ([tmp_path / "none.yaml"], "No such file"),
    ):
        with pytest.raises(SystemExit) as exit_:
            random_search.main([str(argument) for argument in arguments])
        assert exit_.value.code == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_of_runs_that_cannot_begin_stops_at_the_first(sweep, tmp_path, capfd):
    assert random_search.main([str(sweep), "-n", "3", f"--runs_dir={tmp_path / 'runs'}", "--exact_w1.n=598"]) == 2
    assert capfd.readouterr().err.count("wgan-lip: error: exact_w1.n must be at most 597") == 1


@pytest.mark.slow
def test_a_search_that_is_stopped_stops_its_run_and_goes_on_there(sweep, tmp_path):
    command = [sys.executable, "-m", "scripts.random_search", str(sweep), "-n", "2", "--seed", "4"]
    command += [*SMALL, "--model.init_args.generator_steps=100000", "--wandb.mode=disabled"]
    command += [f"--runs_dir={tmp_path / 'runs'}", "--model.init_args.critic_optimizer.init_args.lr=0.001"]
    root = Path(random_search.__file__).parent.parent
    with (
        (tmp_path / "log").open("w+b") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=root, env=dict(os.environ)) as process,
    ):
        from tests.cli.test_fit import wait_for_step

        wait_for_step(tmp_path / "runs", 20, process)
        process.terminate()
        assert process.wait(60) == 143
    printed = " ".join((tmp_path / "log").read_text().split())
    assert "SIGTERM: saved at generator step" in printed
    assert "search-4-000 (not finished)" in printed
    assert not (tmp_path / "runs" / "digits" / "search-4-001" / "metrics.csv").exists()
