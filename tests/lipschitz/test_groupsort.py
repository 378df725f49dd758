"""GroupSort and its special cases: against a plain sort, and against their invariants."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd.functional import jacobian

from wgan_lip.lipschitz import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.activations import groupsort


@given(
    groups=st.integers(1, 6),
    group_size=st.integers(1, 7),
    dim=st.sampled_from([1, 2, -1]),
    seed=st.integers(0, 99),
    ties=st.booleans(),
)
def test_groupsort_sorts_adjacent_groups(groups, group_size, dim, seed, ties):
    generator = torch.Generator().manual_seed(seed)
    shape = [3, 2, 4]
    shape[dim] = groups * group_size
    x = torch.randn(shape, generator=generator)
    x = x.round() if ties else x
    expected = torch.cat([part.sort(dim=dim).values for part in x.split(group_size, dim=dim)], dim=dim)
    assert torch.equal(GroupSort(group_size, dim=dim)(x), expected)


def test_maxmin_is_groupsort_of_two_and_fullsort_of_all():
    x = torch.randn(5, 12, 3, 3)
    assert torch.equal(MaxMin()(x), GroupSort(2)(x))
    assert torch.equal(FullSort()(x), GroupSort(12)(x))
    assert torch.equal(MaxMin()(torch.tensor([[3.0, 1.0, -1.0, 2.0]])), torch.tensor([[1.0, 3.0, -1.0, 2.0]]))


@pytest.mark.parametrize("activation", [GroupSort(3), MaxMin(), FullSort()])
def test_jacobian_is_a_permutation(activation):
    j = jacobian(activation, torch.randn(1, 12, dtype=torch.float64)).reshape(12, 12)
    assert torch.equal(j @ j.T, torch.eye(12, dtype=torch.float64))
    assert set(j.unique().tolist()) == {0.0, 1.0}


# Every way of sorting: by pairs, by comparisons, by NumPy (one thread), by torch.
SIZES = [1, 2, 3, 4, 5, 8, 9, 16, 50]


@pytest.fixture(params=["as shipped", "always by comparisons"])
def small(request, monkeypatch):
    """The inputs here are so small that groups of 3 to 8 would all go to torch.sort."""
    if request.param != "as shipped":
        monkeypatch.setattr(groupsort, "_SMALL", 0)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("group_size", SIZES)
@pytest.mark.parametrize("shape", [(3, 2), (64, 3), (1, 1), (2, 3, 5), (3, 2, 2, 2), (0, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int32])
def test_every_way_of_sorting_is_that_of_torch(group_size, shape, dtype):
    batch, groups, *trailing = shape
    x = (3 * torch.randn(batch, groups * group_size, *trailing)).to(dtype)
    x[:1] = x[:1].round()
    if dtype.is_floating_point and batch:
        x[0, 0] = float("inf")
        x[0, -1] = -float("inf")
    expected = x.unflatten(1, (groups, group_size)).sort(dim=2).values.flatten(1, 2)
    assert torch.equal(GroupSort(group_size)(x), expected)
    strided = x.movedim(1, -1).contiguous().movedim(-1, 1)
    assert torch.equal(GroupSort(group_size)(strided), expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("trailing", [(), (2, 3)])
@pytest.mark.parametrize("group_size", SIZES)
def test_gradients_agree_and_keep_their_norm_among_ties(group_size, trailing, threads):
    x = torch.randn(6, 2 * group_size, *trailing, dtype=torch.float64)
    upstream = torch.randn_like(x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for point in (x, x.round(), torch.zeros_like(x)):
            point.requires_grad_()
            (grad,) = torch.autograd.grad(GroupSort(group_size)(point), point, upstream)
            # A permutation of the upstream gradient within its group, and the one that sorts where nothing is tied.
            groups = (2, group_size)
            assert torch.equal(grad.unflatten(1, groups).sort(2).values, upstream.unflatten(1, groups).sort(2).values)
            if point is x:
                y = point.unflatten(1, groups).sort(2).values.flatten(1, 2)
                assert torch.equal(grad, torch.autograd.grad(y, point, upstream)[0])
    finally:
        torch.set_num_threads(before)


# PyTorch itself builds its forward-mode rules with what it deprecates.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("trailing", [(), (2, 3)])
@pytest.mark.parametrize("group_size", SIZES)
def test_second_derivatives_and_the_transforms_of_torch_func(group_size, trailing):
    activation = GroupSort(group_size)
    # No two closer than 0.1: numerical differentiation must not change their order.
    shape = torch.Size((3, 2 * group_size, *trailing))
    x = (torch.randperm(shape.numel()).double() / 10).view(shape).requires_grad_()
    assert torch.autograd.gradgradcheck(activation, (x,))
    weights = torch.arange(2.0 * group_size, dtype=torch.float64).view(-1, *(1 for _ in trailing))

    def scalar(sample):
        return (weights * activation(sample.unsqueeze(0)).square()).sum()

    (expected,) = torch.autograd.grad(sum(scalar(sample) for sample in x), x)
    assert torch.equal(torch.func.vmap(torch.func.grad(scalar))(x.detach()), expected)
    primal, tangent = torch.func.jvp(activation, (x.detach(),), (x.detach(),))
    # Homogeneous of degree one (Euler).
    assert torch.equal(primal, tangent)
    assert torch.equal(torch.compile(activation, backend="eager")(x), activation(x))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("group_size", SIZES)
def test_nan_is_never_lost(group_size):
    x = torch.randn(200, 2 * group_size)
    x[torch.rand_like(x) < 0.3] = float("nan")
    x = x.round()
    y = GroupSort(group_size)(x).view(-1, group_size)
    assert torch.equal(y.isnan().any(1), x.view(-1, group_size).isnan().any(1))
    images = GroupSort(group_size)(x.view(100, 2, -1).transpose(1, 2)).unflatten(1, (2, group_size))
    expected = x.view(100, 2, -1).transpose(1, 2).unflatten(1, (2, group_size)).isnan().any(2)
    assert torch.equal(images.isnan().any(2), expected)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"channels divisible by group_size; got channels=10, group_size=4"):
        GroupSort(4)(torch.zeros(2, 10))
    with pytest.raises(ValueError, match="group_size >= 1; got group_size=0"):
        GroupSort(0)
    with pytest.raises(ValueError, match="axis dim=1"):
        MaxMin()(torch.zeros(4))
