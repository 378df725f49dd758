"""Parseval networks: one gradient step towards orthogonality after each update."""

import math

from torch import Tensor

from wgan_lip.lipschitz.constraints.constraint import Projected


class Parseval(Projected):
    """After each optimiser step, ``W <- (1 + beta) W - beta W W^T W``.

    A step of gradient descent on ``|W^T W - I|^2``; with ``beta = 1/2`` one of Bjorck's iterations. It
    keeps weights near the orthogonal ones if the optimiser's steps are short, and diverges if a
    singular value exceeds ``sqrt(1 + 2 / beta)``: hence no guarantee.

    Args:
        beta: length of the step.

    Raises:
        ValueError: beta is not in (0, 1/2].

    Source:
        Cisse et al., "Parseval networks: improving robustness to adversarial examples", ICML 2017, section 4;
        beta as in the experiments of Anil, Lucas, Grosse 2019.
    """

    guarantee = "none"

    def __init__(self, beta: float = 0.5) -> None:
        if not (math.isfinite(beta) and 0 < beta <= 0.5):
            raise ValueError(f"Parseval needs beta in (0, 1/2]; got beta={beta}")
        self.beta = beta

    def projection(self, weight: Tensor) -> Tensor:
        wide = weight.shape[0] <= weight.shape[1]
        cubed = (weight @ weight.mT) @ weight if wide else weight @ (weight.mT @ weight)
        return (1 + self.beta) * weight - self.beta * cubed
