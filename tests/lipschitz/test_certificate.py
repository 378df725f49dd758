"""The certificate: true for what it accepts, an error for what it cannot bound."""

import copy
import itertools
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from wgan_lip.lipschitz import (
    Cayley,
    ConstrainedLinear,
    ConvexResidual,
    FullSort,
    GroupSort,
    LInfProjection,
    MaxMin,
    OrthogonalLinear,
    Scale,
    Unconstrained,
    certify,
    norm_of,
)
from wgan_lip.networks import MLPCritic


@given(
    widths=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    activation=st.sampled_from([FullSort, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity, lambda: nn.LeakyReLU(-1.5)]),
    factor=st.floats(0.1, 10),
    seed=st.integers(0, 999),
)
def test_bound_holds_between_any_two_points_and_against_the_jacobian(widths, activation, factor, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Linear(inputs, outputs), activation()]
        network = nn.Sequential(nn.Sequential(*layers), Scale(-factor)).double()
        bound = certify(network).bound
        x, y = 3 * torch.randn(2, 50, widths[0], dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(network, x[:1]).reshape(widths[-1], widths[0])
    assert ((network(x) - network(y)).norm(dim=1) <= bound * (x - y).norm(dim=1) * (1 + 1e-12) + 1e-13).all()
    assert torch.linalg.svdvals(jacobian).max() <= bound * (1 + 1e-12)


def test_bound_of_orthogonal_critic_is_one_and_of_a_scaled_one_its_factor():
    assert 1 - 1e-6 <= certify(MLPCritic((1, 8, 8), width=64, depth=4)).bound <= 1 + 1e-5
    assert certify(MLPCritic((5,), width=8, lipschitz_constant=3.0)).bound == pytest.approx(3, rel=1e-5)


def test_certificate_lists_its_factors_and_their_product():
    network = nn.Sequential(nn.Flatten(), nn.Sequential(OrthogonalLinear(4, 6), GroupSort(3)), Scale(2.0))
    certificate = certify(network)
    assert [(layer.name, layer.kind) for layer in certificate.layers] == [
        ("0", "Flatten"),
        ("1.0", "OrthogonalLinear"),
        ("1.1", "GroupSort"),
        ("2", "Scale"),
    ]
    assert certificate.norm == "l2"
    assert certificate.bound >= math.prod(layer.bound for layer in certificate.layers)
    assert certify(OrthogonalLinear(3, 2, constraint=Cayley())).layers[0].kind == "OrthogonalLinear"


def test_a_layer_counts_as_often_as_it_is_applied():
    double = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        double.weight.copy_(2 * torch.eye(2))
    assert certify(nn.Sequential(double, nn.ReLU(), double)).bound >= 4
    block = nn.Sequential(double, nn.ReLU())
    assert certify(nn.Sequential(block, block, block)).bound >= 8
    scale = Scale(3)
    assert certify(nn.Sequential(scale, scale)).bound >= 9


def test_certifying_changes_nothing():
    network = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(5, 5)), nn.Dropout()).train()
    network[0].parametrizations.eval()
    before = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    certify(network)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


class DoublingLinear(nn.Linear):
    """Looks like a linear layer, and is twice as steep."""

    def forward(self, x):
        return 2 * super().forward(x)


class RepeatingSequential(nn.Sequential):
    """Applies every layer twice."""

    def __iter__(self):
        return iter([layer for layer in self._modules.values() for _ in range(2)])


class SkippingSequential(nn.Sequential):
    """Looks like a composition, and is a sum."""

    def forward(self, x):
        return x + super().forward(x)


def hooked() -> nn.Module:
    layer = nn.Linear(3, 3)
    layer.register_forward_hook(lambda module, args, output: 10 * output)
    return layer


