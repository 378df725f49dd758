"""The comparison of estimate and truth, and the alarm when it cannot be."""

import csv
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from tests.training.builders import fit, tiny_gan, tiny_trainer
from wgan_lip.data import Digits
from wgan_lip.evaluation import BrokenBoundError, distances, evaluate, scored_critic
from wgan_lip.lipschitz import OrthogonalLinear
from wgan_lip.networks import MLPCritic, MLPGenerator
from wgan_lip.training import ExactW1, ExponentialAverage, WassersteinGAN
from wgan_lip.transport import population_lower, wasserstein1


class LinearCritic(nn.Sequential):
    """f(x) = K <x, e_1>."""

    def __init__(self, dimension: int, slope: float = 1.0) -> None:
        super().__init__(nn.Linear(dimension, 1, bias=False))
        with torch.no_grad():
            self[0].weight.zero_()[0, 0] = slope


@pytest.mark.parametrize("slope", [1.0, 5.0])
def test_an_optimal_critic_has_no_gap(slope):
    # A shift along e_1 by 2: <x, e_1> is an optimal potential, whatever K it is scaled to.
    x = torch.randn(80, 4)
    y = x - 2 * torch.eye(4)[0]
    evaluation = evaluate(LinearCritic(4, slope), x, y[torch.randperm(80)], torch.randn(80, 4))
    assert evaluation.exact == pytest.approx(2, rel=1e-6)
    assert evaluation.critic == pytest.approx(2, rel=1e-6)
    assert evaluation.gap + 1e-12 >= 0
    assert evaluation.gap_relative < 1e-6
    assert evaluation.certified == pytest.approx(slope)


@pytest.mark.parametrize("trial", range(20))
def test_the_estimate_is_a_lower_bound_and_the_floor_is_real_against_real(trial):
    torch.manual_seed(trial)
    real, fake, other = torch.randn(60, 1, 3, 3), 2 * torch.randn(60, 1, 3, 3) + trial / 10, torch.randn(60, 1, 3, 3)
    critic = MLPCritic((1, 3, 3), width=8, depth=2, lipschitz_constant=3.0)
    evaluation = evaluate(critic, real, fake, other)
    assert evaluation.exact == wasserstein1(real, fake).value
    assert evaluation.noise_floor == wasserstein1(real, other).value
    assert evaluation.noise_floor_standard_error == wasserstein1(real, other).standard_error
    assert evaluation.exact_standard_error == pytest.approx(wasserstein1(real, fake).standard_error, rel=0.1)
    assert f"{evaluation.exact:.3f} ± {evaluation.exact_standard_error:.3f} (noise" in evaluation.describe()
    assert f"floor {evaluation.noise_floor:.3f} ± {evaluation.noise_floor_standard_error:.3f})" in evaluation.describe()
    with torch.no_grad():
        estimate = float(critic(real).mean() - critic(fake).mean()) / evaluation.certified
    assert evaluation.critic == pytest.approx(estimate, abs=1e-6)
    assert evaluation.critic <= evaluation.exact


def test_a_spent_time_budget_leaves_a_bracket_and_the_critic_s_bound():
    # Enough points for a column generation, which is what looks at the clock.
    real, fake, other = torch.randn(1300, 16), torch.randn(1300, 16) + 0.3, torch.randn(1300, 16)
    critic = MLPCritic([16], width=8, depth=2)
    evaluation = evaluate(critic, real, fake, other, time_budget=1e-6)
    potential = evaluation.real_potential
    whole = evaluate(critic, real, fake, other, real_potential=potential)
    assert evaluation.exact is None
    assert evaluation.noise_floor is None
    assert evaluation.gap is None
    assert evaluation.gap_relative is None
    assert evaluation.exact_lower <= whole.exact <= evaluation.exact_upper
    assert evaluation.critic == whole.critic <= whole.exact
    assert not {"w1/exact", "w1/gap", "w1/noise_floor"} & set(evaluation.metrics())
    assert {"w1/exact_lower", "w1/exact_upper", "w1/critic"} <= set(evaluation.metrics())
    assert "noise floor unknown" in evaluation.describe()
    assert f"{evaluation.exact_lower:.3f} to {evaluation.exact_upper:.3f}" in evaluation.brief()
    assert "exact_lower" not in str(whole.metrics())


