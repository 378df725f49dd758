"""Models and data of a checkpoint, built from the config that it holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pytorch_lightning import LightningDataModule, LightningModule

from wgan_lip.cli.config import OneLineParser
from wgan_lip.data import SampleDataModule
from wgan_lip.training import SteppedModule
from wgan_lip.training.run_folder import load_checkpoint
from wgan_lip.training.stepped import CHECKPOINT_KEY

T = TypeVar("T")
_TRUSTED = ("wgan_lip.", "torch.")
# Arguments of this package's classes that name files: real.npy is no class.
_FILES = ("data_dir", "fake", "path", "real")


def load_module(path: Path, trust: bool = False) -> SteppedModule:
    """The module of a checkpoint, with its weights and counters, in evaluation mode.

    Args:
        path: the checkpoint.
        trust: build classes of any package that its config names.

    Raises:
        ValueError: not a checkpoint with its config, one of other networks than its config's, or one that names
            classes of other packages.
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
        trust: build classes of any package that its config names.

    Raises:
        ValueError: not a checkpoint with its config, one without data, one that names classes of other packages, or
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
        for name in _class_paths(described):
            if not name.startswith(_TRUSTED):
                raise ValueError(f"{path} names the class {name}, which is not of wgan_lip or torch: --trust builds it")
    parser = OneLineParser()
    parser.add_subclass_arguments(kind, part, required=True)
    return parser.instantiate_classes(parser.parse_object({part: described}))[part]


def _class_paths(value: Any) -> Iterator[str]:
    """Every dotted name that jsonargparse may import: class_path entries, and callables given by their path."""
    if isinstance(value, dict):
        ours = str(value.get("class_path", "")).startswith("wgan_lip.")
        for key, part in value.items():
            files = _FILES if ours and key == "init_args" else ()
            yield from _class_paths(_without(part, files))
    elif isinstance(value, list):
        for part in value:
            yield from _class_paths(part)
    elif isinstance(value, str) and "." in value and all(part.isidentifier() for part in value.split(".")):
        yield value


def _without(value: Any, names: tuple[str, ...]) -> Any:
    """The mapping less the strings of these names."""
    if not names or not isinstance(value, dict):
        return value
    return {key: part for key, part in value.items() if key not in names or not isinstance(part, str)}
