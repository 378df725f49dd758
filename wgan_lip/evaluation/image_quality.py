"""Quality of generated images by features of them, with standard errors and with the scores of real images."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from wgan_lip.networks import InceptionFeatures
from wgan_lip.quality import frechet_distance, kernel_distance, manifold_metrics
from wgan_lip.transport import sliced_wasserstein1, wasserstein1


@dataclass(frozen=True)
class FeatureScores:
    """Scores of generated samples against real ones by their features, each with its standard error.

    Attributes:
        kernel_distance: squared MMD with the kernel of KID, without bias (``quality.kernel_distance``).
        kernel_distance_standard_error: by the jackknife.
        precision: see ``quality.ManifoldMetrics``, as for the next seven; standard errors are by disjoint halves.
        precision_standard_error: likewise.
        recall: likewise.
        recall_standard_error: likewise.
        density: likewise.
        density_standard_error: likewise.
        coverage: likewise.
        coverage_standard_error: likewise.
        sliced_w1: mean W1 of projections.
        w1: exact W1 in the space of features.
    """

    kernel_distance: float
    kernel_distance_standard_error: float
    precision: float
    precision_standard_error: float
    recall: float
    recall_standard_error: float
    density: float
    density_standard_error: float
    coverage: float
    coverage_standard_error: float
    sliced_w1: float
    w1: float


def compare_features(real: Tensor, fake: Tensor, generator: torch.Generator) -> FeatureScores:
    """Compare generated samples with real ones by their features.

    Args:
        real: shape (n, d).
        fake: shape (m, d).
        generator: of the halves for the standard errors and of the directions of the sliced W1.

    Raises:
        ValueError: too few samples, NaN or infinity.
    """
    kernel = kernel_distance(real, fake)
    return FeatureScores(
        kernel_distance=kernel.value,
        kernel_distance_standard_error=kernel.standard_error,
        **asdict(manifold_metrics(real, fake, generator=generator)),
        sliced_w1=sliced_wasserstein1(real, fake, generator=generator).mean,
        w1=wasserstein1(real, fake).value,
    )


@dataclass(frozen=True)
class InceptionScores:
    """Scores of generated images against real ones by their Inception features, each with its standard error.

    Attributes:
        fid: biased upwards, more so for fewer images (``quality.frechet_distance``).
        fid_standard_error: of the biased number.
        kid: unbiased, over all pairs of images (``quality.kernel_distance``).
        kid_standard_error: by the jackknife.
    """

    fid: float
    fid_standard_error: float
    kid: float
    kid_standard_error: float


def compare_on_inception(real: Tensor, fake: Tensor) -> InceptionScores:
    """Compute FID and KID of features of :class:`InceptionFeatures`.

    Args:
        real: shape (n, 2048).
        fake: shape (m, 2048).

    Raises:
        ValueError: fewer than 4 samples, NaN or infinity.
    """
    frechet, kernel = frechet_distance(real, fake), kernel_distance(real, fake)
    return InceptionScores(frechet.value, frechet.standard_error, kernel.value, kernel.standard_error)


class InceptionQuality:
    """Compares generated images with the same real ones, whose features are computed once.

    Args:
        network: on the device that computes the features.
        real: images, shape (n, C, H, W), C 1 or 3.
        others: other real images, for the scores of a perfect generator.
    """

    def __init__(self, network: InceptionFeatures, real: Tensor, others: Tensor) -> None:
        self._network = network
        self._real = network.describe(real)
        self._floor = compare_on_inception(self._real, network.describe(others))

    def metrics(self, fake: Tensor) -> dict[str, float]:
        """Return the scores as ``inception/NAME``, and those of the other real images as ``inception/NAME_floor``.

        Args:
            fake: images, shape (m, C, H, W).
        """
        scores = compare_on_inception(self._real, self._network.describe(fake))
        return {
            f"inception/{name}{suffix}": value
            for suffix, found in (("", scores), ("_floor", self._floor))
            for name, value in asdict(found).items()
        }
