"""Sets of arcs, against dictionaries and dense matrices."""

import numpy as np

from wgan_lip.transport.solvers.arcs import Arcs

SHAPE = (4, 5)
COST = np.random.default_rng(0).uniform(size=SHAPE)


def arcs_of(*pairs):
    none = Arcs(SHAPE, np.empty(0, dtype=np.int64), np.empty(0))
    rows, columns = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    return none.merged(rows, columns, COST[rows, columns])


def check(arcs, pairs):
    assert list(zip(arcs.rows.tolist(), arcs.columns.tolist(), strict=True)) == sorted(set(pairs))
    assert arcs.cost.tolist() == [COST[pair] for pair in sorted(set(pairs))]
    assert arcs.shape == SHAPE
    assert len(arcs) == len(set(pairs))


def test_merging_keeps_each_arc_once_in_order_with_its_cost():
    first = [(3, 4), (0, 0), (2, 1), (0, 0), (1, 3)]
    more = [(2, 1), (3, 0), (0, 4), (3, 4), (3, 0)]
    arcs = arcs_of(*first)
    check(arcs, first)
    rows, columns = np.array(more).T
    check(arcs.merged(rows, columns, COST[rows, columns]), first + more)
    check(arcs.merged(rows[:0], columns[:0], np.empty(0)), first)


def test_arcs_after_the_last_one_are_merged_too():
    for first in ([(0, 0)], [(0, 0), (0, 1)]):
        check(arcs_of(*first).merged(np.array([3, 0]), np.array([4, 0]), COST[[3, 0], [4, 0]]), [*first, (3, 4)])


def test_a_mask_selects_a_subset():
    arcs = arcs_of((0, 1), (1, 2), (3, 4))
    check(arcs.kept(np.array([True, False, True])), [(0, 1), (3, 4)])


def test_reduced_costs_and_the_matrix():
    pairs = [(0, 1), (1, 2), (3, 4), (3, 0)]
    arcs, (x, y) = arcs_of(*pairs), np.random.default_rng(1).uniform(size=(2, 5))
    expected = [COST[i, j] - x[i] - y[j] for i, j in sorted(pairs)]
    np.testing.assert_allclose(arcs.reduced_cost(x, y), expected, rtol=1e-15)
    dense = np.zeros(SHAPE)
    dense[arcs.rows, arcs.columns] = arcs.cost
    assert arcs.matrix().shape == SHAPE
    assert np.array_equal(arcs.matrix().toarray(), dense)
    # Points that no arc touches have rows and columns all the same.
    assert arcs_of((0, 1), (1, 0)).matrix().shape == SHAPE


def test_shortest_steps_are_those_over_all_arcs_with_the_others_infinitely_long():
    some = [(0, 1), (2, 1), (3, 1), (1, 3), (3, 4), (0, 4)]
    for pairs in (some, [*some, (1, 0)], [(1, 0)]):
        arcs, x_path = arcs_of(*pairs), np.random.default_rng(2).normal(size=4)
        dense = np.full(SHAPE, np.inf)
        dense[arcs.rows, arcs.columns] = arcs.cost
        assert np.array_equal(arcs.shortest()(x_path), (x_path[:, None] + dense).min(axis=0))
