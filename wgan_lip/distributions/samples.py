"""Pairs that are known by samples only."""

import torch
from torch import Generator, Tensor, nn

from wgan_lip.distributions.pair import Pair
from wgan_lip.dtypes import drawing_dtype


class SamplePair(Pair):
    """Two sets of samples: P and Q are the empirical distributions of their training parts.

    W1 is not known. The last ``heldout`` part of each set (shuffle sets that are ordered) is kept from training.

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
            raise ValueError(f"x and y must hold samples of one shape; got {tuple(x.shape)} and {tuple(y.shape)}")
        self.shape = tuple(x.shape[1:])
        self.bounds = bounds
        self._parts: dict[bool, list[Tensor]] = {False: [], True: []}
        for name, samples in (("x", x), ("y", y)):
            kept = round(len(samples) * (1 - heldout))
            if not 0 < kept < len(samples):
                raise ValueError(
                    f"{name} must hold enough samples for training and heldout={heldout}; got {len(samples)}"
                )
            if not bool(torch.isfinite(samples).all()):
                raise ValueError(f"{name} must be finite; got NaN or infinity")
            self._parts[False].append(samples[:kept].float())
            self._parts[True].append(samples[kept:].float())

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        """As :meth:`Pair.sample`: with replacement in training; held-out ones each once, at most all there are."""
        x, y = (_draw(part, n, generator, heldout) for part in self._parts[heldout])
        return x, y


class GeneratorPair(Pair):
    """Data (P) against what a trained generator makes of noise z ~ N(0, I) (Q).

    Args:
        generator: maps noise ``(n, noise_dim)`` to samples; taken in evaluation mode.
        data: samples of P, of shape ``(n, *shape)``.
        heldout: part of the data that is held out, in (0, 1).
        bounds: between which all coordinates of both lie, where that is known.

    Raises:
        ValueError: a generator without ``noise_dim`` or for other samples; data as in :class:`SamplePair`.
    """

    def __init__(
        self, generator: nn.Module, data: Tensor, heldout: float = 0.25, bounds: tuple[float, float] | None = None
    ) -> None:
        noise_dim = getattr(generator, "noise_dim", None)
        if not isinstance(noise_dim, int):
            raise ValueError(f"generator must have an integer attribute noise_dim; {type(generator).__name__} has none")
        self._noise_dim = noise_dim
        self._generator = generator
        self._data = SamplePair(data, data, heldout, bounds)
        self.shape = self._data.shape
        self.bounds = bounds
        made = self._make(torch.zeros(1, noise_dim))
        if tuple(made.shape[1:]) != self.shape:
            raise ValueError(f"generator makes samples of shape {tuple(made.shape[1:])}; the data's are {self.shape}")

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        x = self._data.sample(n, generator, heldout)[0]
        shape, dtype = (len(x), self._noise_dim), drawing_dtype()
        return x, self._make(torch.randn(shape, generator=generator, device=generator.device, dtype=dtype))

    @torch.no_grad()
    def _make(self, noise: Tensor) -> Tensor:
        training = self._generator.training
        parameter = next(self._generator.parameters(), noise)
        try:
            made = self._generator.eval()(noise.to(parameter.device, parameter.dtype))
        finally:
            self._generator.train(training)
        return made.to(noise.device, torch.float32)


def _draw(samples: Tensor, n: int, generator: Generator, once: bool) -> Tensor:
    size, device = len(samples), generator.device
    if once:
        chosen = torch.randperm(size, generator=generator, device=device)[:n]
    else:
        chosen = torch.randint(size, (n,), generator=generator, device=device)
    return samples[chosen.cpu()].to(device)