def test_identical_samples_have_no_relative_gap():
    x = torch.randn(20, 3)
    evaluation = evaluate(LinearCritic(3), x, x, torch.randn(20, 3))
    assert (evaluation.exact, evaluation.gap_relative) == (0, 0)


def test_a_broken_certificate_fails_loudly(monkeypatch):
    certify = scored_critic.certify

    def half(network):
        certificate = certify(network)
        return type(certificate)(certificate.bound / 2, certificate.norm, certificate.layers)

    monkeypatch.setattr(scored_critic, "certify", half)
    x = torch.randn(50, 2)
    with pytest.raises(BrokenBoundError, match="please report"):
        evaluate(LinearCritic(2), x, x - 2 * torch.eye(2)[0], x)


def test_of_a_critic_that_cannot_be_certified_nothing_is_called_proven():
    real, fake, other = torch.randn(3, 40, 2)
    critic = nn.Sequential(nn.Linear(2, 2), nn.Softplus(), nn.Linear(2, 1)).double()
    evaluation = evaluate(critic, real, fake - 1, other)
    with torch.no_grad():
        raw = float(critic(real.double()).mean() - critic(fake.double() - 1).mean())
    assert evaluation.uncertified == pytest.approx(raw)
    assert evaluation.exact == wasserstein1(real, fake - 1).value
    errors = {"w1/exact_standard_error", "w1/noise_floor_standard_error"}
    assert set(evaluation.metrics()) == {"w1/exact", "w1/uncertified", "w1/noise_floor", "w1/seconds", *errors}
    assert "uncertified" in evaluation.describe()
    assert "critic ≥" not in evaluation.describe()


def test_a_critic_with_a_large_constant_has_a_small_proven_estimate_and_an_uncertified_one():
    x = torch.randn(50, 2)
    evaluation = evaluate(LinearCritic(2, 7.0), x, x - 2 * torch.eye(2)[0], x)
    assert evaluation.critic == pytest.approx(2, rel=1e-6)
    assert evaluation.uncertified == pytest.approx(14, rel=1e-6)
    assert evaluate(LinearCritic(2, 1.0), x, x - 1, x).uncertified is None


def test_a_critic_with_several_outputs_is_an_error():
    x = torch.randn(5, 2)
    with pytest.raises(ValueError, match=r"one value per sample; got shape \(10, 3\)"):
        evaluate(nn.Sequential(OrthogonalLinear(2, 3)), x, x, x)


def test_biases_that_cancel_are_no_broken_bound():
    first, second = nn.Linear(1, 1), nn.Linear(1, 1)
    with torch.no_grad():
        for layer, bias in ((first, 1e9), (second, -1e9)):
            layer.weight.fill_(1)
            layer.bias.fill_(bias)
    for _ in range(20):
        real = torch.rand(30, 1)
        fake = real - 0.3 * torch.rand(30, 1)
        assert evaluate(nn.Sequential(first, second), real, fake, real).gap == pytest.approx(0, abs=1e-6)


def test_a_critic_of_zero_says_nothing():
    critic = LinearCritic(2, 0.0)
    evaluation = evaluate(critic, *torch.randn(3, 9, 2))
    assert (evaluation.certified, evaluation.critic) == (0, 0)
    assert evaluation.gap == evaluation.exact


def test_a_critic_that_cannot_be_copied_is_an_error():
    layer = nn.Linear(2, 1)
    # As old-style weight normalisation leaves it: a weight that is computed, not a leaf.
    del layer._parameters["weight"]
    layer.weight = 2 * torch.ones(1, 2, requires_grad=True)
    with pytest.raises(ValueError, match="the critic cannot be copied"):
        evaluate(layer, *torch.randn(3, 5, 2))


def test_the_critic_itself_is_not_changed():
    critic = MLPCritic((2,), width=4).train()
    evaluate(critic, *torch.randn(3, 5, 2))
    assert critic.training
    assert critic[1].weight.dtype == torch.float32


