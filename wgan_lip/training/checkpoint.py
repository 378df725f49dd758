"""Checkpoints by the module's own steps, from which a run resumes exactly."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from wgan_lip.training.every_steps import EverySteps
from wgan_lip.training.loggers import MetricsCSV
from wgan_lip.training.lost_ranks import is_lost_rank
from wgan_lip.training.stepped import CHECKPOINT_KEY, SteppedModule


class SaveCheckpoint(EverySteps, Checkpoint):
    """Saves ``checkpoints/last.ckpt`` when training starts, every ``every`` steps, and when it is done.

    Beside Lightning's own state (weights, optimisers, loops, data order) it keeps the global random
    states of every rank, for dropout and the like, and the length of metrics.csv, which is cut back to
    it on resume. A run may go on with another number of ranks: with the same batches and noise, but
    other draws of dropout. The file lies in the trainer's ``default_root_dir`` and is replaced in one
    step, so a run that is killed while saving, or finds the disk full, keeps the last good one.

    Args:
        every: steps between two checkpoints.

    Raises:
        ValueError: ``every < 1``; while it trains OSError: the checkpoint cannot be saved; RuntimeError: the ranks'
            weights are not the same.
    """

    def __init__(self, every: int = 500) -> None:
        super().__init__(every)
        self._random_states: list[dict[str, Any]] = []
        self._rows: int | None = None

    def path(self, trainer: Trainer) -> Path:
        """Where the checkpoint is kept."""
        return Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Set up only now, lest anything between loading and training drew or logged.
        if trainer.global_rank < len(self._random_states):
            _set_random_states(self._random_states[trainer.global_rank])
        self._random_states = []
        if self._rows is not None:
            for logger in trainer.loggers:
                if isinstance(logger, MetricsCSV):
                    logger.truncate(self._rows)
            self._rows = None
        # At step 0 too, so that a run can be resumed whenever it is cut off.
        super().on_train_start(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        rows = [logger.rows for logger in trainer.loggers if isinstance(logger, MetricsCSV)]
        own = _random_states()
        checkpoint.setdefault(CHECKPOINT_KEY, {}).update(
            random_states=pl_module.ranks.each(own) if isinstance(pl_module, SteppedModule) else [own],
            metrics_rows=rows[0] if rows else None,
        )

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._random_states = checkpoint[CHECKPOINT_KEY]["random_states"]
        self._rows = checkpoint[CHECKPOINT_KEY]["metrics_rows"]

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        module.ranks.check_same(module)
        path = self.path(trainer)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        try:
            trainer.save_checkpoint(temporary)
        except (OSError, RuntimeError) as error:
            # PyTorch reports a full disk as a RuntimeError of its own.
            if is_lost_rank(error):
                raise
            temporary.unlink(missing_ok=True)
            kept = "the one before is kept" if path.exists() else "there is none before it"
            raise OSError(f"cannot save the checkpoint {path}: {error}; {kept}") from error
        if trainer.is_global_zero:
            temporary.replace(path)


def _random_states() -> dict[str, Any]:
    _, keys, position, has_gauss, gauss = np.random.get_state()
    version, internal, gauss_next = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (torch.from_numpy(np.asarray(keys, dtype=np.int64)), int(position), int(has_gauss), float(gauss)),
        "python": (version, list(internal), gauss_next),
    }


def _set_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all(states["cuda"])
    keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
