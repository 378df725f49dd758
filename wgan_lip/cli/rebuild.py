"""Models and data of a checkpoint, built from the config that it holds."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pytorch_lightning import LightningDataModule, LightningModule

from wgan_lip.cli.config import OneLineParser
from wgan_lip.cli.trusted import check_names
from wgan_lip.data import SampleDataModule
from wgan_lip.training import SteppedModule
from wgan_lip.training.run_folder import load_checkpoint
from wgan_lip.training.stepped import CHECKPOINT_KEY

T = TypeVar("T")


def load_module(path: Path, trust: bool = False) -> SteppedModule:
    """The module of a checkpoint, with its weights and counters, in evaluation mode.

    Args:
        path: the checkpoint.
        trust: build whatever its config names.

    Raises:
        ValueError: not a checkpoint with its config, one of other networks than its config's, or one that names
            what ``check_names`` refuses.
    """
    checkpoint = load_checkpoint(path)
    module = _build(path, _config(path, checkpoint), "model", LightningModule, trust)
    if not isinstance(module, SteppedModule):
        raise ValueError(f"{path} is of a {type(module).__name__}, which is no module of wgan_lip")
    module.check_networks(checkpoint["state_dict"])
    module.load_state_dict(checkpoint["state_dict"])
    for name in module.counters:
        setattr(module, name, checkpoint[CHECKPOINT_KEY][name])
    return module.eval()


def load_data(path: Path, trust: bool = False) -> SampleDataModule:
    """The data module that a checkpoint's config names: the data on which it was trained, in the same splits.

    The splits do not depend on the run's seed, which only orders the training batches and is not set here.

    Args:
        path: the checkpoint.
        trust: build whatever its config names, and download the data if it says so and they are missing.

    Raises:
        ValueError: not a checkpoint with its config, one without data, one that names what ``check_names`` refuses, or
            data that are not a ``SampleDataModule``.
    """
    data = _build(path, load_config(path), "data", LightningDataModule, trust)
    if not isinstance(data, SampleDataModule):
        raise ValueError(f"{path} was trained on a {type(data).__name__}, which is no SampleDataModule")
    return data


def load_config(path: Path) -> dict[str, Any]:
    """The config of a checkpoint, as it was resolved; nothing that it names is built or imported.

    Args:
        path: the checkpoint.

    Raises:
        ValueError: not a checkpoint with its config.
    """
    return _config(path, load_checkpoint(path))


def _config(path: Path, checkpoint: dict[str, Any]) -> dict[str, Any]:
    text = checkpoint[CHECKPOINT_KEY].get("config")
    config = yaml.safe_load(text) if isinstance(text, str) else None
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise ValueError(f"{path} holds no config of a model: it was not written by wgan-lip fit")
    return config


def _build(path: Path, config: dict[str, Any], part: str, kind: type[T], trust: bool) -> T:
    described = config.get(part)
    if not isinstance(described, dict):
        raise ValueError(f"{path} holds no config of {part}")
    if not trust:
        check_names(described, str(path))
    parser = OneLineParser()
    parser.add_subclass_arguments(kind, part, required=True)
    resolved = parser.parse_object({part: described})
    if not trust:
        check_names(resolved.as_dict(), str(path))
        for key in list(resolved.keys()):
            if key.endswith(".download"):
                # Nor does it make this machine download anything, or say where to.
                resolved[key] = False
    return parser.instantiate_classes(resolved)[part]
