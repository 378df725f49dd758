"""Checkpoints by the module's own steps, from which a run resumes exactly."""

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from wgan_lip.replaced import own_folder, replacing
from wgan_lip.runs.loggers import MetricsCSV
from wgan_lip.saved import is_count, named_value
from wgan_lip.training import CHECKPOINT_KEY, EverySteps, SteppedModule


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
        ValueError: ``every < 1``; when a run goes on, metrics.csv has lost rows; while it trains OSError: the
            checkpoint cannot be saved; RuntimeError: the ranks' weights are not the same.
    """

    def __init__(self, every: int = 500) -> None:
        super().__init__(every)
        self._random_states: list[dict[str, Any]] = []
        self._rows: int | None = None

    def path(self, trainer: Trainer) -> Path:
        """Where the checkpoint is kept."""
        return Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Where the user's config chose another way, it stays.
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = ReplacedCheckpoint()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Set up only now, lest anything between loading and training drew or logged.
        if trainer.global_rank < len(self._random_states):
            _set_random_states(self._random_states[trainer.global_rank])
        self._random_states = []
        if self._rows is not None:
            for logger in trainer.loggers:
                if isinstance(logger, MetricsCSV):
                    logger.check_rows(self._rows)
                    logger.truncate(self._rows)
            self._rows = None
        # At step 0 too, so that a run can be resumed whenever it is cut off.
        super().on_train_start(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        rows = [logger.rows for logger in trainer.loggers if isinstance(logger, MetricsCSV)]
        own = _random_states()
        checkpoint.setdefault(CHECKPOINT_KEY, {}).update(
            random_states=pl_module.ranks.all_gather(own) if isinstance(pl_module, SteppedModule) else [own],
            metrics_rows=rows[0] if rows else None,
        )

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn == "fit":
            # Lightning takes up what it finds, and counts on from there.
            found = checkpoint.get("loops")
            _check_counts(trainer.fit_loop.state_dict(), found.get("fit_loop") if isinstance(found, dict) else None)
        # A plain Trainer's checkpoint has neither.
        self._random_states = checkpoint[CHECKPOINT_KEY].get("random_states", [])
        self._rows = checkpoint[CHECKPOINT_KEY].get("metrics_rows")

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        module.ranks.check_same(module)
        trainer.save_checkpoint(self.path(trainer))


class ReplacedCheckpoint(TorchCheckpointIO):
    """Lightning's way to write a checkpoint, but beside the old one, which is then replaced.

    Lightning itself writes it to the system's folder of temporary files first, which may be another disk, and small.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; called on rank 0 alone.

        Args:
            checkpoint: what is kept.
            path: of the file.
            storage_options: none.

        Raises:
            OSError: it cannot be written, or its folder is a link.
        """
        target, content = Path(path), io.BytesIO()
        try:
            # In memory, for PyTorch reports what a disk refuses as errors of its own.
            torch.save(checkpoint, content)
            own_folder(target.parent)
            with replacing(target) as file:
                file.write(content.getbuffer())
        except OSError as error:
            kept = "the one before is kept" if target.exists() else "there is none before it"
            raise OSError(f"cannot save the checkpoint {path}: {error}; {kept}") from error


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


def _check_counts(ours: dict[str, Any], found: Any, place: str = "fit_loop") -> None:
    """See that a checkpoint's counts of batches and epochs are what a trainer's are: counts, by the same names."""
    if not isinstance(found, dict):
        raise ValueError(f"the checkpoint's {place} must be a mapping; got {named_value(found)}")
    for name, value in ours.items():
        theirs = found.get(name)
        if isinstance(value, dict):
            _check_counts(value, theirs, f"{place}.{name}")
        elif isinstance(value, bool) and not isinstance(theirs, bool):
            raise ValueError(f"the checkpoint's {place}.{name} must be true or false; got {named_value(theirs)}")
        elif type(value) is int and not is_count(theirs):
            raise ValueError(f"the checkpoint's {place}.{name} must be a count; got {named_value(theirs)}")
