"""The model and the data of a checkpoint, built from the config in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pytorch_lightning import LightningDataModule, LightningModule

from wgan_lip.cli.config import RaisingParser, drop_former_arguments
from wgan_lip.cli.trusted import check_names
from wgan_lip.data import SampleDataModule
from wgan_lip.robustness import BrokenCertificateError
from wgan_lip.runs import load_checkpoint
from wgan_lip.training import CHECKPOINT_KEY, SteppedModule, check_weights
from wgan_lip.transport import UnprovenError
from wgan_lip.yaml_text import read_yaml

T = TypeVar("T")


def load_module(path: Path, trust: bool = False) -> SteppedModule:
    """Build the module of a checkpoint, with its weights and counters, in evaluation mode.

    Args:
        path: the checkpoint.
        trust: build whatever its config names.

    Raises:
        ValueError: the file is not a checkpoint with a config, its weights are of other networks than its config's, or
            its config names what ``check_names`` refuses.
    """
    checkpoint = load_checkpoint(path)
    module = _build(path, _config(path, checkpoint), "model", LightningModule, trust)
    if not isinstance(module, SteppedModule):
        raise ValueError(f"{path} is of a {type(module).__name__}, which is not a module of wgan_lip")
    with of_checkpoint(path):
        check_weights(module, checkpoint.get("state_dict"))
        module.load_state_dict(checkpoint["state_dict"])
        module.set_counters(checkpoint[CHECKPOINT_KEY])
    return module.eval()


def load_data(path: Path, trust: bool = False) -> SampleDataModule:
    """Build the data module of a checkpoint: the data on which it was trained, in the same splits.

    The splits do not depend on the run's seed, which only orders the training batches and is not set here.

    Args:
        path: the checkpoint.
        trust: build whatever its config names, and download missing data if the config says so.

    Raises:
        ValueError: the file is not a checkpoint with a config, its config has no data, names what ``check_names``
            refuses, or has data that are not a ``SampleDataModule``.
    """
    data = _build(path, load_config(path), "data", LightningDataModule, trust)
    if not isinstance(data, SampleDataModule):
        raise ValueError(f"{path} was trained on a {type(data).__name__}, which is not a SampleDataModule")
    return data


def load_config(path: Path) -> dict[str, Any]:
    """Read the resolved config of a checkpoint; nothing that it names is built or imported.

    Args:
        path: the checkpoint.

    Raises:
        ValueError: the file is not a checkpoint with a config.
    """
    return _config(path, load_checkpoint(path))


def _config(path: Path, checkpoint: dict[str, Any]) -> dict[str, Any]:
    text = checkpoint[CHECKPOINT_KEY].get("config")
    config = read_yaml(text, f"{path}'s config") if isinstance(text, str) else None
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise ValueError(f"{path} contains no config with a model: wgan-lip fit did not write it")
    drop_former_arguments(config, trained=True)
    return config


def _build(path: Path, config: dict[str, Any], part: str, kind: type[T], trust: bool) -> T:
    described = config.get(part)
    if not isinstance(described, dict):
        raise ValueError(f"{path} contains a config without {part}")
    if not trust:
        check_names(described, str(path))
    parser = RaisingParser()
    parser.add_subclass_arguments(kind, part, required=True)
    with of_checkpoint(path):
        resolved = parser.parse_object({part: described})
        if not trust:
            check_names(resolved.as_dict(), str(path))
            for key in list(resolved.keys()):
                if key.endswith(".download"):
                    # An untrusted config makes this machine download nothing.
                    resolved[key] = False
        built: T = parser.instantiate_classes(resolved)[part]
        return built


@contextmanager
def of_checkpoint(path: Path) -> Iterator[None]:
    """Name the checkpoint in errors that are raised while its config is built, or its networks are run.

    Layers of torch and of this package raise errors of many classes for arguments and inputs that do not fit.

    Args:
        path: the checkpoint.

    Raises:
        ValueError: instead of any error, except those that are printed as one line anyway, and a broken certificate.
    """
    try:
        yield
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: {error}") from error
    except (OSError, MemoryError, UnprovenError, BrokenCertificateError):
        raise
    except Exception as error:
        raise ValueError(f"{path} contains parts that do not fit together: {type(error).__name__}: {error}") from error
