"""A pair of distributions of images: a white or negative square against a black image."""

import torch
from torch import Generator, Tensor

from wgan_lip.distributions.pair import Pair, Truth, check_samples, unit


class DiracImages(Pair):
    """P is plus or minus a centred square of ones, each with probability one half; Q is the black image.

    ``W1 = side`` and ``f(x) = |x|``, the Euclidean norm: all mass travels sqrt(side^2) to the one
    point of Q, and f is 1-Lipschitz with ``E_P f - E_Q f = side``.

    Args:
        size: height and width of an image, in pixels.
        side: of the square, in pixels; the rest of an image is 0.

    Shape:
        Samples of shape (1, size, size).

    Raises:
        ValueError: unless ``1 <= side <= size``.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5.1.
    """

    knows_w1 = knows_plan = knows_potential = True
    bounds = (-1.0, 1.0)

    def __init__(self, size: int = 64, side: int = 35) -> None:
        if not 1 <= side <= size:
            raise ValueError(f"side must lie between 1 and size; got side={side}, size={size}")
        self.shape = (1, size, size)
        self.side = side
        first = (size - side) // 2
        self._square = torch.zeros(self.shape)
        self._square[:, first : first + side, first : first + side] = 1

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        return self.sample_plan(n, generator)

    def sample_plan(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        signs = torch.randint(2, (n, 1, 1, 1), generator=generator, device=generator.device) * 2.0 - 1
        x = signs * self._square.to(generator.device)
        return x, torch.zeros_like(x)

    def w1(self) -> Truth:
        return Truth(float(self.side))

    def potential(self, x: Tensor) -> Tensor:
        return check_samples(self.shape, x).double().flatten(1).norm(dim=1).to(x.dtype)

    def potential_gradient(self, x: Tensor) -> Tensor:
        return unit(check_samples(self.shape, x))
