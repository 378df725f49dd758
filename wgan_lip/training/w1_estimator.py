"""Estimation of the W1 of a pair of distributions by a critic that is trained on it; pairs of sample sets on disk."""

import copy
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities import rank_zero_only
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from wgan_lip.distributions import Pair, SamplePair
from wgan_lip.dtypes import check_has_values
from wgan_lip.files import FileSamples, different_scales, load_samples, split_key
from wgan_lip.lipschitz import Penalty, project_
from wgan_lip.networks import CriticFactory, default_critic
from wgan_lip.optim import StiefelMuon
from wgan_lip.plain_text import printable
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.averaging import ExponentialAverage
from wgan_lip.training.checks import try_network
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.wgan import OptimizerFactory

Decay: TypeAlias = Literal["none", "linear", "cosine"]
# ``penalty(critic, x, y, generator)`` is added to the loss.
PenaltyFunction = Callable[[nn.Module, Tensor, Tensor, Generator], Tensor]


class W1Estimator(SteppedModule):
    """Trains ``max_f E f(x) - E f(y)``, x ~ P and y ~ Q, over a Lipschitz critic f: Kantorovich's dual of W1(P, Q).

    A step draws a new batch of both distributions, which depends on ``seed`` and the step only, and ascends
    ``mean f(x) - mean f(y)``; constrained weights are then projected back onto their sets (``lipschitz.project_``).
    :class:`HeldOutW1` evaluates the critic during training; ``evaluate_estimator`` evaluates any critic.
    ``critic_step`` counts the steps.

    Args:
        pair: the distributions P and Q.
        critic: builds the critic from the shape of one sample; its initial weights depend on ``seed`` only. None is
            ``networks.default_critic``.
        steps: number of training steps.
        batch_size: samples of each distribution in a step.
        optimizer: builds the optimiser from the critic's parameters; None is ``optim.StiefelMuon``.
        penalty: added to the loss, ``penalty(critic, x, y, generator)``, for critics without constraints.
        decay: of the learning rate, to zero at the end of the run: "none", "linear" or "cosine".
        average: average of the critic's weights, projected onto their sets, to be evaluated; None evaluates the critic
            itself.
        seed: of the critic's initial weights and of all samples.
        log_every: steps between two logs of the training estimate ``train/w1_critic``.

    Raises:
        ValueError: a count below 1, a critic that does not take the pair's samples or is no factory, an unknown
            decay; during training: an estimate that is not finite.

    Source:
        Villani, "Optimal Transport: Old and New", 2009, (5.11) and (6.3); Arjovsky, Chintala, Bottou,
        "Wasserstein GAN", ICML 2017, equation (2).
    """

    counters = ("critic_step",)

    def __init__(
        self,
        pair: Pair,
        critic: CriticFactory | None = None,
        steps: int = 2000,
        batch_size: int = 1024,
        optimizer: OptimizerFactory | None = None,
        penalty: Penalty | PenaltyFunction | None = None,
        decay: Decay = "linear",
        average: ExponentialAverage | None = None,
        seed: int = 0,
        log_every: int = 100,
    ) -> None:
        super().__init__()
        for name, value in {"steps": steps, "batch_size": batch_size, "log_every": log_every}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {name}={value}")
        if decay not in ("none", "linear", "cosine"):
            raise ValueError(f"decay must be one of none, linear, cosine; got decay={decay!r}")
        self.automatic_optimization = False
        self.pair = pair
        self.critic = _build(critic or default_critic, pair, seed)
        self.averaged = copy.deepcopy(self.critic).requires_grad_(False) if average else None
        self.steps = steps
        self.batch_size = batch_size
        self.optimizer = optimizer or StiefelMuon
        self.penalty = penalty
        self.decay = decay
        self.average = average
        self.seed = seed
        self.log_every = log_every
        self.critic_step = 0
        self._rates: list[float] = []

    @property
    def total_steps(self) -> int:
        return self.steps

    def forward(self, x: Tensor) -> Tensor:
        """The trained critic's values: ``(N, *shape) -> (N, 1)``."""
        return cast(Tensor, self.critic(x))

    def final_critic(self) -> nn.Module:
        """Return a copy of the critic to evaluate: itself, or the average of its weights projected onto their sets."""
        critic = copy.deepcopy(self.critic if self.averaged is None else self.averaged)
        if self.averaged is not None:
            project_(critic)
        return critic.eval()

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if data is not None:
            raise ValueError(
                f"W1Estimator draws its samples from its pair, {self.pair}, and takes no data; "
                f"got {type(data).__name__}"
            )

    def train_dataloader(self) -> "_Steps":
        return _Steps()

    def training_step(self, batch: int, batch_idx: int) -> None:
        step = self.critic_step
        optimizer = cast(LightningOptimizer, self.optimizers())
        factor = _rate_factor(self.decay, step / self.steps)
        for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        estimate = self._update(step, optimizer)
        self.critic_step += 1
        project_(self.critic)
        if self.average is not None and self.averaged is not None:
            self.average.update_(self.averaged, self.critic, step)
        if self.critic_step % self.log_every == 0:
            self.log_training("train/w1_critic", estimate)
        self.stop_when_done()

    def _update(self, step: int, optimizer: LightningOptimizer) -> Tensor:
        """Take one step; return this rank's contribution to the estimate."""
        mine = self.ranks.part(self.batch_size)
        x, y = self.pair.sample(self.batch_size, keyed_generator(self.seed, "pair", step, device=self.device))
        x, y = mine.of(x).to(self.dtype), mine.of(y).to(self.dtype)
        x_values, y_values = self.critic(torch.cat((x, y))).split((len(x), len(y)))
        estimate: Tensor = x_values.mean() - y_values.mean()
        loss = -estimate
        if isinstance(self.penalty, Penalty):
            stream = keyed_generator(self.seed, "penalty", step, device=self.device)
            loss = loss + self.penalty(self.critic, x, y, stream, mine)
        elif self.penalty is not None:
            # A plain function takes no parts of batches: each part has a stream of its own.
            part = [mine.start] if mine.start else []
            stream = keyed_generator(self.seed, "penalty", step, *part, device=self.device)
            loss = loss + self.penalty(self.critic, x, y, stream)
        optimizer.zero_grad()
        with self.ranks.no_gradient_sync():
            self.manual_backward(loss * mine.share)
        self.take_step(optimizer)
        self.ranks.average_statistics_(self.critic)
        return estimate.detach() * mine.share

    def val_dataloader(self) -> list[int]:
        return [0]

    def test_dataloader(self) -> list[int]:
        return [0]

    def configure_optimizers(self) -> Optimizer:
        optimizer = self.optimizer(self.critic.parameters())
        self.check_optimizers([optimizer], "critic")
        # The rates of the config: a checkpoint holds decayed ones.
        self._rates = [group["lr"] for group in optimizer.param_groups]
        return optimizer


