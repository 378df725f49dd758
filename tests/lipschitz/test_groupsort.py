"""GroupSort and its special cases: against a plain sort, and against their invariants."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd.functional import jacobian

from wgan_lip.lipschitz import FullSort, GroupSort, MaxMin


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


@pytest.mark.parametrize("activation", [GroupSort(3), MaxMin(), FullSort()])
@pytest.mark.parametrize("p", [1, 2, float("inf")])
def test_one_lipschitz_in_every_norm(activation, p):
    x, y = torch.randn(2, 500, 12, dtype=torch.float64)
    difference = (activation(x) - activation(y)).norm(p=p, dim=1)
    assert (difference <= (x - y).norm(p=p, dim=1) * (1 + 1e-14)).all()


def test_maxmin_gradient_with_ties_still_preserves_its_norm():
    x = torch.zeros(4, 6, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(4, 6, dtype=torch.float64)
    MaxMin()(x).backward(upstream)
    assert x.grad is not None
    torch.testing.assert_close(x.grad.norm(dim=1), upstream.norm(dim=1))


def test_second_derivatives_pass_gradgradcheck():
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(MaxMin(), (x,))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"channels divisible by group_size; got channels=10, group_size=4"):
        GroupSort(4)(torch.zeros(2, 10))
    with pytest.raises(ValueError, match="group_size >= 1; got group_size=0"):
        GroupSort(0)
    with pytest.raises(ValueError, match="axis dim=1"):
        MaxMin()(torch.zeros(4))
