"""Whether a run goes to Weights & Biases, by its config, W&B's own settings, and whether there is a key."""

import configparser
import netrc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

WandbMode = Literal["auto", "online", "offline", "disabled"]

# W&B's older names with their meaning.
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
    """What W&B is to do.

    Attributes:
        mode: "online", "offline" or "disabled".
        why: in a line, where W&B's own settings decided or were overruled; else empty.
    """

    mode: WandbMode
    why: str


@dataclass(frozen=True)
class _Said:
    """A mode, and who says it."""

    mode: WandbMode
    who: str


def decide_mode(mode: WandbMode, environ: Mapping[str, str]) -> DecidedMode:
    """What W&B is to do.

    A mode that the config or the command line names is meant for this run, and holds. "auto" obeys ``WANDB_DISABLED``,
    then ``WANDB_MODE``, then W&B's settings files, which ``wandb offline`` and ``wandb disabled`` write; where none of
    them says anything, it is online where there is a key.

    Args:
        mode: of the config.
        environ: of the process.

    Raises:
        ValueError: a setting that is none of W&B's.
    """
    if mode != "auto":
        own = _own_setting(environ) if mode == "online" else None
        if own is None or own.mode == mode:
            return DecidedMode(mode, "")
        return DecidedMode(mode, f"{mode}, as wandb.mode says, although {own.who} says {own.mode}")
    if (own := _own_setting(environ)) is not None:
        return DecidedMode(own.mode, f"{own.mode}, as {own.who} says")
    return DecidedMode("online" if has_api_key(environ) else "offline", "")


def has_api_key(environ: Mapping[str, str]) -> bool:
    """Whether W&B would find a key for the server that it would talk to.

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


def _own_setting(environ: Mapping[str, str]) -> _Said | None:
    """What the environment or the nearest settings file says, if any does."""
    disabled = environ.get("WANDB_DISABLED", "").strip().lower()
    if disabled not in (*_TRUE, *_FALSE):
        raise ValueError(f"WANDB_DISABLED must be true or false; got {disabled!r}")
    if disabled in _TRUE:
        return _Said("disabled", "WANDB_DISABLED")
    if asked := environ.get("WANDB_MODE", "").strip():
        return _said(asked, "WANDB_MODE")
    for path, settings in _settings(environ):
        if asked := settings.get("mode", "").strip():
            return _said(asked, str(path))
    return None


def _said(asked: str, who: str) -> _Said:
    mode = _MODES.get(asked.lower())
    if mode is None:
        raise ValueError(f"{who}: W&B's mode must be online, offline or disabled; got {asked!r}")
    return _Said(mode, who)


def _settings(environ: Mapping[str, str]) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """W&B's settings files that there are, the nearest first.

    ``wandb offline`` writes below ``WANDB_DIR``, and W&B itself then reads below the current folder: both count.
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
            raise ValueError(f"{path} is no settings file of W&B: {' '.join(str(error).split())}") from None
        if parser.has_section("default"):
            yield path, dict(parser.items("default"))
