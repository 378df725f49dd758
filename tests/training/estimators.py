"""A small estimator of one pair of distributions, and a trainer for it."""

from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Generator, Tensor, nn

from tests.training.trainers import quiet_trainer
from wgan_lip.distributions import AbsoluteValue, Pair
from wgan_lip.networks import MLPCritic
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import HeldOutW1, W1Estimator


class Recorded(AbsoluteValue):
    """Remembers how many samples were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        self.sizes.append(n)
        return super().sample(n, generator, heldout)


class LinearCritic(nn.Sequential):
    """f(x) = K <x, direction>."""

    def __init__(self, direction: Tensor, slope: float = 1.0) -> None:
        super().__init__(nn.Linear(len(direction), 1, bias=False))
        with torch.no_grad():
            self[0].weight.copy_(slope * direction / direction.norm())


def tiny_estimator(pair: Pair | None = None, **arguments: Any) -> W1Estimator:
    """An estimator with a critic of two layers of 16, thirty steps of 32 samples."""
    defaults = {"critic": partial(MLPCritic, width=16, depth=2), "steps": 30, "batch_size": 32, "log_every": 7}
    return W1Estimator(pair or AbsoluteValue(), **{**defaults, **arguments})


def fit_estimator(
    folder: Path,
    *extra: pl.Callback,
    estimator: W1Estimator | None = None,
    ckpt_path: Path | None = None,
    every: int = 5,
    **arguments: Any,
) -> W1Estimator:
    """Train a small estimator in ``folder``, evaluated on 64 samples, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    estimator = estimator or tiny_estimator()
    callbacks = [*extra, HeldOutW1(every=every, n=64, exact_n=16), SaveCheckpoint(every=every)]
    quiet_trainer(folder, **{"callbacks": callbacks, **arguments}).fit(estimator, ckpt_path=ckpt_path)
    return estimator
