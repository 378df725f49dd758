"""Attacks: images near given ones, chosen to be misclassified."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import Norm, evaluating
from wgan_lip.robustness.ball import Ball, check_norm
from wgan_lip.robustness.losses import AttackLoss, attack_direction, margins


@dataclass(frozen=True)
class AttackResult:
    """The result of an attack on N images.

    Attributes:
        images: the perturbed images with the largest margins of all that were tried.
        margins: ``max_(j != y) z_j - z_y`` at them, shape (N,): at least 0 where the attack succeeded.
        clean_margins: the same at the given images.
    """

    images: Tensor
    margins: Tensor
    clean_margins: Tensor

    @property
    def correct(self) -> Tensor:
        """Whether each given image is classified correctly, bool of shape (N,)."""
        return self.clean_margins < 0

    @property
    def withstood(self) -> Tensor:
        """Whether all images that were tried are classified correctly, the given one among them; bool, shape (N,)."""
        return self.margins < 0


@dataclass(frozen=True)
class Attack(ABC):
    """A search for ``z`` with ``|z - x| <= eps``, inside the box of images, that a classifier misclassifies.

    The classifier must map each image by itself, and deterministically: in evaluation mode if it has dropout or batch
    normalisation. Its parameters get no gradients. Every z is within ``eps`` of x as measured in float64.

    Args:
        eps: the radius, in units of the images.
        norm: "linf" or "l2".
        bounds: the least and the largest value of a coordinate.

    Raises:
        ValueError: a radius that is not positive and finite, an unknown norm, bounds of an empty box; when called:
            images outside of the box, logits or classes of wrong shapes.
    """

    eps: float
    norm: Norm = "linf"
    bounds: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not 0 < self.eps < math.inf:
            raise ValueError(f"eps must be positive and finite; got eps={self.eps}")
        check_norm(self.norm)
        low, high = self.bounds
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"bounds must be finite, the first below the second; got bounds={self.bounds}")

    def __call__(self, network: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """Return only the perturbed images of :meth:`search`."""
        return self.search(network, x, y, generator).images

    def search(self, network: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> AttackResult:
        """Attack a batch.

        Args:
            network: the classifier, from (N, ...) to logits (N, K).
            x: images in the box, shape (N, ...).
            y: their classes, int64 of shape (N,).
            generator: source of the attack's randomness.
        """
        # The caller may evaluate without gradients, which an attack needs.
        with torch.inference_mode(False), torch.enable_grad():
            x, y = x.detach().clone(), y.clone()
            ball = Ball.around(x, self.eps, self.norm, self.bounds)
            with torch.no_grad():
                clean = margins(network(x.clone()), y)
            search = _Search(network, ball, y, clean, self._stops)
            self._run(search, generator)
            return AttackResult(search.images, search.margins, clean)

    # Stop the search for an example as soon as it is misclassified.
    _stops = True

    @abstractmethod
    def _run(self, search: "_Search", generator: torch.Generator) -> None:
        """Try points."""


@dataclass(frozen=True)
class FGSM(Attack):
    """The fast gradient method (in l_inf: fast gradient sign method): one step of length ``eps`` up the cross-entropy.

    The result is x itself if the step does not raise the margin, or if x is misclassified already, so that no more
    examples withstand the attack than are classified correctly.

    Source:
        Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, section 4.
    """

    def _run(self, search: "_Search", generator: torch.Generator) -> None:
        search.climb(lambda ball: ball.x, 1, self.eps, "cross_entropy")


@dataclass(frozen=True)
class PGD(Attack):
    """Projected gradient steps, from x and from random points of the ball.

    The result is the point with the largest margin ``max_(j != y) z_j - z_y`` of all points of all restarts, x itself
    and the point of :class:`FGSM` among them: an example that withstands PGD withstands FGSM, and one that withstands
    FGSM is classified correctly. (This is exact for equal batches: a margin within rounding of 0 may depend on the
    batch.)

    Args:
        eps: the radius, in units of the images.
        norm: "linf" or "l2".
        bounds: the least and the largest value of a coordinate.
        steps: of each restart.
        step_size: their length in the norm; ``2.5 eps / steps`` if None.
        restarts: the first from x, the others from points that are uniform in the ball.
        loss: what the steps raise: "margin", "cross_entropy", or "both": in turn, beginning with the margin. Against
            1-Lipschitz networks, whose logits lie close together, cross-entropy alone is much weaker.
        early_stop: stop the search for an example as soon as it is misclassified; off for adversarial training, which
            needs the point of the largest margin.

    Raises:
        ValueError: as :class:`Attack`; steps or restarts below 1, a step size that is not positive, an unknown loss.

    Source:
        Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, section 2; the margin:
        Carlini, Wagner, "Towards evaluating the robustness of neural networks", S&P 2017, section V.
    """

    steps: int = 40
    step_size: float | None = None
    restarts: int = 5
    loss: Literal["margin", "cross_entropy", "both"] = "both"
    early_stop: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("steps", self.steps), ("restarts", self.restarts)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {name}={value}")
        if self.step_size is not None and not 0 < self.step_size < math.inf:
            raise ValueError(f"step_size must be positive and finite; got step_size={self.step_size}")
        if self.loss not in ("margin", "cross_entropy", "both"):
            raise ValueError(f"loss must be 'margin', 'cross_entropy' or 'both'; got loss={self.loss!r}")

    @property
    def _stops(self) -> bool:  # type: ignore[override]
        return self.early_stop

    def _run(self, search: "_Search", generator: torch.Generator) -> None:
        # The same point as FGSM's, for the same examples.
        search.climb(lambda ball: ball.x, 1, self.eps, "cross_entropy")
        losses: tuple[AttackLoss, ...] = ("margin", "cross_entropy") if self.loss == "both" else (self.loss,)
        size = 2.5 * self.eps / self.steps if self.step_size is None else self.step_size
        for restart in range(self.restarts):
            start = (lambda ball: ball.uniform(generator)) if restart else (lambda ball: ball.x)
            search.climb(start, self.steps, size, losses[restart % len(losses)])


class _Search:
    """The image with the largest margin so far of each example, and the examples that are still searched."""

    def __init__(self, network: nn.Module, ball: Ball, y: Tensor, clean: Tensor, stops: bool) -> None:
        self.network = network
        self.ball = ball
        self.y = y
        self.images = ball.x.clone()
        self.margins = clean.clone()
        self.stops = stops

    def climb(self, start: Callable[[Ball], Tensor], steps: int, size: float, loss: AttackLoss) -> None:
        """Take steps that raise a loss from a start; each point is a candidate."""
        rows = self._open(torch.arange(len(self.y), device=self.y.device))
        if not len(rows):
            return
        ball, y = self.ball[rows], self.y[rows]
        z = start(ball)
        for step in range(steps + 1):
            z = z.detach().requires_grad_(step < steps)
            with torch.set_grad_enabled(step < steps):
                # A copy: the network may work in place, and z is kept.
                logits = self.network(z.clone())
            self._note(rows, z.detach(), margins(logits.detach(), y))
            if step == steps:
                return
            (gradient,) = torch.autograd.grad(logits, z, attack_direction(logits, y, loss))
            z = ball.step(z.detach(), gradient, size)
            left = self._open(rows)
            if len(left) < len(rows):
                if not len(left):
                    return
                kept = self._is_open(rows)
                rows, z, ball, y = left, z[kept], ball[kept], y[kept]

    def _note(self, rows: Tensor, z: Tensor, found: Tensor) -> None:
        better = found > self.margins[rows]
        self.images[rows[better]] = z[better]
        self.margins[rows[better]] = found[better]

    def _is_open(self, rows: Tensor) -> Tensor:
        return self.margins[rows] < 0 if self.stops else torch.ones_like(rows, dtype=torch.bool)

    def _open(self, rows: Tensor) -> Tensor:
        return rows[self._is_open(rows)]


def attacked(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    generator: torch.Generator,
    chunk: int = 1000,
    watch: Callable[[int], None] | None = None,
) -> AttackResult:
    """Attack examples in chunks, in evaluation mode.

    Args:
        network: the classifier, from (N, ...) to logits (N, K); its modes are restored afterwards.
        x: images, shape (n, ...); moved to the network's device and dtype.
        y: their classes, int64 of shape (n,).
        attack: the attack.
        generator: source of the attack's randomness.
        chunk: examples that are attacked at once.
        watch: called after each chunk with the number of its examples.

    Returns:
        The result, on the CPU.

    Raises:
        ValueError: ``chunk < 1``, no examples, different numbers of images and classes; as the attack.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1; got chunk={chunk}")
    if not len(x) or len(x) != len(y):
        raise ValueError(f"x and y must hold the same number of examples, at least 1; got {len(x)} and {len(y)}")
    like = next(network.parameters(), x)
    with evaluating(network):
        found = []
        for images, classes in zip(x.split(chunk), y.split(chunk), strict=True):
            found.append(attack.search(network, images.to(like), classes.to(like.device), generator))
            if watch is not None:
                watch(len(images))
    return AttackResult(
        *(torch.cat([getattr(part, field.name).cpu() for part in found]) for field in fields(AttackResult))
    )
