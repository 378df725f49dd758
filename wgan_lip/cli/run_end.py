"""The end of a training: figure, table, files for W&B, removal of a failed start, requeueing of the job."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import wandb
from pytorch_lightning.loggers import Logger

from wgan_lip.console import Console
from wgan_lip.kinds import Kind, kind_of
from wgan_lip.page import write_page
from wgan_lip.report import read_run, save_figure
from wgan_lip.runs import (
    PreemptedError,
    ignore_ended_wandb,
    ignore_unreachable_wandb,
    is_preempted,
    log_table,
    online_runs,
    read_metrics_file,
    requeue_job,
    upload,
)
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
    rows = kind.evaluations(folder / "metrics.csv")
    picture = folder / f"{kind.figure_name}.png"
    save_figure(kind.figure(rows, name), picture)
    module.log_picture(f"report/{kind.figure_name}", picture)
    send_to_wandb(loggers, folder, kind, module, artifacts)
    console.print(kind.table(rows, name))
    found = (sorted(folder.glob(pattern)) for pattern in (picture.name, *kind.pictures, *_WRITTEN))
    here = Path.cwd()
    shown = folder.relative_to(here) if folder.is_relative_to(here) else folder
    console.print_plain(
        "Written:",
        *(f"  {paths[-1]}" for paths in found if paths),
        f"All of it on one page: wgan-lip report {shown}",
    )


def send_to_wandb(loggers: Sequence[Logger], folder: Path, kind: Kind, module: SteppedModule, artifacts: bool) -> None:
    """Log the evaluations to W&B as a table, and upload checkpoint, pictures and report, where it is online.

    Args:
        loggers: the trainer's.
        folder: of the run.
        kind: of the training.
        module: as it was trained.
        artifacts: whether files are uploaded.
    """
    if not any(online_runs(loggers)):
        return
    # All in one: a server that is away is waited for once.
    with ignore_unreachable_wandb():
        rows = [row for row in read_metrics_file(folder / "metrics.csv").rows if kind.evaluation in row]
        numbers = [{name: float(value) for name, value in row.items()} for row in rows]
        log_table(loggers, "report/evaluations", numbers, module)
        if artifacts:
            page = folder / "report.html"
            write_page(page, [read_run(folder)])
            upload(loggers, "model", {"last.ckpt": folder / "checkpoints" / "last.ckpt"})
            upload(loggers, "samples", {name: folder / name for name in ("samples", "critic")})
            report = (page.name, f"{kind.figure_name}.png", "metrics.csv", "config.yaml")
            upload(loggers, "report", {name: folder / name for name in report})


@contextmanager
def remove_failed_start(folder: Path, made: bool) -> Iterator[None]:
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
    """End the open run of W&B, if there is one: otherwise the next run of this process would continue it.

    Args:
        exit_code: 0 if all went well.
    """
    if wandb.run is not None:
        with ignore_ended_wandb():
            wandb.finish(exit_code=exit_code)


def requeue_with_checkpoint(preempted: PreemptedError, step: str, folder: Path, again: bool) -> Iterator[str]:
    """Requeue the job of a training that saved a checkpoint, if that is due; yield lines that say how it goes on.

    Args:
        preempted: what stopped the training.
        step: the step at which it was stopped, in words.
        folder: of the run.
        again: whether the same command finds that folder again.

    Raises:
        OSError: the job could not be requeued.
    """
    yield f"{preempted.signum.name}: saved at {step}."
    # Last of all, for Slurm ends this process then.
    job = requeue_job(os.environ) if again and (preempted.requeue or is_preempted(os.environ)) else None
    if job is not None:
        yield f"Job {job} is requeued, and goes on there."
    elif again:
        yield "The same command goes on there."
    else:
        yield f"The same command with --ckpt_path {folder} goes on there."


def requeue_without_checkpoint() -> Iterator[str]:
    """Requeue a job that was preempted before there was anything to save; yield a line that says so.

    Raises:
        OSError: the job could not be requeued.
    """
    if is_preempted(os.environ):
        yield f"Job {requeue_job(os.environ)} is requeued, and begins there."
