"""A critic that learns."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.image_critics_bench.contenders import Contender
from wgan_lip.lipschitz import project_
from wgan_lip.networks import ConvCritic
from wgan_lip.randomness import keyed_generator

SHAPE = (1, 28, 28)


@dataclass(frozen=True)
class Sizes:
    """Of every critic, and of a batch of each kind of images."""

    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    kernel_size: int
    batch: int

    def build(self, contender: Contender, seed: int) -> ConvCritic:
        """A critic with initial weights drawn from ``seed``."""
        torch.manual_seed(seed)
        return ConvCritic(
            SHAPE,
            self.channels,
            self.hidden,
            self.kernel_size,
            conv=contender.conv,
            linear=contender.linear,
            activation=contender.activation,
        ).train()


class Trainee:
    """A critic with its optimiser."""

    def __init__(self, contender: Contender, sizes: Sizes, rate: float, seed: int) -> None:
        self.critic = sizes.build(contender, seed)
        self.penalty = contender.penalty
        self.optimizer = contender.optimizer(self.critic.parameters(), lr=rate)
        self.rate = rate
        self.seed = seed

    def step(self, x: Tensor, y: Tensor, number: int, done: float) -> None:
        """One ascent of ``mean f(x) - mean f(y)``, at the cosine's rate when ``done`` of the time is over."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2
        values = self.critic(torch.cat((x, y)))
        loss = values[len(x) :].mean() - values[: len(x)].mean()
        if self.penalty is not None:
            loss = loss + self.penalty(self.critic, x, y, keyed_generator(self.seed, "penalty", number))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        project_(self.critic)
