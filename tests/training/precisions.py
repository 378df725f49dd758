"""What is trained in every precision: networks of every kind, with what each member of the family injects."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback
from torch import nn

from tests.support.metrics import rows
from tests.training.family import FAMILY, member_gan
from tests.training.trainers import quiet_trainer
from wgan_lip.data import Digits, SampleDataModule
from wgan_lip.distributions import AbsoluteValue
from wgan_lip.lipschitz import GradientPenalty, MaxMin, OrthogonalLinear
from wgan_lip.networks import MLPCritic, MLPGenerator, ResidualCritic, ResidualGenerator
from wgan_lip.optim import StiefelAdam, StiefelMuon
from wgan_lip.robustness import FGSM, PGD, Attack, CrossEntropy, MarginCrossEntropy, MulticlassHinge
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import (
    CertifiedAccuracy,
    ExactW1,
    ExponentialAverage,
    GradientNorms,
    HeldOutW1,
    RandomShift,
    RobustClassifier,
    SampleGrid,
    SteppedModule,
    W1Estimator,
    WassersteinGAN,
)

# All that Lightning trains with on a CPU; the aliases are 64, 32, 16 and bf16.
TRUE = ("32-true", "64-true", "bf16-true")
MIXED = ("bf16-mixed", "16-mixed")
ALIASES: tuple[Any, ...] = (64, 32, 16, "bf16", "64", "32", "16")


def _gan(name: str, kind: str) -> WassersteinGAN:
    if kind == "convolutional":
        return member_gan(name, (1, 8, 8))
    member = FAMILY[name]
    torch.manual_seed(0)
    activation = MaxMin if member.penalty is None else nn.LeakyReLU
    networks: tuple[nn.Module, nn.Module]
    if kind == "residual":
        critic = ResidualCritic((1, 8, 8), 4, conv=member.conv, linear=member.linear, activation=activation)
        networks = critic, ResidualGenerator((1, 8, 8), 6, 4)
    else:
        networks = MLPCritic((1, 8, 8), 8, 2, member.linear, activation), MLPGenerator((1, 8, 8), 6, 8, 1)
    return WassersteinGAN(
        *networks,
        n_critic=2,
        generator_steps=2,
        critic_optimizer=StiefelMuon if member.constraint is None else None,
        penalty=member.penalty() if member.penalty else None,
        generator_average=ExponentialAverage(0.5),
        gradient_clip=1.0,
        log_every=1,
    )


def _estimator(**options: Any) -> W1Estimator:
    critic = partial(MLPCritic, width=8, depth=2)
    return W1Estimator(AbsoluteValue(), **{"critic": critic, "steps": 3, "batch_size": 16, "log_every": 1, **options})


def _classifier(attack: Attack | None = None, **options: Any) -> RobustClassifier:
    torch.manual_seed(0)
    linear = OrthogonalLinear if attack is None else nn.Linear
    network = nn.Sequential(nn.Flatten(), linear(64, 8), MaxMin(), linear(8, 10))
    norm = "l2" if attack is None else attack.norm
    return RobustClassifier(network, norm, steps=3, log_every=1, adversary=attack, **options)


TRAINED: dict[str, Callable[[], SteppedModule]] = {
    **{
        f"{name}, {kind}": partial(_gan, name, kind) for name in FAMILY for kind in ("MLP", "convolutional", "residual")
    },
    "estimator": _estimator,
    "estimator, averaged": lambda: _estimator(average=ExponentialAverage(0.5)),
    "estimator, StiefelAdam": lambda: _estimator(optimizer=StiefelAdam),
    "estimator, gradient penalty": lambda: _estimator(penalty=GradientPenalty(), optimizer=torch.optim.AdamW),
    "classifier, hinge": lambda: _classifier(loss=MulticlassHinge(), augmentation=RandomShift(1, mirror=True)),
    "classifier, margin": lambda: _classifier(loss=MarginCrossEntropy()),
    "classifier, cross-entropy": lambda: _classifier(loss=CrossEntropy()),
    **{
        f"classifier, {type(attack).__name__} in {attack.norm}": partial(_classifier, attack, loss=CrossEntropy())
        for attack in (
            FGSM(0.1, "l2"),
            FGSM(0.1, "linf"),
            PGD(0.1, "l2", steps=3, restarts=2),
            PGD(0.1, "linf", steps=3, restarts=2),
        )
    },
}


def train(folder: Path, module: SteppedModule, data: SampleDataModule | None = None, **options: Any) -> list[Any]:
    """Train a module, and evaluate it; returns what was logged.

    Args:
        folder: where everything goes.
        module: it is trained in place.
        data: the digits if None, for modules that train on data.
        options: of the trainer.
    """
    more: list[Callback]
    if isinstance(module, WassersteinGAN):
        more = [ExactW1(every=1, n=20), SampleGrid(every=1, n=4, interpolations=1, neighbours=1, among=20)]
        more, data = [*more, GradientNorms(every=1, n=8)], data or Digits(batch_size=20)
    elif isinstance(module, W1Estimator):
        more = [HeldOutW1(every=1, n=64, exact_n=16), GradientNorms(every=1, n=8)]
    else:
        more, data = [CertifiedAccuracy(every=1, n=20)], data or Digits(batch_size=20, labels=True)
    callbacks = [*options.pop("callbacks", []), *more, SaveCheckpoint(every=1)]
    ckpt_path = options.pop("ckpt_path", None)
    trainer = quiet_trainer(folder, callbacks=callbacks, **options)
    trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True if ckpt_path else None)
    return rows(folder)
