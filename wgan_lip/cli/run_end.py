"""How a training ends: its figure and table, W&B, and nothing at all of one that never began."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import wandb
from pytorch_lightning.loggers import Logger

from wgan_lip.cli.kinds import kind_of
from wgan_lip.cli.wandb_end import give_to_wandb
from wgan_lip.console import Console
from wgan_lip.report import save_figure
from wgan_lip.runs.loggers import wandb_may_end
from wgan_lip.training import SteppedModule

_WRITTEN = ("metrics.csv", "config.yaml", "checkpoints/last.ckpt", "wandb/*run-*")


def report_run(
    folder: Path, name: str, module: SteppedModule, loggers: Sequence[Logger], artifacts: bool, console: Console
) -> None:
    """Draw the figure of a run, print its table, and say what was written.

    Args:
        folder: of the run, with its metrics.csv.
        name: of the experiment.
        module: as it was trained.
        loggers: the trainer's.
        artifacts: whether W&B is given files, where it is online.
        console: where it is printed.
    """
    kind = kind_of(module)
    figure, table = kind.report(folder / "metrics.csv", name)
    picture = folder / f"{kind.figure}.png"
    save_figure(figure, picture)
    module.log_picture(f"report/{kind.figure}", picture)
    give_to_wandb(loggers, folder, kind, module, artifacts)
    console.print(table)
    console.print("Written:")
    for pattern in (picture.name, *kind.pictures, *_WRITTEN):
        found = sorted(folder.glob(pattern))
        if found:
            console.print(f"  {found[-1]}", soft_wrap=True, highlight=False, markup=False)
    here = Path.cwd()
    # As it is reached from here, if it lies below.
    shown = folder.relative_to(here) if folder.is_relative_to(here) else folder
    console.print(f"All of it on one page: wgan-lip report {shown}", soft_wrap=True, highlight=False, markup=False)


@contextmanager
def nothing_left_of_a_failed_start(folder: Path, made: bool) -> Iterator[None]:
    """Remove a run's folder if an error comes before its config was written, which is when the training starts.

    Args:
        folder: of the run.
        made: whether this process made it; one that was there before stays.
    """
    try:
        yield
    except Exception:
        if made and not (folder / "config.yaml").exists():
            finish_wandb(exit_code=1)
            shutil.rmtree(folder, ignore_errors=True)
        raise


def finish_wandb(exit_code: int) -> None:
    """End the run of W&B that is open, if there is one: whatever this process does next would continue it.

    Args:
        exit_code: 0 if all went well.
    """
    if wandb.run is not None:
        with wandb_may_end():
            wandb.finish(exit_code=exit_code)
