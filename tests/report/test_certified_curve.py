"""The curve of certified accuracy is the share of radii above each radius."""

import torch
from torch import nn

from wgan_lip.lipschitz import MaxMin, OrthogonalLinear
from wgan_lip.report import certified_curve
from wgan_lip.robustness import FGSM, measure_robustness


def measured(network: nn.Module):
    x = torch.rand(300, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > x[:, 1]).long()
    return measure_robustness(network, x, y, "l2", [0.05, 0.1], 2, FGSM)


def test_the_curve_goes_through_the_accuracies():
    torch.manual_seed(0)
    found = measured(nn.Sequential(OrthogonalLinear(4, 8), MaxMin(), OrthogonalLinear(8, 2)))
    (curve,) = (line for line in certified_curve(found).axes[0].lines if line.get_label() == "certified")
    radii, shares = (torch.as_tensor(values) for values in curve.get_data())
    assert float(radii[0]) == 0
    for row in found.at:
        at = int((radii <= row.eps).sum()) - 1
        assert abs(float(shares[at]) / 100 - row.certified.value) < 1e-6
    assert float(shares[-1]) == 0


def test_without_a_certificate_there_is_no_curve():
    figure = certified_curve(measured(nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2))))
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["clean", "withstood PGD", "withstood FGSM"]
