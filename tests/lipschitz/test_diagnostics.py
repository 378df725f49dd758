"""Diagnostics of gradients: closed forms, laws, and Jacobians written out by torch.func."""

import copy
import itertools

import pytest
import torch
from torch import Tensor, nn

from tests.lipschitz.cases import ACTIVATION_CASES
from wgan_lip.lipschitz import (
    Abs,
    ConvexResidual,
    FullSort,
    GroupSort,
    Householder,
    MaxMin,
    Maxout,
    NormPool2d,
    OrthogonalConv2d,
    OrthogonalLinear,
    Scale,
    activation_patterns,
    diagnose,
    gradient_norms,
    gradient_profile,
    jacobian_spectrum,
    weight_spectra,
)
from wgan_lip.networks import ConvCritic, MLPCritic


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int, *shape: int) -> Tensor:
    return torch.randn(n, *shape, generator=generator(7), dtype=torch.float64)


def mlp(inputs: int, outputs: int, activation: nn.Module, width: int = 12) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Linear(inputs, width),
            activation,
            nn.Sequential(nn.Linear(width, width), activation),
            nn.Linear(width, outputs),
        ).double()


def explicit_jacobians(network: nn.Module, x: Tensor) -> Tensor:
    """(n, outputs, inputs), by forward and backward mode together."""
    jacobian = torch.func.vmap(torch.func.jacrev(lambda point: network(point[None])[0].flatten()))(x)
    return jacobian.flatten(2).detach()


