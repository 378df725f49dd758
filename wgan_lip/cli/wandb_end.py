"""What Weights & Biases gets when a training ends: its evaluations, and where it is online its files."""

from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning.loggers import Logger

from wgan_lip.cli.kinds import Kind
from wgan_lip.report import read_records
from wgan_lip.report.page import read_run, write_page
from wgan_lip.runs.wandb_uploads import log_table, online_runs, upload, wandb_may_be_away
from wgan_lip.training import SteppedModule


def give_to_wandb(loggers: Sequence[Logger], folder: Path, kind: Kind, module: SteppedModule, artifacts: bool) -> None:
    """Where W&B is online: log the evaluations as a table, and keep checkpoint, pictures and report as artifacts.

    Args:
        loggers: the trainer's.
        folder: of the run.
        kind: of the training.
        module: as it was trained.
        artifacts: whether there shall be any.
    """
    if not any(online_runs(loggers)):
        return
    # One wait for a server that is away is enough.
    with wandb_may_be_away():
        _give(loggers, folder, kind, module, artifacts)


def _give(loggers: Sequence[Logger], folder: Path, kind: Kind, module: SteppedModule, artifacts: bool) -> None:
    records = read_records(folder / "metrics.csv", kind.evaluation)
    rows = [{name: float(value) for name, value in record.items()} for record in records]
    log_table(loggers, "report/evaluations", rows, module)
    if not artifacts:
        return
    page = folder / "report.html"
    write_page(page, [read_run(folder)])
    upload(loggers, "model", {"last.ckpt": folder / "checkpoints" / "last.ckpt"})
    upload(loggers, "samples", {name: folder / name for name in ("samples", "critic")})
    named = (page.name, f"{kind.figure}.png", "metrics.csv", "config.yaml")
    upload(loggers, "report", {name: folder / name for name in named})
