"""The estimator of one pair: what it learns, what it draws, and what it refuses."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from tests.training.estimators import Recorded, fit_estimator, tiny_estimator
from wgan_lip.data import Digits
from wgan_lip.distributions import AbsoluteValue, HighDimensionalCone
from wgan_lip.evaluation import evaluate_estimator
from wgan_lip.lipschitz import on_manifold
from wgan_lip.networks import MLPCritic
from wgan_lip.training import ExponentialAverage, W1Estimator


class EachStep(pl.Callback):
    """Calls a function after every step."""

    def __init__(self, see: Callable[[W1Estimator], None]) -> None:
        self.see = see

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, W1Estimator)
        self.see(pl_module)


def weights(critic: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in critic.parameters()]


def test_it_learns_the_absolute_value(tmp_path):
    estimator = fit_estimator(tmp_path, estimator=tiny_estimator(steps=200), every=200)
    estimate = evaluate_estimator(estimator.final_critic(), estimator.pair, n=512, exact_n=64)
    assert estimate.truth == 1
    assert estimate.critic is not None
    # A bound: at most the truth, but for sampling, of which P and Q have none but the balance of signs.
    assert 0.97 < estimate.critic <= 1 + 4 * (estimate.standard_error or 0) + 1e-6
    assert estimate.gradient_cosine == pytest.approx(1, abs=0.01)


def test_the_seed_decides_and_the_global_stream_does_not():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = tiny_estimator(seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again, other = tiny_estimator(seed=3), tiny_estimator(seed=4)
    assert all(map(torch.equal, weights(first.critic), weights(again.critic)))
    assert not all(map(torch.equal, weights(first.critic), weights(other.critic)))


def test_steps_draw_their_own_samples(tmp_path):
    pair = Recorded()
    fit_estimator(tmp_path, estimator=tiny_estimator(pair, steps=8, batch_size=10))
    # First the held-out samples.
    assert pair.sizes == [64, *8 * [10]]


@pytest.mark.parametrize(("decay", "last"), [("none", 1.0), ("linear", 0.25), ("cosine", 0.1464466)])
def test_the_rate_decays(decay, last, tmp_path):
    rates: list[float] = []
    see = EachStep(lambda module: rates.append(module.trainer.optimizers[0].param_groups[0]["lr"]))
    adam = partial(Adam, lr=1e-3)
    fit_estimator(tmp_path, see, estimator=tiny_estimator(steps=4, optimizer=adam, decay=decay))
    assert rates[0] == 1e-3
    assert rates[-1] == pytest.approx(1e-3 * last)


def test_weights_are_projected_after_each_step(tmp_path):
    found: list[bool] = []
    see = EachStep(lambda module: found.append(all(on_manifold(w) for w in weights(module.critic) if w.ndim == 2)))
    estimator = tiny_estimator(HighDimensionalCone(4), steps=4, optimizer=partial(Adam, lr=1e-2))
    fit_estimator(tmp_path, see, estimator=estimator)
    assert found == 4 * [True]


def test_the_average_to_evaluate_is_projected(tmp_path):
    estimator = tiny_estimator(HighDimensionalCone(4), steps=8, average=ExponentialAverage())
    fit_estimator(tmp_path, estimator=estimator)
    assert estimator.averaged is not None
    for ours, mean in zip(weights(estimator.final_critic()), weights(estimator.averaged), strict=True):
        if ours.ndim == 2:
            assert not on_manifold(mean)
            u, _, vt = torch.linalg.svd(mean, full_matrices=False)
            torch.testing.assert_close(ours, u @ vt, rtol=1e-4, atol=1e-5)
            assert on_manifold(ours)


def test_an_exponential_average_forgets(tmp_path):
    seen: list[list[Tensor]] = []
    see = EachStep(lambda module: seen.append(weights(module.critic)))
    estimator = tiny_estimator(steps=6, average=ExponentialAverage(0.5))
    fit_estimator(tmp_path, see, estimator=estimator)
    expected = seen[0]
    for step in range(1, 6):
        expected = [a + 0.5 * (p - a) for a, p in zip(expected, seen[step], strict=True)]
    assert estimator.averaged is not None
    for ours, mean in zip(weights(estimator.averaged), expected, strict=True):
        torch.testing.assert_close(ours, mean, rtol=1e-5, atol=1e-6)


def test_a_penalty_is_minimised_with_its_own_stream(tmp_path):
    draws: list[float] = []

    def penalty(critic: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        draws.append(float(torch.rand((), generator=generator)))
        return 100 * critic(torch.cat((x, y))).square().mean()

    estimator = tiny_estimator(
        critic=partial(MLPCritic, width=8, depth=1, linear=nn.Linear),
        penalty=penalty,
        optimizer=partial(Adam, lr=1e-2),
        steps=200,
    )
    fit_estimator(tmp_path, estimator=estimator, every=200)
    x, y = estimator.pair.sample(64, torch.Generator())
    # Largest is a - 100 E f^2, a = E f(x) - E f(y), for f = 1 / 100 on P and -1 / 100 on Q.
    with torch.no_grad():
        assert float(estimator(x).mean() - estimator(y).mean()) == pytest.approx(0.02, abs=0.01)
    assert len(set(draws)) == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be at least 1; got steps=0"),
        ({"batch_size": 0}, "batch_size must be at least 1; got batch_size=0"),
        ({"decay": "fast"}, "decay must be one of none, linear, cosine; got decay='fast'"),
        (
            {"critic": lambda shape: MLPCritic((3,), width=8)},
            r"critic must take AbsoluteValue.*'s samples of shape \(1,\); it takes samples of shape \(3,\)",
        ),
        ({"critic": lambda shape: nn.Linear(3, 1)}, r"does not take inputs of shape \(2, 1\)"),
        ({"critic": lambda shape: nn.Linear(1, 2)}, r"one value per sample; got shape \(2, 2\) for 2 of AbsoluteValue"),
        ({"critic": nn.Linear(1, 1)}, "got a network, Linear: pass"),
        ({"critic": partial(MLPCritic, width=0)}, "width and depth must be at least 1; got width=0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        W1Estimator(AbsoluteValue(), **arguments)


def test_data_beside_the_pair_are_refused():
    trainer = pl.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(
        ValueError, match=r"draws its samples from its pair, AbsoluteValue.*, and takes no data; got Digits"
    ):
        trainer.fit(tiny_estimator(), datamodule=Digits(batch_size=10))


def test_a_diverged_training_is_an_error(tmp_path):
    estimator = tiny_estimator(
        critic=partial(MLPCritic, width=8, depth=1, linear=nn.Linear), optimizer=partial(SGD, lr=1e30), log_every=1
    )
    with pytest.raises(ValueError, match=r"the training diverged: train/w1_critic is .* at critic step .*rate"):
        fit_estimator(tmp_path, estimator=estimator, every=100)


def test_averages_refuse_what_is_no_part():
    with pytest.raises(ValueError, match="decay must lie between 0 and 1; got decay=1"):
        ExponentialAverage(1.0)