class TestGradientProfile:
    def test_norms_are_those_of_the_explicit_products(self):
        network, x = mlp(5, 1, nn.Tanh()), points(40, 5)
        profile = gradient_profile(network, x)
        assert [layer.name for layer in profile.layers] == ["3", "2.1", "2.0", "1", "0", "input"]
        assert [layer.kind for layer in profile.layers] == ["Linear", "Tanh", "Linear", "Tanh", "Linear", "input"]
        assert (profile.n, profile.of) == (40, "the output")
        h, jacobians = x, []
        for layer in (network[0], network[1], network[2][0], network[2][1], network[3]):
            jacobians.append(explicit_jacobians(layer, h))
            h = layer(h)
        product = torch.ones(40, 1, 1, dtype=torch.float64)
        for place, jacobian in zip(profile.layers, [None, *reversed(jacobians)], strict=True):
            product = product if jacobian is None else product @ jacobian
            norms = product.flatten(1).norm(dim=1).detach()
            wanted = [norms.mean(), norms.std() / 40**0.5, norms.std(), norms.min(), norms.max()]
            found = [place.mean, place.standard_error, place.spread, place.smallest, place.largest]
            torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), torch.stack(wanted))

    @pytest.mark.parametrize("shape", [(6,), (1, 4, 4)])
    def test_the_last_is_the_gradient_norm_of_the_input(self, shape):
        critic, x = MLPCritic(shape, 8, 3), torch.randn(700, *shape, generator=generator())
        norms = gradient_norms(copy.deepcopy(critic).double(), x.double())
        profile = gradient_profile(critic, x)
        assert profile.input.name == "input"
        assert profile.input.mean == pytest.approx(float(norms.mean()), rel=1e-12)
        assert profile.input.standard_error == pytest.approx(float(norms.std()) / 700**0.5, rel=1e-9)

    def test_absolute_value_of_relu_and_of_maxmin(self):
        # |x| = relu(x) + relu(-x), by orthogonal layers only up to 1 / sqrt(2) each; MaxMin has max(x, -x) itself.
        for activation, output, norms in (
            (nn.ReLU(), [[1.0, 1.0]], [1.0, 1.0, 2**-0.5, 0.5]),
            (MaxMin(), [[-1.0, 1.0]], [1.0, 1.0, 1.0, 1.0]),
        ):
            network = nn.Sequential(OrthogonalLinear(1, 2), activation, OrthogonalLinear(2, 1)).double()
            with torch.no_grad():
                network[0].weight.copy_(torch.tensor([[1.0], [-1.0]], dtype=torch.float64) / 2**0.5)
                network[2].weight.copy_(torch.tensor(output, dtype=torch.float64) / 2**0.5)
            x = points(20, 1)
            profile = gradient_profile(network, x)
            assert [layer.mean for layer in profile.layers] == pytest.approx(norms, abs=1e-12)
            assert [layer.spread for layer in profile.layers] == pytest.approx([0.0] * 4, abs=1e-12)
            torch.testing.assert_close(network(x), norms[-1] * x.abs())

    @pytest.mark.parametrize("name", ["maxmin", "groupsort3", "fullsort", "abs", "householder-turned"])
    def test_norm_is_kept_by_square_orthogonal_layers(self, name):
        act = ACTIVATION_CASES[name].build(12)
        network = nn.Sequential(OrthogonalLinear(12, 12), act, OrthogonalLinear(12, 12), act, OrthogonalLinear(12, 1))
        for layer in gradient_profile(network, points(30, 12)).layers:
            assert layer.smallest == pytest.approx(1, abs=1e-5)
            assert layer.largest == pytest.approx(1, abs=1e-5)

    @pytest.mark.parametrize("name", sorted(ACTIVATION_CASES))
    def test_norm_never_grows_between_1_lipschitz_layers(self, name):
        case = ACTIVATION_CASES[name]
        linear, act = OrthogonalLinear(6, 12), case.build(12)
        left = act(torch.zeros(1, 12)).shape[1]
        network = nn.Sequential(linear, act, OrthogonalLinear(left, 4))
        for seed in range(3):
            means = [layer.mean for layer in gradient_profile(network, points(50, 6), generator=generator(seed)).layers]
            assert all(later <= before * (1 + 1e-5) for before, later in itertools.pairwise(means))

    def test_several_outputs(self):
        network, x = mlp(5, 3, nn.Tanh()), points(30, 5)
        jacobians = explicit_jacobians(network, x)
        for j in range(3):
            profile = gradient_profile(network, x, output=j)
            assert profile.of == f"output {j}"
            assert profile.input.mean == pytest.approx(float(jacobians[:, j].norm(dim=1).mean()), rel=1e-12)
        profile = gradient_profile(network, x, generator=generator(5))
        assert profile.of == "a random unit combination of 3 outputs"
        u = torch.randn(30, 3, generator=generator(5), dtype=torch.float64)
        pulled = torch.einsum("no,noi->ni", u / u.norm(dim=1, keepdim=True), jacobians).norm(dim=1)
        assert profile.input.mean == pytest.approx(float(pulled.mean()), rel=1e-12)
        assert profile.layers[0].mean == pytest.approx(1, abs=1e-12)

    def test_scale_and_dropout_in_evaluation(self):
        critic = nn.Sequential(nn.Dropout(0.9), OrthogonalLinear(4, 1), Scale(-3.0)).train()
        profile = gradient_profile(critic, points(10, 4))
        assert [layer.mean for layer in profile.layers] == pytest.approx([1, 3, 3, 3], rel=1e-6)
        assert critic.training

    def test_in_place_layers_do_not_disturb_it(self):
        x = points(20, 5)
        plain, hasty = mlp(5, 1, nn.ReLU()), mlp(5, 1, nn.ReLU(inplace=True))
        assert gradient_profile(plain, x) == gradient_profile(hasty, x)
        assert hasty[1].inplace

    def test_bad_arguments_are_named(self):
        network = mlp(5, 3, MaxMin())
        with pytest.raises(ValueError, match=r"at least 2 points, of shape \(n, ...\); got shape \(1, 5\)"):
            gradient_profile(network, points(1, 5))
        with pytest.raises(ValueError, match="output must lie between 0 and 2; got output=3"):
            gradient_profile(network, points(4, 5), output=3)
        with pytest.raises(ValueError, match="network has 3 outputs: give output, or a generator"):
            gradient_profile(network, points(4, 5))
        with pytest.raises(ValueError, match=r"one output for each of 4 samples; got shape \(20,\)"):
            gradient_profile(nn.Flatten(0), points(4, 5))
        broken = points(4, 5)
        broken[0] = float("nan")
        with pytest.raises(ValueError, match="finite gradients; 1 of 4 points have none"):
            gradient_profile(mlp(5, 1, nn.Tanh()), broken)


