"""FID and KID of generated images, each beside what sampling alone makes of it."""

from dataclasses import asdict, dataclass

from torch import Tensor

from wgan_lip.networks.inception import InceptionFeatures
from wgan_lip.quality import frechet_distance, kernel_distance


@dataclass(frozen=True)
class InceptionScores:
    """Two samples, compared by their features on Inception; ``_standard_error`` is of the number before it.

    Attributes:
        fid: biased upwards, and the more so the fewer images (``quality.frechet_distance``).
        fid_standard_error: of the biased number.
        kid: without bias, of all pairs of images (``quality.kernel_distance``).
        kid_standard_error: by the jackknife.
    """

    fid: float
    fid_standard_error: float
    kid: float
    kid_standard_error: float


def compare_on_inception(real: Tensor, fake: Tensor) -> InceptionScores:
    """FID and KID of features that :class:`InceptionFeatures` found.

    Args:
        real: shape (n, 2048).
        fake: shape (m, 2048).

    Raises:
        ValueError: fewer than 4 samples, NaN or infinity.
    """
    frechet, kernel = frechet_distance(real, fake), kernel_distance(real, fake)
    return InceptionScores(frechet.value, frechet.standard_error, kernel.value, kernel.standard_error)


class InceptionQuality:
    """Compares images with the same real ones again and again, whose features are found once.

    Args:
        network: on the device that is to find the features.
        real: images, shape (n, C, H, W), C 1 or 3.
        others: real images that stand in for generated ones.
    """

    def __init__(self, network: InceptionFeatures, real: Tensor, others: Tensor) -> None:
        self._network = network
        self._real = network.describe(real)
        self._floor = compare_on_inception(self._real, network.describe(others))

    def metrics(self, fake: Tensor) -> dict[str, float]:
        """What is logged of generated images: ``inception/NAME``, and ``inception/NAME_floor`` of real ones.

        Args:
            fake: images, shape (m, C, H, W).
        """
        scores = compare_on_inception(self._real, self._network.describe(fake))
        return {
            f"inception/{name}{suffix}": value
            for suffix, found in (("", scores), ("_floor", self._floor))
            for name, value in asdict(found).items()
        }
