"""What a training does about the cluster that it runs on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from wgan_lip.runs.preemption import PreemptedError, ends_for_others, requeue_job


def with_slurm(plugins: list[Any], strategy: Any) -> list[Any]:
    """Lightning's plugins, and where it would find Slurm, one that leaves requeueing to ``Preemption``.

    Args:
        plugins: those that the config names.
        strategy: that of the config.

    Raises:
        ValueError: tasks that were asked for in a way that Lightning does not take.
    """
    chosen = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
    chosen = chosen or getattr(strategy, "cluster_environment", None) is not None
    if chosen or TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return plugins
    try:
        return [*plugins, SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def see_to_the_rest(preempted: PreemptedError, step: str, folder: Path, again: bool) -> Iterator[str]:
    """Requeue the job where that is wanted, and say line by line how the training goes on.

    Args:
        preempted: what stopped it.
        step: at which.
        folder: of the run.
        again: whether the same command finds that folder again.

    Raises:
        OSError: the job could not be requeued.
    """
    yield f"{preempted.signum.name}: saved at {step}."
    # Nothing comes after it that matters, for Slurm ends this process then.
    job = requeue_job(os.environ) if again and (preempted.requeue or ends_for_others(os.environ)) else None
    if job is not None:
        yield f"Job {job} is requeued, and goes on there."
    elif again:
        yield "The same command goes on there."
    else:
        yield f"The same command with --ckpt_path {folder} goes on there."


def give_way() -> Iterator[str]:
    """Requeue a job that has nothing to save yet, if Slurm ends it for others; and say so.

    Raises:
        OSError: the job could not be requeued.
    """
    if ends_for_others(os.environ):
        yield f"Job {requeue_job(os.environ)} is requeued, and begins there."