def overwritten() -> nn.Module:
    layer = nn.Linear(3, 3)
    layer.forward = lambda x: 10 * x  # type: ignore[method-assign]
    return layer


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Bilinear(3, 3, 3), "Bilinear"),
        (nn.LayerNorm(3), "LayerNorm"),
        (nn.BatchNorm1d(3), "BatchNorm1d"),
        (nn.Softplus(), "Softplus"),
        (DoublingLinear(3, 3), "DoublingLinear"),
        (SkippingSequential(nn.Linear(3, 3)), "SkippingSequential"),
        (RepeatingSequential(nn.Linear(3, 3)), "RepeatingSequential"),
        (nn.Linear(3, 3, dtype=torch.complex64), "Linear"),
        (nn.LeakyReLU(float("nan")), "LeakyReLU"),
        (FullSort(dim=0), "FullSort"),
        (GroupSort(3, dim=-2), "GroupSort"),
        (nn.Flatten(0), "Flatten"),
        (hooked(), "Linear"),
        (overwritten(), "Linear"),
    ],
)
def test_a_layer_that_cannot_be_bounded_is_named(layer, kind):
    with pytest.raises(ValueError, match=rf"cannot certify layer '1\.0' \({kind}\)"):
        certify(nn.Sequential(nn.Linear(3, 3), nn.Sequential(layer)))


def test_a_diverged_weight_is_named():
    layer = nn.Linear(3, 3)
    with torch.no_grad():
        layer.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"layer '1'.*NaN"):
        certify(nn.Sequential(MaxMin(), layer))


def test_a_bias_that_is_not_finite_is_named():
    layer = nn.Linear(3, 3)
    with torch.no_grad():
        layer.bias[0] = float("inf")
    with pytest.raises(ValueError, match="parameter or buffer holds NaN"):
        certify(layer)


def test_what_is_no_module_is_refused():
    with pytest.raises(TypeError, match=r"network must be a torch\.nn\.Module; got function"):
        certify(lambda x: x)


def test_the_network_itself_is_named_as_such():
    with pytest.raises(ValueError, match=r"cannot certify the network \(Bilinear\)"):
        certify(nn.Bilinear(1, 1, 1))


def test_scale_needs_a_finite_factor():
    for factor in (float("nan"), float("inf"), 0.0):
        with pytest.raises(ValueError, match="Scale needs a finite factor"):
            Scale(factor)


class _ScaledConv(nn.Conv2d):
    def _conv_forward(self, x, weight, bias):
        return 100 * super()._conv_forward(x, weight, bias)


class _Noise(nn.Module):
    def forward(self, weight):
        return weight * (1 + torch.rand(()))


def test_what_is_hidden_behind_a_known_forward_is_refused():
    with pytest.raises(ValueError, match="its forward is not that of Conv2d"):
        certify(_ScaledConv(1, 1, 3))
    layer = nn.Linear(3, 3)
    layer._call_impl = lambda x: 2 * x
    with pytest.raises(ValueError, match="its forward is not that of Linear"):
        certify(layer)
    noisy = nn.Linear(3, 3)
    nn.utils.parametrize.register_parametrization(noisy, "weight", _Noise())
    with pytest.raises(ValueError, match="its weight is not the same each time that it is computed"):
        certify(noisy)


def test_hooks_on_everything_are_refused():
    handle = nn.modules.module.register_module_forward_hook(lambda module, x, y: 10 * y)
    try:
        with pytest.raises(ValueError, match="forward hooks"):
            certify(nn.Linear(2, 2))
    finally:
        handle.remove()
    assert certify(nn.Linear(2, 2)).bound > 0


def residual(weight: float, branch: float) -> ConvexResidual:
    """A residual connection whose branch has a known constant."""
    layer = ConvexResidual(Scale(branch))
    layer.weight = weight
    return layer


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.7, 1.0, 1.5, -0.5])
@pytest.mark.parametrize("branch", [0.3, 1.0, 7.7])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_bound_of_a_residual_connection_is_above_exact_arithmetic_and_close(weight, branch, norm):
    certificate = certify(residual(weight, branch), norm)
    exact = abs(1 - Fraction(weight)) + abs(Fraction(weight)) * Fraction(branch)
    u = Fraction(1, 2**53)
    assert exact <= Fraction(certificate.bound) <= exact * (1 + 12 * u)
    assert certificate.norm == norm


def test_a_residual_connection_that_is_its_branch_has_four_roundings_more():
    assert certify(residual(1.0, 1.0)).bound == 1 + 4 * 2.0**-52


