"""The parser of configs, for the training commands, ``compare``, and the configs of checkpoints."""

import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]
from jsonargparse.typing import Path_fr
from pytorch_lightning.cli import LightningArgumentParser

from wgan_lip.cli.configs import config_path
from wgan_lip.cli.errors import TRACEBACK, essence, fail
from wgan_lip.plain_text import prints_unicode
from wgan_lip.runs import WandbMode
from wgan_lip.yaml_text import read_yaml

# Arguments of earlier versions, which the saved configs of their runs name, with the value that says what is done now.
_FORMER = {"wgan_lip.training.W1Estimator": {"batch_growth": [], "project": "update", "epoch_steps": 100}}


class ConfigFile(ActionConfigFile):
    """The option ``-c``: a file, or one of the bundled configs."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        try:
            path = config_path(values)
        except ValueError as error:
            parser.error(str(error), error)
        try:
            super().__call__(parser, cfg, path, option_string)
        except TypeError as error:
            if Path(path).is_file():
                raise
            there = f"{path} is a folder" if Path(path).is_dir() else f"there is no file {path}"
            parser.error(f"-c {values} must name a config in YAML; {there}", error)


class OneLineParser(LightningArgumentParser):
    """A parser whose errors are one line, without the usage, and which finds the bundled configs."""

    # What its arguments belong to: jsonargparse makes a parser of its own for a class that a config names.
    _owner = "a config"

    def add_class_arguments(self, theclass: Any, nested_key: str | None = None, *args: Any, **kwargs: Any) -> list[str]:
        if nested_key is None:
            self._owner = theclass.__name__
        return super().add_class_arguments(theclass, nested_key, *args, **kwargs)

    def add_argument(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("action") is ActionConfigFile:
            kwargs["action"] = ConfigFile
        return super().add_argument(*args, **kwargs)

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        """Read a config in UTF-8 or UTF-16, the encodings of YAML, whatever the locale."""
        if str(path) == "-":
            return super().parse_path(path, *args, **kwargs)
        given = Path(path)
        text = given.read_bytes()
        unicode = "utf-16" if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
        with Path_fr(str(path)).relative_path_context():
            try:
                config = _of_this_version(text.decode(unicode))
                read = yaml.safe_load(config)
            except UnicodeDecodeError as error:
                raise ValueError(f"{path} must be text in UTF-8: {error}") from error
            except yaml.MarkedYAMLError as error:
                line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
                raise ValueError(f"{path} must be a config in YAML{line}: {error.problem or error.context}") from error
            if not isinstance(read, dict | None):
                raise ValueError(f"{path} must be a config in YAML, a mapping of keys; got {str(read)[:100]!r}")
            return self.parse_string(config, given.name, *args, **kwargs)

    def dump(self, *args: Any, **kwargs: Any) -> str:
        """Return YAML; in ASCII if standard output lacks some characters, for ``--print_config > FILE``."""
        text = super().dump(*args, **kwargs)
        if text.isascii() or prints_unicode():
            return text
        return yaml.safe_dump(yaml.safe_load(text), sort_keys=False)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if os.environ.get(TRACEBACK) and ex is not None:
            raise ex
        fail(self._essence(message))

    def _essence(self, message: str) -> str:
        unknown = re.fullmatch(r"Option '([^']+)' is not accepted", message)
        if unknown is None:
            return essence(message)
        known = dict.fromkeys(key.split(".")[0] for key in vars(self.get_defaults()) if key != "config")
        return f"{self._owner} has no key {unknown[1]!r}; its keys are {', '.join(known)}"

    def add_function_arguments(self, *args: Any, linked_targets: Any = None, **kwargs: Any) -> list[str]:
        # jsonargparse 4.53 passes the links that end above a function to it, but only classes accept them; without
        # them, a pair may be made by a function: Funnels.random, load_pair.
        return super().add_function_arguments(*args, **kwargs)


class RaisingParser(OneLineParser):
    """A parser whose errors are raised, for a config that is one of several, or that a checkpoint holds."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ValueError(self._essence(message)) from ex


def drop_former_arguments(config: Any, trained: bool = False) -> bool:
    """Remove from the config of a run of an earlier version the arguments that no longer exist, in place.

    Args:
        config: as it was read.
        trained: whatever their values, which only the training used. Otherwise those with another value than their
            default remain, to be refused as unknown.

    Returns:
        Whether it had any.
    """
    model = config.get("model") if isinstance(config, dict) else None
    arguments = model.get("init_args") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(arguments, dict):
        return False
    former = _FORMER.get(str(model.get("class_path")), {})
    dropped = [name for name, value in former.items() if name in arguments and (trained or arguments[name] == value)]
    for name in dropped:
        del arguments[name]
    return bool(dropped)


def _of_this_version(text: str) -> str:
    """Return the text of a config without arguments that no longer exist."""
    if not any(name in text for arguments in _FORMER.values() for name in arguments):
        return text
    try:
        config = read_yaml(text, "the config")
    except ValueError:
        # The parser says what is wrong.
        return text
    return yaml.safe_dump(config, sort_keys=False) if drop_former_arguments(config) else text


def add_wandb_arguments(parser: LightningArgumentParser) -> None:
    """Add ``--wandb.mode``, ``project``, ``entity`` and ``group``.

    Args:
        parser: of a command.
    """
    parser.add_argument(
        "--wandb.mode",
        type=WandbMode,
        default="auto",
        help="online, offline, disabled, or auto: online if there is an API key, else offline; it never prompts.",
    )
    parser.add_argument("--wandb.project", type=str, default="wgan-lip", help="Project in W&B.")
    parser.add_argument("--wandb.entity", type=str | None, default=None, help="User or team in W&B.")
    parser.add_argument("--wandb.group", type=str | None, default=None, help="Group of runs in W&B.")
