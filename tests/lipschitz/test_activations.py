"""The invariants of every activation."""

import copy
import warnings

import pytest
import torch
from torch.autograd.functional import jacobian

from tests.lipschitz.cases import ACTIVATION_CASES, ACTIVATIONS, turned
from wgan_lip.lipschitz import Abs, Householder, MaxMin, Maxout, certify


@pytest.mark.parametrize("case", ACTIVATIONS)
@pytest.mark.parametrize("channels", [12, 60])
def test_one_lipschitz_in_the_norms_that_it_claims(case, channels):
    activation = case.build(channels).double()
    x, y = torch.randn(2, 500, channels, dtype=torch.float64)
    # Near pairs too, between which few kinks lie.
    y[::2] = x[::2] + 1e-3 * y[::2]
    for p in case.norms:
        difference = (activation(x) - activation(y)).norm(p=p, dim=1)
        assert (difference <= case.bound * (x - y).norm(p=p, dim=1) * (1 + 1e-12)).all()


@pytest.mark.parametrize("case", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_certificate_is_above_every_slope_and_tight(case, dtype):
    activation = case.build(12).to(dtype)
    bound = certify(activation).bound
    assert case.bound <= bound <= case.bound * (1 + 16 * torch.finfo(dtype).eps)
    x = torch.randn(64, 12, dtype=torch.float64)
    exact = copy.deepcopy(activation).double()
    if isinstance(activation, Householder):
        # The function that float32 weights define: their normals, in exact arithmetic.
        v = activation.normals.detach().double()
        largest = float((2 * v.square().sum(1) - 1).max())
        assert bound >= largest
    for row in x[:8]:
        slope = torch.linalg.matrix_norm(jacobian(exact, row.unsqueeze(0)).squeeze(), ord=2)
        assert slope <= bound * (1 + 4 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("case", ACTIVATIONS)
@pytest.mark.parametrize("channels", [12, 60])
def test_gradient_norm_is_preserved_where_that_is_claimed(case, channels):
    activation = case.build(channels).double()
    x = torch.randn(30, channels, dtype=torch.float64, requires_grad=True)
    y = activation(x)
    upstream = torch.randn_like(y)
    (grad,) = torch.autograd.grad(y, x, upstream)
    ratio = grad.norm(dim=1) / upstream.norm(dim=1)
    if case.gradients == "none":
        assert ratio.min() < 0.9
    else:
        torch.testing.assert_close(ratio, torch.ones_like(ratio), atol=1e-13, rtol=0)
    assert (y.shape[1] < channels) == (case.gradients == "some")
    singular = torch.linalg.svdvals(jacobian(activation, x[:1].detach()).reshape(-1, channels))
    assert (bool(((singular - 1).abs() < 1e-13).all())) == (case.gradients != "none")


@pytest.mark.parametrize("case", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(3, 12), (3, 24, 5), (2, 12, 3, 4)])
def test_channels_are_on_axis_one_and_batches_do_not_mix(case, shape):
    activation = case.build(shape[1])
    x = torch.randn(shape)
    whole = activation(x)
    assert whole.shape[0] == shape[0]
    assert whole.shape[2:] == shape[2:]
    assert whole.dtype == x.dtype
    # One place of one sample at a time.
    places = x.movedim(1, -1).reshape(-1, shape[1])
    alone = torch.cat([activation(place.unsqueeze(0)) for place in places])
    # Vectorised functions round differently from single ones.
    torch.testing.assert_close(whole.movedim(1, -1).reshape(len(places), -1), alone)
    torch.testing.assert_close(activation(x.movedim(1, -1).contiguous().movedim(-1, 1)), whole)


@pytest.mark.parametrize("case", ACTIVATIONS)
def test_second_derivatives(case):
    activation = case.build(12).double()
    x = torch.randn(2, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(activation, (x,))
    assert torch.autograd.gradgradcheck(activation, (x,))


@pytest.mark.parametrize("case", ACTIVATIONS)
def test_state_dict_round_trip(case):
    activation, other = case.build(12), case.build(12)
    with torch.no_grad():
        for parameter in activation.parameters():
            parameter.add_(1)
    other.load_state_dict(activation.state_dict())
    x = torch.randn(5, 12)
    assert torch.equal(activation(x), other(x))


def test_householder_at_special_angles():
    x = torch.randn(50, 12, dtype=torch.float64)
    activation = Householder(12).double()
    torch.testing.assert_close(activation(x), MaxMin()(x), atol=1e-6, rtol=0)
    with torch.no_grad():
        activation.theta.fill_(torch.pi)
    pairs = x.view(50, 6, 2)
    expected = torch.stack((-pairs[..., 0].abs(), pairs[..., 1]), 2).view(50, 12)
    torch.testing.assert_close(activation(x), expected, atol=1e-14, rtol=0)
    # A whole turn exchanges the sides of the line, and two are none.
    before = turned(12).double()
    after = copy.deepcopy(before)
    with torch.no_grad():
        after.theta.add_(4 * torch.pi)
    torch.testing.assert_close(before(x), after(x))


def test_householder_learns_its_angles():
    activation = Householder(4).double()
    x = torch.randn(6, 4, dtype=torch.float64)

    def at(theta):
        return torch.func.functional_call(activation, {"theta": theta}, (x,))

    assert torch.autograd.gradcheck(at, (torch.tensor([0.3, -2.0], dtype=torch.float64, requires_grad=True),))


def test_householder_certificate_sees_normals_whose_rounding_made_them_too_long():
    theta = torch.linspace(0.01, 6, 400)
    activation = Householder(800)
    with torch.no_grad():
        activation.theta.copy_(theta)
    coarse = certify(activation.bfloat16()).bound
    v = activation.normals.detach().double()
    steepest = float((2 * v.square().sum(1) - 1).max())
    # A rounding to eight bits changes a length by up to 2^-8.
    assert 1 + 2**-8 < steepest <= coarse <= steepest * (1 + 1e-15)


@pytest.mark.parametrize("name", ["groupsort1", "groupsort3", "groupsort4", "groupsort12", "fullsort", "householder"])
def test_against_deel_torchlip(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torchlip = pytest.importorskip("deel.torchlip")
    case, x = ACTIVATION_CASES[name], torch.randn(40, 24)
    if name.startswith("groupsort"):
        assert torch.equal(case.build(24)(x), torchlip.GroupSort(int(name.removeprefix("groupsort")))(x))
    elif name == "fullsort":
        assert torch.equal(case.build(24)(x), torchlip.FullSort()(x))
    else:
        ours, theirs = turned(24), torchlip.HouseHolder(24)
        theirs.load_state_dict(ours.state_dict())
        # Theirs pairs channel i with i + C / 2.
        interleaved = x.view(40, 2, 12).mT.reshape(40, 24)
        torch.testing.assert_close(ours(interleaved).view(40, 12, 2).mT.reshape(40, 24), theirs(x))


def test_known_values():
    x = torch.tensor([[3.0, -1.0, -5.0, 2.0]])
    assert torch.equal(Abs()(x), x.abs())
    assert torch.equal(Maxout(2)(x), torch.tensor([[3.0, 2.0]]))
    assert torch.equal(Maxout(4)(x), torch.tensor([[3.0]]))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="Maxout needs group_size >= 1; got group_size=0"):
        Maxout(0)
    with pytest.raises(
        ValueError, match="Maxout needs channels divisible by group_size; got channels=10, group_size=4"
    ):
        Maxout(4)(torch.zeros(2, 10))
    for channels in (0, 7):
        with pytest.raises(ValueError, match=f"even number of channels, at least 2; got channels={channels}"):
            Householder(channels)
    with pytest.raises(ValueError, match=r"Householder needs channels=6; got an input of shape \(2, 8\)"):
        Householder(6)(torch.zeros(2, 8))
    with pytest.raises(ValueError, match="cannot certify the network"):
        certify(Householder(6, dim=0))
