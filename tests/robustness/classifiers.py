"""Small classifiers of real digits, trained in a second."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from wgan_lip.lipschitz import MaxMin, OrthogonalLinear, project_


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images, their classes, held-out images, their classes; pixels in [0, 1], shape (N, 64)."""
    data = load_digits()
    order = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(0))
    x, y = torch.from_numpy(data.data).float()[order] / 16, torch.from_numpy(data.target).long()[order]
    return x[:1300], y[:1300], x[1300:], y[1300:]


def plain_classifier(generator: torch.Generator) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -0.125, 0.125, generator=generator)
    return _trained(network, generator, 1.0)


def orthogonal_classifier(generator: torch.Generator) -> nn.Sequential:
    network = nn.Sequential(
        OrthogonalLinear(64, 64, generator=generator),
        MaxMin(),
        OrthogonalLinear(64, 64, generator=generator),
        MaxMin(),
        OrthogonalLinear(64, 10, generator=generator),
    )
    return _trained(network, generator, 10.0)


def _trained(network: nn.Sequential, generator: torch.Generator, temperature: float) -> nn.Sequential:
    x, y, _, _ = digits()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(200):
        rows = torch.randint(len(x), (128,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(temperature * network(x[rows]), y[rows]).backward()
        optimizer.step()
        project_(network)
    optimizer.zero_grad()
    return network.requires_grad_(False)
