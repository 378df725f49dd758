"""W&B's mode for a run: by the config, W&B's own settings, and the presence of an API key."""

import configparser
import netrc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

WandbMode = Literal["auto", "online", "offline", "disabled"]

# W&B's names, current and older, and their meaning.
_MODES: dict[str, WandbMode] = {
    "online": "online",
    "run": "online",
    "shared": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}
_TRUE, _FALSE = ("1", "true", "yes", "on", "y", "t"), ("", "0", "false", "no", "off", "n", "f")


@dataclass(frozen=True)
class DecidedMode:
    """The mode of W&B for a run, and why.

    Attributes:
        mode: "online", "offline" or "disabled".
        why: in a line, if W&B's own settings decided or were overruled; else empty.
    """

    mode: WandbMode
    why: str


@dataclass(frozen=True)
class _Setting:
    """A mode, and the variable or the file that sets it."""

    mode: WandbMode
    source: str


def decide_mode(mode: WandbMode, environ: Mapping[str, str]) -> DecidedMode:
    """Decide the mode of W&B.

    An explicit mode of the config or the command line holds. "auto" follows ``WANDB_DISABLED``, then ``WANDB_MODE``,
    then W&B's settings files, which ``wandb offline`` and ``wandb disabled`` write; if none of them is set, it is
    online if there is an API key, and offline otherwise.

    Args:
        mode: of the config.
        environ: of the process.

    Raises:
        ValueError: a setting has a value that W&B does not know.
    """
    if mode != "auto":
        own = _own_setting(environ) if mode == "online" else None
        if own is None or own.mode == mode:
            return DecidedMode(mode, "")
        return DecidedMode(mode, f"{mode}, as wandb.mode says, although {own.source} says {own.mode}")
    if (own := _own_setting(environ)) is not None:
        return DecidedMode(own.mode, f"{own.mode}, as {own.source} says")
    return DecidedMode("online" if has_api_key(environ) else "offline", "")


def has_api_key(environ: Mapping[str, str]) -> bool:
    """Return whether W&B would find a key for its server.

    Args:
        environ: of the process.
    """
    if environ.get("WANDB_API_KEY") or environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    settings = {name: value for _, found in reversed(list(_settings(environ))) for name, value in found.items()}
    if settings.get("api_key"):
        return True
    url = environ.get("WANDB_BASE_URL") or settings.get("base_url") or "https://api.wandb.ai"
    try:
        return netrc.netrc(environ.get("NETRC")).authenticators(urlparse(url).hostname or "") is not None
    except (OSError, ValueError, netrc.NetrcParseError):
        return False


def _own_setting(environ: Mapping[str, str]) -> _Setting | None:
    """Return what the environment or else the nearest settings file sets, if any does."""
    disabled = environ.get("WANDB_DISABLED", "").strip().lower()
    if disabled not in (*_TRUE, *_FALSE):
        raise ValueError(f"WANDB_DISABLED must be true or false; got {disabled!r}")
    if disabled in _TRUE:
        return _Setting("disabled", "WANDB_DISABLED")
    if value := environ.get("WANDB_MODE", "").strip():
        return _setting(value, "WANDB_MODE")
    for path, settings in _settings(environ):
        if value := settings.get("mode", "").strip():
            return _setting(value, str(path))
    return None


def _setting(value: str, source: str) -> _Setting:
    mode = _MODES.get(value.lower())
    if mode is None:
        raise ValueError(f"{source}: W&B's mode must be online, offline or disabled; got {value!r}")
    return _Setting(mode, source)


def _settings(environ: Mapping[str, str]) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """Yield the existing settings files of W&B with their content, the nearest first.

    ``wandb offline`` writes below ``WANDB_DIR``, but W&B reads below the current folder: both are read.
    """
    roots = [Path(environ["WANDB_DIR"]).expanduser()] if environ.get("WANDB_DIR") else []
    folders = [root / name for root in (*roots, Path.cwd()) for name in ("wandb", ".wandb")]
    shared = environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb"
    for path in (folder / "settings" for folder in (*folders, Path(shared).expanduser())):
        if not path.is_file():
            continue
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, configparser.Error) as error:
            raise ValueError(f"{path} is not a settings file of W&B: {' '.join(str(error).split())}") from None
        if parser.has_section("default"):
            yield path, dict(parser.items("default"))