@pytest.mark.parametrize("run", ["validate", "test"])
def test_validate_and_test_evaluate_once(run, tmp_path):
    gan = tiny_gan()
    trainer = tiny_trainer(tmp_path, limit_val_batches=None, logger=False)
    getattr(trainer, run)(gan, datamodule=Digits(), verbose=False)
    last = next(c.last for c in trainer.callbacks if isinstance(c, ExactW1))
    assert last is not None
    assert last.raw.exact > last.raw.noise_floor > 0


def test_n_larger_than_a_split_is_named(tmp_path):
    trainer = tiny_trainer(tmp_path, callbacks=[ExactW1(n=598)])
    with pytest.raises(
        ValueError, match=r"exact_w1\.n must be at most 597, the samples of Digits's heldout split; got"
    ):
        trainer.fit(tiny_gan(), datamodule=Digits())


def test_plain_dataloaders_are_named(tmp_path):
    trainer, loader = tiny_trainer(tmp_path, callbacks=[ExactW1()]), DataLoader(torch.zeros(9, 1, 8, 8))
    with pytest.raises(ValueError, match="got plain dataloaders"):
        trainer.fit(tiny_gan(), loader, loader)


def test_shapes_that_do_not_fit_are_found_before_training(tmp_path):
    generator = MLPGenerator((1, 8, 8), noise_dim=2)
    with pytest.raises(ValueError, match=r"critic does not take inputs of shape \(1, 1, 8, 8\)"):
        fit(tmp_path, gan=WassersteinGAN(MLPCritic((3, 8, 8)), generator))
    with pytest.raises(ValueError, match=r"generator makes samples of shape \(64,\); Digits's are \(1, 8, 8\)"):
        fit(tmp_path, gan=WassersteinGAN(MLPCritic((1, 8, 8)), MLPGenerator((64,))))


def test_bad_counts_are_named():
    with pytest.raises(ValueError, match="every=0, n=500"):
        ExactW1(every=0)
    with pytest.raises(ValueError, match="n=1"):
        ExactW1(n=1)
    with pytest.raises(ValueError, match="confidence=1"):
        ExactW1(confidence=1)
    with pytest.raises(ValueError, match="norm must be one of"):
        ExactW1(norm="l3")


def test_a_norm_that_is_not_the_certificate_s_is_refused(monkeypatch):
    x = torch.randn(20, 3)
    with pytest.raises(ValueError, match="the critic is certified in the l2 norm, so it bounds no W1 in norm='linf'"):
        evaluate(LinearCritic(3), x, x + 1, x, norm="linf")
    # |x|_2 <= |x|_1: a bound in l2 is one in l1.
    evaluation = evaluate(LinearCritic(3), x, x - 1, x, norm="l1")
    assert evaluation.exact == pytest.approx(3, rel=1e-6)
    assert evaluation.critic <= 3**0.5 * (1 + 1e-6)
    certify = scored_critic.certify
    monkeypatch.setattr(scored_critic, "certify", lambda network: replace(certify(network), norm="linf"))
    # |f(x) - f(y)| <= |x - y|_2 only, so this certificate is a lie, but the norm is taken from it.
    evaluation = evaluate(LinearCritic(3), x, x - 1, x)
    assert evaluation.exact == pytest.approx(1, rel=1e-6)


def test_the_population_bracket_is_that_of_the_scores_and_the_supports():
    generator = torch.Generator().manual_seed(0)
    real, fake, other = (torch.rand(200, 4, generator=generator) for _ in range(3))
    evaluation = evaluate(
        LinearCritic(4), real, fake / 2, other, bounds=(0.0, 1.0), fake_bounds=(0.0, 1.0), confidence=0.9
    )
    scores = real[:, 0].double(), fake[:, 0].double() / 2
    lower = population_lower(*scores, delta=0.05, diameter=2.0)
    assert lower.guarantee == "finite-sample"
    assert evaluation.population_lower == pytest.approx(lower.value, abs=1e-9)
    margin = 2 * (math.log(1 / 0.05) / 200) ** 0.5
    assert evaluation.population_upper == pytest.approx(evaluation.exact + margin, rel=1e-9)
    # x and x / 2 in the unit cube of R^4: 0.25 <= W1 <= 0.5.
    assert evaluation.population_lower < 0.5
    assert evaluation.population_upper > 0.25
    unknown = evaluate(LinearCritic(4), real, fake / 2, other)
    # That these samples keep to the box is no proof that their distribution does.
    unbounded = evaluate(LinearCritic(4), real, fake / 2, other, bounds=(0.0, 1.0))
    assert unknown.population_upper is unbounded.population_upper is None
    assert set(evaluation.metrics()) - set(unknown.metrics()) == {"w1/population_upper"}


