"""Held-out samples of a pair, with the truth and the exact W1."""

from dataclasses import dataclass

from torch import Tensor

from wgan_lip.distributions import Pair, Truth
from wgan_lip.randomness import keyed_generator
from wgan_lip.transport import W1Result, wasserstein1

# The gradients of a critic are compared on so many samples at most, as in the published protocol.
_GRADIENTS = 4096


@dataclass(frozen=True)
class HeldOut:
    """Held-out samples on which any number of critics of one pair are scored.

    Attributes:
        pair: the distributions.
        x: samples of P, shape ``(n, *shape)``.
        y: samples of Q, shape ``(m, *shape)``.
        truth: W1 of the distributions; None if it is not known.
        exact_n: number of the first x and y that ``exact`` is computed from.
        exact: W1 of the first x and y; None if ``exact_n`` is 0.
        noise_floor: exact W1 of the first x and as many further x: its value if P were Q.
        gradient_x: the first x, shape ``(m, *shape)``, m at most 4,096.
        gradient: of an optimal potential at these x; None if no optimal potential is known.
    """

    pair: Pair
    x: Tensor
    y: Tensor
    truth: Truth | None
    exact_n: int
    exact: W1Result | None
    noise_floor: W1Result | None
    gradient_x: Tensor
    gradient: Tensor | None


def draw_heldout(pair: Pair, n: int = 16_384, exact_n: int = 1024, seed: int = 0) -> HeldOut:
    """Draw held-out samples of a pair, independent of those of its training, and compute their exact W1.

    Args:
        pair: the distributions.
        n: samples of each; fewer if the pair holds out fewer.
        exact_n: number of them whose exact W1 is computed; 0 computes none. At most half of n, for the noise floor
            requires further samples of P; less if the pair holds out too few.
        seed: of the samples.

    Raises:
        ValueError: fewer than 2 samples, or an ``exact_n`` that is negative or above half of n.
    """
    check_sizes(n, exact_n)
    x, y = pair.sample(n, keyed_generator(seed, "heldout"), heldout=True)
    exact_n = min(exact_n, len(x) // 2, len(y))
    first = x[:exact_n], y[:exact_n], x[exact_n : 2 * exact_n]
    gradient_x = x[:_GRADIENTS]
    return HeldOut(
        pair=pair,
        x=x,
        y=y,
        truth=pair.w1() if pair.knows_w1 else None,
        exact_n=exact_n,
        exact=wasserstein1(first[0], first[1], norm=pair.norm) if exact_n else None,
        noise_floor=wasserstein1(first[0], first[2], norm=pair.norm) if exact_n else None,
        gradient_x=gradient_x,
        gradient=pair.potential_gradient(gradient_x) if pair.knows_potential else None,
    )


def check_sizes(n: int, exact_n: int) -> None:
    """Raise ValueError for sizes that ``draw_heldout`` does not accept."""
    if n < 2 or not 0 <= exact_n <= n // 2:
        raise ValueError(f"n must be at least 2 and exact_n between 0 and n / 2; got n={n}, exact_n={exact_n}")
