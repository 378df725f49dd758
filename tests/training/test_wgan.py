"""The training loop: what is stepped, counted, constrained and drawn."""

import csv

import pytest
import torch
from torch import nn
from torch.optim import SGD

from tests.training.builders import fit, tiny_gan
from wgan_lip.lipschitz import certify
from wgan_lip.networks import MLPGenerator
from wgan_lip.report import read_history
from wgan_lip.training import WassersteinGAN


def test_counters_optimisers_and_constraint(tmp_path):
    gan = fit(tmp_path, gan=tiny_gan(n_critic=3, generator_steps=8))
    assert (gan.critic_step, gan.generator_step) == (24, 8)
    # Lightning counts every optimiser step.
    assert gan.trainer.global_step == 32
    critic_optimizer, generator_optimizer = gan.trainer.optimizers
    assert {int(state["step"]) for state in critic_optimizer.state.values()} == {24}
    assert {int(state["step"]) for state in generator_optimizer.state.values()} == {8}
    assert certify(gan.critic).bound <= 1 + 1e-5
    # Linear decay: none of the rate is left.
    assert critic_optimizer.param_groups[0]["lr"] == generator_optimizer.param_groups[0]["lr"] == 0


def test_critic_is_maximised_and_generator_follows_it(tmp_path):
    before = tiny_gan()
    gan = fit(tmp_path, gan=tiny_gan(generator_steps=600), every=100)
    rows = read_history(tmp_path / "metrics.csv").having("w1/seconds")
    assert rows[-1]["w1/exact"] < 0.8 * rows[0]["w1/exact"]
    assert max(row["w1/critic"] for row in rows) > 0
    assert not torch.equal(gan.critic[1].weight, before.critic[1].weight)


def test_metrics_csv_has_every_name_at_every_evaluation(tmp_path):
    fit(tmp_path)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    evaluations = [row for row in rows if row["w1/exact"]]
    assert [int(row["generator_step"]) for row in evaluations] == [0, 5, 10, 15, 20, 25, 30]
    assert [int(row["critic_step"]) for row in evaluations] == [0, 10, 20, 30, 40, 50, 60]
    names = ("exact", "critic", "gap", "gap_relative", "noise_floor", "seconds")
    for row in evaluations:
        values = {name: float(row[f"w1/{name}"]) for name in names}
        assert values["gap"] == pytest.approx(values["exact"] - values["critic"])
        assert values["gap"] >= 0
        assert 0 < values["noise_floor"] < 10
        assert float(row["lipschitz/certified"]) <= 1 + 1e-5
    training = [row for row in rows if row["train/w1_critic"]]
    assert [int(row["critic_step"]) for row in training] == [7, 14, 21, 28, 35, 42, 49, 56]


def test_same_seed_same_run_and_another_seed_another(tmp_path):
    runs = [fit(tmp_path / str(i), gan=tiny_gan(seed, generator_steps=6)) for i, seed in enumerate((0, 0, 1))]
    weights = [torch.cat([p.flatten() for p in run.parameters()]) for run in runs]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_evaluations_and_pictures_do_not_change_the_training(tmp_path):
    often = fit(tmp_path / "often", gan=tiny_gan(generator_steps=6), every=1)
    never = fit(tmp_path / "never", gan=tiny_gan(generator_steps=6), every=1000)
    assert all(torch.equal(a, b) for a, b in zip(often.parameters(), never.parameters(), strict=True))


def test_optimisers_are_injected(tmp_path):
    gan = fit(tmp_path, gan=tiny_gan(critic_optimizer=lambda p: SGD(p, lr=0.1), linear_decay=False, generator_steps=2))
    assert isinstance(gan.trainer.optimizers[0], SGD)
    assert gan.trainer.optimizers[0].param_groups[0]["lr"] == 0.1


def test_noise_depends_on_seed_key_and_nothing_else():
    gan = tiny_gan()
    first = gan.noise(4, "critic", 3)
    gan.noise(9, "generator", 1)
    assert torch.equal(first, gan.noise(4, "critic", 3))
    assert not torch.equal(first, gan.noise(4, "critic", 4))
    assert not torch.equal(first, gan.noise(4, "generator", 3))


def test_sampling_restores_the_mode():
    gan = tiny_gan()
    gan.generator.train()
    assert not gan.sample(gan.noise(2, "x")).requires_grad
    assert gan.generator.training


@pytest.mark.parametrize("name", ["n_critic", "generator_steps", "log_every"])
def test_bad_counts_are_named(name):
    with pytest.raises(ValueError, match=f"{name}=0"):
        tiny_gan(**{name: 0})


def test_a_generator_without_noise_dim_is_named():
    with pytest.raises(ValueError, match="noise_dim; got a Linear without it"):
        WassersteinGAN(nn.Linear(2, 1), nn.Linear(2, 2))
    assert WassersteinGAN(nn.Linear(2, 1), MLPGenerator((2,), noise_dim=3)).noise_dim == 3
