"""Margins of logits, losses that raise them in training, and the directions in which attacks lower them."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

# What an attack raises.
AttackLoss = Literal["margin", "cross_entropy"]


class ClassificationLoss(ABC):
    """A loss of logits and classes."""

    @abstractmethod
    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        """Compute the loss of each example, shape (N,).

        Args:
            logits: z, shape (N, K).
            y: the true classes, int64 of shape (N,).
        """


class MulticlassHinge(ClassificationLoss):
    """``sum_(j != y) max(0, margin - (z_y - z_j))``: 0 once every margin is reached.

    If each logit of a network is 1-Lipschitz, an example with that margin is certified up to at least ``margin / 2``;
    :func:`certify_classifier` computes the certified radius.

    Args:
        margin: the margin to reach, in the units of the logits.

    Raises:
        ValueError: the margin is not positive.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5 and appendix.
    """

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = _positive("margin", margin)

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        own = logits.gather(1, y[:, None])
        missing = (self.margin - (own - logits)).clamp_min(0)
        return missing.scatter(1, y[:, None], 0).sum(1)


class MarginCrossEntropy(ClassificationLoss):
    """Cross-entropy after all logits but the true one are raised by a margin: ``T CE((z + margin (1 - e_y)) / T, y)``.

    For a temperature T towards 0 it becomes ``max(0, margin - (z_y - max_(j != y) z_j))``, a hinge of the margin that
    certifies; for larger T it weighs hard examples less abruptly. Networks of a small Lipschitz constant need a T well
    below 1, since the softmax of their logits is otherwise never near 0 or 1.

    Args:
        margin: in the units of the logits.
        temperature: T, in the units of the logits.

    Raises:
        ValueError: a margin that is negative or not finite, or a temperature that is not positive and finite.

    Source:
        Prach, Lampert, "Almost-orthogonal layers for efficient general-purpose Lipschitz networks", ECCV 2022,
        section 4 (there the offset and the temperature of the loss).
    """

    def __init__(self, margin: float = 1.0, temperature: float = 0.25) -> None:
        if not 0 <= margin < torch.inf:
            raise ValueError(f"margin must be at least 0 and finite; got margin={margin}")
        self.margin = margin
        self.temperature = _positive("temperature", temperature)

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        lowered = logits - self.margin * F.one_hot(y, logits.shape[1])
        return self.temperature * F.cross_entropy(lowered / self.temperature, y, reduction="none")


class CrossEntropy(ClassificationLoss):
    """Plain cross-entropy without a margin, for comparison."""

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y, reduction="none")


def _positive(name: str, value: float) -> float:
    if not 0 < value < torch.inf:
        raise ValueError(f"{name} must be positive and finite; got {name}={value}")
    return value


def margins(logits: Tensor, y: Tensor) -> Tensor:
    """Compute ``max_(j != y) z_j - z_y``: negative exactly where logit y is the only largest one.

    Args:
        logits: z, shape (N, K) with K >= 2.
        y: the true classes, int64 of shape (N,).

    Returns:
        Shape (N,); infinity where a logit is NaN.

    Raises:
        ValueError: logits or classes of wrong shapes, or classes out of range.
    """
    _check(logits, y)
    own = logits.gather(1, y[:, None])[:, 0]
    return (_others(logits, y).amax(1) - own).nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)


def attack_direction(logits: Tensor, y: Tensor, loss: AttackLoss) -> Tensor:
    """Compute the gradient of a loss with respect to the logits, up to a positive factor for each example.

    Margin: ``e_j - e_y`` with j the class with the largest other logit. Cross-entropy: ``p - e_y``, with p the softmax,
    is ``(1 - p_y) (q - e_y)`` where q is the softmax over the other classes alone; ``q - e_y`` is returned. Attacks use
    only the direction, and it does not vanish where ``1 - p_y`` rounds to 0.

    Args:
        logits: shape (N, K).
        y: the true classes, int64 of shape (N,).
        loss: "margin" or "cross_entropy".

    Returns:
        Shape (N, K).
    """
    others = _others(logits.detach(), y)
    if loss == "margin":
        weights = torch.zeros_like(others).scatter_(1, others.argmax(1, keepdim=True), 1)
    else:
        weights = others.softmax(1)
    return weights.scatter(1, y[:, None], -1)


def _others(logits: Tensor, y: Tensor) -> Tensor:
    return logits.scatter(1, y[:, None], -torch.inf)


def _check(logits: Tensor, y: Tensor) -> None:
    if logits.ndim != 2 or logits.shape[1] < 2 or y.shape != logits.shape[:1]:
        raise ValueError(
            "a classifier must map N images to logits of shape (N, K), K >= 2, and y must be of shape (N,); got logits "
            f"of shape {tuple(logits.shape)} and y of shape {tuple(y.shape)}"
        )
    if y.dtype != torch.int64 or (len(y) and not 0 <= int(y.min()) <= int(y.max()) < logits.shape[1]):
        raise ValueError(
            f"y must hold classes from 0 to {logits.shape[1] - 1} as int64; got {y.dtype} from {y.min()} to {y.max()}"
        )
