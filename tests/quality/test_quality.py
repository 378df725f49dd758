"""Kernel distance, precision and the rest, nearest neighbours: against brute force, laws and closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import KernelInceptionDistance

from wgan_lip.quality import (
    ManifoldMetrics,
    features,
    frechet_distance,
    kernel_distance,
    manifold_metrics,
    nearest_neighbours,
)
from wgan_lip.randomness import keyed_generator


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def judged(real: torch.Tensor, fake: torch.Tensor, k: int = 5, splits: int = 2, seed: int = 0) -> ManifoldMetrics:
    return manifold_metrics(real, fake, k, splits=splits, generator=keyed_generator(seed))


def four(metrics: ManifoldMetrics) -> tuple[float, float, float, float]:
    return metrics.precision, metrics.recall, metrics.density, metrics.coverage


def brute_kernel_distance(x: torch.Tensor, y: torch.Tensor) -> float:
    def k(a, b):
        return float(a @ b / len(a) + 1) ** 3

    n, m = len(x), len(y)
    xx = sum(k(a, b) for a, b in itertools.permutations(x, 2)) / (n * (n - 1))
    yy = sum(k(a, b) for a, b in itertools.permutations(y, 2)) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_kernel_distance_is_the_sum_over_pairs():
    x, y = normal(7, 3, 0), normal(9, 3, 1) + 1
    assert kernel_distance(x, y).value == pytest.approx(brute_kernel_distance(x, y), rel=1e-12)
    swapped, same = kernel_distance(y, x), kernel_distance(x, y)
    assert (swapped.value, swapped.standard_error) == pytest.approx((same.value, same.standard_error))


class Pixels(torch.nn.Module):
    """The first pixels as features."""

    num_features = 8

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :8].double() / 100


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all:UserWarning")
def test_kernel_distance_is_what_torchmetrics_computes():
    generator = keyed_generator("pixels")
    x, y = (torch.randint(top, (90, 3, 4, 4), dtype=torch.uint8, generator=generator) for top in (255, 200))
    reference = KernelInceptionDistance(feature=Pixels(), subsets=1, subset_size=90)
    reference.update(x, real=True)
    reference.update(y, real=False)
    assert kernel_distance(Pixels()(x), Pixels()(y)).value == pytest.approx(float(reference.compute()[0]), rel=1e-9)


def test_the_standard_error_is_that_of_leaving_samples_out():
    x, y = normal(6, 2, 0), normal(8, 2, 1) + 0.5
    left_x = torch.tensor([brute_kernel_distance(torch.cat((x[:i], x[i + 1 :])), y) for i in range(6)])
    left_y = torch.tensor([brute_kernel_distance(x, torch.cat((y[:i], y[i + 1 :]))) for i in range(8)])
    expected = math.sqrt(sum((len(v) - 1) / len(v) * float((v - v.mean()).square().sum()) for v in (left_x, left_y)))
    assert kernel_distance(x, y).standard_error == pytest.approx(expected, rel=1e-5)


def test_the_standard_error_is_about_the_spread_over_repetitions():
    found = [kernel_distance(normal(200, 4, 2 * i), normal(200, 4, 2 * i + 1) + 0.5) for i in range(60)]
    spread = torch.tensor([f.value for f in found]).std()
    stated = torch.tensor([f.standard_error for f in found]).mean()
    assert 0.8 < float(stated / spread) < 1.3


def test_kernel_distance_has_no_bias():
    same = torch.tensor([kernel_distance(normal(50, 4, 2 * i), normal(60, 4, 2 * i + 1)).value for i in range(200)])
    assert abs(float(same.mean())) < 4 * float(same.std()) / math.sqrt(200)
    assert float(same.min()) < 0 < float(same.max())


def brute_manifold(real: torch.Tensor, fake: torch.Tensor, k: int) -> tuple[float, float, float, float]:
    def radius(points, i):
        return sorted(float((points[i] - p).norm()) for p in points)[k]

    in_real = [[float((r - f).norm()) < radius(real, i) for f in fake] for i, r in enumerate(real)]
    in_fake = [[float((r - f).norm()) < radius(fake, j) for j, f in enumerate(fake)] for r in real]
    n, m = len(real), len(fake)
    return (
        sum(any(row[j] for row in in_real) for j in range(m)) / m,
        sum(any(row) for row in in_fake) / n,
        sum(sum(row) for row in in_real) / (k * m),
        sum(any(row) for row in in_real) / n,
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 3])
def test_manifold_metrics_are_those_of_the_definitions(seed, k):
    real, fake = normal(12, 2, seed), 0.7 * normal(15, 2, 100 + seed) + 0.4
    assert four(judged(real, fake, k)) == pytest.approx(brute_manifold(real, fake, k))


def test_samples_far_away_and_samples_that_are_the_real_ones():
    real = normal(50, 3, 0)
    assert four(judged(real, real + 100)) == (0, 0, 0, 0)
    same = judged(real, real.clone())
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    # Half of the modes: what there is, is like real samples; what is missing, lowers recall and coverage.
    modes = torch.cat((normal(60, 2, 1), normal(60, 2, 2) + 50))
    half = judged(modes, normal(120, 2, 3))
    assert half.precision > 0.8
    assert half.recall < 0.6
    assert half.coverage < 0.6
    assert 0 < half.coverage_standard_error < 0.1


def test_scaling_order_and_roles():
    real, fake = normal(40, 3, 0), normal(50, 3, 1)
    expected = judged(real, fake)
    assert judged(8 * real, 8 * fake) == expected
    swapped = judged(fake, real)
    assert (swapped.precision, swapped.recall) == (expected.recall, expected.precision)


def test_a_sample_with_k_copies_has_an_empty_ball():
    points = normal(4, 2, 0).repeat_interleave(6, dim=0)
    assert four(judged(points, points, 5)) == (0, 0, 0, 0)
    assert four(judged(points, points, 6))[:2] == (1, 1)


@pytest.mark.parametrize(("d", "scale", "shift"), [(8, 0.8, 0.3), (32, 0.9, 0.1)])
def test_standard_errors_are_about_the_spread_over_repetitions(d, scale, shift):
    # Of density, the spread over the judged samples alone, with the balls as given, is 0.6 of it.
    found = [
        judged(normal(300, d, 2 * i), scale * normal(300, d, 2 * i + 1) + shift, splits=8, seed=i) for i in range(60)
    ]
    for name in ("precision", "recall", "density", "coverage"):
        spread = torch.tensor([getattr(f, name) for f in found]).std()
        stated = torch.tensor([getattr(f, f"{name}_standard_error") for f in found]).square().mean().sqrt()
        assert 0.75 < float(stated / spread) < 1.6, name


def test_standard_errors_depend_on_the_generator_only_and_need_halves():
    real, fake = normal(40, 3, 0), normal(50, 3, 1)
    assert judged(real, fake, seed=1) == judged(real, fake, seed=1)
    assert judged(real, fake, seed=1).recall_standard_error != judged(real, fake, seed=2).recall_standard_error
    assert math.isnan(judged(normal(11, 3, 0), fake).density_standard_error)
    assert judged(normal(12, 3, 0), fake).density_standard_error > 0


def test_copies_on_the_rim_of_a_ball_lie_outside_in_any_order():
    # Each copy is some sample's k-th neighbour: rounding that depends on the order would let it in by chance.
    real = normal(200, 16, 0)
    fake = torch.cat((real[:100], normal(100, 16, 1)))
    expected = judged(real, fake)
    for seed in range(5):
        order = torch.randperm(200, generator=torch.Generator().manual_seed(seed))
        found = judged(real[order], fake[order.flip(0)])
        for name in ("precision", "recall", "density", "coverage"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)


@pytest.mark.parametrize("k", [1, 4, 30])
def test_nearest_neighbours_are_those_of_a_sort(k):
    queries, references = normal(20, 3, 0), normal(30, 3, 1)
    expected = torch.cdist(queries, references).sort(dim=1)
    found = nearest_neighbours(queries, references, k)
    assert torch.equal(found.indices, expected.indices[:, :k])
    torch.testing.assert_close(found.distances, expected.values[:, :k], rtol=0, atol=1e-9)


def test_among_equals_the_first_is_nearest_and_images_are_flattened():
    references = torch.tensor([5.0, 1, 3, 1, 1]).view(5, 1, 1, 1)
    assert nearest_neighbours(torch.zeros(1, 1, 1, 1), references, 2).indices.tolist() == [[1, 3]]
    assert nearest_neighbours(torch.zeros(1, 1, 1, 1), references, 5).indices.tolist() == [[1, 3, 4, 2, 0]]
    near = torch.tensor([[1e8], [1e8 + 1e-6]], dtype=torch.float64)
    assert float(nearest_neighbours(near[:1], near[1:]).distances) == pytest.approx(1e-6, rel=0.05)


def test_blocks_give_the_same(monkeypatch):
    x, y = normal(23, 3, 0), normal(31, 3, 1)
    y = torch.cat((y, x[:9]))
    before = kernel_distance(x, y), judged(x, y), nearest_neighbours(x, y, 3)
    monkeypatch.setattr(features, "_BLOCK", 70)
    after = kernel_distance(x, y), judged(x, y), nearest_neighbours(x, y, 3)
    assert after[0].value == pytest.approx(before[0].value, rel=1e-12)
    assert after[1] == before[1]
    assert torch.equal(after[2].indices, before[2].indices)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: kernel_distance(torch.zeros(2, 3), torch.zeros(5, 3)),
            r"x must be of shape \(n, d\) with n >= 3; got",
        ),
        (lambda: kernel_distance(torch.zeros(5, 3), torch.full((5, 3), math.nan)), "y holds NaN or infinity"),
        (lambda: kernel_distance(torch.zeros(5, 3), torch.zeros(5, 4)), "got {'x': 3, 'y': 4}"),
        (lambda: judged(torch.zeros(5, 3), torch.zeros(9, 3)), "real must be of shape .* n >= 6"),
        (lambda: judged(torch.zeros(9, 3), torch.zeros(9, 3), 0), "must be at least 1; got k=0, splits=2"),
        (lambda: judged(torch.zeros(9, 3), torch.zeros(9, 3), 1, 0), "must be at least 1; got k=1, splits=0"),
        (lambda: kernel_distance(1e120 * normal(5, 3, 0), 1e120 * normal(5, 3, 1)), "overflow float64: scale both"),
        (
            lambda: nearest_neighbours(torch.zeros(1, 2), torch.zeros(3, 2), 4),
            "between 1 and the 3 references; got k=4",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def arrays(points: torch.Tensor) -> dict[str, np.ndarray]:
    values = points.numpy()
    frozen = values.copy()
    frozen.flags.writeable = False
    return {
        "plain": values,
        "big-endian": values.astype(">f8"),
        "Fortran": np.asfortranarray(values),
        "strided": np.repeat(values, 2, axis=0)[::2],
        "reversed": values[::-1].copy()[::-1],
        "read-only": frozen,
    }


@pytest.mark.parametrize("kind", arrays(torch.zeros(2, 2)))
def test_numpy_arrays_are_features_of_the_same_numbers(kind):
    x, y = normal(30, 4, 0), normal(40, 4, 1)
    a, b = arrays(x)[kind], arrays(y)[kind]
    assert kernel_distance(a, b) == kernel_distance(x, y)
    assert frechet_distance(a, y) == frechet_distance(x, y)
    assert judged(a, b) == judged(x, y)
    assert torch.equal(nearest_neighbours(a, b).indices, nearest_neighbours(x, y).indices)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        ([[1.0, 2.0]] * 9, TypeError, "x must be a torch.Tensor or numpy.ndarray; got list"),
        (None, TypeError, "got NoneType"),
        (torch.eye(9).to_sparse(), ValueError, "x must be a dense tensor of real numbers; got torch.float32 in layout"),
        (torch.eye(9, device="meta"), ValueError, "x must be a dense tensor of real numbers"),
        (torch.eye(9, dtype=torch.complex64), ValueError, "x must be a dense tensor of real numbers"),
        (np.ma.masked_array(np.eye(9), np.eye(9) > 0), ValueError, "without a mask; got MaskedArray of float64"),
        (
            np.eye(9, dtype=complex),
            ValueError,
            "x must be an array of real numbers without a mask; got ndarray",
        ),
        (np.full((9, 9), None), ValueError, "got ndarray of object"),
        (np.zeros((9, 9), "M8[s]"), ValueError, "got ndarray of datetime64"),
        (np.zeros((9, 9), "f8,f8"), ValueError, "x must be an array of real numbers"),
        (np.zeros((0, 9)), ValueError, r"x must be of shape \(n, d\) with n >= 3; got \(0, 9\)"),
    ],
)
def test_what_is_no_set_of_features_is_named(features, error, message):
    with pytest.raises(error, match=message):
        kernel_distance(features, torch.eye(9))
