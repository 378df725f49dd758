"""Plain training is the same wherever its process was started."""

import os
import signal
from functools import partial

import pytest
import torch

from wgan_lip.distributions import AbsoluteValue
from wgan_lip.networks import MLPCritic
from wgan_lip.training import W1Estimator, plain_fit

SLURM = {
    "SLURM_JOB_ID": "12",
    "SLURM_JOB_NAME": "some-name",
    "SLURM_NTASKS": "2",
    "SLURM_NNODES": "1",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "0",
}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "12",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "0",
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "1",
}


class Watched(W1Estimator):
    """Sees who minds the signal by which Lightning puts jobs of Slurm back into the queue."""

    def on_train_start(self) -> None:
        super().on_train_start()
        self.handler = signal.getsignal(signal.SIGUSR1)


def weights() -> torch.Tensor:
    estimator = Watched(AbsoluteValue(), partial(MLPCritic, width=8, depth=2), steps=3, batch_size=16, seed=3)
    plain_fit(estimator)
    assert estimator.handler is signal.SIG_DFL
    return torch.nn.utils.parameters_to_vector(estimator.parameters())


@pytest.mark.parametrize("environment", [SLURM, TORCHRUN], ids=["srun", "torchrun"])
def test_a_task_among_others_trains_a_module_of_its_own(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    alone = weights()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert torch.equal(weights(), alone)
    # Whoever trains on several ranks afterwards still finds them.
    assert {name: os.environ.get(name) for name in environment} == environment


def test_a_job_of_one_task_is_not_put_back_into_the_queue_by_lightning(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SLURM, "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}.items():
        monkeypatch.setenv(name, value)
    weights()
