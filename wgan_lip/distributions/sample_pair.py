"""A pair that is known by samples only."""

import torch
from torch import Generator, Tensor

from wgan_lip.distributions.pair import Pair


class SamplePair(Pair):
    """Two sets of samples: P and Q are the empirical distributions of their training parts.

    W1 is not known. The last ``heldout`` part of each set is held out from training: shuffle sets that are ordered.

    Args:
        x: samples of P, of shape ``(n, *shape)``.
        y: samples of Q, of shape ``(m, *shape)``.
        heldout: part of each set that is held out, in (0, 1).
        bounds: between which all coordinates of both distributions lie, where that is known.

    Raises:
        ValueError: different shapes, samples that are not finite, or sets too small for both parts.
    """

    def __init__(self, x: Tensor, y: Tensor, heldout: float = 0.25, bounds: tuple[float, float] | None = None) -> None:
        if not 0 < heldout < 1:
            raise ValueError(f"heldout must lie between 0 and 1; got heldout={heldout}")
        if x.ndim < 2 or x.shape[1:] != y.shape[1:]:
            raise ValueError(f"x and y must have samples of one shape; got {tuple(x.shape)} and {tuple(y.shape)}")
        self.shape = tuple(x.shape[1:])
        self.bounds = bounds
        self._parts: dict[bool, list[Tensor]] = {False: [], True: []}
        for name, samples in (("x", x), ("y", y)):
            kept = round(len(samples) * (1 - heldout))
            if not 0 < kept < len(samples):
                raise ValueError(
                    f"{name} must have enough samples for training and heldout={heldout}; got {len(samples)}"
                )
            if not bool(torch.isfinite(samples).all()):
                raise ValueError(f"{name} must be finite; got NaN or infinity")
            self._parts[False].append(samples[:kept].float())
            self._parts[True].append(samples[kept:].float())

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        """Draw as :meth:`Pair.sample`; training samples with replacement, held-out ones each once, at most all."""
        x, y = (_draw(part, n, generator, heldout) for part in self._parts[heldout])
        return x, y


def _draw(samples: Tensor, n: int, generator: Generator, once: bool) -> Tensor:
    size, device = len(samples), generator.device
    if once:
        chosen = torch.randperm(size, generator=generator, device=device)[:n]
    else:
        chosen = torch.randint(size, (n,), generator=generator, device=device)
    return samples[chosen.cpu()].to(device)
