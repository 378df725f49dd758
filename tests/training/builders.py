"""A small GAN on the digits, and a trainer that writes to a folder."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from tests.training.trainers import quiet_trainer
from wgan_lip.data import Digits
from wgan_lip.lipschitz import GroupSort
from wgan_lip.networks import MLPCritic, MLPGenerator
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import ExactW1, SampleGrid, WassersteinGAN


class DropoutGenerator(MLPGenerator):
    """Draws from torch's global generator while it trains."""

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.dropout(noise, 0.1, self.training))


def tiny_gan(seed: int = 0, generator: type[MLPGenerator] = MLPGenerator, **arguments: Any) -> WassersteinGAN:
    """A GAN with weights drawn from ``seed``."""
    torch.manual_seed(seed)
    critic = MLPCritic((1, 8, 8), width=16, depth=2, activation=lambda: GroupSort(4))
    return WassersteinGAN(
        critic,
        generator((1, 8, 8), noise_dim=8, width=16, depth=1),
        **{"n_critic": 2, "generator_steps": 30, "seed": seed, "log_every": 7, **arguments},
    )


def tiny_trainer(folder: Path, *extra: pl.Callback, every: int = 5, **arguments: Any) -> pl.Trainer:
    """A trainer with this package's callbacks, 50 samples an evaluation, and metrics.csv in ``folder``."""
    callbacks = [
        *extra,
        ExactW1(every=every, n=50, fit="never"),
        SampleGrid(every=10, n=4),
        SaveCheckpoint(every=every),
    ]
    return quiet_trainer(folder, **{"callbacks": callbacks, **arguments})


def fit(
    folder: Path,
    *extra: pl.Callback,
    gan: WassersteinGAN | None = None,
    ckpt_path: Path | None = None,
    **arguments: Any,
) -> WassersteinGAN:
    """Train a small GAN in ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    gan = gan or tiny_gan()
    tiny_trainer(folder, *extra, **arguments).fit(gan, datamodule=Digits(batch_size=100), ckpt_path=ckpt_path)
    return gan
