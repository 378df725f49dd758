"""The parser of a training command's config, and what is kept of the config."""

import os
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, SaveConfigCallback
from pytorch_lightning.loggers import WandbLogger

from wgan_lip.cli.errors import TRACEBACK, essence, fail
from wgan_lip.training.stepped import CHECKPOINT_KEY


class OneLineParser(LightningArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if os.environ.get(TRACEBACK) and ex is not None:
            raise ex
        fail(essence(message))

    def add_function_arguments(self, *args: Any, linked_targets: Any = None, **kwargs: Any) -> list[str]:
        # jsonargparse 4.53 tells a function of the links that end above it, which only classes take; with it, a
        # pair may be made by a function: Funnels.random, load_pair.
        return super().add_function_arguments(*args, **kwargs)


class SaveConfig(SaveConfigCallback):
    """Saves the resolved config in the run folder, in every checkpoint, and to Weights & Biases.

    It does so when training starts, so that a start that fails changes nothing; and without
    ``ckpt_path``, so that the saved config begins a run like this one, not this one again.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Nothing: the stock callback would save here, before the checkpoint is loaded."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        (Path(trainer.default_root_dir) / "config.yaml").write_text(self._text())
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.config.update(yaml.safe_load(self._text()), allow_val_change=True)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint.setdefault(CHECKPOINT_KEY, {})["config"] = self._text()

    def _text(self) -> str:
        config = self.config.clone()
        config.ckpt_path = None
        return self.parser.dump(config, skip_none=False)
