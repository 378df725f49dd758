"""Plain networks: the same function, of ordinary layers."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from tests.lipschitz.cases import CONSTRAINTS, turned
from wgan_lip.lipschitz import (
    Abs,
    Bjorck,
    ConstrainedConv2d,
    ConstrainedLinear,
    ConvexResidual,
    FullSort,
    GroupSort,
    LInfConv2d,
    LInfLinear,
    MaxMin,
    Maxout,
    NormPool2d,
    OrthogonalConv2d,
    OrthogonalLinear,
    Scale,
    ScaledAvgPool2d,
    SpectralNorm,
    plain,
)
from wgan_lip.lipschitz.certificate.rules import RULES
from wgan_lip.lipschitz.export.plain import sorting_stages
from wgan_lip.networks import (
    ConvClassifier,
    ConvCritic,
    DCGANCritic,
    DCGANGenerator,
    MLPClassifier,
    MLPCritic,
    MLPGenerator,
    ResidualCritic,
)


def _zero_padded(*sizes: int) -> OrthogonalConv2d:
    return OrthogonalConv2d(*sizes, padding_mode="zeros")


# What PyTorch has no layer for.
KEPT = (Abs, ConvexResidual, FullSort, GroupSort, Maxout, Scale)
IMAGE, VECTOR = (4, 6, 6), (12,)
LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    **{f"linear-{name}": (ConstrainedLinear(12, 7, build()), VECTOR) for name, build in CONSTRAINTS.items()},
    "linear-no-bias": (OrthogonalLinear(12, 7, bias=False), VECTOR),
    **{
        f"conv{k}/{s}-{mode}": (OrthogonalConv2d(4, 6, k, s, padding_mode=mode), IMAGE)
        for mode in ("circular", "zeros")
        for k, s in ((1, 1), (2, 2), (2, 1), (3, 1), (4, 1), (3, 2), (4, 2), (5, 2), (5, 3))
    },
    "conv-reshaped": (ConstrainedConv2d(4, 6, 3, 1, Bjorck()), IMAGE),
    "conv-ordinary": (nn.Conv2d(4, 6, 3, (1, 2), "valid", 2, groups=2, bias=False), IMAGE),
    "conv-torus": (nn.Conv2d(4, 6, 3, padding="same", padding_mode="circular"), IMAGE),
    "conv-spectral": (parametrizations.spectral_norm(nn.Conv2d(4, 6, 3)), IMAGE),
    "transposed-ordinary": (nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2), IMAGE),
    "average": (ScaledAvgPool2d(3), IMAGE),
    "norm": (NormPool2d(3), IMAGE),
    "unshuffle": (nn.PixelUnshuffle(2), IMAGE),
    "shuffle": (nn.PixelShuffle(2), IMAGE),
    "groupsort": (GroupSort(3), VECTOR),
    "maxmin": (MaxMin(), IMAGE),
    "fullsort": (FullSort(), VECTOR),
    "maxout": (Maxout(3), VECTOR),
    "householder": (turned(12), VECTOR),
    "abs": (Abs(), VECTOR),
    "scale": (Scale(2.5), VECTOR),
    "identity": (nn.Identity(), VECTOR),
    "flatten": (nn.Flatten(), IMAGE),
    "unflatten": (nn.Unflatten(1, (3, 4)), VECTOR),
    "dropout": (nn.Dropout(0.5), VECTOR),
    "relu": (nn.ReLU(), VECTOR),
    "tanh": (nn.Tanh(), VECTOR),
    "sigmoid": (nn.Sigmoid(), VECTOR),
    "leaky": (nn.LeakyReLU(0.3), VECTOR),
    "residual": (ConvexResidual(nn.Sequential(OrthogonalLinear(12, 12), nn.Dropout()), 0.3), VECTOR),
    "batch-norm": (nn.BatchNorm2d(4), IMAGE),
}
NETWORKS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "mlp": (MLPCritic([3, 4], 24, 3, lipschitz_constant=10.0), (3, 4)),
    "mlp-groups": (MLPCritic([5], 24, 2, activation=lambda: GroupSort(3)), (5,)),
    "mlp-fullsort": (MLPCritic([5], 16, 2, activation=FullSort), (5,)),
    "mlp-maxout": (MLPCritic([5], 24, 2, activation=lambda: Maxout(4)), (5,)),
    "mlp-householder": (MLPCritic([5], 24, 2, activation=turned), (5,)),  # type: ignore[arg-type]
    "mlp-abs": (MLPCritic([5], 24, 2, activation=Abs), (5,)),
    "conv": (ConvCritic([1, 12, 12], [4, 8], [16], lipschitz_constant=0.5), (1, 12, 12)),
    "conv-zeros": (ConvCritic([2, 8, 8], [4], [], kernel_size=3, conv=_zero_padded), (2, 8, 8)),
    "dcgan": (DCGANCritic([3, 16, 16], 4), (3, 16, 16)),
    "residual": (ResidualCritic([1, 8, 8], 4, 2), (1, 8, 8)),
    "classifier": (MLPClassifier([3, 4], 5, [8, 8], dropout=0.5, lipschitz_constant=2.0), (3, 4)),
    "classifier-l-infinity": (
        ConvClassifier([1, 8, 8], 5, [4, 8], [16], conv=LInfConv2d, linear=LInfLinear, dropout=0.2),
        (1, 8, 8),
    ),
    "generator": (MLPGenerator([1, 4, 4], 6, 16), (6,)),
    "dcgan-generator": (DCGANGenerator([1, 8, 8], 6, 4), (6,)),
    "nested": (
        nn.Sequential(nn.Sequential(nn.Flatten(), nn.Identity()), nn.Sequential(OrthogonalLinear(12, 8), nn.Dropout())),
        (3, 4),
    ),
}


def points(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn((5, *shape), dtype=dtype, generator=torch.Generator().manual_seed(0))


def with_biases(network: nn.Module) -> nn.Module:
    """Biases and running means start at 0, which hides that they are lost."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if name.endswith(("bias", "running_mean")):
            tensor.data.copy_(torch.randn(tensor.shape, generator=generator))
    return network