def test_samples_outside_their_bounds_are_an_error():
    x = torch.rand(9, 2)
    with pytest.raises(ValueError, match=r"generated samples must lie within their bounds \(0.0, 1.0\); got -"):
        evaluate(LinearCritic(2), x, x - 1, x, bounds=(0.0, 1.0), fake_bounds=(0.0, 1.0))


def test_an_evaluation_starts_from_the_better_of_critic_and_last_evaluation(monkeypatch):
    starts = []
    monkeypatch.setattr(
        distances,
        "wasserstein1",
        lambda x, y, **options: (starts.append(options.get("initial_potentials")), wasserstein1(x, y, **options))[1],
    )
    real, fake, other = torch.randn(30, 2), torch.randn(30, 2) - 3, torch.randn(30, 2)
    good = evaluate(LinearCritic(2), real, fake, other)
    assert starts[0][0] == pytest.approx(real[:, 0].double().numpy())
    assert starts[0][1] == pytest.approx(-fake[:, 0].double().numpy())
    potential = evaluate(LinearCritic(2), real, fake, other).real_potential
    starts.clear()
    after = evaluate(LinearCritic(2, -1.0), real, fake, other, real_potential=potential)
    assert starts[0][0] is potential
    # Feasible with it, and with that already optimal.
    assert potential.mean() + starts[0][1].mean() == pytest.approx(good.exact)
    assert after.exact == good.exact


def test_bounds_of_digits_reach_the_log(tmp_path):
    gan = fit(tmp_path)
    last = next(c.last for c in gan.trainer.callbacks if isinstance(c, ExactW1)).raw
    metrics = last.metrics()
    # Eight by eight pixels in [-1, 1].
    expected = (
        last.exact
        + 16 * (math.log(2 / 0.05) / next(c.n for c in gan.trainer.callbacks if isinstance(c, ExactW1))) ** 0.5
    )
    assert metrics["w1/population_upper"] == pytest.approx(expected, rel=1e-9)
    assert 0 <= metrics["w1/population_lower"] <= last.exact


@pytest.mark.parametrize("state", [{}, {"real_potentials": [torch.zeros(49)]}])
def test_a_checkpoint_of_another_n_or_of_before_potentials_were_kept_is_taken_up(state, tmp_path):
    callback = ExactW1(every=5, n=50)
    callback.load_state_dict({"last_step": -1, **state})
    fit(tmp_path, callbacks=[callback])
    assert [len(potential) for potential in callback.state_dict()["real_potentials"]] == [50]


@pytest.mark.parametrize("redraw", [False, True])
def test_the_same_samples_throughout_unless_they_are_drawn_anew(redraw, tmp_path):
    fit(tmp_path, callbacks=[ExactW1(every=5, n=50, redraw=redraw)])
    with (tmp_path / "metrics.csv").open(newline="") as file:
        floors = {row["w1/noise_floor"] for row in csv.DictReader(file) if row["w1/exact"]}
    assert len(floors) == (7 if redraw else 1)


def test_data_on_another_scale_than_the_generator_are_warned_of_once():
    callback, pixels = ExactW1(every=1, n=2), torch.rand(5, 1, 6, 6)
    with pytest.warns(
        UserWarning, match=r"in the data are on the scale 0\.\.255, those in the generator's samples on -1"
    ):
        callback._check_scales(255 * pixels, 0.01 * pixels, (-1.0, 1.0))
    callback._check_scales(255 * pixels, pixels, (-1.0, 1.0))
    with pytest.warns(
        UserWarning, match=r"in the data are on the scale -1\.\.1, those in the generator's samples on 0"
    ):
        ExactW1(every=1, n=2)._check_scales(2 * pixels - 1, pixels, None)
    for fine in (2 * pixels - 1, 5 * torch.randn(5, 1, 6, 6), torch.randn(5, 2)):
        ExactW1(every=1, n=2)._check_scales(fine, fine, (-1.0, 1.0))


