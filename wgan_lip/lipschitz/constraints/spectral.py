"""Constraints on the spectral norm alone: by power iteration, which proves nothing, and by a proven bound."""

from torch import Tensor, nn
from torch.nn.utils import parametrizations

from wgan_lip.lipschitz.bounds import spectral_norm_upper_bound
from wgan_lip.lipschitz.constraints.constraint import Parametrized, Projected


class SpectralNorm(Parametrized):
    """The weight is ``W / s`` of a free parameter W, with s an estimate of its spectral norm by power iteration.

    ``s = u^T W v``, where each forward pass in training mode moves u and v towards the leading singular vectors. The
    estimate is never above the spectral norm, so the weight's norm is never below 1, and above it
    until the iteration has caught up with the optimiser: hence no guarantee. Smaller singular
    values stay below 1, and the gradient norm shrinks along them.

    Args:
        iterations: power iterations in each forward pass in training mode.

    Raises:
        ValueError: ``iterations < 1``.

    Source:
        Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018, algorithm 1.
    """

    guarantee = "none"

    def __init__(self, iterations: int = 1) -> None:
        if iterations < 1:
            raise ValueError(f"SpectralNorm needs iterations >= 1; got iterations={iterations}")
        self.iterations = iterations

    def attach(self, layer: nn.Module) -> None:
        parametrizations.spectral_norm(layer, "weight", n_power_iterations=self.iterations)


class SpectralProjection(Projected):
    """After each step the weight is divided by its spectral norm if that is above 1.

    ``W <- W / max(1, s)`` with s a proven bound of the norm (:func:`spectral_norm_upper_bound`), computed in float64 on
    the CPU: exact, and slow for large layers. Smaller singular values stay below 1.

    Source:
        Gouk, Frank, Pfahringer, Cree, "Regularisation of neural networks by enforcing Lipschitz continuity", Machine
        Learning 110, 2021.
    """

    guarantee = "lipschitz"

    def projection(self, weight: Tensor) -> Tensor:
        return weight / max(1.0, spectral_norm_upper_bound(weight))
