"""Losses that push a classifier's logits apart, and so its certified radii up."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F


class ClassificationLoss(ABC):
    """A loss of logits and classes."""

    @abstractmethod
    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        """The loss of each example, shape (N,).

        Args:
            logits: z, shape (N, K).
            y: the true classes, int64 of shape (N,).
        """


class MulticlassHinge(ClassificationLoss):
    """``sum_(j != y) max(0, margin - (z_y - z_j))``: nothing is left to gain once every margin is reached.

    Of a network whose logits are each 1-Lipschitz, an example with that margin is certified up to ``margin / 2``; what
    exactly is certified, :func:`certify_classifier` says.

    Args:
        margin: that is wanted, in the units of the logits.

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
    """Cross-entropy after all logits but the true one were raised by a margin: ``T CE((z + margin (1 - e_y)) / T, y)``.

    As the temperature T falls to 0 it becomes ``max(0, margin - (z_y - max_(j != y) z_j))``, a hinge of the margin that
    certifies; before, it weighs hard examples less abruptly. Networks of a small Lipschitz constant need a T well
    below 1, or their logits could never be sure of anything.

    Args:
        margin: in the units of the logits.
        temperature: T, likewise.

    Raises:
        ValueError: a margin below 0, or a temperature that is not positive.

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
    """Plain cross-entropy, for comparison: it knows nothing of margins."""

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y, reduction="none")


def _positive(name: str, value: float) -> float:
    if not 0 < value < torch.inf:
        raise ValueError(f"{name} must be positive and finite; got {name}={value}")
    return value
