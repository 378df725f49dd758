"""What Weights & Biases gets of a run at its end, beside the series and pictures: a table, and files to keep."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_warn

from wgan_lip.runs.loggers import wandb_may_end
from wgan_lip.training import SteppedModule


def log_table(loggers: Iterable[Logger], key: str, rows: Sequence[Mapping[str, Any]], module: SteppedModule) -> None:
    """Send rows as a table; offline runs have them in their metrics.csv, and in W&B's history.

    Args:
        loggers: the trainer's.
        key: the table's name.
        rows: by column; what a row lacks is an empty cell.
        module: whose step says when it was made.
    """
    columns: list[str | int] = list(dict.fromkeys(name for row in rows for name in row))
    for run in online_runs(loggers):
        table = wandb.Table(columns=columns, data=[[row.get(str(name)) for name in columns] for row in rows])
        run.log({key: table, module.step_name: module.step})


def upload(loggers: Iterable[Logger], kind: str, files: Mapping[str, Path]) -> None:
    """Send files as an artifact of the run, a new version each time; offline runs leave them in the run's folder.

    Args:
        loggers: the trainer's.
        kind: what they are, such as "model": the artifact's type, and the end of its name.
        files: files and folders by their names in the artifact; those that do not exist are left out.
    """
    there = {name: path for name, path in files.items() if path.exists()}
    for run in online_runs(loggers) if there else ():
        artifact = wandb.Artifact(f"{run.id}-{kind}", type=kind)
        for name, path in there.items():
            if path.is_dir():
                artifact.add_dir(str(path), name=name)
            else:
                artifact.add_file(str(path), name=name)
        run.log_artifact(artifact)


@contextmanager
def wandb_may_be_away() -> Iterator[None]:
    """A run that has ended well is not to fail for what W&B does not take: all of it lies in the run's folder."""
    try:
        with wandb_may_end():
            yield
    except (wandb.Error, TimeoutError) as error:
        rank_zero_warn(f"Weights & Biases: {error}; nothing is lost, it lies in the run's folder")


def online_runs(loggers: Iterable[Logger]) -> Iterator[Any]:
    """The runs of W&B that are not offline.

    Args:
        loggers: the trainer's.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger) and not logger.experiment.offline:
            yield logger.experiment
