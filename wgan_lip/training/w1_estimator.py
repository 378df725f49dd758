"""The Wasserstein-1 distance of one pair of distributions, estimated by a critic that is trained on it."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from wgan_lip.distributions import Pair
from wgan_lip.dtypes import check_has_values
from wgan_lip.lipschitz import Penalty, project_
from wgan_lip.networks import CriticFactory, default_critic
from wgan_lip.optim import StiefelMuon
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.averaging import WeightAverage, unrounded
from wgan_lip.training.probe import try_network
from wgan_lip.training.schedules import Decay, batch_factor, check_growth, rate_factor
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.wgan import OptimizerFactory

# ``penalty(critic, x, y, generator)`` is added to what is minimised.
PenaltyFunction = Callable[[nn.Module, Tensor, Tensor, Generator], Tensor]


class W1Estimator(SteppedModule):
    """Trains ``max_f E f(x) - E f(y)``, x ~ P and y ~ Q, over a Lipschitz critic f: Kantorovich's dual of W1(P, Q).

    A step draws a fresh batch of both distributions, which depends on ``seed`` and the step only, and
    ascends ``mean f(x) - mean f(y)``; constrained weights are then brought back into their sets
    (``lipschitz.project_``). ``HeldOutW1`` says during training what the critic proves; ``evaluate_estimator``
    does so for any critic. ``critic_step`` counts the steps.

    Args:
        pair: the distributions P and Q.
        critic: builds the critic from the shape of one sample; its initial weights depend on ``seed`` only.
            None is ``networks.default_critic``.
        steps: the training ends after so many.
        batch_size: samples of each distribution in a step.
        optimizer: builds the optimiser from the critic's parameters; None is ``optim.StiefelMuon``.
        penalty: added to the loss, ``penalty(critic, x, y, generator)``: for critics without constraints.
        project: bring weights back into their sets after each update, or after each epoch and at the end.
        epoch_steps: steps in an epoch.
        decay: of the learning rate, to zero at the end of the run: "none", "linear" or "cosine".
        average: of the critic's weights, brought back into their sets, is what is evaluated; None evaluates the
            critic itself.
        batch_growth: pairs (part of the run from which it holds, factor of the batch size), ascending:
            ``[(0.5, 2), (0.75, 4)]``.
        seed: what the critic's initial weights and all samples are drawn from.
        log_every: steps between two logs of the training estimate ``train/w1_critic``.

    Raises:
        ValueError: a count below 1, a critic that does not take the pair's samples or is no factory, an unknown
            decay or project; while it trains: an estimate that is no longer finite.

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
        project: Literal["update", "epoch"] = "update",
        epoch_steps: int = 100,
        decay: Decay = "linear",
        average: WeightAverage | None = None,
        batch_growth: Sequence[tuple[float, int]] = (),
        seed: int = 0,
        log_every: int = 100,
    ) -> None:
        super().__init__()
        counts = {"steps": steps, "batch_size": batch_size, "epoch_steps": epoch_steps, "log_every": log_every}
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {name}={value}")
        for name, choice, choices in (
            ("project", project, ("update", "epoch")),
            ("decay", decay, ("none", "linear", "cosine")),
        ):
            if choice not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {name}={choice!r}")
        check_growth(batch_growth)
        self.automatic_optimization = False
        self.pair = pair
        self.critic = _build(critic or default_critic, pair, seed)
        self.averaged = copy.deepcopy(self.critic).requires_grad_(False) if average else None
        self.steps = steps
        self.batch_size = batch_size
        self.optimizer = optimizer or StiefelMuon
        self.penalty = penalty
        self.project = project
        self.epoch_steps = epoch_steps
        self.decay = decay
        self.average = average
        self.batch_growth = tuple(batch_growth)
        self.seed = seed
        self.log_every = log_every
        self.critic_step = 0
        self._rates: list[float] = []

    @property
    def total_steps(self) -> int:
        return self.steps

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        with unrounded(self.averaged):
            return super()._apply(fn, recurse)

    def forward(self, x: Tensor) -> Tensor:
        """The trained critic's values: ``(N, *shape) -> (N, 1)``."""
        return cast(Tensor, self.critic(x))

    def final_critic(self) -> nn.Module:
        """A copy of what is evaluated: the critic, or the average of its weights brought back into their sets."""
        critic = copy.deepcopy(self.critic if self.averaged is None else self.averaged)
        if self.averaged is not None:
            project_(critic)
        return critic.eval()

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if data is not None:
            raise ValueError(
                f"W1Estimator draws its samples from its pair, {self.pair}; got data as well, "
                f"{type(data).__name__}: leave it out"
            )

    def train_dataloader(self) -> "_Steps":
        return _Steps()

    def training_step(self, batch: int, batch_idx: int) -> None:
        step, done = self.critic_step, self.critic_step / self.steps
        optimizer = cast(LightningOptimizer, self.optimizers())
        factor = rate_factor(self.decay, done)
        for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        estimate = self._update(step, self.batch_size * batch_factor(self.batch_growth, done), optimizer)
        self.critic_step += 1
        if self.project == "update" or self.critic_step % self.epoch_steps == 0 or self.critic_step == self.steps:
            project_(self.critic)
        if self.average is not None and self.averaged is not None:
            self.average.update_(self.averaged, self.critic, step, self.steps)
        if self.critic_step % self.log_every == 0:
            self.log_estimate(estimate, self.critic_step)
        self.stop_when_done()

    def _update(self, step: int, n: int, optimizer: LightningOptimizer) -> Tensor:
        """One step; returns what this rank's part contributes to the estimate."""
        mine = self.ranks.share(n)
        x, y = self.pair.sample(n, keyed_generator(self.seed, "pair", step, device=self.device))
        x, y = mine.of(x).to(self.dtype), mine.of(y).to(self.dtype)
        x_values, y_values = self.critic(torch.cat((x, y))).split((len(x), len(y)))
        estimate: Tensor = x_values.mean() - y_values.mean()
        loss = -estimate
        if isinstance(self.penalty, Penalty):
            stream = keyed_generator(self.seed, "penalty", step, device=self.device)
            loss = loss + self.penalty(self.critic, x, y, stream, mine)
        elif self.penalty is not None:
            # A plain function knows nothing of parts: each has a stream of its own.
            part = [mine.start] if mine.start else []
            stream = keyed_generator(self.seed, "penalty", step, *part, device=self.device)
            loss = loss + self.penalty(self.critic, x, y, stream)
        optimizer.zero_grad()
        with self.ranks.alone():
            self.manual_backward(loss * mine.share)
        self.step_together(optimizer)
        self.ranks.average_statistics_(self.critic)
        return estimate.detach() * mine.share

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Nothing by itself: ``HeldOutW1`` evaluates when the loop ends."""

    def test_step(self, batch: int, batch_idx: int) -> None:
        """Nothing by itself: ``HeldOutW1`` evaluates when the loop ends."""

    def val_dataloader(self) -> list[int]:
        return [0]

    def test_dataloader(self) -> list[int]:
        return [0]

    def configure_optimizers(self) -> Optimizer:
        optimizer = self.optimizer(self.critic.parameters())
        self.check_optimizers([optimizer], "critic")
        # Those of the config, also where a checkpoint's decayed ones are loaded over them.
        self._rates = [group["lr"] for group in optimizer.param_groups]
        return optimizer


class _Steps:
    """A data loader without data: a training step draws its own samples.

    It has a state, if an empty one, so that Lightning knows that a run can be resumed between any two steps.
    """

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 0

    def state_dict(self) -> dict[str, Any]:
        return {"position": 0}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


def _build(factory: CriticFactory, pair: Pair, seed: int) -> nn.Module:
    """A critic for the pair, from initial weights that depend on the seed only."""
    if isinstance(factory, nn.Module):
        raise ValueError(
            f"critic must build a critic from a shape; got a {type(factory).__name__} that is built already: "
            "pass critic=lambda shape: network"
        )
    with torch.random.fork_rng(devices=[]):
        # Layers draw their weights from the global stream; it is lent to them and given back.
        torch.default_generator.set_state(keyed_generator(seed, "critic").get_state())
        critic = factory(pair.shape)
    check_has_values(critic, "critic")
    kind = f"{pair}'s samples of shape {tuple(pair.shape)}"
    takes = tuple(getattr(critic, "input_shape", pair.shape))
    if takes != tuple(pair.shape):
        raise ValueError(f"the critic takes samples of shape {takes}, not {kind}")
    parameter = next(critic.parameters(), torch.empty(0))
    probe = torch.zeros(2, *pair.shape, dtype=parameter.dtype, device=parameter.device)
    try:
        values = try_network(critic, "critic", probe)
    except ValueError as error:
        raise ValueError(f"{error}; it was to take {kind}") from None
    if values.numel() != 2:
        raise ValueError(f"the critic must return one value a sample; got shape {tuple(values.shape)} for 2 of {kind}")
    return critic
