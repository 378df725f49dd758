"""A run that was killed and went on, offline, is one run with all its rows once it is uploaded."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import sync_wandb
from tests.cli.test_fit import wait_for_step
from tests.support.commands import DIGITS, SMALL, fit
from tests.support.wandb_server import HISTORY, wandb_server
from wgan_lip.runs.wandb_tracking import missing_rows, offline_runs, read_offline_run

# Whole trainings, killed or without a server: minutes together.
pytestmark = pytest.mark.slow


LONG = [*SMALL, "--model.init_args.generator_steps=600", "--exact_w1.every=20", "--checkpoint.every=30", "--run=a"]


def kill_writers(path: Path) -> None:
    """End the processes that have a file open: W&B's service is in no group of the training's."""
    deadline = time.monotonic() + 30
    while True:
        found = set()
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if link.readlink() == path:
                    found.add(int(link.parts[2]))
        if not found:
            return
        assert time.monotonic() < deadline
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run's folder in three parts: preempted, killed, and gone on to the end."""
    runs = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "wgan_lip", "fit", "-c", str(DIGITS), *LONG, f"--runs_dir={runs}"]
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    for step, signum in ((60, signal.SIGTERM), (300, signal.SIGKILL)):
        with (
            (runs / "log").open("wb") as log,
            subprocess.Popen(
                [*command, "--wandb.mode=offline"], stdout=log, stderr=log, env=environment, start_new_session=True
            ) as process,
        ):
            wait_for_step(runs, step, process)
            os.killpg(process.pid, signum) if signum == signal.SIGKILL else process.send_signal(signum)
    # A node that is lost takes with it W&B's service, which would write down what it holds, and what was not yet on the
    # disk.
    (record,) = offline_runs(runs / "digits" / "a")[1].glob("*.wandb")
    kill_writers(record)
    record.write_bytes(record.read_bytes()[: record.stat().st_size * 6 // 10])
    with pytest.MonkeyPatch.context() as monkeypatch:
        return fit(monkeypatch, runs, *LONG, "--wandb.mode=offline")


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def test_all_rows_are_in_one_run(killed, monkeypatch, capsys):
    parts = offline_runs(killed)
    assert [read_offline_run(part).ended for part in parts] == [True, False, True]
    with wandb_server() as (url, runs):
        monkeypatch.setenv("WANDB_BASE_URL", url)
        monkeypatch.setenv("WANDB_API_KEY", 40 * "0")
        assert sync_wandb.main([str(killed)]) == 0
        assert f"{killed}: 3 of 3 parts sent" in capsys.readouterr().out
        assert list(runs) == ["digits-a"]
        history = [json.loads(line) for line in runs["digits-a"][HISTORY]]
        # Nothing is there twice: what is done is left out.
        assert sync_wandb.main([str(killed)]) == 0
        assert "0 of 3 parts sent" in capsys.readouterr().out
        assert len(runs["digits-a"][HISTORY]) == len(history)
    # W&B's own count goes on from part to part.
    assert [item["_step"] for item in history] == list(range(len(history)))
    logged = [{k: v for k, v in item.items() if not k.startswith(("_", "trainer/"))} for item in history]
    missing = [row for row in rows(killed) if not any(row.items() <= item.items() for item in logged)]
    # The clock's value is the one of the start that was not cut back.
    assert [row for row in missing if "w1/seconds" not in row] == []


def test_what_a_killed_part_lacks_is_known(killed, tmp_path):
    whole = rows(killed)
    folder = tmp_path / "a"
    (folder / "wandb").mkdir(parents=True)
    (folder / "metrics.csv").write_text((killed / "metrics.csv").read_text())
    first, second, last = offline_runs(killed)
    assert missing_rows(folder, len(whole), "generator_step") == []
    for part in (first, second):
        (folder / "wandb" / part.name).symlink_to(part)
    since = read_offline_run(second).last["generator_step"]
    expected = [row for row in whole if row["generator_step"] >= since]
    assert missing_rows(folder, len(whole), "generator_step") == expected
    # Those that the checkpoint does not know of are logged again by themselves.
    assert missing_rows(folder, len(whole) - len(expected) + 1, "generator_step") == expected[:1]
    (folder / "wandb" / last.name).symlink_to(last)
    assert missing_rows(folder, len(whole), "generator_step") == []


def test_a_run_at_work_is_left_alone_unless_it_was_killed(killed, monkeypatch, tmp_path, capsys):
    folder = tmp_path / "a"
    part = folder / "wandb" / offline_runs(killed)[1].name
    part.mkdir(parents=True)
    (record,) = offline_runs(killed)[1].glob("*.wandb")
    # In the middle of a record.
    (part / record.name).write_bytes(record.read_bytes()[:-20])
    with wandb_server() as (url, runs):
        monkeypatch.setenv("WANDB_BASE_URL", url)
        monkeypatch.setenv("WANDB_API_KEY", 40 * "0")
        assert sync_wandb.main([str(tmp_path)]) == 1
        assert "is still written to; if its run was killed, pass --killed" in capsys.readouterr().err
        assert runs == {}
        assert sync_wandb.main([str(tmp_path), "--killed"]) == 0
        assert len(runs["digits-a"][HISTORY]) > 10
        assert sync_wandb.main([str(tmp_path), "--killed"]) == 0
    # Nor does a header without a record stop what comes after it.
    (part / record.name).write_bytes(record.read_bytes()[:7])
    (part / f"{record.name}.synced").unlink()
    with wandb_server() as (url, _):
        monkeypatch.setenv("WANDB_BASE_URL", url)
        assert sync_wandb.main([str(tmp_path), "--killed"]) == 0


def test_a_server_that_is_away_is_said_and_nothing_is_marked(killed, monkeypatch, tmp_path, capsys):
    folder = tmp_path / "a" / "wandb" / offline_runs(killed)[0].name
    folder.mkdir(parents=True)
    (record,) = offline_runs(killed)[0].glob("*.wandb")
    (folder / record.name).write_bytes(record.read_bytes())
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert sync_wandb.main([str(tmp_path)]) == 1
    assert "a: 0 of 1 parts sent" in capsys.readouterr().out
    assert not (folder / f"{record.name}.synced").exists()


def test_a_folder_without_runs_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        sync_wandb.main([str(tmp_path)])
    assert "holds no runs that were recorded offline" in capsys.readouterr().err
