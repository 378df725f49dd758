"""What is said of a critic on held-out samples: proven or not, and against which truth."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.estimators import LinearCritic
from wgan_lip.distributions import AbsoluteValue, Gaussians, HighDimensionalCone, SamplePair, ThreeCones, UniformCubes
from wgan_lip.evaluation import BrokenBoundError, draw_heldout, evaluate_estimator, score_heldout, scored_critic
from wgan_lip.networks import MLPCritic
from wgan_lip.randomness import keyed_generator
from wgan_lip.transport import wasserstein1

SHIFTED = Gaussians(3, shift=2.0)
DIRECTION = torch.ones(3)


class Opaque(nn.Module):
    """Of which nothing is known."""

    def __init__(self, values: float = 1.0) -> None:
        super().__init__()
        self.values = values

    def forward(self, x: Tensor) -> Tensor:
        return self.values * x.flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("slope", [1.0, 0.5, 4.0])
def test_an_optimal_critic_attains_the_truth_whatever_it_is_scaled_to(slope):
    estimate = evaluate_estimator(LinearCritic(DIRECTION, slope), SHIFTED, n=4096, exact_n=128)
    assert estimate.truth == 2
    assert estimate.truth_standard_error == 0
    assert estimate.certified == pytest.approx(slope, rel=1e-6)
    # Two means of 4,096 draws of N(., 1): the closed form of the standard error.
    assert estimate.standard_error == pytest.approx(math.sqrt(2 / 4096), rel=0.05)
    assert estimate.critic is not None
    assert estimate.error == estimate.critic - 2
    assert abs(estimate.error) < 4 * math.sqrt(2 / 4096)
    assert estimate.gradient_cosine == pytest.approx(1, abs=1e-6)
    # Gradients are the critic's own, as in the published protocol: |slope - 1|^2 from the optimal one.
    assert estimate.gradient_l2 == pytest.approx((slope - 1) ** 2, abs=1e-6)
    assert estimate.gradient_norm == pytest.approx(slope, rel=1e-6)
    if slope > 1:
        assert estimate.uncertified == pytest.approx(slope * estimate.critic, rel=1e-6)
        assert estimate.uncertified_standard_error == pytest.approx(slope * (estimate.standard_error or 0), rel=1e-6)
    else:
        assert estimate.uncertified is None


def test_the_figures_are_those_of_the_held_out_samples():
    critic = MLPCritic((2,), width=8, depth=2)
    pair = ThreeCones()
    estimate = evaluate_estimator(critic, pair, n=200, exact_n=50, seed=5)
    x, y = pair.sample(200, keyed_generator(5, "heldout"), heldout=True)
    f = critic.double()
    with torch.no_grad():
        fx, fy = f(x.double()).flatten().numpy(), f(y.double()).flatten().numpy()
    bound = estimate.certified or math.nan
    assert estimate.critic == pytest.approx((fx.mean() - fy.mean()) / bound, rel=1e-12)
    error = math.sqrt(np.var(fx, ddof=1) / 200 + np.var(fy, ddof=1) / 200)
    assert estimate.standard_error == pytest.approx(error / bound, rel=1e-12)
    exact = wasserstein1(x[:50], y[:50]).value
    assert estimate.exact == exact
    assert estimate.gap == pytest.approx(exact - (fx[:50].mean() - fy[:50].mean()) / bound, rel=1e-12)
    assert estimate.noise_floor == wasserstein1(x[:50], x[50:100]).value
    assert (estimate.n, estimate.m, estimate.exact_n) == (200, 200, 50)


@pytest.mark.parametrize("trial", range(10))
def test_the_gap_is_never_negative(trial):
    torch.manual_seed(trial)
    critic = MLPCritic((6,), width=12, depth=2, lipschitz_constant=1 + trial)
    estimate = evaluate_estimator(critic, HighDimensionalCone(6), n=64, exact_n=32, seed=trial)
    assert estimate.gap is not None
    assert estimate.gap >= 0


def test_an_optimal_critic_has_no_gap():
    # f(x) = x moves the two points' mass as the samples' plan does, where P = delta_1 and Q = delta_0.
    pair = SamplePair(torch.ones(40, 1), torch.zeros(40, 1), heldout=0.5)
    estimate = evaluate_estimator(LinearCritic(torch.ones(1)), pair, n=100, exact_n=10)
    assert estimate.exact == 1
    assert estimate.gap == pytest.approx(0, abs=1e-12)
    assert (estimate.truth, estimate.error, estimate.gradient_cosine) == (None, None, None)
    # A pair that holds out fewer samples gives all that it has.
    assert (estimate.n, estimate.exact_n) == (20, 10)


def test_the_bracket_holds_where_the_support_is_known():
    pair = UniformCubes(2, shift=3.0)
    estimate = evaluate_estimator(LinearCritic(torch.ones(2)), pair, n=4096, exact_n=256)
    assert estimate.population_lower is not None
    assert estimate.population_upper is not None
    assert estimate.population_lower < 3 < estimate.population_upper
    # Of Gaussians nothing bounds W1 from above.
    assert evaluate_estimator(LinearCritic(DIRECTION), SHIFTED, n=64, exact_n=32).population_upper is None


def test_nothing_is_claimed_of_a_critic_that_cannot_be_certified():
    estimate = evaluate_estimator(Opaque(), SHIFTED, n=256, exact_n=64)
    assert (estimate.critic, estimate.certified, estimate.gap, estimate.error) == (None, None, None, None)
    assert estimate.population_lower is None
    # The sum of coordinates has slope sqrt(3), and its means differ by that much more than W1.
    assert estimate.uncertified == pytest.approx(2 * math.sqrt(3), abs=5 * (estimate.uncertified_standard_error or 0))
    metrics = estimate.metrics()
    assert "w1/critic" not in metrics
    assert "lipschitz/certified" not in metrics
    assert metrics["w1/uncertified"] == estimate.uncertified
    assert "uncertified" in estimate.describe()
    assert "critic" in estimate.brief()


def test_what_is_logged_is_what_is_known():
    estimate = evaluate_estimator(LinearCritic(DIRECTION), SHIFTED, n=64, exact_n=0)
    metrics = estimate.metrics()
    assert not {"w1/exact", "w1/gap", "w1/noise_floor", "w1/uncertified"} & set(metrics)
    assert metrics["w1/truth"] == 2
    assert metrics["w1/error"] == estimate.error
    assert {"w1/critic", "w1/standard_error", "gradient/cosine", "gradient/l2", "gradient/norm"} < set(metrics)
    assert "truth 2.0000" in estimate.describe()


def test_many_critics_share_one_draw():
    heldout = draw_heldout(AbsoluteValue(), n=64, exact_n=16, seed=1)
    critic = MLPCritic((1,), width=8, depth=1)
    first, second = score_heldout(critic, heldout), evaluate_estimator(critic, AbsoluteValue(), 64, 16, seed=1)
    assert {**first.metrics(), "w1/seconds": 0} == {**second.metrics(), "w1/seconds": 0}
    other = draw_heldout(AbsoluteValue(), n=64, exact_n=16, seed=2)
    assert not torch.equal(heldout.x, other.x)


def test_gradients_where_the_potential_has_none_do_not_count():
    # |x - 0| at P = delta_0.
    class AtTheKink(AbsoluteValue):
        def sample(self, n, generator, heldout=False):
            x, y = super().sample(n, generator, heldout)
            return y, x

    estimate = evaluate_estimator(LinearCritic(torch.ones(1)), AtTheKink(), n=64, exact_n=0)
    assert (estimate.gradient_cosine, estimate.gradient_l2) == (None, None)
    assert estimate.gradient_norm == pytest.approx(1)


def test_what_cannot_be_scored_is_an_error(monkeypatch):
    heldout = draw_heldout(SHIFTED, n=64, exact_n=16)
    with pytest.raises(ValueError, match="hold NaN or infinity: its training diverged"):
        score_heldout(Opaque(math.nan), heldout)
    with pytest.raises(ValueError, match="one value per sample"):
        score_heldout(nn.Identity(), heldout)
    with pytest.raises(ValueError, match="got n=10, exact_n=6"):
        draw_heldout(SHIFTED, n=10, exact_n=6)
    with pytest.raises(ValueError, match="got n=1, exact_n=0"):
        draw_heldout(SHIFTED, n=1, exact_n=0)
    certify = scored_critic.certify

    def half(network):
        certificate = certify(network)
        return type(certificate)(certificate.bound / 9, certificate.norm, certificate.layers)

    monkeypatch.setattr(scored_critic, "certify", half)
    with pytest.raises(BrokenBoundError, match="please report"):
        score_heldout(LinearCritic(DIRECTION), heldout)


def test_a_critic_of_constant_zero_says_nothing():
    estimate = evaluate_estimator(LinearCritic(DIRECTION, 0.0), SHIFTED, n=64, exact_n=16)
    assert estimate.critic == 0
    assert estimate.gap == estimate.exact
