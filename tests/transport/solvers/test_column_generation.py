"""Column generation at the sizes it is used for."""

import numpy as np
import pytest

from scripts.transport_bench.cases import IMAGES, images
from wgan_lip.transport import wasserstein1


@pytest.mark.slow
@pytest.mark.skipif(not IMAGES.is_file(), reason=f"needs {IMAGES}: apt-get install dataset-fashion-mnist")
def test_ten_thousand_real_images_against_their_gaussian_imitation():
    x, y = images(10_000, 784, np.random.default_rng(0))
    seen = []
    result = wasserstein1(x, y, progress=seen.append)
    assert result.method == "column-generation"
    assert result.upper - result.lower <= 1e-9 * result.value
    # Of a hundred million arcs.
    assert seen[-1].arcs < 600_000
    np.testing.assert_allclose(result.plan.sum(axis=0), 1e-4, rtol=1e-12)
    np.testing.assert_allclose(result.plan.sum(axis=1), 1e-4, rtol=1e-12)
    moved = np.linalg.norm(x[result.plan.row] - y[result.plan.col], axis=1) @ result.plan.data
    assert moved == pytest.approx(result.value, rel=1e-12)
    dual = result.x_potential.mean() + result.y_potential.mean()
    assert dual == pytest.approx(result.value, rel=1e-9)
    # Feasible, on a random million of the arcs, and on all arcs of some points.
    rng = np.random.default_rng(1)
    some = rng.integers(10_000, size=60)
    for i in some:
        slack = np.linalg.norm(y - x[i], axis=1) - result.x_potential[i] - result.y_potential
        assert slack.min() >= -1e-12
