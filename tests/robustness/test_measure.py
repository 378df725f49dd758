"""Clean, certified and attacked accuracy together."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import MaxMin, OrthogonalLinear, project_
from wgan_lip.robustness import (
    PGD,
    BrokenCertificateError,
    MarginCrossEntropy,
    RobustnessCertificate,
    certified,
    measure_robustness,
    robustness_so_far,
)

FEW = partial(PGD, steps=5, restarts=2)


def two_moons(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of the unit square: the class is the side of a wavy line on which they lie."""
    x = torch.rand(n, 1, 1, 2, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, 0, 0, 1] > 0.5 + 0.2 * torch.sin(6 * x[:, 0, 0, 0])).long()


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), OrthogonalLinear(2, 32), MaxMin(), OrthogonalLinear(32, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    x, y = two_moons(512, 0)
    for _ in range(150):
        optimizer.zero_grad()
        MarginCrossEntropy(0.1, 0.02)(network(x), y).mean().backward()
        optimizer.step()
        project_(network)
    return network


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_order_of_accuracies(trained, norm):
    x, y = two_moons(400, 1)
    found = measure_robustness(trained, x, y, norm, [0.02, 0.05, 0.1], 2, FEW)
    assert found.attacked == 400 * 3 * 2
    # Many attacks stay within the certified radius, where they are bound to fail.
    assert 400 < found.within < found.attacked
    assert found.unproven is None
    assert found.clean.n == 400
    assert found.clean.value > 0.9
    for row in found.at:
        assert row.certified.value <= row.pgd.value <= row.fgsm.value <= found.clean.value
        assert row.certified.low <= row.certified.value <= row.certified.high
    values = [row.certified.value for row in found.at]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0
    # Certified accuracy is the share of radii above eps.
    assert values[1] == pytest.approx(float((found.radii > 0.05).double().mean()))
    # Attacks of this size break some.
    assert found.at[-1].pgd.value < found.clean.value


def test_the_same_generator_gives_the_same_numbers(trained):
    x, y = two_moons(100, 2)
    found = [
        measure_robustness(trained, x, y, "l2", [0.1], 2, FEW, generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    ]
    assert found[0].at == found[1].at


def test_without_attacks_there_are_none(trained):
    found = measure_robustness(trained, *two_moons(50, 3), "l2", [0.1], 2, pgd=None)
    assert (found.attacked, found.at[0].pgd, found.at[0].fgsm) == (0, None, None)
    assert found.at[0].certified is not None


def test_of_an_uncertifiable_network_nothing_is_proven():
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 8), nn.GELU(), nn.Linear(8, 2))
    found = measure_robustness(network, *two_moons(50, 3), "l2", [0.1], 2, FEW)
    assert found.certificate is None
    assert "layer '2' (GELU): no bound is known" in found.unproven
    assert found.at[0].certified is None
    assert not found.radii.any()


def test_a_false_certificate_is_caught(trained, monkeypatch):
    """As if constants had been computed a hundred times too small."""
    honest = certified.certify_classifier

    def boastful(*arguments):
        found = honest(*arguments)
        return RobustnessCertificate(found.lipschitz, found.constants / 100)

    monkeypatch.setattr("wgan_lip.robustness.measure.certify_classifier", boastful)
    with pytest.raises(BrokenCertificateError, match="changed their class within their certified radius"):
        measure_robustness(trained, *two_moons(200, 4), "l2", [0.2], 2, FEW)


def test_a_constant_network_draws_everywhere():
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    nn.init.zeros_(network[1].weight)
    nn.init.zeros_(network[1].bias)
    found = measure_robustness(network, *two_moons(20, 5), "l2", [0.1], 2, FEW)
    assert (found.clean.value, found.at[0].certified.value) == (0, 0)


@pytest.mark.parametrize("eps", [-1.0, 0.0, float("nan"), float("inf")])
def test_radii_must_be_positive_with_or_without_attacks(trained, eps):
    for pgd in (None, FEW):
        with pytest.raises(ValueError, match="eps must hold positive and finite radii"):
            measure_robustness(trained, *two_moons(5, 3), "l2", [eps], 2, pgd)


def test_logits_must_be_finite_and_one_for_each_class(trained):
    with pytest.raises(ValueError, match=r"must give 3 finite logits for each image; got shape \(5, 2\)"):
        measure_robustness(trained, *two_moons(5, 3), "l2", [0.1], 3)
    diverged = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    nn.init.constant_(diverged[1].weight, float("nan"))
    with pytest.raises(ValueError, match="with NaN or infinity: its training diverged"):
        measure_robustness(diverged, *two_moons(5, 3), "l2", [0.1], 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_networks_of_other_precisions(trained, dtype):
    found = measure_robustness(copy.deepcopy(trained).to(dtype), *two_moons(100, 6), "l2", [0.05], 2, FEW)
    row = found.at[0]
    assert 0 < row.certified.value <= row.pgd.value <= row.fgsm.value <= found.clean.value


def test_no_images_are_an_error(trained):
    with pytest.raises(ValueError, match="x and y must hold the same number of images, at least 1; got 2 and 3"):
        measure_robustness(trained, torch.zeros(2, 1, 1, 2), torch.zeros(3).long(), "l2", [0.1], 2)


def test_what_is_proven_is_known_before_the_attacks_and_they_radius_by_radius(trained):
    x, y = two_moons(30, 7)
    told: list[int] = []
    first, second, last = robustness_so_far(trained, x, y, "l2", [0.05, 0.1], 2, FEW, watch=told.append)
    whole = measure_robustness(trained, x, y, "l2", [0.05, 0.1], 2, FEW)
    assert told == [len(x), len(x)]
    assert (first.attacked, second.attacked, last.attacked) == (0, 2 * len(x), 4 * len(x))
    assert [row.pgd is None for known in (first, second) for row in known.at] == [True, True, False, True]
    for known in (first, second, last):
        assert [row.certified for row in known.at] == [row.certified for row in whole.at]
        assert known.clean == whole.clean
    assert (last.at, last.within) == (whole.at, whole.within)
    assert second.at[0] == whole.at[0]
