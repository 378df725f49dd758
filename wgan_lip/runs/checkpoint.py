"""Checkpoints by the module's own steps: saved, read safely, and resumed from exactly."""

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from wgan_lip.replaced import own_folder, replacing
from wgan_lip.runs.metrics_csv import MetricsCSV
from wgan_lip.saved import is_count, load_saved, named_value
from wgan_lip.training import CHECKPOINT_KEY, EverySteps, SteppedModule

# Words in the state of the Mersenne twister.
_TWISTER = 624


class SaveCheckpoint(EverySteps, Checkpoint):
    """Saves ``checkpoints/last.ckpt`` at the start of the training, every ``every`` steps, and at the end.

    Beside Lightning's own state (weights, optimisers, loops, data order) it keeps the global random states of every
    rank, which dropout and the like draw from, and the number of rows of metrics.csv, which is truncated to it on
    resume. A run may resume with another number of ranks: with the same batches and noise, but other draws of dropout.
    The file lies in the trainer's ``default_root_dir`` and is replaced in one step, so that a run that is killed while
    it saves, or finds the disk full, keeps the last good one.

    Args:
        every: steps between two checkpoints.

    Raises:
        ValueError: ``every < 1``; when a run is resumed: metrics.csv has lost rows.
        OSError: while it trains: the checkpoint cannot be saved.
        RuntimeError: while it trains: the ranks' weights differ.
    """

    def __init__(self, every: int = 500) -> None:
        super().__init__(every)
        self._random_states: list[dict[str, Any]] = []
        self._rows: int | None = None

    def path(self, trainer: Trainer) -> Path:
        """Return the path of the checkpoint."""
        return Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Unless the user's config chose another plugin.
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = ReplacedCheckpoint()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Restored only now, because callbacks may have drawn or logged since the checkpoint was loaded.
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
            # Lightning would take up any value, and count on from it.
            found = checkpoint.get("loops")
            _check_counts(trainer.fit_loop.state_dict(), found.get("fit_loop") if isinstance(found, dict) else None)
        # A plain Trainer's checkpoint has neither.
        self._random_states = checkpoint[CHECKPOINT_KEY].get("random_states", [])
        self._rows = checkpoint[CHECKPOINT_KEY].get("metrics_rows")

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        module.ranks.check_same(module)
        trainer.save_checkpoint(self.path(trainer))


class ReplacedCheckpoint(TorchCheckpointIO):
    """Lightning's checkpoint plugin, which writes the new file beside the old one and then replaces that.

    Lightning itself writes to the system's temporary folder first, which may be on another, smaller disk.
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
            # In memory first, because PyTorch turns errors of the disk into others.
            torch.save(checkpoint, content)
            own_folder(target.parent)
            with replacing(target) as file:
                file.write(content.getbuffer())
        except OSError as error:
            kept = "the previous one is kept" if target.exists() else "there is no previous one"
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
    """Check that a checkpoint has the same counters of batches and epochs as a trainer, and that they are counts."""
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


def check_checkpoint(path: Path) -> dict[str, Any]:
    """Read what the package keeps in a checkpoint: version, step counters, config and more.

    Args:
        path: the file.

    Raises:
        ValueError: as ``load_checkpoint``.
    """
    kept: dict[str, Any] = load_checkpoint(path)[CHECKPOINT_KEY]
    return kept


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint safely, and check that this package wrote it.

    Args:
        path: the file; only tensors and plain Python values are loaded from it, never code.

    Returns:
        All that Lightning and the package keep in it. The package's entries, where present, have the types that it
        writes.

    Raises:
        ValueError: the file is truncated, damaged, no checkpoint of this package, or has an entry of another type.
    """
    checkpoint = load_saved(path, "a checkpoint of wgan-lip")
    kept = checkpoint.get(CHECKPOINT_KEY) if isinstance(checkpoint, dict) else None
    if not isinstance(kept, dict):
        raise ValueError(f"{path} is not a checkpoint of wgan-lip")
    for key, (is_good, required) in _ENTRIES.items():
        if key in kept and not is_good(value := kept[key]):
            raise ValueError(f"{path} is damaged: its {key} must be {required}; got {named_value(value)}")
    return checkpoint


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_random_states(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_random_state, value))


def _is_random_state(state: Any) -> bool:
    """Return whether fresh generators accept the states, which they check only in part."""
    try:
        torch.Generator().set_state(state["torch"])
        keys, position, has_gauss, gauss = state["numpy"]
        words = keys.numpy().astype(np.uint32)
        np.random.RandomState().set_state(("MT19937", words, position, has_gauss, gauss))
        version, internal, gauss_next = state["python"]
        random.Random().setstate((version, tuple(internal), gauss_next))  # noqa: S311
        cuda = state["cuda"]
    except Exception:
        return False
    return 0 <= position <= _TWISTER and isinstance(cuda, list) and all(isinstance(one, Tensor) for one in cuda)


# The package's entries: the check of each, and what it requires in words.
_ENTRIES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "version": (_is_text, "text"),
    "config": (_is_text, "text"),
    "step_name": (lambda value: _is_text(value) and value.isidentifier(), "the name of a counter"),
    "optimizers": (_are_texts, "a list of names"),
    "classes": (_are_texts, "a list of names"),
    "metrics_rows": (lambda value: value is None or is_count(value), "a number of rows"),
    "random_states": (_are_random_states, "the states of random generators"),
}
