"""The lower bounds of one evaluation, and of all evaluations of a run."""

import numpy as np
import pytest
import torch

from tests.training.estimators import LinearCritic
from wgan_lip.distributions import UniformCubes
from wgan_lip.evaluation import draw_heldout, evaluate, score_heldout
from wgan_lip.transport import population_lower

CRITIC = LinearCritic(torch.tensor([1.0, 0.0]))


def samples() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 100, 2, generator=generator)
    return x + 1, y


def test_a_look_has_its_part_of_the_error_beside_the_bound_of_its_own():
    real, fake = samples()
    scores = real[:, 0].double(), fake[:, 0].double()
    alone, third = evaluate(CRITIC, real, fake), evaluate(CRITIC, real, fake, look=3)
    assert alone.population_lower_all is None
    assert alone.population_lower == third.population_lower
    assert third.population_lower == pytest.approx(population_lower(*scores, delta=0.025).value, abs=1e-6)
    assert third.population_lower_all == pytest.approx(population_lower(*scores, delta=0.025 / 12).value, abs=1e-6)
    assert 0 < third.population_lower_all < third.population_lower
    assert set(third.metrics()) - set(alone.metrics()) == {"w1/population_lower_all"}
    with pytest.raises(ValueError, match="look must be at least 1; got look=0"):
        evaluate(CRITIC, real, fake, look=0)


def test_an_estimate_on_held_out_samples_has_it_too():
    heldout = draw_heldout(UniformCubes(2, shift=1.0), 256, 0)
    critic = LinearCritic(torch.ones(2))
    alone, second = score_heldout(critic, heldout), score_heldout(critic, heldout, look=2)
    assert alone.population_lower_all is None
    assert alone.population_lower == second.population_lower > second.population_lower_all > 0
    assert second.metrics()["w1/population_lower_all"] == second.population_lower_all


@pytest.mark.slow
def test_all_looks_hold_together_as_often_as_stated():
    # Ten critics that change from look to look, of one distribution twice: W1 is 0.
    all_held = 0
    for repetition in range(200):
        x, y = np.random.default_rng((5, repetition)).normal(size=(2, 20, 10))
        looks = [delta / (k * (k + 1)) for delta in (0.25,) for k in range(1, 11)]
        all_held += all(population_lower(x[:, k], y[:, k], delta=delta).value == 0 for k, delta in enumerate(looks))
    assert all_held / 200 >= 0.75 - 3 * (0.25 * 0.75 / 200) ** 0.5
