"""The folder in which a run is kept, and the checkpoint from which it resumes."""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wgan_lip.runs.launcher import has_random_id, name_from_launcher, process_identity
from wgan_lip.runs.run_lock import locked_by

CHECKPOINT = Path("checkpoints") / "last.ckpt"
TIME_FORMAT = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class Start:
    """Where a run is kept, and from which checkpoint it resumes.

    Attributes:
        folder: of the run; None if it is new and named by the time.
        checkpoint: None if the run begins at step 0.
        repeatable: whether the same command, run again, resumes in this folder.
        state: ``checkpoint_state`` of the folder when it was found.
    """

    folder: Path | None
    checkpoint: Path | None
    repeatable: bool
    state: tuple[int, ...] = field(default=(), compare=False)


def find_start(
    environ: Mapping[str, str],
    *,
    run: str | None,
    ckpt_path: str | None,
    runs_dir: str,
    name: str,
    nodes: int = 1,
    rank_0: bool = True,
) -> Start:
    """Find where a run is kept and from which checkpoint it resumes; all its processes find the same.

    Args:
        environ: of the process.
        run: the run's name, if it was given one.
        ckpt_path: a file, a run folder or "last".
        runs_dir: where all runs live.
        name: the experiment's name.
        nodes: how many machines take part.
        rank_0: whether this process is rank 0.

    Raises:
        ValueError: ``run`` and ``ckpt_path`` together, a name that is not a plain folder name, no such checkpoint, or
            processes that have no common name.
    """
    check_name(name)
    if run is not None and ckpt_path is not None:
        raise ValueError(
            f"--run {run} resumes from the run's own checkpoint, so --ckpt_path {ckpt_path} cannot be given with it: "
            "leave one of them out"
        )
    if run is not None:
        check_name(run, "run")
    # Lightning's launcher runs the same command again for each further rank, as a child of rank 0.
    found = None if rank_0 else locked_by(process_identity(os.getppid()), Path(runs_dir).absolute() / name)
    if found is not None:
        return Start(*found, repeatable=False)
    repeatable = run is not None or not has_random_id(environ)
    run = run or name_from_launcher(environ, process_identity(os.getppid()))
    checkpoint = None if ckpt_path is None else find_checkpoint(ckpt_path, runs_dir, name)
    if checkpoint is not None and (folder := folder_of_checkpoint(checkpoint)) is not None:
        return Start(folder, checkpoint, True, checkpoint_state(folder))
    if run is not None:
        folder = Path(runs_dir).absolute() / name / run
        own = folder / CHECKPOINT
        # A requeued job that began from a checkpoint elsewhere resumes from its own.
        return Start(folder, own if own.is_file() else checkpoint, repeatable, checkpoint_state(folder))
    if nodes > 1 or not rank_0:
        raise ValueError(
            "processes that neither torchrun nor srun nor Lightning itself started have no common name: "
            "pass one by --run NAME"
        )
    return Start(None, checkpoint, repeatable=False)


def find_evaluated(run: str | None, ckpt_path: str | None, runs_dir: str, name: str) -> Path | None:
    """Find the checkpoint that ``validate`` or ``test`` evaluates; None if none is named.

    Args:
        run: a run's name.
        ckpt_path: a file, a run folder, or "last".
        runs_dir: where all runs live.
        name: the experiment's name.

    Raises:
        ValueError: there is no such checkpoint, or both are named.
    """
    if run is None:
        return None if ckpt_path is None else find_checkpoint(ckpt_path, runs_dir, name)
    check_name(name)
    check_name(run, "run")
    if ckpt_path is not None:
        raise ValueError(f"--run {run} and --ckpt_path {ckpt_path} both name a checkpoint: leave one of them out")
    path = Path(runs_dir).absolute() / name / run / CHECKPOINT
    if not path.is_file():
        raise ValueError(f"--run {run}: there is no {path}")
    return path


def find_checkpoint(ckpt_path: str, runs_dir: str, name: str) -> Path:
    """Find the checkpoint that ``--ckpt_path`` names.

    Args:
        ckpt_path: a file, a run folder, or "last": the newest run of this name.
        runs_dir: where all runs live.
        name: the experiment's name.

    Raises:
        ValueError: there is none.
    """
    if ckpt_path != "last":
        return checkpoint_at(ckpt_path, "--ckpt_path")
    runs = [path.parent for path in (Path(runs_dir) / name).glob("*/config.yaml")]
    if not runs:
        raise ValueError(f"--ckpt_path last: there is no run under {Path(runs_dir) / name}")
    newest = max(runs, key=_began)
    if not (newest / CHECKPOINT).is_file():
        raise ValueError(
            f"--ckpt_path last: the newest run, {newest}, has no checkpoint: name an older run, or begin a new one"
        )
    return newest / CHECKPOINT


def checkpoint_at(place: str, argument: str = "CKPT") -> Path:
    """Find the checkpoint at a path.

    Args:
        place: a file, or a run folder.
        argument: the command-line argument that gave the path, for the error.

    Raises:
        ValueError: there is none, or it is a file of arrays.
    """
    path = Path(place)
    if path.suffix in (".npy", ".npz"):
        raise ValueError(
            f"{argument} must be a checkpoint of wgan-lip fit, or the folder of a run; got {place}, an array"
        )
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.is_file():
        raise ValueError(f"{argument} {place}: there is no {'such file' if path == Path(place) else path}")
    return path


def folder_of_checkpoint(checkpoint: Path) -> Path | None:
    """Return the run folder that a checkpoint lies in, or None if it lies elsewhere.

    Args:
        checkpoint: a file.
    """
    folder = checkpoint.absolute().parent.parent
    return folder if checkpoint.absolute() == folder / CHECKPOINT and (folder / "config.yaml").is_file() else None


def checkpoint_state(folder: Path) -> tuple[int, ...]:
    """Return inode, size and time of the checkpoint in a run's folder, which change when it is replaced.

    Args:
        folder: of the run.

    Returns:
        Empty if there is no checkpoint.
    """
    if not (folder / CHECKPOINT).is_file():
        return ()
    found = (folder / CHECKPOINT).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def check_name(name: str, argument: str = "name") -> None:
    """Check that a name is that of a plain folder.

    Args:
        name: letters, digits, ``.``, ``_``, ``-``.
        argument: the command-line argument that gave the name, for the error.

    Raises:
        ValueError: it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(f"{argument} must consist of letters, digits, '.', '_' and '-'; got {argument}={name!r}")


def _began(folder: Path) -> tuple[str, int]:
    """When a run began: by its name, TIME or, for more of the same second, TIME-1, TIME-2 and so on."""
    stamped = re.fullmatch(r"(\d{8}-\d{6})(?:-(\d+))?", folder.name)
    if stamped:
        return stamped[1], int(stamped[2] or 0)
    # A run with another name: when its config was written.
    return time.strftime(TIME_FORMAT, time.localtime((folder / "config.yaml").stat().st_mtime)), 0