def test_maps_and_generated_floors_reach_the_log_of_both_generators(tmp_path):
    callback = ExactW1(every=100, n=40, n_generated=60, features=["critic", "pca-5"])
    fit(tmp_path, callbacks=[callback], gan=tiny_gan(generator_average=ExponentialAverage(0.9)))
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["w1/exact"]]
    for row in rows:
        for group in ("w1", "w1_averaged"):
            exact = float(row[f"{group}/exact"])
            for part in ("", "_critic_features", "_pca_5"):
                for name in ("exact", "noise_floor", "generated_floor"):
                    assert float(row[f"{group}{part}/{name}"]) > 0
                    assert float(row[f"{group}{part}/{name}_standard_error"]) >= 0
                assert float(row[f"{group}{part}/exact"]) <= exact
            assert row[f"{group}_critic_features/noise_floor"] == row["w1_critic_features/noise_floor"]
    # Real samples and axes stay the same; the critic does not.
    assert len({row["w1_pca_5/noise_floor"] for row in rows}) == 1
    assert len({row["w1_critic_features/noise_floor"] for row in rows}) > 1


def test_the_maps_are_by_default_those_that_apply(tmp_path):
    callback, gan = ExactW1(every=100, n=40), tiny_gan()
    fit(tmp_path / "certified", callbacks=[callback], gan=gan)
    assert set(callback.last.raw.features) == {"critic_features", "pca_32"}
    callback, gan = ExactW1(every=100, n=40), tiny_gan()
    gan.critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Softplus(), nn.Linear(8, 1))
    fit(tmp_path / "uncertified", callbacks=[callback], gan=gan)
    assert set(callback.last.raw.features) == {"pca_32"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ["pca-65"]}, "'pca-65' requires more than 65 samples of at least 65 coordinates; got"),
        (
            {"features": [nn.Softplus()]},
            "the map softplus must have a certified Lipschitz constant; it has none: cannot",
        ),
        ({"features": ["critic"], "norm": "linf"}, "the critic is certified in the l2 norm, so it bounds no W1"),
        (
            {"n": 50, "n_generated": 5000},
            r"exact_w1\.n_generated must be at most 1200, the samples of Digits's",
        ),
    ],
)
def test_maps_that_do_not_apply_end_the_training_with_one_line(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        fit(tmp_path, callbacks=[ExactW1(every=100, **{"n": 40, **options})])


def test_a_wrong_map_or_count_is_an_error_at_once():
    with pytest.raises(ValueError, match=r"features must hold critic, pca-K .* got 'pixels'"):
        ExactW1(features=["pixels"])
    with pytest.raises(ValueError, match="n_generated must be at least n; got n_generated=40, n=500"):
        ExactW1(n_generated=40)


@pytest.mark.parametrize(("fit_when", "times"), [("always", 7), ("end", 1), ("never", 0)])
def test_the_gap_is_divided_into_what_was_not_seen_and_what_is_beyond_such_critics(fit_when, times, tmp_path):
    fit(tmp_path, callbacks=[ExactW1(every=5, n=50, fit=fit_when)])
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("w1/critic_fitted")]
    assert len(rows) == times
    for row in rows:
        critic, fitted, exact = (float(row[f"w1/{name}"]) for name in ("critic", "critic_fitted", "exact"))
        assert critic < fitted <= exact
        unseen, beyond = float(row["w1/gap_unseen"]), float(row["w1/gap_beyond"])
        assert unseen + beyond == pytest.approx(float(row["w1/gap"]), abs=1e-9)
    if fit_when == "end":
        assert rows[0]["generator_step"] == "30"


def test_a_critic_without_constraints_is_not_fitted(tmp_path):
    gan = tiny_gan()
    gan.critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    callback = ExactW1(every=100, n=40, fit="always")
    fit(tmp_path, callbacks=[callback], gan=gan)
    assert callback.last.raw.critic is not None
    assert callback.last.raw.critic_fitted is None
    with pytest.raises(ValueError, match="fit must be one of end, always, never; got fit='often'"):
        ExactW1(fit="often")
