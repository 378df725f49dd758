"""Comparisons: cells that are trained once and kept, failures that do not stop the others, the report."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import failure, run
from wgan_lip.comparison import Failure, Outcome, Processes, Store, parse_cells, run_cells, summarize

PAIRS: dict[str, Any] = {"absolute value": "wgan_lip.distributions.AbsoluteValue"}
MLP: dict[str, Any] = {"class_path": "wgan_lip.networks.MLPCritic", "init_args": {"width": 8, "depth": 2}}
CRITICS: dict[str, Any] = {
    "MaxMin": {"critic": MLP},
    "free": {
        "critic": {**MLP, "init_args": {"width": 8, "linear": "torch.nn.Linear", "lipschitz_constant": 50.0}},
        "steps": 3,
    },
}


def cells(critics: dict[str, Any] = CRITICS, seeds: tuple[int, ...] = (0, 1), **estimator: Any) -> list[Any]:
    return parse_cells(critics, PAIRS, seeds, {"steps": 2, "batch_size": 16, **estimator}, n=64, exact_n=16)


def outcomes(found: list[Any], store: Store, jobs: int = 1) -> list[Outcome]:
    results = list(run_cells(found, store, Processes(jobs)))
    assert all(isinstance(result, Outcome) for result in results)
    return [result for result in results if isinstance(result, Outcome)]


def numbers(found: list[Outcome]) -> dict[str, Any]:
    """Estimates by cell, without what depends on the clock."""
    return {o.cell.label: {**vars(o.estimate), "seconds": 0} for o in found}


def test_finished_cells_are_not_run_again_and_the_result_is_the_same(tmp_path: Path) -> None:
    whole = outcomes(cells(), Store(tmp_path / "whole"))
    assert [o.is_new for o in whole] == 4 * [True]
    started = run_cells(cells(), Store(tmp_path / "cut"))
    next(started)
    next(started)
    started.close()
    resumed = outcomes(cells(), Store(tmp_path / "cut"))
    assert sorted(o.is_new for o in resumed) == [False, False, True, True]
    assert numbers(resumed) == numbers(whole)


def test_two_jobs_give_what_one_gives(tmp_path: Path) -> None:
    one = outcomes(cells(), Store(tmp_path / "one"))
    two = outcomes(cells(), Store(tmp_path / "two"), jobs=2)
    assert numbers(two) == numbers(one)


def test_a_changed_cell_alone_is_run_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    outcomes(cells(), store)
    changed = outcomes(cells({**CRITICS, "free": {**CRITICS["free"], "steps": 4}}), store)
    assert {o.cell.critic for o in changed if o.is_new} == {"free"}


def test_labels_are_not_part_of_what_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    outcomes(cells(), store)
    renamed = outcomes(cells({"another name": CRITICS["MaxMin"]}), store)
    assert not any(o.is_new for o in renamed)


def test_a_failure_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    # Eight channels cannot be sorted in groups of three: found when the critic is built.
    bad = {"class_path": "wgan_lip.lipschitz.GroupSort", "init_args": {"group_size": 3}}
    broken = {"critic": {**MLP, "init_args": {"width": 8, "activation": bad}}}
    results = list(run_cells(cells({"broken": broken, **CRITICS}), Store(tmp_path)))
    failures = [result for result in results if isinstance(result, Failure)]
    assert [failure.cell.critic for failure in failures] == ["broken", "broken"]
    assert "group_size=3" in failures[0].error
    summary = summarize(results)[0]
    assert (summary.failed, summary.mean) == (2, None)


def test_only_certified_critics_are_called_proven(tmp_path: Path) -> None:
    summaries = {s.critic: s for s in summarize(outcomes(cells(steps=20), Store(tmp_path)))}
    assert summaries["MaxMin"].is_proven
    assert summaries["MaxMin"].certified == pytest.approx(1, abs=1e-5)
    assert not summaries["free"].is_proven
    assert summaries["MaxMin"].truth == 1
    first, second = summaries["MaxMin"].estimates
    assert summaries["MaxMin"].mean == pytest.approx((first + second) / 2)


def test_seeds_of_which_some_are_proven_are_averaged_as_raw_ones(tmp_path: Path) -> None:
    proven, other = outcomes(cells({"MaxMin": CRITICS["MaxMin"]}), Store(tmp_path))
    half = replace(proven.estimate, critic=0.4, standard_error=0.04, uncertified=None, certified=0.5)
    unproven = replace(other.estimate, uncertified=0.6, uncertified_standard_error=0.02)
    (summary,) = summarize([replace(proven, estimate=half), replace(other, estimate=unproven)])
    assert not summary.is_proven
    assert summary.estimates == pytest.approx((0.2, 0.6))
    assert summary.standard_error == pytest.approx(0.02)
    (summary,) = summarize([replace(proven, estimate=half)])
    assert (summary.is_proven, summary.mean) == (True, 0.4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"critics": {}}, "critics must name at least one"),
        ({"seeds": (0, 0)}, "seeds must differ"),
        ({"critics": {"a": 3}}, "critics.a must be a mapping"),
        ({"critics": [CRITICS, 3]}, "a list of them; got 3"),
        ({"n": 1}, "n must be at least 2 .* got n=1, exact_n=16"),
        (
            {"critics": {"a": {"stepz": 3}}},
            r"critics\.a must name arguments of W1Estimator; got 'stepz'; these",
        ),
        ({"pairs": {"p": "wgan_lip.distributions.Nothing"}}, "MaxMin on p: .*Nothing"),
    ],
)
def test_bad_comparisons_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"critics": CRITICS, "pairs": PAIRS, "seeds": (0,), "estimator": {}, "n": 64}
    with pytest.raises(ValueError, match=f"(?s){message}"):
        parse_cells(**{**arguments, **change}, exact_n=16)


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    store, (cell, *_) = Store(tmp_path), cells()
    (tmp_path / f"{cell.key}.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a result of a comparison"):
        store.load(cell)


def config(folder: Path, critics: dict[str, Any]) -> Path:
    path = folder / "compare.yaml"
    estimator = {"steps": 2, "batch_size": 16}
    content = {"name": "small", "critics": critics, "pairs": PAIRS, "estimator": estimator, "n": 64, "exact_n": 16}
    # JSON is YAML.
    path.write_text(json.dumps(content))
    return path


def test_the_command_writes_table_figure_and_files(monkeypatch, tmp_path, capsys) -> None:
    folder = tmp_path / "out"
    # On one machine, submitit is not required.
    monkeypatch.setitem(sys.modules, "submitit", None)
    arguments = ("-c", config(tmp_path, CRITICS), "--folder", folder, "--jobs", 1, "--wandb.mode", "offline")
    run(monkeypatch, "compare", *arguments)
    # However wide the terminal is.
    printed = " ".join(capsys.readouterr().out.split())
    assert "[2/2]" in printed
    assert re.search(r"truth 1\.0000, exact W1 of samples \d\.\d{4} ± 0\.\d{4}", printed)
    assert "no proven bound" in printed
    assert (folder / "comparison.png").stat().st_size > 10_000
    with (folder / "summary.csv").open(newline="") as file:
        assert [row["is_proven"] for row in csv.DictReader(file)] == ["True", "False"]
    with (folder / "results.csv").open(newline="") as file:
        assert [row["critic"] for row in csv.DictReader(file)] == ["MaxMin", "free"]
    assert list((folder / "wandb").glob("offline-run-*/*.wandb"))


def test_the_command_ends_with_status_1_if_a_cell_failed(monkeypatch, tmp_path, capsys) -> None:
    bad = {"class_path": "wgan_lip.lipschitz.GroupSort", "init_args": {"group_size": 3}}
    broken = {"broken": {"critic": {**MLP, "init_args": {"width": 8, "activation": bad}}}}
    path = config(tmp_path, {**broken, **CRITICS})
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, "compare", "-c", path, "--folder", tmp_path / "out", "--jobs", 1, "--wandb.mode", "disabled")
    assert caught.value.code == 1
    assert "failed: ValueError" in capsys.readouterr().out
    assert "Traceback" in (tmp_path / "out" / "failures.txt").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--set=stepz=3", "set must name arguments of W1Estimator; got 'stepz'"),
        ("--set=steps", "argument --set: must be KEY=VALUE; got 'steps'"),
        ("--set=steps=many", "MaxMin on absolute value: estimator.steps must be int; got many"),
        ("--set=optimizer=torch.optim.Adamm", "MaxMin on absolute value: .*optimizer.*Adamm"),
        ("--name=../x", "name"),
        ("--jobs=0", "jobs=0"),
        ("--estimator=3", "estimator: must be a mapping; got '3'"),
        ("--critics=[3]", "critics must be a mapping .* got 3"),
        ("--n=1", "got n=1"),
        ("--launcher=elsewhere", "launcher.*elsewhere"),
        ("--slurm.partition=gpu", r"slurm\.partition requires --launcher slurm; got slurm\.partition=gpu"),
        ("--slurm.retries=0", r"slurm\.retries requires --launcher slurm; got slurm\.retries=0"),
    ],
)
def test_bad_options_are_one_line(monkeypatch, tmp_path, capsys, change: str, message: str) -> None:
    path = config(tmp_path, CRITICS)
    assert re.search(message, failure(capsys, monkeypatch, "compare", "-c", path, "--folder", tmp_path / "out", change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--jobs=2", "jobs requires --launcher processes; got jobs=2"),
        ("--slurm.time=0", "time must be longer than signal_delay, which is 30 seconds; got 0 minutes"),
        ("--slurm.cpus=0", "cpus must be at least 1; got cpus=0"),
        ("--slurm.max_parallel=0", r"slurm\.max_parallel must be at least 1"),
        ("--slurm.retries=-1", "retries must not be negative"),
        ("--slurm.time=soon", r"slurm\.time"),
    ],
)
def test_bad_options_of_jobs_are_one_line(monkeypatch, tmp_path, capsys, change: str, message: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    options = ("-c", config(tmp_path, CRITICS), "--folder", tmp_path / "out", "--launcher=slurm", change)
    assert re.search(message, failure(capsys, monkeypatch, "compare", *options))


def test_what_the_cluster_needs_is_named(monkeypatch, tmp_path, capsys) -> None:
    options = ("-c", config(tmp_path, CRITICS), "--folder", tmp_path / "out", "--launcher=slurm")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "requires Slurm, whose program sbatch is not found" in failure(capsys, monkeypatch, "compare", *options)
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert "pip install 'wgan-lip[cluster]'" in failure(capsys, monkeypatch, "compare", *options)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_ends_with_the_table_and_the_same_command_goes_on(tmp_path: Path, jobs: int) -> None:
    # The first cell ends, the second one does not.
    endless = {"endless": {"critic": MLP, "steps": 1_000_000}}
    path, folder = config(tmp_path, {"MaxMin": CRITICS["MaxMin"], **endless}), tmp_path / "out"
    options = ["-c", str(path), "--folder", str(folder), "--jobs", str(jobs), "--wandb.mode", "disabled"]
    # A shell's background job is started with the signal ignored, which the child would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-m", "wgan_lip", "compare", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert "[1/2] MaxMin" in process.stdout.readline()
        # To all processes, as a terminal does it.
        os.killpg(process.pid, signal.SIGINT)
        try:
            printed, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted: 1 of 2 cells are left" in printed
    assert "truth 1.0000" in printed
    assert (folder / "comparison.png").is_file()
    assert [path.suffix for path in (folder / "cells").iterdir()] == [".json"]