CASES = [pytest.param(*case, id=name) for name, case in {**LAYERS, **NETWORKS}.items()]


@pytest.mark.parametrize(("network", "shape"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_same_function_of_ordinary_layers(network, shape, dtype, tolerance):
    network = with_biases(network).to(dtype).train()
    x = points(shape, dtype)
    made = plain(network)
    # It is in training mode, as before, and the plain one is not.
    assert network.training
    expected = network.eval()(x)
    assert not made.training
    torch.testing.assert_close(made(x), expected, atol=tolerance, rtol=tolerance)
    assert made(x).dtype == dtype
    for layer in made:
        assert type(layer).__module__.startswith("torch.nn") or isinstance(layer, (*KEPT, type(turned(2))))
        assert not isinstance(layer, (nn.Dropout, nn.Identity))
        assert not parametrize.is_parametrized(layer)
        if not isinstance(layer, ConvexResidual):
            assert not list(layer.children())
            assert {name for name, _ in layer.named_parameters()} <= {"weight", "bias", "theta"}


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "residual"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_same_function_of_relus(name, dtype, tolerance):
    network, shape = NETWORKS[name]
    network = with_biases(network).to(dtype).eval()
    made = plain(network, relu=True)
    x = points(shape, dtype)
    torch.testing.assert_close(made(x), network(x), atol=tolerance, rtol=tolerance)
    assert all(type(layer).__module__.startswith("torch.nn.modules") for layer in made)


def test_every_layer_that_certify_bounds_can_be_made_plain():
    made = {base for layer, _ in LAYERS.values() for base in type(layer).__mro__}
    assert set(RULES) <= made


def test_residual_branches_are_plain_too():
    network, shape = NETWORKS["residual"]
    network = network.double().eval()
    for relu in (False, True):
        made = plain(network, relu)
        torch.testing.assert_close(made(points(shape)), network(points(shape)), atol=1e-12, rtol=1e-12)
        kinds = {type(layer) for layer in made.modules()}
        assert OrthogonalConv2d not in kinds
        assert (MaxMin in kinds) == (not relu)


def test_maxmin_between_linear_layers_takes_one_hidden_layer():
    """Linear maps and ReLU by turns, with two units for each channel, and no Scale."""
    network = nn.Sequential(
        OrthogonalLinear(5, 8), MaxMin(), OrthogonalLinear(8, 8), MaxMin(), OrthogonalLinear(8, 1), Scale(3.0)
    )
    made = plain(network, relu=True)
    assert [type(layer) for layer in made] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert [tuple(layer.weight.shape) for layer in made[::2]] == [(16, 5), (16, 16), (1, 16)]
    images = nn.Sequential(OrthogonalConv2d(1, 4, 3), MaxMin(), OrthogonalConv2d(4, 4, 3), nn.Flatten())
    expected = [nn.CircularPad2d, nn.Conv2d, nn.ReLU, nn.CircularPad2d, nn.Conv2d, nn.Flatten]
    assert [type(layer) for layer in plain(images, relu=True)] == expected


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 13, 16, 32])
def test_sorting_networks_sort(size):
    """All arrangements of zeros and ones are sorted, and so, by the 0-1 principle, everything: here many of them."""
    generator = torch.Generator().manual_seed(0)
    x = torch.cat(
        (
            torch.rand(2000, 2 * size, generator=generator, dtype=torch.float64).round(),
            torch.randn(100, 2 * size, generator=generator, dtype=torch.float64),
        )
    )
    y, stages = x, sorting_stages(2 * size, size)
    for stage in stages:
        y = (y @ stage.before.T).relu() @ stage.after.T
    torch.testing.assert_close(y, GroupSort(size)(x), atol=1e-12, rtol=0)
    rounds = (size - 1).bit_length()
    assert len(stages) <= rounds * (rounds + 1) // 2


