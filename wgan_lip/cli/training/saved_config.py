"""The resolved config of a run: saved in its folder, its checkpoints and W&B, and compared when the run is resumed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser
from pytorch_lightning.loggers import WandbLogger

from wgan_lip.cli.config import drop_former_arguments
from wgan_lip.replaced import replace_text
from wgan_lip.saved import named_value
from wgan_lip.training import CHECKPOINT_KEY
from wgan_lip.yaml_text import read_yaml


class SaveConfig(Callback):
    """A callback that saves the resolved config in the run folder, in every checkpoint, and in Weights & Biases.

    It saves when the training starts, so that a start that fails changes nothing; and without ``ckpt_path`` and
    ``run``, so that the saved config begins a new run.

    Args:
        parser: of the command.
        config: as it was parsed.
    """

    def __init__(self, parser: LightningArgumentParser, config: Namespace) -> None:
        self._parser = parser
        self._config = config

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check that all processes resume from the same checkpoint."""
        ours = self._config.ckpt_path
        first = trainer.strategy.broadcast(ours)
        if not trainer.strategy.reduce_boolean_decision(ours == first, all=True):
            raise ValueError(
                f"all processes of a run must resume from the same checkpoint; got {first} on rank 0 and {ours} on "
                f"rank {trainer.global_rank}: runs_dir must be a folder that all nodes share"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        replace_text(Path(trainer.default_root_dir) / "config.yaml", self._text())
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.config.update(yaml.safe_load(self._text()), allow_val_change=True)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint.setdefault(CHECKPOINT_KEY, {})["config"] = self._text()

    def _text(self) -> str:
        return config_text(self._parser, self._config)


def config_text(parser: LightningArgumentParser, config: Namespace) -> str:
    """Return a config as YAML without ``ckpt_path`` and ``run``, so that it begins a new run.

    Args:
        parser: of the command.
        config: as it was parsed.
    """
    config = config.clone()
    config.ckpt_path = None
    config.run = None
    return parser.dump(config, skip_none=False)


def changed_keys(before: str, after: str) -> list[str]:
    """Return the dotted keys in which two configs differ, except those of devices, W&B and the run's place.

    Args:
        before: YAML of a checkpoint.
        after: YAML.

    Raises:
        ValueError: the checkpoint's is not a config.
    """
    kept = read_yaml(before, "the checkpoint's config")
    if not isinstance(kept, dict):
        raise ValueError(f"the checkpoint's config must be a mapping; got {named_value(kept)}")
    drop_former_arguments(kept)
    old, new = dict(_flat(kept)), dict(_flat(yaml.safe_load(after)))
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _flat(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if prefix or key not in ("trainer", "wandb", "runs_dir", "ckpt_path", "run"):
            if isinstance(value, dict):
                yield from _flat(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value
