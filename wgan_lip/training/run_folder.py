"""A run's folder, ``<runs_dir>/<name>/<time>/``, and the checkpoint in it."""

import pickle
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import torch

from wgan_lip.training.stepped import CHECKPOINT_KEY

_CHECKPOINT = Path("checkpoints") / "last.ckpt"


def new_run_folder(runs_dir: str, name: str) -> Path:
    """Make a folder for a run that starts now.

    Args:
        runs_dir: where all runs live.
        name: the experiment's name: letters, digits, ``.``, ``_``, ``-``.

    Raises:
        ValueError: a name that is not a plain folder name.
        OSError: the folder cannot be made or written.
    """
    check_name(name)
    parent = Path(runs_dir).absolute() / name
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        folder = parent / (stamp if attempt == 0 else f"{stamp}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            # Another run that began in the same second; or a file where the folder should be.
            if parent.is_dir():
                continue
            raise OSError(f"cannot make the run folder {folder}: {parent} is a file") from None
        except OSError as error:
            raise OSError(f"cannot make the run folder {folder}: {error.strerror}") from error
        return folder
    raise OSError(f"cannot make a run folder: {parent / stamp} exists a thousand times")


def check_name(name: str) -> None:
    """See that a name is that of a plain folder.

    Args:
        name: letters, digits, ``.``, ``_``, ``-``.

    Raises:
        ValueError: it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(f"name must consist of letters, digits, '.', '_' and '-'; got name={name!r}")


def folder_of_checkpoint(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in, or None if it lies elsewhere."""
    folder = checkpoint.absolute().parent.parent
    return folder if checkpoint.absolute() == folder / _CHECKPOINT and (folder / "config.yaml").is_file() else None


def find_checkpoint(ckpt_path: str, runs_dir: str, name: str) -> Path:
    """The checkpoint that ``--ckpt_path`` means.

    Args:
        ckpt_path: a file, a run folder, or "last": the newest run of this name.
        runs_dir: where all runs live.
        name: the experiment's name.

    Raises:
        ValueError: there is none.
    """
    if ckpt_path == "last":
        runs = [path.parent for path in (Path(runs_dir) / name).glob("*/config.yaml")]
        if not runs:
            raise ValueError(f"--ckpt_path last: there is no run under {Path(runs_dir) / name}")
        # Runs that began in the same second are numbered: TIME, TIME-1, ..., TIME-10.
        newest = max(runs, key=lambda run: (run.name[:15], int("0" + run.name[16:])))
        if not (newest / _CHECKPOINT).is_file():
            raise ValueError(
                f"--ckpt_path last: the newest run, {newest}, has no checkpoint; name an older run, or begin anew"
            )
        return newest / _CHECKPOINT
    path = Path(ckpt_path)
    if path.is_dir():
        path = path / _CHECKPOINT
    if not path.is_file():
        raise ValueError(f"--ckpt_path {ckpt_path}: there is no such file")
    return path


def check_checkpoint(path: Path) -> dict[str, Any]:
    """What the package keeps in a checkpoint: version, step counters, config and more.

    Args:
        path: the file.

    Raises:
        ValueError: as ``load_checkpoint``.
    """
    return load_checkpoint(path)[CHECKPOINT_KEY]


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint, safely, and see that it is one of this package.

    Args:
        path: the file; only tensors and plain Python values are loaded from it, never code.

    Returns:
        All that Lightning and the package keep in it.

    Raises:
        ValueError: truncated, not a checkpoint, or not one of this package.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError):
        raise ValueError(f"{path} is truncated, damaged, or not a checkpoint of wgan-lip") from None
    kept = checkpoint.get(CHECKPOINT_KEY) if isinstance(checkpoint, dict) else None
    if not isinstance(kept, dict):
        raise ValueError(f"{path} is not a checkpoint of wgan-lip")
    return checkpoint
