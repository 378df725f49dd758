"""The margin of each level of pricing: what rounding can take, as its note says, and hardly more."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from wgan_lip.transport.solvers import pricing
from wgan_lip.transport.solvers.pricing import Pricer, accurate_level, levels

UNITS = {torch.float32: Fraction(1, 2**24), torch.float64: Fraction(1, 2**53)}


def pricer(x, y, level, norm="l2", **options):
    return Pricer(np.array(x, dtype=float), np.array(y, dtype=float), norm, level, np.zeros(len(x[0])), **options)


def test_levels_are_those_that_a_norm_and_a_dimension_allow():
    products, differences = ("product32", "product64", "difference64"), ("difference32", "difference64")
    assert [levels("l2", d) for d in (1, 7, 8, 100_000, 100_001)] == [
        ("difference64",),
        ("difference64",),
        products,
        products,
        ("difference64",),
    ]
    for norm in ("l1", "linf"):
        assert [levels(norm, d) for d in (1, 8, 100_000, 100_001)] == [differences] * 3 + [("difference64",)]
    assert [accurate_level("l2", 3), accurate_level("l2", 8), accurate_level("l1", 8)] == [
        "difference64",
        "product64",
        "difference64",
    ]


@pytest.mark.parametrize("dtype", UNITS)
@pytest.mark.parametrize("d", [1, 3, 30])
def test_squares_are_less_by_what_a_product_can_lose(dtype, d):
    unit, level = UNITS[dtype], "product32" if dtype == torch.float32 else "product64"
    points = np.zeros((600, d))
    points[599, 0], points[3, 0] = 1.0, 2.0
    found, square = pricer(points, points, level)._squared(points, dtype)
    assert found.dtype == square.dtype == dtype
    assert square.shape == (600, 1)
    for row, size in ((599, 1), (3, 4)):
        lost = 1 - Fraction(float(square[row])) / size
        # 2 d + 14 roundings, for which 20 are taken, and d + 4 of float64 in the squares, for which 10 are.
        assert (2 * d + 14) * unit + (d + 4) * UNITS[torch.float64] <= lost
        most = (2 * d + 20) * unit + (d + 10) * UNITS[torch.float64]
        assert lost <= most * Fraction(1012, 1000) + unit / 2
    tiny = torch.finfo(dtype).tiny
    assert float(square[0]) == -4 * (d + 8) * tiny


def test_coordinates_that_are_rounded_move_a_point_by_two_units_of_its_size():
    points = np.zeros((600, 3))
    points[599] = 0, 3, 4
    for norm, size in (("l2", 5), ("l1", 7), ("linf", 4)):
        one = pricer(points, points, "difference32", norm)
        moved, excess = one._rounded(points + 1, np.ones(3), torch.float32)
        assert moved.dtype == torch.float32
        assert moved[599].tolist() == [0, 3, 4]
        assert excess[0] == 4 * 11 * torch.finfo(torch.float32).tiny
        assert excess[599] == pytest.approx(2 * 2.0**-24 * size, rel=1e-12)
        # In float64 none is.
        exact, excess = one._rounded(points + 1, np.ones(3), torch.float64)
        assert np.array_equal(exact.numpy(), points + 1)
        assert excess.tolist() == [0] * 600


@pytest.mark.parametrize(("level", "most"), [("difference64", 13.5), ("product64", 40)])
def test_a_distance_of_one_loses_what_its_roundings_may_be(level, most):
    bounds, arcs = pricer([[0.0]], [[1.0]], level)._smallest(np.zeros(1), 1)
    lost = (1 - Fraction(bounds[0, 0])) / UNITS[torch.float64]
    assert 5 <= lost <= most
    assert arcs.tolist() == [[0]]
    # Distances are cut to less than the cap, twice: by a unit each, and four for what is subtracted.
    (bounds,), _ = pricer([[0.0]], [[9.0]], level, cap=1.0)._smallest(np.zeros(1), 1)
    assert 5 <= (1 - Fraction(bounds[0])) / UNITS[torch.float64] <= 6.5


def test_exact_prices_lose_two_roundings_more():
    one = pricer([[0.0]], [[1.0], [3.0]], "difference64")
    found = one._least(np.array([0]), np.array([[0, 1]]), np.array([-4.0, 0.0]))
    # |x - y_1| = 3 is less than 1 + 4; shrunk by d + 5 roundings, and by two of the difference.
    lost = (3 - Fraction(float(found[0]))) / UNITS[torch.float64]
    assert 3 * 8 <= lost <= 3 * 8 + 2
    # A negative price is made smaller too.
    found = one._least(np.array([0]), np.array([[0]]), np.array([2.0, 0.0]))
    assert 0 < (-1 - Fraction(float(found[0]))) / UNITS[torch.float64] <= 10
    assert pricer([[0.0]], [[9.0]], "difference64", cap=2.0)._least(np.array([0]), np.array([[0]]), np.zeros(1))[
        0
    ] == pytest.approx(2, rel=1e-14)


@pytest.mark.parametrize("level", ["product32", "product64", "difference32", "difference64"])
def test_rows_and_columns_are_priced_in_blocks_with_a_check_before_each(level, monkeypatch):
    monkeypatch.setattr(pricing, "BLOCK_ROWS", 4)
    monkeypatch.setattr(pricing, "_COLUMNS", 3)
    checks, widths, products, topk, product = [], [], [], torch.Tensor.topk, pricing._product
    monkeypatch.setattr(pricing, "_product", lambda *asks: (products.append(1), product(*asks))[1])

    def counted(block, k, *rest, **options):
        widths.append((block.shape[0], block.shape[1], k))
        return topk(block, k, *rest, **options)

    monkeypatch.setattr(torch.Tensor, "topk", counted)
    x, y = np.random.default_rng(0).normal(size=(2, 9, 10))
    one = Pricer(x, y[:7], "l2", level, x[0], check=lambda: checks.append(1))
    bounds, arcs = one._smallest(np.zeros(7), 2)
    assert len(checks) == 3
    assert len(products) == (9 if level.startswith("product") else 0)
    # Rows 4, 4 and 1; columns 3, 3 and 1, whose best are joined to those found before.
    for place, rows in enumerate((4, 4, 1)):
        assert widths[5 * place : 5 * place + 5] == [
            (rows, 3, 2),
            (rows, 3, 2),
            (rows, 4, 2),
            (rows, 1, 1),
            (rows, 3, 2),
        ]
    distance = np.linalg.norm(x[:, None] - y[:7], axis=2)
    assert np.array_equal(arcs, np.argsort(distance, axis=1)[:, :2])
    np.testing.assert_allclose(bounds, np.sort(distance, axis=1)[:, :2], rtol=1e-4)


def test_only_open_rows_are_computed_again_and_the_k_th_bounds_the_rest(monkeypatch):
    asked = []
    least = Pricer._least

    def counted(self, own, arcs, potential):
        asked.append((own.tolist(), arcs.shape[1]))
        return least(self, own, arcs, potential)

    monkeypatch.setattr(Pricer, "_least", counted)
    x, y = np.zeros((2, 1)), np.arange(1.0, 8)[:, None]
    one = Pricer(x, y, "l2", "difference64", x[0])
    # Bounds of the second point that say nothing: the fourth of them is below its exact prices.
    bounds, arcs = np.array([[1.0, 2, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 9.0]]), np.tile(np.arange(5), (2, 1))
    monkeypatch.setattr(one, "_smallest", lambda potential, k: (bounds[:, :k], arcs[:, :k]))
    priced = one.transform(np.zeros(7), 5)
    assert asked == [([0, 1], 3), ([1], 2)]
    np.testing.assert_allclose(priced.potential, [1, 1], rtol=1e-14)
    assert priced.attained.tolist() == [True, True]
    # With four the last bound of the second point is what the others may cost.
    priced = one.transform(np.zeros(7), 4)
    assert priced.potential[1] == 0.4
    assert priced.attained.tolist() == [True, False]
    assert priced.bounds.shape == (2, 4)
    # With all of them there are no others.
    all_ = Pricer(x, y[:4], "l2", "difference64", x[0])
    monkeypatch.setattr(all_, "_smallest", lambda potential, k: (bounds[:, :k], arcs[:, :k]))
    assert all_.transform(np.zeros(4), 9).attained.tolist() == [True, True]
    # Few are computed at once, all of them.
    asked.clear()
    one.transform(np.zeros(7), 2)
    assert asked == [([0, 1], 2)]


def test_products_are_by_numpy_on_the_cpu_and_by_torch_elsewhere():
    x, y = torch.randn(3, 4), torch.randn(5, 4)
    out = torch.empty(3, 5)
    assert pricing._product(x, y, out) is out
    assert np.array_equal(out.numpy(), x.numpy() @ y.numpy().T)
    meta = torch.empty(3, 5, device="meta")
    assert pricing._product(x.to("meta"), y.to("meta"), meta).device.type == "meta"


def test_coordinates_that_were_moved_are_taken_off_on_both_sides():
    one = pricer([[0.0]], [[3.0]], "difference32", "l1")
    one._x_excess, one._y_excess = np.array([0.5]), np.array([0.25])
    assert one._smallest(np.zeros(1), 1)[0][0, 0] == pytest.approx(2.25, rel=1e-5)


@pytest.mark.parametrize(("level", "dtype"), [("difference32", torch.float32), ("difference64", torch.float64)])
def test_a_distance_of_four_loses_roundings_of_its_level(level, dtype):
    bounds = pricer([[0.0]], [[4.0]], level, "l1")._smallest(np.zeros(1), 1)[0]
    lost = (4 - Fraction(bounds[0, 0])) / UNITS[dtype]
    # Nine of the distance and four of the difference, of a number of size four; and two of a coordinate in float32.
    assert 48 <= lost <= (66 if dtype == torch.float32 else 58)


@pytest.mark.parametrize(("norm", "distance"), [("l1", 2.0), ("linf", 1.0), ("l2", 2**0.5)])
@pytest.mark.parametrize("level", ["difference32", "difference64"])
def test_differences_are_in_the_ground_norm(norm, distance, level):
    bounds = pricer([[0.0, 0.0]], [[1.0, 1.0]], level, norm)._smallest(np.zeros(1), 1)[0]
    assert bounds[0, 0] == pytest.approx(distance, rel=1e-5)


def test_products_are_taken_around_the_centre():
    x, y = np.full((1, 9), 1e6), np.full((1, 9), 1e6 + 1)
    bounds = Pricer(x, y, "l2", "product32", x[0])._smallest(np.zeros(1), 1)[0]
    assert bounds[0, 0] == pytest.approx(3, rel=1e-3)


def test_an_exact_price_of_three_quarters_loses_six_units():
    found = pricer([[0.0]], [[0.75]], "difference64")._least(np.array([0]), np.array([[0]]), np.zeros(1))
    assert 4 <= (Fraction(3, 4) - Fraction(float(found[0]))) / UNITS[torch.float64] <= 6
