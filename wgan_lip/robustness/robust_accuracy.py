"""The accuracy of a classifier under an attack, with its sampling error."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from wgan_lip.lipschitz.evaluating import evaluating
from wgan_lip.robustness.attacks import Attack


@dataclass(frozen=True)
class Accuracy:
    """A share of n examples, and a confidence interval of the share of all that they were drawn from.

    Attributes:
        value: the share of these examples.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of examples.
        confidence: that the interval holds the true share, at least.
    """

    value: float
    low: float
    high: float
    n: int
    confidence: float


def accuracy(correct: Tensor, confidence: float = 0.95) -> Accuracy:
    """The share of examples of which something holds, with its exact confidence interval.

    The ends are the shares p at which so many, or so few, of n would be seen with probability ``(1 - confidence) / 2``.

    Args:
        correct: of which it holds, bool of shape (n,), n >= 1; independent draws.
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: nothing to count, or no such confidence.

    Source:
        Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
        Biometrika 26, 1934.
    """
    if correct.dtype != torch.bool or correct.ndim != 1 or not len(correct):
        raise ValueError(f"correct must be bools of shape (n,), n >= 1; got {correct.dtype} {tuple(correct.shape)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
    count, n = int(correct.sum()), len(correct)
    ends = binomtest(count, n).proportion_ci(confidence, method="exact")
    return Accuracy(count / n, float(ends.low), float(ends.high), n, confidence)


@dataclass(frozen=True)
class Attacked:
    """Which of n examples a classifier gets right, and which still under attack.

    Attributes:
        clean: classified correctly as they are, bool of shape (n,), on the CPU.
        withstood: and no image that the attack tried was misclassified; never without ``clean``.
        margins: the largest ``max_(j != y) z_j - z_y`` that it found, shape (n,).
        images: where it found them, shape (n, ...).
    """

    clean: Tensor
    withstood: Tensor
    margins: Tensor
    images: Tensor


def attacked(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    generator: torch.Generator,
    chunk: int = 1000,
    watch: Callable[[int], None] | None = None,
) -> Attacked:
    """Attack examples, some at a time, in evaluation mode.

    Args:
        network: the classifier, from (N, ...) to logits (N, K); its modes are as before afterwards.
        x: images, shape (n, ...); brought to the network's device and dtype.
        y: their classes, int64 of shape (n,).
        attack: what is done to them.
        generator: source of the attack's randomness.
        chunk: examples that are attacked at once.
        watch: is told, now and then, how many more were.

    Raises:
        ValueError: ``chunk < 1``, no examples, another number of classes; as the attack.
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
    clean, worst, images = (
        torch.cat([getattr(part, name).cpu() for part in found]) for name in ("clean", "margins", "images")
    )
    return Attacked(clean < 0, worst < 0, worst, images)
