"""A trainer of small models that writes to a folder."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from wgan_lip.runs import MetricsCSV


def quiet_trainer(folder: Path, **arguments: Any) -> pl.Trainer:
    """A trainer on the CPU that shows nothing, logs every step, and writes metrics.csv in ``folder``.

    Args:
        folder: where everything goes.
        arguments: of Lightning's trainer, beside these or in their place.
    """
    return pl.Trainer(
        **{
            "default_root_dir": folder,
            "accelerator": "cpu",
            "max_epochs": -1,
            "limit_val_batches": 0,
            "log_every_n_steps": 1,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": MetricsCSV(folder / "metrics.csv"),
            **arguments,
        }
    )
