"""A run's folder, ``<runs_dir>/<name>/<run>/``: made, locked, and marked as finished."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from wgan_lip.replaced import check_no_link, remove_abandoned, replace_text
from wgan_lip.runs.run_lock import locked
from wgan_lip.runs.start import CHECKPOINT, TIME_FORMAT, Start, check_name, checkpoint_state

_FINISHED = "finished"
# Where a training writes when it is resumed.
_WRITTEN = ("checkpoints", "samples", "critic", "wandb", "metrics.csv")


@contextmanager
def opened_run(start: Start, environ: Mapping[str, str], runs_dir: str, name: str) -> Iterator[tuple[Path, bool]]:
    """Make a run's folder unless it exists, and hold its lock; for rank 0.

    A folder that was made here and is still empty at the end is removed.

    Args:
        start: what ``find_start`` found.
        environ: of the process.
        runs_dir: where all runs live.
        name: the experiment's name.

    Yields:
        The folder, and whether it was made.

    Raises:
        ValueError: another process writes there, or did so since ``find_start``.
        OSError: the folder cannot be made or locked, or something in it is a link.
    """
    if start.folder is None:
        folder, made = new_run_folder(runs_dir, name), True
    else:
        folder = start.folder
        made = not folder.is_dir()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"cannot make the run folder {folder}: {error.strerror}") from error
    try:
        with locked(folder, environ, start.checkpoint):
            if start.folder is not None and checkpoint_state(folder) != start.state:
                raise ValueError(f"another process wrote to {folder} while this one started: run the command again")
            for written in _WRITTEN:
                check_no_link(folder / written)
            remove_abandoned([folder, *(folder / written for written in _WRITTEN)])
            yield folder, made
    finally:
        if made:
            # It fails unless the folder is empty.
            with suppress(OSError):
                folder.rmdir()


def new_run_folder(runs_dir: str, name: str) -> Path:
    """Make a folder, named by the time, for a run that starts now.

    Args:
        runs_dir: where all runs live.
        name: the experiment's name: letters, digits, ``.``, ``_``, ``-``.

    Raises:
        ValueError: a name that is not a plain folder name.
        OSError: the folder cannot be made or written.
    """
    check_name(name)
    parent = Path(runs_dir).absolute() / name
    stamp = time.strftime(TIME_FORMAT)
    for attempt in range(1000):
        folder = parent / (stamp if attempt == 0 else f"{stamp}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            # Another run began in the same second; or a file is where the parent should be.
            if parent.is_dir():
                continue
            raise OSError(f"cannot make the run folder {folder}: {parent} is a file") from None
        except OSError as error:
            raise OSError(f"cannot make the run folder {folder}: {error.strerror}") from error
        return folder
    raise OSError(f"cannot make a run folder: {parent / stamp} exists a thousand times")


def is_checkpoint_of(folder: Path, checkpoint: Path | None) -> bool:
    """Return whether a checkpoint is the one that a run keeps in its folder.

    Args:
        folder: of the run.
        checkpoint: None if there is none.
    """
    return checkpoint is not None and checkpoint.absolute() == folder.absolute() / CHECKPOINT


def mark_finished(folder: Path, step: int) -> None:
    """Record in a run's folder that the training and its report are complete.

    Args:
        folder: of the run.
        step: the last one.
    """
    replace_text(folder / _FINISHED, f"{step}\n")


def finished_step(folder: Path) -> int:
    """Return the step at which a run was finished, or -1 if it was not.

    Args:
        folder: of the run.
    """
    try:
        return int((folder / _FINISHED).read_text())
    except (FileNotFoundError, ValueError):
        return -1
