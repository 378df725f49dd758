"""Names that a checkpoint's config may use without ``--trust``: layers, networks, losses, optimisers, pairs, data."""

import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger
from torch import nn

from wgan_lip.yaml_text import OversizedYAMLError, read_yaml

# Note [what a config could do]
# jsonargparse imports what a config names, and calls it with the arguments that the config gives. A name may lead
# through any module: torch.os.system is os.system, and wgan_lip.__main__ runs the command line. A mapping with a
# class_path is built wherever a parameter has no type, such as the device of torch.nn.Linear. And text is read as YAML,
# so it may contain such a mapping. Therefore names are looked up only in known packages, the objects must be of a few
# kinds, whatever their names, and text is searched as well. The search precedes jsonargparse, which already imports
# when it parses, and is repeated when the config is resolved.

_OURS = tuple(
    f"wgan_lip.{package}"
    for package in ("data", "distributions", "lipschitz", "networks", "optim", "robustness", "training")
)
# The modules in which torch defines what torch.nn and torch.optim export.
_TORCH = {"torch.nn": "torch.nn.modules.", "torch.optim": "torch.optim."}
_FUNCTIONS = (
    "wgan_lip.distributions.Funnels.load",
    "wgan_lip.distributions.Funnels.random",
    "wgan_lip.networks.default_critic",
    "wgan_lip.training.load_pair",
)
# Arguments of this package's classes that name files: real.npy is not a class.
_FILES = ("data_dir", "fake", "path", "real")
# Levels of text within text that are searched.
_DEEPEST = 8


class UntrustedError(ValueError):
    """A checkpoint's config names something that is built only with ``--trust``."""


def check_names(config: Any, of: str) -> None:
    """Check that a part of a config names only what may be built from an untrusted one; see the note above.

    Args:
        config: as it was read, or as jsonargparse resolved it.
        of: the file that contains the config, for errors.

    Raises:
        UntrustedError: it names something else.
        ValueError: it contains text that is too large or too deeply nested for a config.
    """
    for name in _names(config):
        if not name.startswith(("wgan_lip.", "torch.")):
            raise UntrustedError(f"{of} names {name}, which is not of wgan_lip or torch: --trust builds it")
        if not _is_harmless(name):
            raise UntrustedError(
                f"{of} names {name}, which is not one of wgan_lip's and torch's layers, networks, losses, optimisers, "
                "pairs and data: --trust builds it"
            )


def _is_harmless(name: str) -> bool:
    package = next((package for package in (*_OURS, *_TORCH) if name.startswith(f"{package}.")), None)
    if package is None:
        return False
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        return False
    if package in _OURS:
        return _is_one_of(found, _ours())
    is_part = inspect.isclass(found) and issubclass(found, nn.Module | torch.optim.Optimizer)
    return is_part and f"{found.__module__}.".startswith(_TORCH[package])


@cache
def _ours() -> list[Any]:
    """List the packages' public classes that write no files, and the functions that make pairs and critics."""
    public = [getattr(package, name) for package in map(import_module, _OURS) for name in package.__all__]
    classes = [one for one in public if inspect.isclass(one) and not issubclass(one, Callback | Logger)]
    return [*classes, *map(pkgutil.resolve_name, _FUNCTIONS)]


def _is_one_of(found: Any, known: Sequence[Any]) -> bool:
    # A bound method is a new object at each access.
    return any(found is one or (inspect.ismethod(one) and found == one) for one in known)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        # Too long for a file name, or with a null character.
        return False


def _names(value: Any, files: Sequence[str] = (), depth: int = 0) -> Iterator[str]:
    """Yield every name that jsonargparse may import or read: class paths, all that looks like a dotted name, and files.

    Args:
        value: of a config.
        files: keys of a mapping whose text names files.
        depth: levels of text within text above the value.
    """
    if isinstance(value, Mapping):
        ours = str(value.get("class_path", "")).startswith("wgan_lip.")
        for key, part in value.items():
            if str(key).endswith("class_path"):
                yield str(part)
            elif key in files and isinstance(part, str):
                yield from _names_in_text(part, depth, is_file=True)
            else:
                yield from _names(part, _FILES if ours and key == "init_args" else (), depth)
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from _names(part, depth=depth)
    elif inspect.isroutine(value) or inspect.isclass(value):
        yield f"{value.__module__}.{value.__qualname__}"
    elif isinstance(value, str):
        yield from _names_in_text(value, depth)


def _names_in_text(value: str, depth: int, is_file: bool = False) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(f"a config has text within text on more than {_DEEPEST} levels: --trust builds it")
    if not is_file and (value == "-" or _is_file(value)):
        # jsonargparse would read the file as a part of the config.
        yield value
    if not is_file and "." in value and all(part.isidentifier() for part in value.split(".")):
        yield value
    try:
        hidden = read_yaml(value, "a text in a config")
    except OversizedYAMLError:
        raise
    except ValueError:
        return
    if isinstance(hidden, dict | list):
        yield from _names(hidden, depth=depth + 1)
