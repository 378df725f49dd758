"""Two processes for one folder: the second is refused in one line, and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runs.lock_holder import content, holding
from tests.support.commands import ABSOLUTE, DIGITS, SMALL, SMALL_ESTIMATOR, failure, run
from tests.support.metrics import rows
from wgan_lip.cli.training import train
from wgan_lip.runs import run_lock
from wgan_lip.runs.start import Start

LONGER = "--model.init_args.generator_steps=25"
_GAN = ("fit", "-c", DIGITS, *SMALL, "--wandb.mode=disabled")
_ESTIMATOR = ("fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, "--wandb.mode=disabled", "--run=a", "--model.init_args.steps=25")
_COMPARISON = (
    *("compare", "--name=a", "--wandb.mode=disabled", "--set", "steps=1", "--jobs=1", "--n=64", "--exact_n=20"),
    "--pairs={absolute: wgan_lip.distributions.AbsoluteValue}",
    "--critics={small: {critic: {class_path: wgan_lip.networks.MLPCritic, init_args: {width: 8}}}}",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        run(patch, *_GAN, f"--runs_dir={folder}", "--run=a")
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((*_GAN, LONGER, "--run=a", "--runs_dir={runs}"), "digits"),
        ((*_GAN, LONGER, "--ckpt_path={runs}/digits/a"), "digits"),
        ((*_GAN, "--ckpt_path=last", "--runs_dir={runs}"), "digits"),
        ((*_ESTIMATOR, "--runs_dir={runs}"), "absolute_value"),
        ((*_COMPARISON, "--folder={runs}/compare/a"), "compare"),
    ],
)
def test_who_writes_there_is_said_and_nothing_changes(words, name, runs, monkeypatch, capsys):
    monkeypatch.setattr(run_lock, "_PATIENCE_SECONDS", 0.1)
    folder = runs / name / "a"
    folder.mkdir(parents=True, exist_ok=True)
    with holding(folder, content()):
        before = contents(runs)
        said = failure(capsys, monkeypatch, *(str(word).replace("{runs}", str(runs)) for word in words))
        assert f"{folder} is in use by process 4711 on node7, since 2026-11-28 10:00:00" in said
        assert contents(runs) == before


def test_who_only_reads_is_not_refused(runs, monkeypatch, tmp_path):
    folder = runs / "digits" / "a"
    with holding(folder, content()):
        run(monkeypatch, "validate", *_GAN[1:-1], "--run=a", f"--runs_dir={runs}")
        run(monkeypatch, "report", folder)
        run(monkeypatch, "sample", folder, "-o", tmp_path / "s.npz")
    (folder / "lock").unlink()


def test_a_run_that_another_process_continued_in_between_is_not_gone_on_with(runs, monkeypatch, capsys):
    folder = runs / "digits" / "a"

    def find_start_then_written(*args: Any, **options: Any) -> Start:
        # By another process, once this one has found it, and before it has the lock.
        monkeypatch.setattr(train, "check_checkpoint", lambda path: [check(path), os.utime(path)][0])
        return find(*args, **options)

    find, check = train.find_start, train.check_checkpoint
    monkeypatch.setattr(train, "find_start", find_start_then_written)
    before = (folder / "metrics.csv").read_bytes()
    said = failure(capsys, monkeypatch, *_GAN, LONGER, "--run=a", f"--runs_dir={runs}")
    assert f"another process wrote to {folder} while this one started: run the command again" in said
    assert (folder / "metrics.csv").read_bytes() == before


@pytest.mark.slow
def test_of_two_that_start_together_one_trains(tmp_path):
    words = [sys.executable, "-m", "wgan_lip", *map(str, _GAN), "--model.init_args.generator_steps=400", "--run=same"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    both = [
        subprocess.Popen(
            [*words, f"--seed_everything={seed}", f"--runs_dir={tmp_path}"], stderr=subprocess.PIPE, env=environ
        )
        for seed in (1, 2)
    ]
    said = [process.communicate(timeout=200)[1].decode() for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    assert sum("/digits/same is in use by process" in one for one in said) == 1
    steps = [row["generator_step"] for row in rows(tmp_path / "digits" / "same") if row["w1/exact"]]
    assert len(steps) == len(set(steps)) == 81
    assert not (tmp_path / "digits" / "same" / "lock").exists()
