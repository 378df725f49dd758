"""What Weights & Biases gets, read back from its offline run by its own tool."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytorch_lightning.loggers import WandbLogger

from tests.runs.test_wandb_tracking import Run
from tests.support.commands import ABSOLUTE, SMALL_ESTIMATOR, fit, run
from wgan_lip.cli.run_end import send_to_wandb
from wgan_lip.kinds import KINDS
from wgan_lip.runs import wandb_logger
from wgan_lip.runs.wandb_mode import decide_mode


def read_back(folder: Path) -> list[dict[str, Any]]:
    """Every record of the run's offline file."""
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", path]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    return [json.loads(line) for line in printed.splitlines()]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("WANDB_MODE", "offline")
        folder = fit(monkeypatch, tmp_path_factory.mktemp("runs"))
    return folder, read_back(folder)


def test_the_same_series_as_in_metrics_csv(recorded):
    folder, records = recorded
    history = [record["history"]["item"] for record in records if record["type"] == "history"]
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith(("w1/", "lipschitz/", "train/"))]
    assert len(names) == 16
    for name in names:
        ours = [(int(row["generator_step"]), float(row[name])) for row in rows if row[name]]
        theirs = [(item["generator_step"], item[name]) for item in history if name in item]
        assert ours == theirs
        assert len(ours) >= 5


def test_metrics_are_drawn_over_the_generator_step(recorded):
    defined = [record["metric"] for record in recorded[1] if record["type"] == "metric"]
    over = {metric.get("glob_name", metric.get("name")): metric.get("step_metric") for metric in defined}
    assert over["w1/*"] == over["samples/*"] == over["lipschitz/*"] == "generator_step"


def test_the_resolved_config_is_there(recorded):
    config: dict[str, Any] = {}
    for record in recorded[1]:
        if record["type"] == "config":
            config.update(record["config"]["update"])
    assert config["model"]["init_args"]["generator_steps"] == 20
    assert config["model"]["init_args"]["critic"]["init_args"]["activation"]["init_args"]["group_size"] == 4
    assert config["exact_w1"]["n"] == 50
    assert config["seed_everything"] == 0


def test_the_pictures_are_there(recorded):
    folder, records = recorded
    history = [record["history"]["item"] for record in records if record["type"] == "history"]
    names = ("samples/real", "samples/generated", "samples/interpolations", "samples/neighbours", "report/w1")
    keys = [name for item in history for name in names if f"{name}.path" in item]
    assert sorted(keys) == [
        "report/w1",
        *3 * ["samples/generated"],
        *3 * ["samples/interpolations"],
        "samples/neighbours",
        "samples/real",
    ]
    (media,) = folder.glob("wandb/offline-run-*/files/media/images")
    assert len(list(media.rglob("*.png"))) == 9


def test_online_evaluations_and_files_are_kept_and_offline_they_are_not(recorded):
    folder, _ = recorded
    module: Any = SimpleNamespace(step_name="generator_step", step=20)
    for offline, artifacts in ((True, True), (False, False), (False, True)):
        run: Any = Run(offline)
        logger = WandbLogger(offline=True, experiment=run)
        send_to_wandb([logger], folder, KINDS[0], module, artifacts)
        assert len(run.logged) == (not offline)
        if offline or not artifacts:
            assert run.artifacts == []
    table = run.logged[0]["report/evaluations"]
    with (folder / "metrics.csv").open(newline="") as file:
        evaluated = [row for row in csv.DictReader(file) if row["w1/seconds"]]
    assert len(evaluated) == 5
    for name in ("generator_step", "w1/exact", "w1/critic", "w1/noise_floor"):
        column = table.columns.index(name)
        assert [row[column] for row in table.data] == [float(row[name]) for row in evaluated]
    kept = {one.type: set(one.manifest.entries) for one in run.artifacts}
    assert kept["model"] == {"last.ckpt"}
    assert kept["report"] == {"report.html", "w1.png", "metrics.csv", "config.yaml"}
    assert {"samples/real.png", "samples/0000020.png"} < kept["samples"]


def test_the_run_has_the_folder_s_id_and_ended_well(recorded):
    folder, records = recorded
    (run,) = (record["run"] for record in records if record["type"] == "run")
    assert run["run_id"] == f"digits-{folder.name}"
    (ended,) = (record["exit"] for record in records if record["type"] == "exit")
    assert ended["exit_code"] == 0


def test_mode_follows_the_key_and_the_environment(monkeypatch, tmp_path):
    # conftest has taken away the key of whoever runs this.
    assert decide_mode("auto", os.environ).mode == "offline"
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.wandb.ai login user password 0123456789\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert decide_mode("auto", os.environ).mode == "online"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert decide_mode("auto", os.environ).mode == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "0123456789")
    assert decide_mode("auto", os.environ).mode == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert decide_mode("auto", os.environ).mode == "disabled"
    assert wandb_logger(tmp_path, "name", "id") is None
    netrc.write_text("not a netrc file")
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.delenv("WANDB_MODE")
    assert decide_mode("auto", os.environ).mode == "offline"


def test_an_estimator_is_drawn_over_its_own_steps_with_its_pictures(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    run(monkeypatch, "fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, f"--runs_dir={tmp_path}")
    (folder,) = (tmp_path / "absolute_value").iterdir()
    records = read_back(folder)
    defined = [record["metric"] for record in records if record["type"] == "metric"]
    over = {metric.get("glob_name", metric.get("name")): metric.get("step_metric") for metric in defined}
    assert over["w1/*"] == over["gradient/*"] == over["critic/*"] == "critic_step"
    history = [record["history"]["item"] for record in records if record["type"] == "history"]
    assert [item["critic_step"] for item in history if "w1/critic" in item] == [0, 5, 10, 15, 20]
    pictures = [name for item in history for name in ("critic/picture", "report/w1") if f"{name}.path" in item]
    assert sorted(pictures) == [*3 * ["critic/picture"], "report/w1"]