@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_a_residual_connection_needs_a_finite_weight(weight):
    with pytest.raises(ValueError, match=rf"^cannot certify the network \(ConvexResidual\): its weight is {weight}$"):
        certify(residual(weight, 1.0))


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (nn.Flatten(0), "it must act on axis 1 or higher, or on axis -1, not on the batch; got start_dim=0"),
        (nn.Flatten(-2), "it must act on axis 1 or higher, or on axis -1, not on the batch; got start_dim=-2"),
        (GroupSort(3, dim=0), "it must act on axis 1 or higher, or on axis -1, not on the batch; got dim=0"),
        (nn.LeakyReLU(-math.inf), "its negative_slope is -inf"),
        (hooked(), "it has forward hooks, or a forward set on the instance, that may change its output"),
        (DoublingLinear(3, 3), "its forward is not that of Linear"),
        (nn.Linear(3, 3, dtype=torch.complex64), "its weight is not a dense tensor of floating-point numbers"),
    ],
)
def test_why_a_layer_cannot_be_bounded_is_said(layer, why):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        certify(layer)
    assert str(error.value) == f"cannot certify the network ({type(layer).__name__}): {why}"


def test_classes_of_which_a_bound_is_known_are_listed_in_order():
    with pytest.raises(ValueError, match=r": no bound is known for this class; known are Abs, Conv2d, Conv") as error:
        certify(nn.Bilinear(1, 1, 1))
    listed = str(error.value).split("known are ")[1].split(", ")
    assert listed == sorted(listed)
    assert {"Linear", "ConvexResidual", "MaxMin", "Dropout"} <= set(listed)


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (nn.Sigmoid(), 0.25),
        (nn.Tanh(), 1),
        (nn.LeakyReLU(0.2), 1),
        (nn.LeakyReLU(-1.5), 1.5),
        (Scale(-0.5), 0.5),
        (MaxMin(dim=-1), 1),
        (nn.Flatten(1), 1),
        (nn.Flatten(2), 1),
        (nn.Unflatten(1, (3, 1)), 1),
    ],
)
def test_bounds_of_layers_without_weights_are_exact(layer, bound):
    for norm in ("l2", "linf"):
        assert certify(layer, norm).bound == bound


def test_a_layer_is_bounded_as_it_is_in_evaluation_mode_and_left_in_its_own():
    seen = []

    class Mode(nn.Module):
        def __init__(self, layer):
            super().__init__()
            # Not as a child, which would be one of its own.
            self.layer = [layer]

        def forward(self, weight):
            seen.append(self.layer[0].training)
            return weight

    for norm in ("l2", "linf"):
        layer = nn.Linear(2, 2).train()
        nn.utils.parametrize.register_parametrization(layer, "weight", Mode(layer))
        seen.clear()
        certify(layer, norm)
        assert seen
        assert not any(seen)
        assert layer.training


def test_norms_that_are_held_are_named_each_by_its_first_layer():
    network = nn.Sequential(
        ConstrainedLinear(2, 2, Unconstrained()),
        OrthogonalLinear(2, 2),
        OrthogonalLinear(2, 2),
        ConstrainedLinear(2, 2, LInfProjection()),
    )
    with pytest.raises(ValueError) as error:  # noqa: PT011
        norm_of(network)
    assert str(error.value) == (
        "the layers' constraints are in different norms, layer '1' (StiefelRetraction) in l2 and layer '3' "
        "(LInfProjection) in linf, whose constants cannot be multiplied: use constraints in one norm, or give the norm "
        "in which to bound the weights as they are"
    )
    assert certify(network[0]).norm == "l2"


def test_a_buffer_that_is_not_finite_is_named_and_integers_are_no_harm():
    layer = nn.Linear(3, 3)
    layer.register_buffer("counts", torch.tensor([1, 2]))
    assert certify(layer).bound > 0
    layer.register_buffer("scale", torch.tensor([1.0, math.inf]))
    with pytest.raises(ValueError, match=r"\(Linear\): a parameter or buffer holds NaN or infinity$"):
        certify(layer)
