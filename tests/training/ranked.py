"""Trainings that any number of ranks share: ``python -m tests.training.ranked PROGRAM RANKS FOLDER ARGUMENT...``."""

import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from tests.training.builders import DropoutGenerator, tiny_gan
from tests.training.classifiers import tiny_classifier
from tests.training.estimators import tiny_estimator
from tests.training.family import FAMILY, member_gan
from tests.training.test_resume import CutOff, CutOffError
from tests.training.trainers import quiet_trainer
from wgan_lip.data import Digits
from wgan_lip.lipschitz import GradientPenalty, MaxMin
from wgan_lip.networks import ConvCritic, MLPClassifier, MLPCritic, MLPGenerator
from wgan_lip.optim import StiefelAdam, StiefelMuon
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import (
    CertifiedAccuracy,
    ExactW1,
    ExponentialAverage,
    HeldOutW1,
    RandomShift,
    RobustClassifier,
    SteppedModule,
    WassersteinGAN,
)
from wgan_lip.training.ranks import LostRankError, Ranks

STEPS = 50


def _gan(**arguments: Any) -> WassersteinGAN:
    return tiny_gan(**{"generator_steps": STEPS // 2, "log_every": 1, **arguments})


def _plain_gan() -> WassersteinGAN:
    """WGAN-GP with all the options that split batches."""
    torch.manual_seed(0)
    critic = MLPCritic((1, 8, 8), width=16, depth=2, activation=MaxMin, linear=nn.Linear)
    return WassersteinGAN(
        critic,
        MLPGenerator((1, 8, 8), noise_dim=8, width=16, depth=1),
        n_critic=2,
        generator_steps=STEPS // 2,
        penalty=GradientPenalty(),
        gradient_clip=0.5,
        accumulate=3,
        generator_average=ExponentialAverage(0.9),
        log_every=1,
    )


def _convolutional_gan() -> WassersteinGAN:
    torch.manual_seed(0)
    return WassersteinGAN(
        ConvCritic((1, 8, 8), channels=(4, 8), hidden=(16,)),
        MLPGenerator((1, 8, 8), noise_dim=8, width=16, depth=1),
        n_critic=2,
        generator_steps=STEPS // 2,
        critic_optimizer=lambda parameters: StiefelMuon(parameters, lr=0.02),
        log_every=1,
    )


def _classifier() -> RobustClassifier:
    # Before the network, whose weights are drawn when it is made.
    torch.manual_seed(0)
    return tiny_classifier(
        network=MLPClassifier((1, 8, 8), hidden=(16,)),
        steps=STEPS,
        log_every=1,
        augmentation=RandomShift(1, mirror=True),
    )


# By name: the module, as every rank builds it.
CASES: dict[str, Callable[[], SteppedModule]] = {
    "orthogonal": _gan,
    "stiefel adam": lambda: _gan(critic_optimizer=lambda p: StiefelAdam(p, lr=0.01), linear_decay=False),
    "penalised": _plain_gan,
    "convolutional": _convolutional_gan,
    "estimator": lambda: tiny_estimator(steps=STEPS, batch_size=33, log_every=1),
    "penalised estimator": lambda: tiny_estimator(steps=STEPS, log_every=1, penalty=GradientPenalty()),
    "classifier": _classifier,
    "dropout": lambda: tiny_gan(generator=DropoutGenerator),
    **{name: lambda name=name: member_gan(name, (1, 8, 8), generator_steps=5, n_critic=2) for name in FAMILY},
}


class KeepWeights(pl.Callback):
    """Keeps each rank's weights when its training ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        state = {name: value.clone() for name, value in pl_module.state_dict().items()}
        torch.save({"state": state, "random": torch.get_rng_state()}, self.folder / f"weights-{trainer.global_rank}.pt")


class Die(pl.Callback):
    """Kills a rank at a critic step, without a word."""

    def __init__(self, rank: int, critic_step: int) -> None:
        self.rank, self.critic_step = rank, critic_step

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if trainer.global_rank == self.rank and pl_module.critic_step == self.critic_step:
            (Path(trainer.default_root_dir) / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)


def _evaluation_and_data(module: SteppedModule, every: int) -> tuple[pl.Callback, Digits | None]:
    if isinstance(module, WassersteinGAN):
        return ExactW1(every=every, n=51), Digits(batch_size=101)
    if isinstance(module, RobustClassifier):
        return CertifiedAccuracy(every=every, n=64, eps=[0.1, 0.5]), Digits(batch_size=101, labels=True)
    return HeldOutW1(every=every, n=64, exact_n=16), None


def train(
    case: str,
    folder: Path,
    ranks: int,
    *extra: pl.Callback,
    ckpt_path: Path | None = None,
    every: int = 5,
    **arguments: Any,
) -> SteppedModule:
    """Train a case in float64, with a batch of 101 that no number of ranks divides, and keep the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    module = CASES[case]()
    evaluation, data = _evaluation_and_data(module, every)
    defaults = {
        "devices": ranks,
        "strategy": "ddp" if ranks > 1 else "auto",
        "precision": "64-true",
        "callbacks": [*extra, evaluation, SaveCheckpoint(every=every), KeepWeights(folder)],
    }
    trainer = quiet_trainer(folder, **{**defaults, **arguments})
    trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    return module


def train_all(ranks: int, folder: Path, *cases: str) -> None:
    """Train cases one after the other."""
    for case in cases:
        train(case, folder / case, ranks)


def interrupt(ranks: int, folder: Path, case: str) -> None:
    """Cut off at critic step 24, four after a checkpoint."""
    with suppress(CutOffError):
        train(case, folder / case, ranks, CutOff(24))


def interrupt_and_resume(ranks: int, folder: Path, case: str) -> None:
    """Cut off and resumed, with other random states in between."""
    interrupt(ranks, folder, case)
    torch.manual_seed(99)
    train(case, folder / case, ranks, ckpt_path=folder / case / "checkpoints" / "last.ckpt")


def kill(ranks: int, folder: Path, case: str, victim: str) -> None:
    """A rank is killed at critic step 24; the others write what they know."""
    try:
        train(case, folder / case, ranks, Die(int(victim), 24))
    except LostRankError as error:
        (folder / f"said-{os.environ['LOCAL_RANK']}").write_text(str(error))
        raise


def talk(ranks: int, folder: Path) -> None:
    """Each message is tried once; every rank writes what came of it."""
    train("orthogonal", folder / "run", ranks, Talk(folder), max_steps=1)


class Talk(pl.Callback):
    """Tries each message once, and writes what comes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        ranks: Ranks = pl_module.ranks
        rank = ranks.rank
        gathered = ranks.gather(ranks.part(5).of(torch.arange(5)))
        lines = [f"any {ranks.any(rank == 1)}", f"gathered {None if gathered is None else gathered.tolist()}"]

        def attempt(name: str, function: Callable[[], Any]) -> None:
            try:
                lines.append(f"{name} {function()}")
            except Exception as error:
                lines.append(f"{name} {type(error).__name__} {error}")

        def fails_on(chosen: int, error: Exception) -> Callable[[], None]:
            def function() -> None:
                if rank == chosen:
                    raise error

            return function

        attempt("together", lambda: ranks.on_all(fails_on(1, OSError("the disk is full"))))
        attempt("lead", lambda: ranks.on_rank_zero(fails_on(0, ValueError("no proof"))))
        attempt("lead", lambda: ranks.on_rank_zero(lambda: [1, 2]))
        network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        for parameter in network.parameters():
            nn.init.ones_(parameter)
        ranks.check_same(network)
        nn.init.constant_(network[1].weight, 1 + rank * 2.0**-23)
        attempt("same", lambda: ranks.check_same(network))
        lines.append(f"total {float(ranks.sum(torch.tensor(rank + 1.0)))}")
        attempt("budget", lambda: ExactW1(time_budget=1e4)._budget(ranks))
        attempt("budget", lambda: ExactW1()._budget(ranks))
        attempt("share", lambda: ranks.part(1))
        (self.folder / f"said-{rank}").write_text("\n".join(lines))


PROGRAMS: dict[str, Callable[..., None]] = {
    "train": train_all,
    "interrupt": interrupt,
    "resume": interrupt_and_resume,
    "kill": kill,
    "talk": talk,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated")
    program, size, path, *others = sys.argv[1:]
    PROGRAMS[program](int(size), Path(path), *others)