def test_scale_goes_into_a_layer_beside_it():
    x = points((12,))
    linear = OrthogonalLinear(12, 4).double()
    for network, kinds in (
        (nn.Sequential(linear, Scale(3.0)), [nn.Linear]),
        (nn.Sequential(Scale(2.0), Scale(3.0), linear), [nn.Linear]),
        (
            nn.Sequential(linear, nn.Unflatten(1, (2, 2)), nn.Flatten(), Scale(3.0)),
            [nn.Linear, nn.Unflatten, nn.Flatten],
        ),
        (nn.Sequential(linear, nn.Tanh(), Scale(3.0)), [nn.Linear, nn.Tanh, Scale]),
        (nn.Sequential(nn.Tanh(), Scale(3.0), nn.Sigmoid()), [nn.Tanh, Scale, nn.Sigmoid]),
        (nn.Sequential(Scale(3.0), nn.Tanh(), linear), [Scale, nn.Tanh, nn.Linear]),
    ):
        made = plain(with_biases(network))
        assert [type(layer) for layer in made] == kinds
        torch.testing.assert_close(made(x), network(x), atol=1e-12, rtol=1e-12)
    # In the form of ReLUs too.
    network = with_biases(nn.Sequential(linear, MaxMin(), Scale(3.0), Scale(0.5), nn.Tanh(), Scale(2.0), Abs()))
    with pytest.raises(ValueError, match="MaxMin"):
        plain(nn.Sequential(nn.Flatten(), MaxMin()), relu=True)
    torch.testing.assert_close(plain(network, relu=True)(x), network(x), atol=1e-12, rtol=1e-12)


def test_nothing_is_shared_or_changed():
    network = MLPCritic([5], 8, 2, linear=lambda m, n: ConstrainedLinear(m, n, SpectralNorm())).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    made = plain(network)
    assert torch.equal(state, torch.get_rng_state())
    for parameter in made.parameters():
        assert parameter.requires_grad
        parameter.data.zero_()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(part.training for part in network.modules())


def _hooked() -> nn.Module:
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    network[1].register_forward_hook(lambda module, args, out: 2 * out)
    return network


class _Doubled(MaxMin):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    ("network", "relu", "message"),
    [
        (
            nn.Sequential(nn.Linear(2, 2), _Doubled()),
            False,
            r"layer '1' \(_Doubled\) plain: its forward is not that of",
        ),
        (_hooked(), False, r"layer '1' \(ReLU\) plain: it has forward hooks"),
        (nn.TransformerEncoderLayer(4, 1), False, r"network \(TransformerEncoderLayer\) plain: no equivalent ordinary"),
        (
            nn.Sequential(nn.Sequential(turned(4)), turned(4)),
            True,
            r"'0.0' \(Householder\).*must follow a linear layer",
        ),
        (nn.Sequential(nn.Linear(4, 5), MaxMin()), True, "group_size=2 does not divide the 5 channels"),
        (nn.Sequential(nn.Conv2d(4, 4, 1), MaxMin(dim=-1)), True, "must act on axis 1; got dim=-1"),
        (nn.Sequential(nn.Linear(6, 6), turned(4)), True, "does not act on the 6 channels"),
    ],
)
def test_what_cannot_be_made_plain_is_named(network, relu, message):
    with pytest.raises(ValueError, match=message):
        plain(network, relu)
