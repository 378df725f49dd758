"""The parser of a training command's config, and what is kept of the config."""

import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]
from jsonargparse.typing import Path_fr
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, SaveConfigCallback
from pytorch_lightning.loggers import WandbLogger

from wgan_lip.cli.configs import config_path
from wgan_lip.cli.errors import TRACEBACK, essence, fail
from wgan_lip.encodings import prints_unicode
from wgan_lip.replaced import replace_text
from wgan_lip.saved import named_value
from wgan_lip.training import CHECKPOINT_KEY
from wgan_lip.yaml_text import read_yaml


class ConfigFile(ActionConfigFile):
    """``-c`` of a file, or of one of the configs that come along."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        try:
            path = config_path(values)
        except ValueError as error:
            parser.error(str(error), error)
        super().__call__(parser, cfg, path, option_string)


class OneLineParser(LightningArgumentParser):
    """A parser whose errors are one line, without the usage, and which knows the configs that come along."""

    def add_argument(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("action") is ActionConfigFile:
            kwargs["action"] = ConfigFile
        return super().add_argument(*args, **kwargs)

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        """Read a config as YAML says it is written, in UTF-8 or UTF-16, whatever the locale."""
        if str(path) == "-":
            return super().parse_path(path, *args, **kwargs)
        given = Path(path)
        text = given.read_bytes()
        unicode = "utf-16" if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
        with Path_fr(str(path)).relative_path_context():
            try:
                return self.parse_string(text.decode(unicode), given.name, *args, **kwargs)
            except UnicodeDecodeError as error:
                raise ValueError(f"{path} must be text in UTF-8: {error}") from error

    def dump(self, *args: Any, **kwargs: Any) -> str:
        """As YAML, and where standard output lacks characters in ASCII, for ``--print_config > FILE``."""
        text = super().dump(*args, **kwargs)
        if text.isascii() or prints_unicode():
            return text
        return yaml.safe_dump(yaml.safe_load(text), sort_keys=False)

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
        """See that all processes go on from the same checkpoint; save only later, when it is loaded."""
        ours = self.config.ckpt_path
        first = trainer.strategy.broadcast(ours)
        if not trainer.strategy.reduce_boolean_decision(ours == first, all=True):
            raise ValueError(
                f"the processes of this run do not go on from the same checkpoint: rank 0 from {first}, "
                f"rank {trainer.global_rank} from {ours}: runs_dir must lie where all nodes see the same files"
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
        return config_text(self.parser, self.config)


def config_text(parser: LightningArgumentParser, config: Any) -> str:
    """A config as YAML, without what names the run: what begins a run like this one.

    Args:
        parser: of the command.
        config: as it was parsed.
    """
    config = config.clone()
    config.ckpt_path = None
    config.run = None
    return parser.dump(config, skip_none=False)


def changed_keys(before: str, after: str) -> list[str]:
    """The dotted keys in which two configs differ, but for devices, tracking and the folder's place.

    Args:
        before: YAML of a checkpoint.
        after: YAML.

    Raises:
        ValueError: the checkpoint's is none.
    """
    kept = read_yaml(before, "the checkpoint's config")
    if not isinstance(kept, dict):
        raise ValueError(f"the checkpoint's config must be a mapping; got {named_value(kept)}")
    old, new = dict(_flat(kept)), dict(_flat(yaml.safe_load(after)))
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _flat(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if prefix or key not in ("trainer", "wandb", "runs_dir", "ckpt_path", "run"):
            if isinstance(value, dict):
                yield from _flat(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value
