"""A W&B server that is away, at the start or in the middle of a run: the training goes on, and nothing is lost."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import urlparse

import pytest
import wandb

from tests.support.commands import fit
from tests.support.wandb_server import HISTORY, wandb_server
from wgan_lip.runs import wandb_tracking

# Whole trainings, killed or without a server: minutes together.
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(wandb_tracking, "_INIT_SECONDS", 3)
    monkeypatch.setattr(wandb_tracking, "_FINISH_SECONDS", 3)
    monkeypatch.setenv("WANDB_API_KEY", 40 * "0")
    # W&B keeps for the whole process what it was first told of its server.
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.mark.filterwarnings("ignore:Weights & Biases")
def test_away_at_the_start_leaves_an_offline_run(monkeypatch, tmp_path):
    # Nobody listens there.
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    folder = fit(monkeypatch, tmp_path)
    assert len(list(folder.glob("wandb/offline-run-*/*.wandb"))) == 1
    assert (folder / "finished").read_text() == "20\n"


# What it says of that at the end.
@pytest.mark.filterwarnings("ignore:Weights & Biases")
def test_away_in_the_middle_leaves_all_of_it_on_the_disk(monkeypatch, tmp_path):
    metrics = tmp_path / "digits" / "a" / "metrics.csv"
    ready, done = threading.Event(), threading.Event()
    seen: dict[str, Any] = {}

    def serve_until_it_trains() -> None:
        with wandb_server() as (seen["url"], seen["runs"]):
            ready.set()
            while not done.is_set() and not (metrics.exists() and len(metrics.read_text().splitlines()) > 5):
                time.sleep(0.02)
        seen["away"] = time.monotonic()

    server = threading.Thread(target=serve_until_it_trains)
    server.start()
    try:
        ready.wait(10)
        monkeypatch.setenv("WANDB_BASE_URL", seen["url"])
        fit(monkeypatch, tmp_path, "--run=a", "--model.init_args.generator_steps=300")
        ended = time.monotonic()
    finally:
        done.set()
        server.join()
    assert seen["away"] < ended - 3
    assert list(seen["runs"]) == ["digits-a"]
    assert (metrics.parent / "finished").read_text() == "300\n"
    # Back at the same address, it is sent the rest.
    (part,) = metrics.parent.glob("wandb/run-*-digits-a")
    with wandb_server(urlparse(seen["url"]).port, seen["runs"]) as (_, runs):
        command = [sys.executable, "-m", "wandb", "sync", "--include-online", str(part)]
        environment = {**os.environ, "WANDB_DIR": str(tmp_path)}
        subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
        history = [json.loads(line) for line in runs["digits-a"][HISTORY]]
    with metrics.open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    assert len(rows) > 60
    assert [row for row in rows if not any(row.items() <= item.items() for item in history)] == []