class TestJacobianSpectrum:
    @pytest.mark.parametrize("activation", [nn.Tanh(), MaxMin(), GroupSort(4), nn.ReLU()])
    @pytest.mark.parametrize(("inputs", "outputs"), [(6, 1), (6, 4), (4, 9), (1, 3)])
    def test_exact_ones_are_those_of_the_explicit_jacobian(self, activation, inputs, outputs):
        network, x = mlp(inputs, outputs, activation), points(7, inputs)
        spectrum = jacobian_spectrum(network, x)
        assert (spectrum.inputs, spectrum.outputs) == (inputs, outputs)
        torch.testing.assert_close(spectrum.values, torch.linalg.svdvals(explicit_jacobians(network, x)))

    def test_images(self):
        network = nn.Sequential(OrthogonalConv2d(1, 4, 2, 2), MaxMin(), NormPool2d(2), nn.Flatten(), nn.Linear(16, 3))
        x = points(3, 1, 8, 8)
        truth = torch.linalg.svdvals(explicit_jacobians(copy.deepcopy(network).double(), x))
        torch.testing.assert_close(jacobian_spectrum(network, x).values, truth)

    def test_large_ones_are_exact_too(self):
        network, x = nn.Sequential(nn.Linear(300, 280), nn.Tanh()), points(2, 300)
        spectrum = jacobian_spectrum(network, x)
        exact = torch.linalg.svdvals(explicit_jacobians(copy.deepcopy(network).double(), x))
        assert spectrum.values.shape == (2, 280)
        torch.testing.assert_close(spectrum.values, exact)

    def test_inside_inference_mode(self):
        network, x = mlp(5, 3, MaxMin()), points(4, 5)
        expected = jacobian_spectrum(network, x).values
        with torch.inference_mode():
            assert torch.equal(jacobian_spectrum(network, 1 * x).values, expected)

    def test_a_constant_network_has_none(self):
        network = nn.Sequential(nn.Linear(4, 3), Scale(1e-300), nn.ReLU(), nn.Linear(3, 2)).double()
        with torch.no_grad():
            network[0].bias.fill_(-1)
            network[0].weight.zero_()
        assert not jacobian_spectrum(network, points(3, 4)).values.any()

    def test_bad_arguments_are_named(self):
        with pytest.raises(ValueError, match="one output for each of 2 samples"):
            jacobian_spectrum(nn.Flatten(0), points(4, 5))


class TestActivationPatterns:
    def units(self, activation: nn.Module, x: Tensor):
        (found,) = activation_patterns(nn.Sequential(activation), x)
        return found.units, found.dead, found.constant

    def test_relu(self):
        #                  on     off    both   both
        x = torch.tensor([[1.0, -1.0, 1.0, -2.0], [2.0, -3.0, -1.0, 2.0], [3.0, -2.0, 1.0, 1.0]])
        assert self.units(nn.ReLU(), x) == (4, 1, 2)
        assert self.units(nn.LeakyReLU(), x) == (4, None, 2)
        assert self.units(Abs(), x) == (4, None, 2)

    def test_groups(self):
        # The first pair keeps its order, the second does not; in fours the order changes.
        x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 4.0, 2.0], [-1.0, 2.0, 0.0, 1.0]])
        assert self.units(MaxMin(), x) == (2, None, 1)
        assert self.units(GroupSort(2), x) == (2, None, 1)
        assert self.units(GroupSort(4), x) == (1, None, 0)
        assert self.units(FullSort(), x) == (1, None, 0)
        assert self.units(GroupSort(1), x) == (4, None, 4)
        assert self.units(Maxout(2), x) == (2, None, 1)
        # At its start Householder is MaxMin.
        assert self.units(Householder(4), x) == (2, None, 1)
        assert self.units(FullSort(), x + torch.tensor([0.0, 100, 200, 300])) == (1, None, 1)

    def test_pixels_are_points(self):
        x = torch.full((2, 2, 3, 3), -1.0)
        x[1, 0, 2, 1] = 1.0
        assert self.units(nn.ReLU(), x) == (2, 1, 1)
        assert self.units(MaxMin(), x) == (1, None, 0)
        assert self.units(GroupSort(2, dim=-1), torch.arange(36.0).view(2, 3, 6)) == (3, None, 3)

    def test_chunks_and_more_points(self):
        network = mlp(3, 1, nn.ReLU(), width=200)
        few, many = (activation_patterns(network, points(1500, 3)[:n]) for n in (20, 1500))
        assert [units.name for units in few] == ["1", "2.1"]
        for less, more in zip(few, many, strict=True):
            assert more.units == less.units == 200
            assert 0 < more.constant < less.constant
            assert more.dead <= less.dead
        h = network[0](points(1500, 3))
        assert many[0].dead == int((h <= 0).all(0).sum())
        assert many[0].constant == int(((h <= 0).all(0) | (h > 0).all(0)).sum())
        assert many[0].dead_share == many[0].dead / 200
        assert many[0].constant_share == many[0].constant / 200

    def test_smooth_layers_have_no_units(self):
        assert activation_patterns(mlp(3, 1, nn.Tanh()), points(5, 3)) == ()