def _rate_factor(decay: Decay, done: float) -> float:
    """Return the factor of the learning rate, ``1``, ``1 - done`` or ``(1 + cos(pi done)) / 2``, of a fraction done."""
    if decay == "none":
        return 1.0
    done = min(max(done, 0.0), 1.0)
    return 1 - done if decay == "linear" else (1 + math.cos(math.pi * done)) / 2


class _Steps:
    """A data loader without data: a training step draws its own samples.

    It has a state, so that Lightning can resume a run between any two steps.
    """

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 0

    def state_dict(self) -> dict[str, Any]:
        return {"position": 0}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing: there is nothing to restore."""


def _build(factory: CriticFactory, pair: Pair, seed: int) -> nn.Module:
    """Build a critic for the pair, with initial weights that depend on the seed only."""
    if isinstance(factory, nn.Module):
        raise ValueError(
            f"critic must be a function from a shape to a network; got a network, {type(factory).__name__}: "
            "pass critic=lambda shape: network"
        )
    with torch.random.fork_rng(devices=[]):
        # Layers draw their weights from the global generator, whose state is restored.
        torch.default_generator.set_state(keyed_generator(seed, "critic").get_state())
        critic = factory(pair.shape)
    check_has_values(critic, "critic")
    kind = f"{pair}'s samples of shape {tuple(pair.shape)}"
    takes = tuple(getattr(critic, "input_shape", pair.shape))
    if takes != tuple(pair.shape):
        raise ValueError(f"critic must take {kind}; it takes samples of shape {takes}")
    parameter = next(critic.parameters(), torch.empty(0))
    probe = torch.zeros(2, *pair.shape, dtype=parameter.dtype, device=parameter.device)
    try:
        values = try_network(critic, "critic", probe)
    except ValueError as error:
        raise ValueError(f"{error}; it must take {kind}") from None
    if values.numel() != 2:
        raise ValueError(
            f"the critic must return one value per sample; got shape {tuple(values.shape)} for 2 of {kind}"
        )
    return critic


_LOG = logging.getLogger(__name__)


def load_pair(real: str, fake: str, heldout: float = 0.25, seed: int = 0) -> SamplePair:
    """Build a pair of distributions P and Q from samples in files or folders, in the formats of ``wgan-lip w1``.

    Each set is shuffled before a part of it is held out from training. In a config this function is the
    ``class_path`` of a pair, and ``real`` and ``fake`` are its ``init_args``.

    Args:
        real: path of the samples of P: an array (.npy, .npz), a tensor (.pt, .pth) or a folder of images;
            ``file.npz:key`` names one array of several. Images of 8 bits are scaled to [-1, 1].
        fake: path of the samples of Q, likewise.
        heldout: fraction of each set that is held out, in (0, 1).
        seed: of the shuffle.

    Raises:
        ValueError: a file that cannot be read, samples of different shapes, or too few samples.
        OSError: no such file or folder.
    """
    sets = [load_samples(*split_key(path)) for path in (real, fake)]
    for samples in sets:
        _say(samples)
    x, y = (_shuffled(samples, seed, side) for samples, side in zip(sets, ("real", "fake"), strict=True))
    if x.shape[1:] != y.shape[1:]:
        raise ValueError(
            f"{sets[0].name} and {sets[1].name} must hold samples of one shape; "
            f"got {tuple(x.shape[1:])} and {tuple(y.shape[1:])}"
        )
    warning = different_scales(sets[0].values, sets[1].values, (real, fake), any(s.scaled for s in sets))
    if warning:
        warnings.warn(warning, stacklevel=2)
    bounds = (-1.0, 1.0) if all(samples.scaled for samples in sets) else None
    return SamplePair(x, y, heldout, bounds)


@rank_zero_only
def _say(samples: FileSamples) -> None:
    if samples.left_out:
        _LOG.warning("%s: %s", printable(samples.name), samples.left_out)


def _shuffled(samples: FileSamples, seed: int, side: str) -> Tensor:
    # PyTorch knows numbers in this machine's byte order only.
    values = torch.from_numpy(samples.values.astype(samples.values.dtype.newbyteorder("="), copy=False))
    # (n,) is n points on the real line.
    values = values.unsqueeze(1) if values.ndim == 1 else values
    return values[torch.randperm(len(values), generator=keyed_generator(seed, "split", side))]
