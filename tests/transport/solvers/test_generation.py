"""The steps of a column generation, each against all arcs at once."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from wgan_lip.transport.result import Budget
from wgan_lip.transport.solvers import column_generation
from wgan_lip.transport.solvers.arcs import Arcs
from wgan_lip.transport.solvers.column_generation import (
    _centered,
    _Generation,
    _random_quarter,
    solve_column_generation,
)
from wgan_lip.transport.solvers.pricing import Transform
from wgan_lip.transport.solvers.problem import Plan, Problem, integer_masses, monotone_plan

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 9)), RNG.normal(size=(30, 9)) + 0.2


def problem_of(x, y, x_share=None, y_share=None, norm="l2"):
    shares = np.ones(len(x)) if x_share is None else x_share, np.ones(len(y)) if y_share is None else y_share
    return Problem(x, y, *integer_masses(*shares), norm)


def generation(problem=None, reports=None, budget=None):
    heard = [] if reports is None else reports
    problem = problem or problem_of(X, Y)
    return _Generation(problem, budget or Budget(), lambda *state: heard.append(state), "cpu")


def keys(arcs):
    return set(zip(arcs.rows.tolist(), arcs.columns.tolist(), strict=True))


def test_a_quarter_of_equal_points_is_drawn_each_once():
    drawn = _random_quarter(np.full(403, 3.0))
    assert len(drawn) == 100
    assert (np.diff(drawn) > 0).all()
    assert drawn.max() < 403
    # At random, but the same each time.
    assert np.array_equal(drawn, _random_quarter(np.full(403, 3.0)))
    assert not np.array_equal(drawn, np.arange(100))
    assert np.array_equal(drawn, np.sort(np.random.default_rng(0).permutation(403)[:100]))


def test_a_quarter_of_other_points_is_drawn_by_their_masses():
    mass = np.ones(400)
    mass[7], mass[9] = 1e6, 0
    drawn = _random_quarter(mass)
    assert len(drawn) == 100
    assert (np.diff(drawn) >= 0).all()
    assert (drawn == 7).sum() > 95
    assert 9 not in drawn


def test_potentials_are_moved_to_small_numbers_and_keep_their_sums():
    x, y = RNG.normal(size=20) + 100, RNG.normal(size=11) - 100
    x_centered, y_centered = _centered(x, y)
    assert np.median(y_centered) == 0
    np.testing.assert_allclose(x_centered[:, None] + y_centered, x[:, None] + y, rtol=1e-12)


@pytest.mark.parametrize("apart", [0.09, 0.11])
def test_sets_are_apart_from_a_tenth_of_their_width_on(apart):
    # Of standard deviation 1 along the first axis, and less along the other.
    x = np.array([[-1.0, 0.5], [1.0, -0.5]])
    for direction in (0, 1):
        shift = np.zeros(2)
        shift[direction] = apart
        assert generation(problem_of(x, x + shift))._are_apart() == (apart > 0.1)


def test_the_first_plan_goes_along_the_way_between_the_sets_or_the_widest_axis():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 12, 3))
    x[0, 1], y[:, 1] = 9, y[:, 1] * 3
    for far in (0.0, 40.0):
        moved = y - y.mean(axis=0) + x.mean(axis=0) + [0, 0, far]
        axis = x.mean(axis=0) - moved.mean(axis=0) if far else np.array([0.0, 1.0, 0.0])
        problem = problem_of(x, moved)
        found, expected = (
            generation(problem)._first_plan,
            monotone_plan(problem, *(np.argsort(s @ axis) for s in (x, moved))),
        )
        assert found.rows.tolist() == expected.rows.tolist()
        assert found.columns.tolist() == expected.columns.tolist()
        # It is the first bound from above.
        cost = (cdist(x, moved)[found.rows, found.columns] * found.mass).sum() / problem.total
        assert generation(problem).bracket.cost == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize("sides", [(False,), (True,), (False, True)])
@pytest.mark.parametrize("start", [False, True])
def test_the_first_arcs_are_the_cheapest_of_each_point_and_a_feasible_plan(sides, start):
    run, distance = generation(), cdist(X, Y)
    rng = np.random.default_rng(2)
    potentials = (rng.normal(size=40), rng.normal(size=30)) if start else None
    arcs, repaired = run._first_arcs(potentials, 3, sides)
    x_potential, y_potential = (np.zeros(40), np.zeros(30)) if potentials is None else potentials
    expected = set(zip(run._first_plan.rows.tolist(), run._first_plan.columns.tolist(), strict=True))
    for swapped in sides:
        if swapped:
            price = distance - x_potential[:, None]
            expected |= {(i, j) for j in range(30) for i in np.argsort(price[:, j])[:3].tolist()}
            y_potential = price.min(axis=0) if start else y_potential
        else:
            price = distance - y_potential
            expected |= {(i, j) for i in range(40) for j in np.argsort(price[i])[:3].tolist()}
            x_potential = price.min(axis=1) if start else x_potential
    assert keys(arcs) == expected
    np.testing.assert_allclose(arcs.cost, distance[arcs.rows, arcs.columns], rtol=1e-14)
    assert (repaired is None) == (not start)
    if start:
        np.testing.assert_allclose(repaired[0], x_potential, atol=1e-3)
        np.testing.assert_allclose(repaired[1], y_potential, atol=1e-3)


def paying(swapped, gains, known=(0,), looseness=0.0, computed=None):
    """Those of some arcs of one point that join the known ones, where each would gain so much.

    Bounds are less than the prices by the looseness; computed gets the numbers of arcs whose prices were looked at.
    """
    others = np.arange(1.0, 1 + len(gains))[:, None]
    sides = (others, np.zeros((1, 1))) if swapped else (np.zeros((1, 1)), others)
    run, shape = generation(problem_of(*sides)), (len(sides[0]), len(sides[1]))
    # The one point's own potential is part of the gains, but not of the pricer's bounds.
    mine, theirs = np.array([0.5]), others[:, 0] + gains - 0.5
    bounds = (others[:, 0] - theirs - looseness)[None]
    distance = run._distance
    run._distance = lambda rows, columns: (
        ([] if computed is None else computed).append(len(rows)) or distance(rows, columns)
    )
    transform = Transform(bounds[:, 0], np.arange(len(gains))[None], bounds, np.ones(1, dtype=bool))
    before = Arcs(shape, np.array(known, dtype=np.int64), 1.0 + np.array(known))
    after = run._add_violated(before, swapped, transform, *((theirs, mine) if swapped else (mine, theirs)))
    np.testing.assert_allclose(after.cost, 1 + after.keys)
    return after.keys.tolist()


@pytest.mark.parametrize("swapped", [False, True])
def test_arcs_within_half_of_the_worst_violation_are_added(swapped):
    assert paying(swapped, [-3.0, 2.0, 0.5, 0.0, -0.9, -1.0, -1.1]) == [0, 1, 2, 3, 4]
    # The worst of those that are new counts, and what is known stays.
    assert paying(swapped, [9.0, 2.0, -0.9, -1.1]) == [0, 1, 2]
    assert paying(swapped, [2.0, -0.9, -1.1, 9.0], known=[3]) == [0, 1, 3]
    assert paying(swapped, [2.0, 2.0, 2.0], known=[0, 1, 2]) == [0, 1, 2]


@pytest.mark.parametrize("swapped", [False, True])
def test_distances_are_computed_only_of_arcs_whose_bounds_allow_a_violation(swapped):
    computed = []
    gains = [-3.0, 2.0, 0.5, -0.75, -1.0, -1.25]
    assert paying(swapped, gains, computed=computed) == [0, 1, 2, 3]
    # Loose bounds allow more, of which the price decides: that of exactly half is too much.
    assert paying(swapped, gains, looseness=0.5, computed=computed) == [0, 1, 2, 3]
    assert paying(swapped, [-3.0, -0.5, -1.0], computed=computed) == [0]
    assert paying(swapped, [-3.0, 0.5, -0.375], computed=computed) == [0, 1]
    assert computed == [3, 5, 0, 1]


@pytest.mark.parametrize("swapped", [False, True])
def test_no_arc_is_added_for_a_violation_within_rounding(swapped):
    assert paying(swapped, [-1.0, 0.0, -1.0, -2.0]) == [0]
    assert paying(swapped, [9.0, -0.1, -1.0]) == [0]
    # Of potentials, or distances, up to 2.5: a few of their roundings.
    assert paying(swapped, [-3.0, 2e-15, -3.0, -4.0]) == [0]
    assert paying(swapped, [-3.0, 4e-15, -3.0, -4.0]) == [0, 1]
    gains = [-1.0, 8e-15, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0, -9.0, -10.0]
    assert paying(swapped, gains, known=[0, 9]) == [0, 9]
    assert paying(swapped, [*gains[:1], 2e-14, *gains[2:]], known=[0, 9]) == [0, 1, 9]


def test_the_dearest_arcs_are_dropped_if_there_are_too_many(monkeypatch):
    monkeypatch.setattr(column_generation, "_MANY", 1.0)
    monkeypatch.setattr(column_generation, "_KEPT", 1)
    x, y = np.zeros((2, 1)), np.arange(1.0, 9)[:, None]
    run, shape = generation(problem_of(x, y)), (2, 8)
    arcs = Arcs(shape, np.arange(14), np.concatenate((np.arange(1.0, 9), np.arange(1.0, 7))))
    zero = np.zeros(2), np.zeros(8)
    plan = Plan(np.array([0]), np.array([7]), np.ones(1))
    # Ten of fourteen are kept at least, those of the plan and the new ones besides.
    more = arcs.merged(np.array([1]), np.array([7]), np.array([8.0]))
    kept = run._drop_dearest(arcs, more, plan, *zero)
    prices = dict(zip(arcs.keys.tolist(), arcs.cost.tolist(), strict=True))
    limit = sorted(prices.values())[10]
    assert kept.keys.tolist() == sorted([key for key, price in prices.items() if price <= limit] + [7, 15])
    # Potentials count: with the second point's the other way round.
    cheap = np.array([0.0, 9.0])
    priced = arcs.reduced_cost(cheap, np.zeros(8))
    limit = np.sort(priced)[10]
    kept = run._drop_dearest(arcs, more, plan, cheap, np.zeros(8))
    assert kept.keys.tolist() == sorted({*arcs.keys[priced <= limit].tolist(), 7, 15})
    # Neither if there are few, nor if few were there before.
    few = Arcs(shape, arcs.keys[:9], arcs.cost[:9])
    assert run._drop_dearest(few, few, plan, *zero) is few
    before = Arcs(shape, arcs.keys[:10], arcs.cost[:10])
    assert run._drop_dearest(before, more, plan, *zero) is more
    monkeypatch.setattr(column_generation, "_MANY", 1.4)
    assert run._drop_dearest(arcs, arcs, plan, *zero) is arcs


def test_arcs_of_the_first_plan_are_dropped_unless_they_are_used():
    run = generation()
    first = run._first_plan
    arcs, _ = run._first_arcs(None, 2, (False, True))
    plan = Plan(first.rows[:3], first.columns[:3], first.mass[:3])
    unused = set(zip(first.rows[3:].tolist(), first.columns[3:].tolist(), strict=True))
    unused -= set(zip(first.rows[:3].tolist(), first.columns[:3].tolist(), strict=True))
    assert keys(run._drop_first_plan(arcs, plan)) == keys(arcs) - unused


@pytest.mark.parametrize("swapped", [False, True])
def test_pricing_tightens_the_bracket_by_a_feasible_pair(swapped):
    run, distance = generation(), cdist(X, Y)
    potential = RNG.normal(size=40 if swapped else 30)
    found = run._price(swapped, "difference64", potential, 2)
    price = (distance.T - potential if swapped else distance - potential).min(axis=1)
    np.testing.assert_allclose(found.potential, price, atol=1e-12)
    best = np.full(40, 0.5) if swapped else np.full(30, 0.5)
    run._price(swapped, "difference64", best, 2)
    x, y = run.bracket.x_potential, run.bracket.y_potential
    assert (distance - x[:, None] - y).min() >= 0
    lower = x.mean() + y.mean()
    assert run.bracket.lower == pytest.approx(lower, rel=1e-12)
    assert lower > 0


def test_new_arcs_cost_their_distance_and_no_more_than_the_cap():
    run, distance = generation(), cdist(X, Y)
    none = Arcs((40, 30), np.empty(0, dtype=np.int64), np.empty(0))
    rows, columns = np.array([3, 3, 5]), np.array([2, 2, 7])
    arcs = run._merged(none, rows, columns)
    assert keys(arcs) == {(3, 2), (5, 7)}
    np.testing.assert_allclose(arcs.cost, [distance[3, 2], distance[5, 7]], rtol=1e-14)
    run._cap = 0.5
    assert run._distance(rows, columns).tolist() == [0.5] * 3
    assert run._merged(arcs, rows, columns).keys.tolist() == arcs.keys.tolist()


@pytest.mark.parametrize(("n", "m", "coarse"), [(16, 16, True), (15, 99, False), (99, 15, False), (20, 40, True)])
def test_only_problems_of_enough_points_have_a_coarser_one(n, m, coarse, monkeypatch):
    monkeypatch.setattr(column_generation, "_COARSEST", 4)
    rng = np.random.default_rng(0)
    reports = []
    run = generation(problem_of(rng.normal(size=(n, 9)), rng.normal(size=(m, 9)) + 1), reports)
    found = run._coarser_potentials()
    assert (found is not None) == coarse
    if coarse:
        # A quarter of the points, and potentials that are a lower bound of the whole.
        assert {points for points, _, _ in reports} == {(n // 4, m // 4)}
        assert found[0].tolist() == [0] * n
        run._price(False, "difference64", found[1], 1)
        distance = cdist(run.problem.x, run.problem.y)
        assert run.bracket.lower > 0.5 * distance.min(axis=1).mean()


def test_a_coarser_problem_is_priced_within_the_budget_and_on_the_device(monkeypatch):
    made, plain = [], column_generation.Pricer

    def spy(*asks, **options):
        made.append((asks[5], options["check"]))
        return plain(*asks, **options)

    monkeypatch.setattr(column_generation, "_COARSEST", 4)
    monkeypatch.setattr(column_generation, "Pricer", spy)
    budget = Budget()
    assert generation(budget=budget)._coarser_potentials() is not None
    assert made == [("cpu", budget.check)]


def test_the_simplex_starts_from_its_last_potentials_after_a_check_of_memory(monkeypatch):
    starts, asked, solve = [], [], column_generation.network_simplex
    monkeypatch.setattr(Budget, "check", lambda self, needed=0: asked.append(needed))

    def spy(problem, cost, start):
        # For each arc its bytes.
        assert asked[-1] == 300 * cost.nnz
        basis = solve(problem, cost, start)
        starts.append((start, (basis.x_potential, basis.y_potential)))
        return basis

    monkeypatch.setattr(column_generation, "network_simplex", spy)
    given = RNG.normal(size=40), RNG.normal(size=30)
    assert solve_column_generation(problem_of(X, Y), start=given).is_closed(1e-9)
    # What was given is repaired on one side.
    assert np.array_equal(starts[0][0][1], given[1])
    assert len(starts) > 1
    for (_, ended), (start, _) in itertools.pairwise(starts):
        for one, other in zip(_centered(*ended), start, strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("d", [7, 8])
def test_from_eight_coordinates_on_sets_in_one_place_have_a_coarser_problem(d, monkeypatch):
    monkeypatch.setattr(column_generation, "_COARSEST", 4)
    x = np.random.default_rng(0).normal(size=(40, d))
    assert (generation(problem_of(x, x[::-1] + 1e-3))._coarser_potentials() is not None) == (d == 8)


def test_in_few_coordinates_only_sets_that_are_apart_have_a_coarser_problem(monkeypatch):
    monkeypatch.setattr(column_generation, "_COARSEST", 4)
    x = np.random.default_rng(0).normal(size=(40, 3))
    assert generation(problem_of(x, x[::-1] + 1e-3))._coarser_potentials() is None
    assert generation(problem_of(x, x + 1))._coarser_potentials() is not None


def test_every_step_is_reported_and_tightens_the_bracket_of_the_last_one():
    seen = []
    problem = problem_of(X, Y)
    bracket = solve_column_generation(problem, report=seen.append)
    assert bracket.is_closed(1e-9)
    assert not bracket.cut_short
    assert {state.points for state in seen} == {(40, 30)}
    rounds = [state.round for state in seen]
    assert rounds[0] == 0
    assert all(later - earlier in (0, 1) for earlier, later in itertools.pairwise(rounds))
    assert (seen[-1].lower, seen[-1].upper) == (bracket.lower, bracket.upper)
    assert [state.lower for state in seen] == sorted(state.lower for state in seen)
    assert all(69 <= state.arcs <= 1200 for state in seen)
    again = []
    solve_column_generation(problem, start=(bracket.x_potential, bracket.y_potential), report=again.append)
    assert len(again) == 1


def test_a_memory_budget_counts_all_arcs(monkeypatch):
    asked = []
    monkeypatch.setattr(Budget, "check", lambda self, needed=0: asked.append(needed))
    run = generation()
    asked.clear()
    run._first_arcs(None, 3, (False, True))
    # Three of each of 40 points, then three of each of 30 others on top; between blocks only the time is asked for.
    run._first_arcs(None, 3, (False,))
    wanted = [needed for needed in asked if needed]
    first = 300 * 3 * 40
    assert wanted[0] == first
    assert wanted[1] == first + 300 * 3 * 30
    assert wanted[2] == first


def test_an_open_bracket_is_tightened_by_potentials_of_the_plan_at_the_most_accurate_level(monkeypatch):
    run, asked = generation(), []
    optimal = solve_column_generation(run.problem)
    rows, columns = (index.ravel() for index in np.indices((40, 30)))
    arcs = Arcs((40, 30), np.empty(0, dtype=np.int64), np.empty(0)).merged(rows, columns, cdist(X, Y).ravel())
    run._add_plan(optimal.plan)
    assert not run.bracket.is_closed(1e-9)
    plain = run._price
    monkeypatch.setattr(run, "_price", lambda *asks: (asked.append((*asks[:2], asks[3])), plain(*asks))[1])
    for _ in range(2):
        # Once closed, there is nothing to be polished.
        run._use_plan_potentials(optimal.plan, arcs)
    assert asked == [(False, "difference64", 16)]
    assert run.bracket.is_closed(1e-12)
    # Distances beyond the cap count as that long.
    capped, seen = generation(), []
    capped._cap = 0.5
    monkeypatch.setattr(
        column_generation,
        "potentials_of_plan",
        lambda step, plan, moved, shape: (seen.append((moved, shape)), np.zeros(30))[1],
    )
    capped._use_plan_potentials(optimal.plan, arcs)
    assert seen[0][0].tolist() == [0.5] * len(optimal.plan.mass)
    assert seen[0][1] == (40, 30)


def test_a_run_begins_with_both_sides_or_with_the_larger_one_of_a_start(monkeypatch):
    asked = []
    coarse, start = (np.zeros(40), np.ones(30)), (np.ones(40), np.zeros(30))

    def first_arcs(self, *asks):
        asked.append(asks)
        raise InterruptedError

    monkeypatch.setattr(_Generation, "_coarser_potentials", lambda self: coarse)
    monkeypatch.setattr(_Generation, "_first_arcs", first_arcs)
    for problem, given in (
        (problem_of(X, Y), None),
        (problem_of(X, Y), start),
        (problem_of(Y, X), start),
        (problem_of(X, X), start),
    ):
        with pytest.raises(InterruptedError):
            generation(problem).run(given)
    assert asked == [
        (coarse, 16, (False, True)),
        (start, 8, (False,)),
        (start, 8, (True,)),
        (start, 8, (False,)),
    ]


def test_an_open_bracket_is_tried_again_with_capped_distances(monkeypatch):
    run, tried = generation(), []
    monkeypatch.setattr(run, "_generate", lambda arcs, start: tried.append((arcs, start)))
    monkeypatch.setattr(run._sides, "cap_distances", lambda cap: tried.append(cap))
    run.run(None)
    plan = run.bracket.plan
    cap = 4 * cdist(X, Y)[plan.rows, plan.columns].max()
    (arcs, _), told, (cut, start) = tried
    assert told == run._cap == pytest.approx(cap, rel=1e-12)
    assert start is None
    assert np.array_equal(cut.keys, arcs.keys)
    assert np.array_equal(cut.cost, np.minimum(arcs.cost, told))


def test_sides_alternate_and_the_first_plan_is_dropped_after_the_first_round(monkeypatch):
    solved, turns, gone = [], [], []
    solve, price, without = column_generation.network_simplex, _Generation._price, _Generation._drop_first_plan
    monkeypatch.setattr(column_generation, "network_simplex", lambda *asks: (solved.append(1), solve(*asks))[1])
    monkeypatch.setattr(
        _Generation, "_price", lambda self, *asks: (turns.append((len(solved), asks[0])), price(self, *asks))[1]
    )
    monkeypatch.setattr(
        _Generation, "_drop_first_plan", lambda self, *asks: (gone.append(len(solved)), without(self, *asks))[1]
    )
    rng = np.random.default_rng(0)
    assert solve_column_generation(problem_of(rng.normal(size=(200, 9)), rng.normal(size=(200, 9)))).is_closed(1e-9)
    rounds = [(solves, swapped) for solves, swapped in turns if solves]
    assert rounds[-1][0] > 1
    assert all(swapped == (solves % 2 == 0) for solves, swapped in rounds)
    assert gone == [1]


def test_the_pricer_gets_problem_budget_and_device(monkeypatch):
    asked = []

    def sides(*asks):
        asked.append(asks)
        raise InterruptedError

    monkeypatch.setattr(column_generation, "TwoSidedPricer", sides)
    problem, budget = problem_of(X, Y), Budget()
    with pytest.raises(InterruptedError):
        solve_column_generation(problem, budget=budget, device="meta")
    with pytest.raises(InterruptedError):
        solve_column_generation(problem)
    assert asked[0] == (problem, budget.check, "meta")
    assert asked[1][2:] == ("cpu",)


def test_a_spent_budget_cuts_the_solver_short_and_progress_has_seconds():
    seen = []
    assert not solve_column_generation(problem_of(X, Y), report=seen.append).cut_short
    assert all(state.seconds >= 0 for state in seen)
    assert solve_column_generation(problem_of(X, Y), budget=Budget(seconds=0.0)).cut_short is True