class TestWeightSpectra:
    def test_dense_weights(self):
        network = mlp(5, 3, MaxMin())
        found = weight_spectra(network, points(2, 5))
        assert [(one.name, one.kind, one.shape) for one in found] == [
            ("0", "Linear", (12, 5)),
            ("2.0", "Linear", (12, 12)),
            ("3", "Linear", (3, 12)),
        ]
        torch.testing.assert_close(found[0].values, torch.linalg.svdvals(network[0].weight))
        for one in weight_spectra(MLPCritic((5,), 8, 2), points(2, 5)):
            torch.testing.assert_close(one.values, torch.ones_like(one.values), atol=1e-5, rtol=0)

    @pytest.mark.parametrize("sizes", [(2, 3, 3, 1), (3, 2, 4, 2), (1, 4, 2, 2), (2, 2, 5, 2), (1, 2, 6, 3)])
    def test_convolutions_on_a_torus(self, sizes):
        conv = OrthogonalConv2d(*sizes).double()
        with torch.no_grad():
            # No longer orthogonal: any kernel will do.
            for parameter in conv.parameters():
                parameter.data = parameter.data + 0.3 * torch.randn(parameter.shape, dtype=torch.float64)
        side = 8 if sizes[3] == 2 else 6
        x = points(2, sizes[0], side, side)
        (found,) = weight_spectra(conv, x)
        exact = torch.linalg.svdvals(explicit_jacobians(conv, x)[0])
        torch.testing.assert_close(found.values, exact, rtol=1e-9, atol=1e-10)

    def test_without_overlap_padding_does_not_matter(self):
        conv = OrthogonalConv2d(2, 5, 2, 2, padding_mode="zeros")
        (found,) = weight_spectra(conv, points(2, 2, 6, 4))
        torch.testing.assert_close(found.values, torch.ones(5 * 6, dtype=torch.float64), atol=1e-5, rtol=0)

    def test_what_is_not_known_is_said(self):
        network = nn.Sequential(
            OrthogonalConv2d(1, 4, 3, 1, padding_mode="zeros"),
            ConvexResidual(OrthogonalConv2d(4, 4, 3, 1)),
            nn.Conv2d(4, 2, 3),
        )
        zeros, inside, plain = weight_spectra(network, points(2, 1, 6, 6))
        assert (zeros.values, zeros.reason) == (None, "zero padding cuts patches off at the edge")
        assert (inside.name, inside.reason) == ("1.branch", None)
        assert plain.values is None
        assert "known only for the convolutions of this package" in plain.reason


def test_diagnosis_changes_nothing_and_puts_all_together():
    critic = ConvCritic((1, 8, 8), channels=(4,), hidden=(16,)).train()
    state = copy.deepcopy(critic.state_dict())
    x = torch.randn(100, 1, 8, 8, generator=generator())
    with torch.inference_mode():
        found = diagnose(critic, x.clone(), generator())
    assert found.gradients == gradient_profile(critic, x)
    assert found.units == activation_patterns(critic, x)
    # Of one output: the gradient's norm.
    assert float(found.jacobian.values.mean()) == pytest.approx(found.gradients.input.mean, rel=1e-12)
    assert found.jacobian.values.shape == (100, 1)
    assert [one.name for one in found.weights] == ["0", "3", "5"]
    assert critic.training
    assert all(torch.equal(state[name], value) for name, value in critic.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in critic.parameters())


def test_diagnosis_of_several_outputs_takes_fewer_points_for_the_jacobian():
    found = diagnose(mlp(5, 3, MaxMin()), points(100, 5), generator(), jacobian_points=8)
    assert found.gradients.of == "a random unit combination of 3 outputs"
    assert found.jacobian.values.shape == (8, 3)
    with pytest.raises(ValueError, match="jacobian_points must be at least 2; got jacobian_points=1"):
        diagnose(mlp(5, 3, MaxMin()), points(10, 5), generator(), jacobian_points=1)


def test_a_network_that_cannot_be_copied_is_named():
    network = nn.Sequential(nn.Linear(3, 1))
    network.register_buffer("kept", torch.ones(1, requires_grad=True) * 2)
    with pytest.raises(ValueError, match="the network cannot be copied to float64"):
        gradient_profile(network, points(4, 3))


def test_a_layer_that_is_none_is_named():
    network = nn.Sequential(nn.Linear(3, 1))
    network.register_module("1", None)
    with pytest.raises(ValueError, match="layer '' cannot be applied: its child '1' is None"):
        gradient_profile(network, points(4, 3))
