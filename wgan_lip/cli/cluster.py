"""Slurm and a training: Lightning's plugin for it, and requeueing of the job."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from wgan_lip.runs import PreemptedError, is_preempted, requeue_job


def with_slurm(plugins: list[Any], strategy: Any) -> list[Any]:
    """Return Lightning's plugins; where it would detect Slurm, with one that leaves requeueing to ``Preemption``.

    Args:
        plugins: those of the config.
        strategy: that of the config.

    Raises:
        ValueError: Lightning rejects how the job's tasks were requested.
    """
    chosen = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
    chosen = chosen or getattr(strategy, "cluster_environment", None) is not None
    if chosen or TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return plugins
    try:
        return [*plugins, SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:
        raise ValueError(str(error)) from error


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
