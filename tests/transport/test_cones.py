"""McShane's cones at any scale, and the ways to compute them."""

import re

import numpy as np
import pytest

from wgan_lip.transport import mcshane, wasserstein1
from wgan_lip.transport.mcshane import McShaneExtension, c_transform, mcshane_extension

Z, APEXES = np.random.default_rng(0).normal(size=(2, 30, 9))
HEIGHTS = np.random.default_rng(1).normal(size=30)


@pytest.mark.parametrize("exponent", [-300, 0, 300])
def test_cones_have_the_values_of_the_formula_at_any_scale(exponent):
    scale = 10.0**exponent
    distance = np.linalg.norm(Z[:, None] - APEXES, axis=2)
    found = c_transform(scale * Z, scale * APEXES, -scale * HEIGHTS) / scale
    np.testing.assert_allclose(found, (distance + HEIGHTS).min(axis=1), rtol=0, atol=2e-14)


def test_points_are_scaled_exactly_and_centred_at_the_mean_of_the_apexes(monkeypatch):
    made, plain = [], mcshane.Pricer

    def spy(points, others, norm, level, center):
        made.append((points, others, norm, level, center))
        return plain(points, others, norm, level, center)

    monkeypatch.setattr(mcshane, "Pricer", spy)
    for z, apexes, scale in ((3 * Z, APEXES, None), (Z, 700 * APEXES, None), (np.zeros((1, 9)), np.eye(9)[:1], 1.0)):
        made.clear()
        c_transform(z, apexes, np.zeros(len(apexes)))
        points, others, norm, level, center = made[0]
        found = np.abs(apexes).max() / np.abs(others).max()
        assert scale is None or found == scale
        assert np.array_equal(points * found, z)
        assert np.array_equal(others * found, apexes)
        # A power of two, to coordinates of at most 2.
        assert np.log2(found) == round(np.log2(found))
        assert 1 <= max(np.abs(points).max(), np.abs(others).max()) < 2
        assert (norm, level) == ("l2", "product64")
        np.testing.assert_allclose(center, others.mean(axis=0), atol=1e-15)


def test_coordinates_are_compared_only_where_cones_nearly_meet(monkeypatch):
    made, plain = [], mcshane.Pricer

    def spy(points, *rest):
        made.append((len(points), rest[2]))
        return plain(points, *rest)

    monkeypatch.setattr(mcshane, "Pricer", spy)
    # Twenty apexes at nearly one place, far from the others, and points beside the one and the others.
    apexes = np.concatenate((1e-9 * np.random.default_rng(2).normal(size=(20, 9)), 50 + APEXES))
    z = np.concatenate((np.full((3, 9), 1e-9), 50 + Z))
    found = c_transform(z, apexes, np.zeros(50))
    assert made == [(33, "product64"), (3, "difference64")]
    distance = np.linalg.norm(z[:, None] - apexes, axis=2)
    np.testing.assert_allclose(found, distance.min(axis=1), rtol=1e-12)
    made.clear()
    c_transform(Z, APEXES, -HEIGHTS, norm="l1")
    assert made == [(30, "difference64")]


def test_an_extension_keeps_its_arguments():
    x, y = np.zeros((2, 2)), np.ones((3, 2))
    solution = wasserstein1(x, y)
    assert mcshane_extension(x, y, solution).envelope == "mean"
    assert mcshane_extension(x, y, solution).norm == "l2"
    f = mcshane_extension(x, y, solution, norm="l1", envelope="largest")
    assert isinstance(f, McShaneExtension)
    assert (f.norm, f.envelope, f.x.tolist(), f.y.tolist()) == ("l1", "largest", x.tolist(), y.tolist())
    assert f.x_potential is solution.x_potential
    assert f.y_potential is solution.y_potential


@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_a_c_transform_is_the_largest_feasible_potential(norm):
    # Coordinates that are integers, so that distances in l1 and linf are exact; in l2 they carry a rounding.
    x, y = np.random.default_rng(3).integers(-9, 9, size=(2, 40, 1, 3)).astype(float)
    g = np.random.default_rng(4).integers(-5, 5, size=40).astype(float)
    f = c_transform(x, y, g, norm=norm)
    order = {"l1": 1, "l2": 2, "linf": np.inf}[norm]
    distance = np.linalg.norm((x[:, None] - y[None])[:, :, 0], order, axis=2)
    slack = distance - f[:, None] - g
    assert slack.min() >= (0 if norm != "l2" else -1e-14)
    assert slack.min(axis=1).max() < 1e-12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y, s: c_transform(x, y, np.ones(2)), "y_potential must have shape (3,); got (2,)"),
        (lambda x, y, s: c_transform(x, y, np.ones(3), norm="l3"), "norm must be one of l2, l1, linf; got norm='l3'"),
        (
            lambda x, y, s: mcshane_extension(x, y, s, envelope="both"),
            "envelope must be one of largest, smallest, mean; got envelope='both'",
        ),
        (
            lambda x, y, s: mcshane_extension(x[:1], y, s),
            "solution must be the result for x and y; got x_potential of shape (2,) for 1 points",
        ),
        (
            lambda x, y, s: mcshane_extension(x, y[:1], s),
            "solution must be the result for x and y; got y_potential of shape (3,) for 1 points",
        ),
        (
            lambda x, y, s: mcshane_extension(x, y, s)(np.ones((1, 3))),
            "z must have the dimension of the samples, 2; got 3",
        ),
        (
            lambda x, y, s: mcshane_extension(x, y, s)(np.full((1, 2), 1.7e308)),
            "distances between z and the samples overflow float64: scale both down",
        ),
        (
            lambda x, y, s: mcshane_extension(x, y, s)(np.ones((0, 2))),
            "z must hold at least one point; got shape (0, 2)",
        ),
    ],
)
def test_arguments_of_other_sizes_are_refused(call, message):
    x, y = np.zeros((2, 2)), np.ones((3, 2))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(x, y, wasserstein1(x, y))
