"""Potentials from any values and from plans: feasibility in exact arithmetic, closed forms, and convergence."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from wgan_lip.transport import wasserstein1
from wgan_lip.transport.solvers import bracket
from wgan_lip.transport.solvers.bracket import potentials_of_plan, repair, shortest_step
from wgan_lip.transport.solvers.problem import Plan


@pytest.mark.parametrize("dimension", [1, 3])
def test_repaired_potentials_are_feasible_in_exact_arithmetic_and_hardly_smaller(dimension):
    rng = np.random.default_rng(0)
    u = Fraction(1, 2**53)
    for scale in (1.0, 1e-3, 1e3):
        distance, values = rng.uniform(size=(12, 9)), scale * rng.normal(size=9)
        x, y = repair(distance, values, dimension)
        for row, own in zip(distance.tolist(), x.tolist(), strict=True):
            # What the true distances are at least, given d + 4 roundings of each.
            slack = [
                Fraction(d) * (1 - (dimension + 4) * u) - Fraction(own) - Fraction(other)
                for d, other in zip(row, y.tolist(), strict=True)
            ]
            size = max(map(abs, row)) + max(map(abs, y.tolist()))
            assert 0 <= min(slack) <= (dimension + 20) * u * Fraction(size)
        assert np.abs(y / values - 1).max() <= (dimension + 6) * 2.0**-53


def test_a_distance_of_one_is_repaired_by_six_roundings_and_two():
    x, y = repair(np.ones((1, 1)), np.zeros(1), 1)
    lost = (1 - Fraction(float(x[0]))) * 2**53
    assert 5 <= lost <= Fraction(17, 2)
    assert y.tolist() == [0]


@pytest.mark.parametrize(("held", "rows"), [(1, [1] * 7), (6, [1] * 7), (15, [3, 3, 1]), (16, [3, 3, 1]), (99, [7])])
def test_rows_are_repaired_in_blocks_of_any_size(held, rows, monkeypatch):
    sizes, shrink = [], bracket.shrink
    monkeypatch.setattr(bracket, "_HELD", held)
    monkeypatch.setattr(bracket, "shrink", lambda part, d: (sizes.append(part.shape), shrink(part, d))[1])
    rng = np.random.default_rng(0)
    distance, values = rng.uniform(size=(7, 5)), rng.normal(size=5)
    x = repair(distance, values, 2)[0]
    np.testing.assert_allclose(x, (distance - values).min(axis=1), rtol=0, atol=1e-13)
    assert sizes == [(5,), *((count, 5) for count in rows)]


def matching(n):
    return Plan(np.arange(n), np.arange(n), np.ones(n))


def test_potentials_of_a_plan_price_what_moves_at_its_distance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4))
    shift = np.array([0.3, 0, 0, 0])
    distance = cdist(x, x + shift)
    plan, moved = matching(30), np.diagonal(distance)
    y = potentials_of_plan(shortest_step(distance), plan, moved, distance.shape)
    x_potential = (distance - y).min(axis=1)
    np.testing.assert_allclose(x_potential + y, moved, atol=1e-13)
    # No larger than the geometry demands.
    assert np.abs(y).max() <= distance.max()


def test_sets_of_different_sizes_have_potentials_of_theirs():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(3, 2))
    result = wasserstein1(x, y)
    distance = cdist(x, y)
    plan = Plan(result.plan.row.astype(np.intp), result.plan.col.astype(np.intp), result.plan.data)
    for shape, table, turned in (
        ((6, 3), distance, plan),
        ((3, 6), distance.T, Plan(plan.columns, plan.rows, plan.mass)),
    ):
        potential = potentials_of_plan(shortest_step(table), turned, table[turned.rows, turned.columns], shape)
        assert potential.shape == shape[1:]
        slack = table - (table - potential).min(axis=1)[:, None] - potential
        np.testing.assert_allclose(slack[turned.rows, turned.columns], 0, atol=1e-12)


def test_without_moving_mass_one_round_of_paths_suffices():
    rounds = []
    distance = np.zeros((4, 4))
    potential = potentials_of_plan(
        lambda path: (rounds.append(1), shortest_step(distance)(path))[1], matching(4), np.zeros(4), (4, 4)
    )
    assert potential.tolist() == [0] * 4
    assert len(rounds) == 1


def test_a_chain_takes_a_round_for_each_link(monkeypatch):
    # On a line, each point moves one to the right: the last one's path leads over all others.
    n = 40
    x = np.arange(n, dtype=float)[:, None]
    distance = cdist(x, x + 1)
    rounds = []

    def shortest(path):
        rounds.append(1)
        return shortest_step(distance)(path)

    y = potentials_of_plan(shortest, matching(n), np.ones(n), distance.shape)
    np.testing.assert_allclose((distance - y).min(axis=1) + y, 1, atol=1e-12)
    assert len(rounds) <= n + 1
    with monkeypatch.context() as patch:
        patch.setattr(bracket, "_ROUNDS", 3)
        rounds.clear()
        # A plan that is not optimal has cycles on which paths shorten for ever.
        wrong = Plan(np.arange(n), np.roll(np.arange(n), 1), np.ones(n))
        potentials_of_plan(shortest, wrong, distance[wrong.rows, wrong.columns], distance.shape)
        assert len(rounds) == 3


@pytest.mark.parametrize(("step", "moved", "expected"), [(7, 0.0, 2), (8, 0.0, 200), (64, 8.0, 2), (80, 8.0, 200)])
def test_paths_that_shorten_by_no_more_than_eight_roundings_are_done(step, moved, expected):
    rounds = []

    def shortest(path):
        rounds.append(1)
        return np.full(1, -0.99 - step * 2.0**-53 * len(rounds))

    # Of paths of length 0.99, and back from there by the distance that mass moves over.
    potentials_of_plan(shortest, matching(1), np.full(1, moved), (1, 1))
    assert len(rounds) == expected


def test_a_step_over_all_arcs_is_the_shortest_of_all_paths():
    distance = np.array([[1.0, 5.0], [2.0, 3.0]])
    assert shortest_step(distance)(np.array([1.0, -1.0])).tolist() == [1.0, 2.0]
