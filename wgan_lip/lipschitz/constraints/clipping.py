"""Weight clipping, the first WGAN's way to some Lipschitz constant."""

import math

from torch import Tensor

from wgan_lip.lipschitz.constraints.constraint import Projected


class WeightClipping(Projected):
    """After each step every entry is clamped to ``[-c, c]``.

    The norm is at most ``c sqrt(m n)``: some constant, which depends on the sizes, and rarely 1.

    Args:
        c: the largest entry.

    Raises:
        ValueError: c is not positive and finite.

    Source:
        Arjovsky, Chintala, Bottou, "Wasserstein GAN", ICML 2017, algorithm 1.
    """

    guarantee = "none"

    def __init__(self, c: float = 0.01) -> None:
        if not (math.isfinite(c) and c > 0):
            raise ValueError(f"WeightClipping needs c > 0 and finite; got c={c}")
        self.c = c

    def projection(self, weight: Tensor) -> Tensor:
        return weight.clamp(-self.c, self.c)
