"""An estimator that was cut off anywhere ends with exactly the numbers of one that was not."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from tests.training.builders import tiny_gan
from tests.training.estimators import fit_estimator, tiny_estimator
from tests.training.test_resume import CutOff, CutOffError, rows, same_state
from wgan_lip.distributions import HighDimensionalCone
from wgan_lip.networks import MLPCritic
from wgan_lip.training import ExponentialAverage, W1Estimator


def estimator(**arguments: object) -> W1Estimator:
    return tiny_estimator(HighDimensionalCone(5), average=ExponentialAverage(0.8), decay="cosine", **arguments)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, fit_estimator(folder, estimator=estimator())


# A checkpoint every five steps: before, at and after one, and in the last steps.
@pytest.mark.parametrize("critic_step", [1, 5, 9, 10, 16, 29])
def test_resumed_run_equals_the_uninterrupted_one(critic_step, uninterrupted, tmp_path):
    folder, expected = uninterrupted
    with pytest.raises(CutOffError):
        fit_estimator(tmp_path, CutOff(critic_step), estimator=estimator())
    # Other weights and another random state: whatever matters comes from the checkpoint.
    fresh = estimator()
    for parameter in fresh.parameters():
        nn.init.zeros_(parameter)
    torch.manual_seed(12345)
    resumed = fit_estimator(tmp_path, estimator=fresh, ckpt_path=tmp_path / "checkpoints" / "last.ckpt")
    assert resumed.critic_step == 30
    assert rows(tmp_path) == rows(folder)
    assert same_state(resumed.state_dict(), expected.state_dict())
    assert same_state(resumed.trainer.optimizers[0].state_dict(), expected.trainer.optimizers[0].state_dict())


def test_a_finished_run_that_is_resumed_changes_nothing(tmp_path):
    first = fit_estimator(tmp_path)
    before = rows(tmp_path)
    again = fit_estimator(tmp_path, ckpt_path=tmp_path / "checkpoints" / "last.ckpt")
    assert again.critic_step == 30
    assert rows(tmp_path) == before
    assert same_state(again.state_dict(), first.state_dict())


def test_a_longer_run_without_decay_is_the_straight_one(tmp_path):
    fit_estimator(tmp_path, estimator=tiny_estimator(steps=10, decay="none"))
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    longer = fit_estimator(tmp_path, estimator=tiny_estimator(steps=20, decay="none"), ckpt_path=checkpoint)
    straight = fit_estimator(tmp_path / "straight", estimator=tiny_estimator(steps=20, decay="none"))
    assert same_state(longer.state_dict(), straight.state_dict())
    assert rows(tmp_path) == rows(tmp_path / "straight")


def test_another_network_optimiser_or_kind_is_named(tmp_path):
    fit_estimator(tmp_path, estimator=tiny_estimator(steps=2, optimizer=partial(Adam, lr=1e-3)))
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    wider = tiny_estimator(critic=partial(MLPCritic, width=24, depth=2))
    with pytest.raises(ValueError, match=r"its critic\.1\.bias has shape \(16,\), the config's has \(24,\)"):
        fit_estimator(tmp_path, estimator=wider, ckpt_path=checkpoint)
    with pytest.raises(ValueError, match=r"optimisers \(critic\) are Adam; the config's are SGD"):
        fit_estimator(tmp_path, estimator=tiny_estimator(optimizer=partial(SGD, lr=0.1)), ckpt_path=checkpoint)
    kept = torch.load(checkpoint, weights_only=True)
    with pytest.raises(ValueError, match="the checkpoint is of another network"):
        tiny_gan().on_load_checkpoint(kept)
