"""Layers that work in place: what they overwrite is nobody's but theirs."""

import copy

import pytest
import torch
from torch import nn

from wgan_lip.files import write_network
from wgan_lip.lipschitz import (
    ConvexResidual,
    GradientPenalty,
    OrthogonalLinear,
    certify,
    gradient_norms,
    plain,
)
from wgan_lip.lipschitz.certificate.rounding import values_and_magnitudes
from wgan_lip.lipschitz.inspection import not_in_place
from wgan_lip.robustness import FGSM, PGD, measure_robustness
from wgan_lip.robustness.certified import logits_of
from wgan_lip.training.callbacks.feature_quality import describe

STEEP = nn.LeakyReLU(-30.0, inplace=True)
BRANCHES = {
    "leaky-relu": STEEP,
    "relu": nn.ReLU(inplace=True),
    "behind-identity": nn.Sequential(nn.Identity(), STEEP),
    "behind-dropout": nn.Sequential(nn.Dropout(), nn.Sequential(STEEP)),
    "behind-flatten": nn.Sequential(nn.Flatten(), nn.Dropout(inplace=True), STEEP),
    "in-a-residual": ConvexResidual(nn.Sequential(nn.Identity(), STEEP), 0.3),
    "after-a-residual": nn.Sequential(ConvexResidual(STEEP, 0.3), nn.ReLU(inplace=True)),
    "unflatten": nn.Sequential(nn.Unflatten(1, (2, 1)), STEEP, nn.Flatten()),
}


@pytest.mark.parametrize("weight", [1e-3, 0.5])
@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("branch", BRANCHES.values(), ids=list(BRANCHES))
def test_a_residual_connection_adds_what_it_was_given(branch, norm, weight):
    network = nn.Sequential(ConvexResidual(branch, weight)).double().eval()
    x, y = torch.randn(2, 200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    order = 2 if norm == "l2" else torch.inf
    with torch.no_grad():
        expected = not_in_place(copy.deepcopy(network))(x)
        torch.testing.assert_close(network(x.clone()), expected, rtol=0, atol=0)
        apart = (network(x.clone()) - network(y.clone())).norm(order, dim=1)
    assert (apart <= certify(network, norm).bound * (x - y).norm(order, dim=1) * (1 + 1e-12)).all()


def test_a_residual_connection_of_two_precisions_adds_in_the_higher():
    class Half(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.bfloat16()

    x = torch.full((1, 2), 1 + 2.0**-20)
    assert ConvexResidual(Half(), 0.5)(x).tolist() == (0.5 * x + 0.5).tolist()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.LeakyReLU(0.1, inplace=True), OrthogonalLinear(8, 2)).eval()


def critic() -> nn.Sequential:
    return nn.Sequential(*network(), OrthogonalLinear(2, 1))


def images(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(20, 1, 2, 4, generator=torch.Generator().manual_seed(1), dtype=dtype) * 2 - 1


def stream() -> torch.Generator:
    return torch.Generator().manual_seed(2)


LABELS = torch.arange(20) % 2
USES = {
    "values": lambda x: values_and_magnitudes(network().double(), x.double(), 7),
    "logits": lambda x: logits_of(network().double(), x),
    "gradient norms": lambda x: gradient_norms(critic(), x.float()),
    "penalty": lambda x: GradientPenalty()(critic(), x.float(), x.float(), stream()),
    "fgsm": lambda x: FGSM(0.1, bounds=(-1, 1))(network(), x.float(), LABELS, stream()),
    "pgd": lambda x: PGD(0.1, bounds=(-1, 1), steps=3)(network(), x.float(), LABELS, stream()),
    "robustness": lambda x: measure_robustness(network(), x.float(), LABELS, "l2", [0.1], classes=2, pgd=None),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_samples_are_left_as_they_were(use, dtype):
    x = images(dtype)
    use(x)
    torch.testing.assert_close(x, images(dtype), rtol=0, atol=0)


def test_gradient_norms_are_those_of_the_same_function_out_of_place():
    torch.testing.assert_close(gradient_norms(critic(), images()), gradient_norms(not_in_place(critic()), images()))


@pytest.mark.parametrize("attack", [FGSM(0.2, "l2", (-1, 1)), PGD(0.2, "l2", (-1, 1), steps=5, restarts=2)])
def test_attacks_return_points_of_their_ball(attack):
    found = attack(network(), images(), LABELS, stream())
    assert ((found - images()).flatten(1).norm(dim=1) <= 0.2 * (1 + 1e-6)).all()
    torch.testing.assert_close(found, attack(not_in_place(network()), images(), LABELS, stream()))


def test_features_leave_images_as_they_were():
    class Features(nn.Module):
        input_shape = (1, 2, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.relu_().flatten(1)

    x = images()
    describe(Features(), x)
    torch.testing.assert_close(x, images(), rtol=0, atol=0)


def test_an_exported_network_leaves_its_inputs_as_they_are(tmp_path):
    exported, x = plain(network()), images()
    exported(x)
    torch.testing.assert_close(x, images(), rtol=0, atol=0)
    assert write_network(exported, tmp_path / "network.pt", images(), network()).difference < 1e-6
