"""A run that was cut off anywhere ends with exactly the numbers of one that was not."""

from contextlib import nullcontext
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from tests.support.metrics import rows
from tests.training.builders import DropoutGenerator, fit, tiny_gan
from wgan_lip.lipschitz import FullSort
from wgan_lip.networks import MLPCritic
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import ExactW1, SampleGrid, WassersteinGAN


class CutOffError(Exception):
    """Stands in for a kill: nothing gets to clean up that matters."""


class CutOff(pl.Callback):
    """Raises at a batch, counted by the module's finest counter."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if getattr(pl_module, pl_module.counters[-1]) == self.step:
            raise CutOffError


class SaveAndCutOff(SaveCheckpoint):
    """Saves a batch's end, as when a signal came, and raises."""

    def __init__(self, critic_step: int | None) -> None:
        super().__init__(every=5)
        self.critic_step = critic_step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        super().on_train_batch_end(trainer, pl_module)
        if pl_module.critic_step == self.critic_step:
            self.act(trainer, pl_module)
            raise CutOffError


def same_state(a: Any, b: Any) -> bool:
    """Equality of nested state dicts."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_state(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same_state, a, b))
    return a == b


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    with torch.random.fork_rng():
        gan = fit(folder, gan=tiny_gan(generator=DropoutGenerator))
    return folder, gan


# Twelve batches an epoch, a checkpoint every ten: before and at both, and in the last steps.
@pytest.mark.parametrize("critic_step", [1, 9, 11, 12, 20, 23, 24, 25, 47, 50, 59])
def test_resumed_run_equals_the_uninterrupted_one(critic_step, uninterrupted, tmp_path):
    folder, expected = uninterrupted
    with pytest.raises(CutOffError):
        fit(tmp_path, CutOff(critic_step), gan=tiny_gan(generator=DropoutGenerator))
    # Other weights and another random state: whatever matters comes from the checkpoint.
    fresh = tiny_gan(generator=DropoutGenerator)
    for parameter in fresh.parameters():
        torch.nn.init.zeros_(parameter)
    torch.manual_seed(12345)
    resumed = fit(tmp_path, gan=fresh, ckpt_path=tmp_path / "checkpoints" / "last.ckpt")
    assert (resumed.critic_step, resumed.generator_step) == (60, 30)
    assert rows(tmp_path) == rows(folder)
    assert same_state(resumed.state_dict(), expected.state_dict())
    for ours, theirs in zip(resumed.trainer.optimizers, expected.trainer.optimizers, strict=True):
        assert same_state(ours.state_dict(), theirs.state_dict())


def test_cut_off_twice(uninterrupted, tmp_path):
    folder, expected = uninterrupted
    with pytest.raises(CutOffError):
        fit(tmp_path, CutOff(33), gan=tiny_gan(generator=DropoutGenerator))
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    with pytest.raises(CutOffError):
        fit(tmp_path, CutOff(36), gan=tiny_gan(generator=DropoutGenerator), ckpt_path=checkpoint)
    resumed = fit(tmp_path, gan=tiny_gan(generator=DropoutGenerator), ckpt_path=checkpoint)
    assert rows(tmp_path) == rows(folder)
    assert same_state(resumed.state_dict(), expected.state_dict())


@pytest.mark.parametrize("critic_steps", [(24, 27), (24, 27, 31), (36, 48, 50), (12, 23, 24, 25)])
def test_cut_off_at_the_end_of_an_epoch_and_again(critic_steps, uninterrupted, tmp_path):
    folder, expected = uninterrupted
    checkpoint = None
    for critic_step in (*critic_steps, None):
        resumed = tiny_gan(generator=DropoutGenerator)
        acts = [ExactW1(every=5, n=50, fit="never"), SampleGrid(every=10, n=4), SaveAndCutOff(critic_step)]
        with nullcontext() if critic_step is None else pytest.raises(CutOffError):
            fit(tmp_path, callbacks=acts, gan=resumed, ckpt_path=checkpoint)
        checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    assert rows(tmp_path) == rows(folder)
    assert same_state(resumed.state_dict(), expected.state_dict())


def test_a_finished_run_that_is_resumed_changes_nothing(tmp_path):
    first = fit(tmp_path, gan=tiny_gan(generator_steps=10))
    before = rows(tmp_path)
    again = fit(tmp_path, gan=tiny_gan(generator_steps=10), ckpt_path=tmp_path / "checkpoints" / "last.ckpt")
    assert again.critic_step == 20
    assert rows(tmp_path) == before
    assert same_state(again.state_dict(), first.state_dict())


def test_a_longer_run_takes_up_the_new_line_of_its_rates(tmp_path):
    fit(tmp_path, gan=tiny_gan(generator_steps=10))
    seen = []

    class Rates(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            seen.append(trainer.optimizers[0].param_groups[0]["lr"])

    fit(tmp_path, Rates(), gan=tiny_gan(generator_steps=20), ckpt_path=tmp_path / "checkpoints" / "last.ckpt")
    # The first step is taken at the rate that the checkpoint holds, those after it on the new line.
    assert seen == pytest.approx([1e-3 * (1 - k / 40) for k in range(21, 41)])


def test_another_network_or_optimiser_is_named(tmp_path):
    fit(tmp_path, gan=tiny_gan(generator_steps=2))
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    other = WassersteinGAN(MLPCritic((1, 8, 8), width=24, depth=2), tiny_gan().generator)
    with pytest.raises(ValueError, match=r"its critic\.1\.bias has shape \(16,\), the config's has \(24,\)"):
        fit(tmp_path, gan=other, ckpt_path=checkpoint)
    deeper = WassersteinGAN(MLPCritic((1, 8, 8), width=16, depth=3, activation=FullSort), tiny_gan().generator)
    with pytest.raises(ValueError, match=r"critic\.5\.bias has shape \(1,\), the config's has \(16,\)"):
        fit(tmp_path, gan=deeper, ckpt_path=checkpoint)
    sgd = tiny_gan(critic_optimizer=lambda p: torch.optim.SGD(p, lr=0.1))
    with pytest.raises(ValueError, match="are Adam, Adam; the config's are SGD, Adam"):
        fit(tmp_path, gan=sgd, ckpt_path=checkpoint)


def test_a_finished_run_can_be_made_longer(tmp_path):
    fit(tmp_path, gan=tiny_gan(generator_steps=10, linear_decay=False))
    longer = tiny_gan(generator_steps=20, linear_decay=False)
    longer = fit(tmp_path, gan=longer, ckpt_path=tmp_path / "checkpoints" / "last.ckpt")
    straight = fit(tmp_path / "straight", gan=tiny_gan(generator_steps=20, linear_decay=False))
    assert same_state(longer.state_dict(), straight.state_dict())
    assert rows(tmp_path) == rows(tmp_path / "straight")


def test_the_checkpoint_is_replaced_at_once_and_loads_without_code(tmp_path):
    fit(tmp_path, gan=tiny_gan(generator_steps=10))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["wgan_lip"]["critic_step"] == 20
