"""Ways to train a classifier."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import GroupSort, LInfLinear, MaxMin, Norm
from wgan_lip.networks import MLPClassifier
from wgan_lip.optim import StiefelMuon
from wgan_lip.robustness import PGD, ClassificationLoss, CrossEntropy, MarginCrossEntropy
from wgan_lip.training import RobustClassifier

EPS: dict[Norm, tuple[float, float]] = {"linf": (0.05, 0.1), "l2": (0.5, 1.0)}
HIDDEN = (512, 512)
SHAPE = (1, 28, 28)
DEEL = "deel-torchlip hKR"
# alpha, margin and temperature of deel-torchlip's SoftHKRMulticlassLoss; its HKRMulticlassLoss where the last is None.
TUNED = {
    f"alpha {alpha}, margin {margin}, temperature {temperature}, lr {lr}": (alpha, margin, temperature, lr)
    for alpha, margin, temperature, lr in (
        (0.98, 1.0, 10.0, 1e-3),
        (0.98, 2.0, 10.0, 1e-3),
        (0.9, 2.0, 10.0, 1e-3),
        (0.98, 3.0, 10.0, 1e-3),
        (0.98, 2.0, 50.0, 1e-3),
        (0.98, 2.0, 10.0, 3e-4),
        (0.98, 2.0, None, 1e-3),
    )
}


@dataclass(frozen=True)
class Method:
    """A way to train.

    Attributes:
        norms: in which it is scored.
        certifies: whether it is made for certificates.
        batch: images in a step.
        build: the module, from a number of steps and a seed.
    """

    norms: tuple[Norm, ...]
    certifies: bool
    batch: int
    build: Callable[[int, int], RobustClassifier]


def ours_l2(steps: int, seed: int) -> RobustClassifier:
    """Orthogonal layers, MaxMin."""
    return RobustClassifier(
        MLPClassifier(SHAPE, hidden=HIDDEN),
        loss=MarginCrossEntropy(1.4, 0.25),
        optimizer=partial(StiefelMuon, lr=0.01),
        steps=steps,
        seed=seed,
    )


def ours_linf(steps: int, seed: int) -> RobustClassifier:
    """Rows of l_1 norm 1, GroupSort."""
    return RobustClassifier(
        MLPClassifier(SHAPE, hidden=HIDDEN, linear=LInfLinear, activation=partial(GroupSort, 16)),
        loss=MarginCrossEntropy(0.36, 0.012),
        optimizer=partial(torch.optim.Adam, lr=3e-3),
        steps=steps,
        seed=seed,
    )


def relu() -> nn.Sequential:
    """An ordinary network of the same size."""
    return MLPClassifier(SHAPE, hidden=HIDDEN, linear=nn.Linear, activation=nn.ReLU)


def unconstrained(steps: int, seed: int) -> RobustClassifier:
    """Cross-entropy, and nothing else."""
    return RobustClassifier(
        relu(),
        norm="l2",
        loss=CrossEntropy(),
        optimizer=partial(torch.optim.Adam, lr=1e-3),
        steps=steps,
        seed=seed,
    )


def pgd_trained(norm: Norm, steps: int, seed: int) -> RobustClassifier:
    """Madry's adversarial training, at the larger of the two radii."""
    return RobustClassifier(
        relu(),
        norm=norm,
        loss=CrossEntropy(),
        optimizer=partial(torch.optim.Adam, lr=1e-3),
        adversary=PGD(EPS[norm][1], norm, steps=7, restarts=1, loss="cross_entropy", early_stop=False),
        steps=steps,
        seed=seed,
    )


class HKR(ClassificationLoss):
    """deel-torchlip's hinge-Kantorovich-Rubinstein loss."""

    def __init__(self, alpha: float, margin: float, temperature: float | None) -> None:
        from deel import torchlip

        if temperature is None:
            self.loss = torchlip.HKRMulticlassLoss(alpha=alpha, min_margin=margin, reduction="none")
        else:
            self.loss = torchlip.SoftHKRMulticlassLoss(
                alpha=alpha, min_margin=margin, temperature=temperature, reduction="none"
            )

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        one_hot = nn.functional.one_hot(y, logits.shape[1]).to(logits.dtype)
        return self.loss(logits, one_hot)


def deel(setting: str, steps: int, seed: int) -> RobustClassifier:
    """deel-torchlip's layers and loss; each logit of a row of norm 1, as its documentation has it."""
    from deel import torchlip

    alpha, margin, temperature, lr = TUNED[setting]
    widths = (math.prod(SHAPE), *HIDDEN)
    layers: list[nn.Module] = [nn.Flatten()]
    for i, o in itertools.pairwise(widths):
        layers += [torchlip.SpectralLinear(i, o), MaxMin()]
    layers.append(torchlip.FrobeniusLinear(HIDDEN[-1], 10, disjoint_neurons=True))
    return RobustClassifier(
        nn.Sequential(*layers),
        norm="l2",
        loss=HKR(alpha, margin, temperature),
        optimizer=partial(torch.optim.Adam, lr=lr),
        steps=steps,
        seed=seed,
    )


def methods(setting: str) -> dict[str, Method]:
    """All ways to train, by name.

    Args:
        setting: of deel-torchlip's loss.
    """
    return {
        "ours, l2": Method(("l2",), True, 1000, ours_l2),
        "ours, linf": Method(("linf",), True, 256, ours_linf),
        DEEL: Method(("l2", "linf"), True, 1000, partial(deel, setting)),
        "unconstrained": Method(("l2", "linf"), False, 256, unconstrained),
        "PGD-trained, l2": Method(("l2",), False, 256, partial(pgd_trained, "l2")),
        "PGD-trained, linf": Method(("linf",), False, 256, partial(pgd_trained, "linf")),
    }
