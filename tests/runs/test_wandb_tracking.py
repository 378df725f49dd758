"""At the end of a run: its evaluations as a table, and files as artifacts where W&B can be reached."""

from types import SimpleNamespace
from typing import Any

import pytest
import wandb
from pytorch_lightning.loggers import WandbLogger

from wgan_lip.runs import MetricsCSV
from wgan_lip.runs.wandb_tracking import ignore_unreachable_wandb, log_table, upload

MODULE: Any = SimpleNamespace(step_name="generator_step", step=20)


class Run:
    """What W&B's run does, kept."""

    id = "digits-a"

    def __init__(self, offline: bool) -> None:
        self.offline = offline
        self.logged: list[dict[str, Any]] = []
        self.artifacts: list[wandb.Artifact] = []

    def log(self, record: dict[str, Any]) -> None:
        self.logged.append(record)

    def log_artifact(self, artifact: wandb.Artifact) -> None:
        self.artifacts.append(artifact)


@pytest.fixture
def logger(request):
    run: Any = Run(offline=request.param)
    return WandbLogger(offline=True, experiment=run)


@pytest.mark.parametrize("logger", [False], indirect=True)
def test_a_table_has_every_column_that_any_row_has(logger, tmp_path):
    log_table(
        [MetricsCSV(tmp_path / "metrics.csv"), logger], "report/evaluations", [{"a": 1}, {"a": 2, "b": 3}], MODULE
    )
    (record,) = logger.experiment.logged
    table = record["report/evaluations"]
    assert record["generator_step"] == 20
    assert (table.columns, table.data) == (["a", "b"], [[1, None], [2, 3]])


@pytest.mark.parametrize("logger", [False], indirect=True)
def test_files_and_folders_are_uploaded_and_what_is_missing_is_left_out(logger, tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"weights")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "real.png").write_bytes(b"picture")
    files = {"last.ckpt": tmp_path / "last.ckpt", "samples": tmp_path / "samples", "none": tmp_path / "none"}
    upload([logger], "model", files)
    (artifact,) = logger.experiment.artifacts
    assert (artifact.name, artifact.type) == ("digits-a-model", "model")
    assert sorted(artifact.manifest.entries) == ["last.ckpt", "samples/real.png"]
    upload([logger], "samples", {"samples": tmp_path / "nowhere"})
    assert len(logger.experiment.artifacts) == 1


@pytest.mark.parametrize("logger", [True], indirect=True)
def test_offline_nothing_is_copied(logger, tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"weights")
    upload([logger], "model", {"last.ckpt": tmp_path / "last.ckpt"})
    log_table([logger], "report/evaluations", [{"a": 1}], MODULE)
    assert logger.experiment.artifacts == logger.experiment.logged == []


@pytest.mark.parametrize("logger", [False], indirect=True)
def test_a_server_that_is_away_is_a_warning(logger, tmp_path, monkeypatch):
    def away(artifact: wandb.Artifact) -> None:
        raise wandb.errors.CommError("no answer")

    (tmp_path / "last.ckpt").write_bytes(b"weights")
    monkeypatch.setattr(logger.experiment, "log_artifact", away)
    with pytest.warns(UserWarning, match="no answer; nothing is lost"), ignore_unreachable_wandb():
        upload([logger], "model", {"last.ckpt": tmp_path / "last.ckpt"})
