"""W1 behind certified maps: between the critic's estimate and the W1 of the samples, with what sampling does to it."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from wgan_lip.evaluation import (
    BrokenBoundError,
    certified_map,
    check_features,
    critic_features,
    evaluate,
    feature_map,
    name_of,
    principal_axes,
    score,
)
from wgan_lip.lipschitz import FullSort, GroupSort, LInfLinear, OrthogonalLinear
from wgan_lip.networks import ConvCritic, MLPCritic, ResidualCritic
from wgan_lip.transport import wasserstein1


class Halving(nn.Sequential):
    """x -> W x / 2, of a W with orthonormal rows."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(nn.Flatten(), OrthogonalLinear(torch.Size(shape).numel(), 5))
        with torch.no_grad():
            self[1].weight.mul_(0.5)


CRITICS = {
    "mlp": lambda: MLPCritic([1, 8, 8], width=16, depth=2),
    "grouped": lambda: MLPCritic([1, 8, 8], width=32, depth=3, activation=lambda: GroupSort(16), lipschitz_constant=3),
    "linf": lambda: MLPCritic([1, 8, 8], width=16, depth=2, linear=LInfLinear),
    "convolutions": lambda: ConvCritic([1, 8, 8], channels=(4, 8), hidden=(16,)),
    "residual": lambda: ResidualCritic([1, 8, 8], width=4),
    "plain": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.ReLU(), nn.Linear(9, 1)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", CRITICS)
def test_each_w1_of_features_lies_between_the_critic_and_the_exact_w1(kind, dtype):
    for trial in range(4):
        torch.manual_seed(trial)
        critic = CRITICS[kind]().to(dtype)
        real, other = torch.randn(2, 40, 1, 8, 8, dtype=dtype)
        fake, other_fake = torch.randn(2, 40, 1, 8, 8, dtype=dtype) * 0.5 + 10.0 ** (trial - 2)
        norm = score(critic, real, fake).certificate.norm
        maps = [
            principal_axes(torch.randn(50, 1, 8, 8), 7, norm),
            *([certified_map("halving", Halving((1, 8, 8)), norm)] if norm == "l2" else []),
        ]
        found = evaluate(critic, real, fake, other, other_fake, maps=maps)
        assert found.critic <= found.features["critic_features"].exact + 1e-12 * abs(found.critic)
        for distances in found.features.values():
            assert distances.exact <= found.exact * (1 + 1e-12)
            assert min(distances.noise_floor, distances.generated_floor) > 0
        assert list(found.features) == ["critic_features", *(phi.name for phi in maps)]


def test_a_projection_that_holds_the_difference_loses_nothing():
    # All variation is along the first axis, as is the shift between the sets.
    direction = nn.functional.normalize(torch.ones(6), dim=0).double()
    t = torch.randn(80, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    real, fake = t * direction, (t + 2) * direction
    phi = principal_axes(real, 1, "l2")
    assert phi.certificate.bound == pytest.approx(1, abs=1e-12)
    found = evaluate(MLPCritic([6], width=8), real, fake, maps=[phi])
    assert found.exact == pytest.approx(2)
    assert found.features["pca_1"].exact == pytest.approx(2)


@pytest.mark.parametrize("n", [40, 400])
def test_principal_axes_are_those_of_the_covariance(n):
    # Fewer samples than coordinates, and more.
    x = torch.randn(n, 60, dtype=torch.float64) @ torch.diag(torch.linspace(3, 0.1, 60, dtype=torch.float64))
    axes = principal_axes(x, 5, "l2").network[1].weight
    expected = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:5]
    assert torch.allclose((axes @ expected.mT).abs(), torch.eye(5, dtype=torch.float64), atol=1e-9)


def test_a_map_is_divided_by_its_constant():
    x = torch.randn(30, 4, dtype=torch.float64)
    scaled = nn.Sequential(nn.Linear(4, 4, bias=False, dtype=torch.float64))
    with torch.no_grad():
        scaled[0].weight.copy_(7 * torch.eye(4))
    assert torch.allclose(certified_map("scaled", scaled, "l2")(x).values, x, atol=1e-12)


def test_an_l2_map_bounds_w1_in_l1_too():
    real, fake = torch.randn(2, 30, 4, dtype=torch.float64)
    phi = certified_map("half", nn.Sequential(nn.Linear(4, 3)).double(), "l1")
    assert phi.norm == "l2"
    found = evaluate(MLPCritic([4], width=8), real, fake, norm="l1", maps=[phi])
    assert found.features["half"].exact <= found.exact
    assert found.features["half"].exact == wasserstein1(phi(real).values, phi(fake).values).value


def test_errors_of_rounding_are_stated():
    x = 1e6 * torch.randn(50, 784)
    critic = nn.Sequential(OrthogonalLinear(784, 64), FullSort(), OrthogonalLinear(64, 1))
    phi = critic_features(score(critic, x, x), "l2")
    features = phi(x)
    weight, bias = (one.detach().numpy().astype(np.longdouble) for one in phi.network[0].parameters())
    precise = np.sort(x.double().numpy().astype(np.longdouble) @ weight.T + bias, axis=1)
    errors = np.sort(features.values.numpy() * phi.certificate.bound, axis=1) - precise
    assert 0 < np.linalg.norm(errors.astype(float), axis=1).max() <= features.rounding < 1e-2


def test_floors_are_of_the_same_sizes_as_the_comparison():
    real, other = torch.randn(2, 30, 4)
    other = torch.cat((other, torch.randn(20, 4)))
    fake, other_fake = torch.randn(2, 50, 4) / 2
    found = evaluate(MLPCritic([4], width=8), real, fake, other, other_fake)
    assert found.exact == wasserstein1(real, fake).value
    assert found.noise_floor == wasserstein1(real, other).value
    assert found.generated_floor == wasserstein1(fake[:30], other_fake).value
    assert found.generated_floor < found.noise_floor
    assert found.generated_floor_standard_error == wasserstein1(fake[:30], other_fake).standard_error
    assert {"w1/generated_floor", "w1_critic_features/noise_floor"} <= set(found.metrics())
    assert f"generated against itself {found.generated_floor:.3f} ±" in found.describe()


def test_floors_of_the_same_real_samples_are_reused(monkeypatch):
    real, other, fake, other_fake = torch.randn(4, 30, 40)
    critic, phi = MLPCritic([40], width=8), principal_axes(torch.randn(30, 40), 3, "l2")
    first = evaluate(critic, real, fake, other, other_fake, maps=[phi])
    for same_critic in (False, True):
        again = evaluate(
            critic, real, other_fake, other, fake, maps=[phi], same_real=_marked(first), same_critic=same_critic
        )
        assert again.noise_floor == again.features["pca_3"].noise_floor == -1
        assert (again.features["critic_features"].noise_floor == -1) == same_critic
        assert again.features["pca_3"].generated_floor == pytest.approx(first.features["pca_3"].generated_floor)


def _marked(evaluation):
    features = {name: dataclasses.replace(one, noise_floor=-1.0) for name, one in evaluation.features.items()}
    return dataclasses.replace(evaluation, noise_floor=-1.0, features=features)


def test_a_map_whose_certificate_is_wrong_fails_loudly(monkeypatch):
    certify = feature_map.certify

    def third(*arguments):
        certificate = certify(*arguments)
        return dataclasses.replace(certificate, bound=certificate.bound / 3)

    monkeypatch.setattr(feature_map, "certify", third)
    real, fake = torch.randn(2, 30, 4)
    with pytest.raises(BrokenBoundError, match=r"exceeds the exact W1 .* map pca_4 is certified 1-Lipschitz: this is"):
        evaluate(
            MLPCritic([4], width=8), real, fake + 3, maps=[principal_axes(real, 4, "l2")], in_critic_features=False
        )


def test_a_critic_above_its_own_features_fails_loudly(monkeypatch):
    certify = feature_map.certify

    def threefold(*arguments):
        certificate = certify(*arguments)
        return dataclasses.replace(certificate, bound=certificate.bound * 300)

    monkeypatch.setattr(feature_map, "certify", threefold)
    critic = nn.Sequential(OrthogonalLinear(1, 1), OrthogonalLinear(1, 1))
    real = torch.rand(30, 1)
    slope = (critic[0].weight * critic[1].weight).item()
    with pytest.raises(BrokenBoundError, match="critic's estimate"):
        evaluate(critic, real, real - 3 * slope)


def test_bad_maps_are_one_line_that_names_them():
    real, fake = torch.randn(2, 30, 4)
    for network, message in (
        (
            nn.Sequential(nn.Linear(4, 2), nn.Softplus()),
            "map mine must have a certified Lipschitz constant; it has none",
        ),
        (nn.Linear(4, 2), "map mine must have a positive and finite Lipschitz constant; got 0, so it maps all samples"),
    ):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        with pytest.raises(ValueError, match=message):
            certified_map("mine", network, "l2")
    with pytest.raises(ValueError, match="the map mine is certified in the l2 norm, so it bounds no W1 in norm='linf'"):
        certified_map("mine", Halving((4,)), "linf")
    with pytest.raises(
        ValueError, match="'pca-5' requires more than 5 samples of at least 5 coordinates; got 30 samples"
    ):
        principal_axes(real, 5, "l2")
    with pytest.raises(
        ValueError, match="'pca-4' requires more than 4 samples of at least 4 coordinates; got 4 samples"
    ):
        principal_axes(real[:4], 4, "l2")
    uncertified = nn.Sequential(nn.Linear(4, 2), nn.Softplus(), nn.Linear(2, 1))
    with pytest.raises(ValueError, match="features='critic' requires a critic with a certified Lipschitz constant"):
        evaluate(uncertified, real, fake, in_critic_features=True)
    assert evaluate(uncertified, real, fake).features == {}
    with pytest.raises(ValueError, match="features='critic' requires a critic with a hidden layer; this one has none"):
        evaluate(OrthogonalLinear(4, 1), real, fake, in_critic_features=True)
    assert evaluate(OrthogonalLinear(4, 1), real, fake).features == {}


@pytest.mark.parametrize("features", [["pca"], ["pca-0"], ["pca-x"], ["inception"], ["Critic"]])
def test_unknown_names_are_refused(features):
    with pytest.raises(ValueError, match=f"features must hold critic, pca-K .* got {features[0]!r}"):
        check_features(features)


def test_maps_of_one_name_are_refused():
    check_features(["critic", "pca-3", "pca-4", Halving((4,))])
    with pytest.raises(ValueError, match="features must be different; got pca_3 2 times"):
        check_features(["pca-3", "critic", "pca-3"])
    assert name_of(Halving((4,))) == "halving"
    assert name_of(MLPCritic([4])) == "mlpcritic"
