"""Models and data of a checkpoint, built from the config that it holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pytorch_lightning import LightningDataModule, LightningModule

from wgan_lip.cli.config import OneLineParser
from wgan_lip.cli.errors import essence
from wgan_lip.cli.trusted import check_names
from wgan_lip.data import SampleDataModule
from wgan_lip.robustness.certified import BrokenCertificateError
from wgan_lip.runs.read_checkpoint import load_checkpoint
from wgan_lip.training import CHECKPOINT_KEY, SteppedModule, check_weights
from wgan_lip.transport import UnprovenError
from wgan_lip.yaml_text import read_yaml

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
    with of_checkpoint(path):
        check_weights(module, checkpoint.get("state_dict"))
        module.load_state_dict(checkpoint["state_dict"])
        module.set_counters(checkpoint[CHECKPOINT_KEY])
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
    config = read_yaml(text, f"{path}'s config") if isinstance(text, str) else None
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise ValueError(f"{path} holds no config of a model: it was not written by wgan-lip fit")
    return config


def _build(path: Path, config: dict[str, Any], part: str, kind: type[T], trust: bool) -> T:
    described = config.get(part)
    if not isinstance(described, dict):
        raise ValueError(f"{path} holds no config of {part}")
    if not trust:
        check_names(described, str(path))
    parser = _RaisingParser()
    parser.add_subclass_arguments(kind, part, required=True)
    with of_checkpoint(path):
        resolved = parser.parse_object({part: described})
        if not trust:
            check_names(resolved.as_dict(), str(path))
            for key in list(resolved.keys()):
                if key.endswith(".download"):
                    # Nor does it make this machine download anything, or say where to.
                    resolved[key] = False
        built: T = parser.instantiate_classes(resolved)[part]
        return built


class _RaisingParser(OneLineParser):
    """For a config that the user did not write: what is wrong with it is an error of its checkpoint."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ValueError(essence(message)) from ex


@contextmanager
def of_checkpoint(path: Path) -> Iterator[None]:
    """Name the checkpoint in whatever goes wrong where its config is built, or where its networks are run.

    Layers of torch and of this package raise what they will for arguments and inputs that do not fit.

    Args:
        path: the checkpoint.

    Raises:
        ValueError: instead of any error but those that are said in one line anyway, and a certificate that is broken.
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
        raise ValueError(f"{path} holds what does not fit together: {type(error).__name__}: {error}") from error
