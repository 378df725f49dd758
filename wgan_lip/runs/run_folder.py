"""A run's folder, ``<runs_dir>/<name>/<run>/``, and the checkpoint in it."""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from wgan_lip.replaced import check_no_link, remove_abandoned, replace_text
from wgan_lip.runs.launched import Start, agent_of, handed_start, is_drawn, launched_name

_CHECKPOINT = Path("checkpoints") / "last.ckpt"
_FINISHED = "finished"
# What a training writes into as it goes on.
_OWN = ("checkpoints", "samples", "critic", "wandb", "metrics.csv")
_STAMP = "%Y%m%d-%H%M%S"


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
    stamp = time.strftime(_STAMP)
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


def named_run_folder(folder: Path) -> bool:
    """Make the folder of a run that has a name, unless it is there.

    Args:
        folder: of the run.

    Returns:
        Whether it was made.

    Raises:
        OSError: it cannot be.
    """
    made = not folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot make the run folder {folder}: {error.strerror}") from error
    return made


def is_own(checkpoint: Path | None, folder: Path) -> bool:
    """Whether a checkpoint is the one that a run keeps in its folder.

    Args:
        checkpoint: None if there is none.
        folder: of the run.
    """
    return checkpoint is not None and checkpoint.absolute() == folder.absolute() / _CHECKPOINT


def check_own(folder: Path) -> None:
    """See that what a training writes goes to its own folder, which may itself be a link, as it goes on.

    Args:
        folder: of the run.

    Raises:
        OSError: there is a link in it.
    """
    for name in _OWN:
        check_no_link(folder / name)


def remove_abandoned_of(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote a file of a run.

    Args:
        folder: of the run, which no other training writes to.
    """
    remove_abandoned([folder, *(folder / name for name in _OWN)])


def found_in(folder: Path | None) -> tuple[int, ...]:
    """What tells the checkpoint in a run's folder from one that another process puts there; empty if there is none.

    Args:
        folder: of the run; None if it has yet to be made.
    """
    if folder is None or not (folder / _CHECKPOINT).is_file():
        return ()
    found = (folder / _CHECKPOINT).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def find_start(
    environ: Mapping[str, str],
    *,
    run: str | None,
    ckpt_path: str | None,
    runs_dir: str,
    name: str,
    nodes: int = 1,
    first: bool = True,
) -> Start:
    """Where a run is kept and what it goes on from; all its processes find the same.

    Args:
        environ: of the process, for what its launcher says.
        run: the run's name, if it was given one.
        ckpt_path: a file, a run folder or "last".
        runs_dir: where all runs live.
        name: the experiment's name.
        nodes: how many machines take part.
        first: whether this process is rank 0.

    Raises:
        ValueError: ``run`` and ``ckpt_path`` together, a name that is not a plain folder name, no such checkpoint, or
            processes that have no name in common.
    """
    check_name(name)
    if run is not None and ckpt_path is not None:
        raise ValueError(
            f"--run {run} says where to go on by itself, so --ckpt_path {ckpt_path} cannot be given with it: "
            "leave one of them out"
        )
    if (handed := handed_start(environ)) is not None:
        return handed
    again = True
    if run is not None:
        check_name(run, "run")
    else:
        run = launched_name(environ, agent_of(os.getppid()))
        again = not is_drawn(environ)
    checkpoint = None
    if ckpt_path is not None:
        checkpoint = find_checkpoint(ckpt_path, runs_dir, name)
        if (folder := folder_of_checkpoint(checkpoint)) is not None:
            return Start(folder, checkpoint, again=True)
    if run is not None:
        folder = Path(runs_dir).absolute() / name / run
        own = folder / _CHECKPOINT
        # A job that began from a checkpoint elsewhere and was requeued goes on from its own.
        return Start(folder, own if own.is_file() else checkpoint, again)
    if nodes > 1 or not first:
        raise ValueError(
            "processes that neither torchrun nor srun nor Lightning itself started have no name in common: "
            "pass one by --run NAME"
        )
    return Start(None, checkpoint, again=False)


def mark_finished(folder: Path, step: int) -> None:
    """Note that all was done that is to be done at the end of a training.

    Args:
        folder: of the run.
        step: the last one.
    """
    replace_text(folder / _FINISHED, f"{step}\n")


def finished_step(folder: Path) -> int:
    """The step at which a run was finished; -1 if it was not.

    Args:
        folder: of the run.
    """
    try:
        return int((folder / _FINISHED).read_text())
    except (FileNotFoundError, ValueError):
        return -1


def check_name(name: str, argument: str = "name") -> None:
    """See that a name is that of a plain folder.

    Args:
        name: letters, digits, ``.``, ``_``, ``-``.
        argument: what the name was given as.

    Raises:
        ValueError: it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(f"{argument} must consist of letters, digits, '.', '_' and '-'; got {argument}={name!r}")


def folder_of_checkpoint(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in, or None if it lies elsewhere."""
    folder = checkpoint.absolute().parent.parent
    return folder if checkpoint.absolute() == folder / _CHECKPOINT and (folder / "config.yaml").is_file() else None


def find_evaluated(run: str | None, ckpt_path: str | None, runs_dir: str, name: str) -> Path | None:
    """The checkpoint that ``validate`` and ``test`` are about; None if none is named.

    Args:
        run: a run's name.
        ckpt_path: a file, a run folder, or "last".
        runs_dir: where all runs live.
        name: the experiment's name.

    Raises:
        ValueError: there is no such checkpoint, or both are named.
    """
    if run is None:
        return find_checkpoint(ckpt_path, runs_dir, name) if ckpt_path is not None else None
    check_name(name)
    check_name(run, "run")
    if ckpt_path is not None:
        raise ValueError(f"--run {run} and --ckpt_path {ckpt_path} both name a checkpoint: leave one of them out")
    path = Path(runs_dir).absolute() / name / run / _CHECKPOINT
    if not path.is_file():
        raise ValueError(f"--run {run}: there is no {path}")
    return path


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
        newest = max(runs, key=_began)
        if not (newest / _CHECKPOINT).is_file():
            raise ValueError(
                f"--ckpt_path last: the newest run, {newest}, has no checkpoint; name an older run, or begin anew"
            )
        return newest / _CHECKPOINT
    return checkpoint_at(ckpt_path, "--ckpt_path")


def checkpoint_at(place: str, argument: str = "CKPT") -> Path:
    """The checkpoint at a place.

    Args:
        place: a file, or a run folder.
        argument: what the place was given as.

    Raises:
        ValueError: there is none.
    """
    path = Path(place)
    if path.is_dir():
        path = path / _CHECKPOINT
    if not path.is_file():
        raise ValueError(f"{argument} {place}: there is no {'such file' if path == Path(place) else path}")
    return path


def _began(folder: Path) -> tuple[str, int]:
    """When a run began: what its name says, TIME or, for more of the same second, TIME-1, ..., TIME-10, ..."""
    stamped = re.fullmatch(r"(\d{8}-\d{6})(?:-(\d+))?", folder.name)
    if stamped:
        return stamped[1], int(stamped[2] or 0)
    # ... or, if the name is another, when its config was written.
    return time.strftime(_STAMP, time.localtime((folder / "config.yaml").stat().st_mtime)), 0
