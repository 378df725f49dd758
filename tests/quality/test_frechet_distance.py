"""The Frechet distance: against torchmetrics, scipy, closed forms and laws; its standard error against repetitions."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance

from tests.quality.test_quality import Pixels
from wgan_lip.quality import frechet_distance
from wgan_lip.quality.distances import _frechet
from wgan_lip.randomness import keyed_generator


def normal(n: int, d: int, *key: int | str) -> Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=keyed_generator(*key))


def by_definition(x: Tensor, y: Tensor) -> float:
    s, t = np.cov(x.T.numpy()), np.cov(y.T.numpy())
    root = scipy.linalg.sqrtm(s @ t).real
    return float((x.mean(0) - y.mean(0)).square().sum()) + float(np.trace(s + t - 2 * root))


@pytest.mark.parametrize(("n", "m"), [(60, 80), (60, 7), (5, 9)])
def test_it_is_that_of_the_definition_with_more_and_fewer_samples_than_features(n, m):
    x, y = normal(n, 10, "x"), normal(m, 10, "y") * torch.arange(1, 11) + 1
    assert frechet_distance(x, y).value == pytest.approx(by_definition(x, y), rel=1e-5)


def test_it_is_what_torchmetrics_computes():
    x, y = (
        torch.randint(top, (90, 3, 16, 16), dtype=torch.uint8, generator=keyed_generator("pixels", top))
        for top in (255, 200)
    )
    features = Pixels()
    reference = FrechetInceptionDistance(feature=features, input_img_size=(3, 16, 16))
    reference.set_dtype(torch.float64)
    reference.update(x, real=True)
    reference.update(y, real=False)
    assert frechet_distance(features(x), features(y)).value == pytest.approx(float(reference.compute()), rel=1e-5)


def with_moments(samples: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Samples moved and scaled to a mean, and to the diagonal covariance ``scale^2``, exactly."""
    centred = samples - samples.mean(0)
    q, _ = torch.linalg.qr(centred)
    return mean + math.sqrt(len(samples) - 1) * q * scale


def test_of_diagonal_covariances_it_is_the_distance_of_means_and_of_deviations():
    a, b = torch.arange(1.0, 7).double(), torch.tensor([3.0, 0, 1, 5, 2, 2]).double()
    m, k = normal(6, 1, "m")[:, 0], normal(6, 1, "k")[:, 0]
    x, y = with_moments(normal(50, 6, 0), m, a), with_moments(normal(70, 6, 1), k, b)
    expected = float((m - k).square().sum() + (a - b).square().sum())
    assert frechet_distance(x, y).value == pytest.approx(expected, rel=1e-12)


def test_laws():
    x, y = normal(40, 5, 0), 2 * normal(30, 5, 1) + 1
    value, error = frechet_distance(x, y).value, frechet_distance(x, y).standard_error
    turn = torch.linalg.qr(normal(5, 5, 2))[0]
    for same in (frechet_distance(y, x), frechet_distance(x @ turn + 3, y @ turn + 3)):
        assert (same.value, same.standard_error) == pytest.approx((value, error), rel=1e-9)
    scaled = frechet_distance(10 * x, 10 * y)
    assert (scaled.value, scaled.standard_error) == pytest.approx((100 * value, 100 * error), rel=1e-9)
    # To a shifted copy only the mean differs; to itself nothing does.
    assert frechet_distance(x, x + 2).value == pytest.approx(20, rel=1e-9)
    assert 0 <= frechet_distance(x, x.clone()).value < 1e-12


def test_samples_that_are_all_the_same_have_a_mean_only():
    constant = torch.zeros(20, 4).double()
    x = normal(30, 4, 0)
    expected = float(x.mean(0).square().sum() + torch.cov(x.T).trace())
    assert frechet_distance(x, constant).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("d", [3, 30])
def test_the_variance_is_that_of_small_changes_of_the_weights(d):
    """The jackknife of the source, with the derivative by each sample's weight taken by differences."""
    x, y = normal(9, d, 0), normal(11, d, 1) + 0.5

    def weighted(samples: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        p, n = weights / weights.sum(), len(samples)
        mean = p @ samples
        return mean, ((samples - mean) * p[:, None].sqrt()) * math.sqrt(n / (n - 1))

    def distance(v: Tensor, w: Tensor) -> float:
        (m, a), (k, b) = weighted(x, v), weighted(y, w)
        nuclear = torch.linalg.svdvals(a @ b.mT).sum()
        return float((m - k).square().sum() + a.square().sum() + b.square().sum() - 2 * nuclear)

    ones_x, ones_y, step, variance = torch.ones(9).double(), torch.ones(11).double(), 1e-5, 0.0
    for n, pair in ((9, lambda e: (ones_x + e, ones_y)), (11, lambda e: (ones_x, ones_y + e))):
        unit = step * torch.eye(n, dtype=torch.float64)
        influence = torch.tensor([n * (distance(*pair(e)) - distance(*pair(-e))) / (2 * step) for e in unit])
        variance += float(influence.var()) / n
    assert _frechet(x, y)[1] == pytest.approx(variance, rel=1e-5)


def curved(n: int, d: int, shift: float, scale: float, *key: int | str) -> Tensor:
    """As of a network: ten classes of few factors, through a layer with ReLU."""
    g = keyed_generator(*key)
    spread = 3 * torch.exp(-torch.arange(48, dtype=torch.float64) / 10)
    centres = torch.sin(torch.randint(10, (n, 1), generator=g) * torch.arange(1, 49)) * 2
    factors = (torch.randn(n, 48, generator=g, dtype=torch.float64) * scale + centres) * spread + shift
    return torch.relu(factors @ normal(48, d, "layer") / math.sqrt(48) - 0.2)


def gaussian(n: int, d: int, shift: float, scale: float, *key: int | str) -> Tensor:
    return scale * normal(n, d, *key) + shift


@pytest.mark.parametrize(
    ("sample", "n", "d", "shift", "scale"),
    [
        (gaussian, 200, 8, 0.3, 0.8),
        (gaussian, 200, 8, 0, 1),
        (gaussian, 40, 64, 0.1, 0.9),
        (curved, 64, 128, 0.3, 0.8),
        (curved, 64, 128, 0, 1),
        (curved, 300, 64, 0.3, 0.8),
        (curved, 300, 64, 0, 1),
    ],
)
def test_the_standard_error_is_about_the_spread_over_repetitions(
    sample: Callable[..., Tensor], n: int, d: int, shift: float, scale: float
):
    # Where both distributions are the same (0, 1), the jackknife alone says 1.3 to 1.45 times the spread.
    found = [frechet_distance(sample(n, d, 0, 1, "real", i), sample(n, d, shift, scale, "fake", i)) for i in range(150)]
    spread = torch.tensor([f.value for f in found]).std()
    stated = torch.tensor([f.standard_error for f in found]).square().mean().sqrt()
    assert 0.85 < float(stated / spread) < 1.25


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(3, 2), torch.zeros(9, 2), r"real must be of shape \(n, d\) with n >= 4; got \(3, 2\)"),
        (torch.zeros(9, 2), torch.full((9, 2), math.inf), "fake holds NaN or infinity"),
        (torch.zeros(9, 2), torch.zeros(9, 3), "got {'real': 2, 'fake': 3}"),
        (1e160 * normal(9, 2, 0), 1e160 * normal(9, 2, 1), "overflow float64: scale both down"),
        (1e160 * normal(9, 2, 0), torch.zeros(9, 2), "overflow float64: scale both down"),
    ],
)
def test_bad_input_is_named(real, fake, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(real, fake)
