"""The Wasserstein GAN: a critic and a generator, injected, trained in turn."""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from wgan_lip.lipschitz import project_
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.stepped import SteppedModule

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


def _adam(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return Adam(parameters, lr=1e-3, betas=(0.5, 0.9))


class WassersteinGAN(SteppedModule):
    """Trains ``min_G max_f E f(x) - E f(G(z))`` over a Lipschitz critic f and a generator G.

    Every batch is one critic step; every ``n_critic``-th is followed by a generator step. After a
    critic step, constrained weights are brought back into their sets (``lipschitz.project_``).
    ``critic_step`` and ``generator_step`` count them; Lightning's ``global_step`` counts both together.

    Args:
        critic: maps ``(N, *shape)`` to one value a sample.
        generator: maps noise ``(N, noise_dim)`` to ``(N, *shape)``; has an attribute ``noise_dim``.
        n_critic: critic steps to each generator step.
        generator_steps: the training ends after so many.
        critic_optimizer: builds the critic's optimiser from its parameters; None is Adam with
            learning rate 1e-3 and betas (0.5, 0.9).
        generator_optimizer: builds the generator's; None as above.
        linear_decay: let both learning rates fall linearly: step k of n is taken at ``1 - k / n`` of
            the rate. A finished run that is resumed with more ``generator_steps`` takes up the new line.
        seed: what the noise is drawn from; a step's noise depends on the seed and the step only.
        log_every: critic steps between two logs of the training estimate.

    Raises:
        ValueError: a count below 1, or a generator without ``noise_dim``.

    Source:
        Arjovsky, Chintala, Bottou, "Wasserstein GAN", ICML 2017, equation (2) and algorithm 1.
    """

    counters = ("generator_step", "critic_step")

    def __init__(
        self,
        critic: nn.Module,
        generator: nn.Module,
        n_critic: int = 5,
        generator_steps: int = 10_000,
        critic_optimizer: OptimizerFactory | None = None,
        generator_optimizer: OptimizerFactory | None = None,
        linear_decay: bool = True,
        seed: int = 0,
        log_every: int = 100,
    ) -> None:
        super().__init__()
        for name, value in (("n_critic", n_critic), ("generator_steps", generator_steps), ("log_every", log_every)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {name}={value}")
        if not isinstance(getattr(generator, "noise_dim", None), int):
            raise ValueError(f"generator must have an integer attribute noise_dim; {type(generator).__name__} has none")
        self.automatic_optimization = False
        self.critic = critic
        self.generator = generator
        self.n_critic = n_critic
        self.generator_steps = generator_steps
        self.critic_optimizer = critic_optimizer or _adam
        self.generator_optimizer = generator_optimizer or _adam
        self.linear_decay = linear_decay
        self.seed = seed
        self.log_every = log_every
        self.noise_dim = cast(int, generator.noise_dim)
        self.critic_step = 0
        self.generator_step = 0

    @property
    def total_steps(self) -> int:
        return self.generator_steps

    def forward(self, noise: Tensor) -> Tensor:
        """Generate: ``(N, noise_dim) -> (N, *shape)``."""
        return cast(Tensor, self.generator(noise))

    def noise(self, n: int, *key: int | str) -> Tensor:
        """``n`` draws of ``N(0, I)`` that depend on the seed, ``key`` and the rank only; shape (n, noise_dim)."""
        stream = keyed_generator(self.seed, "noise", *key, self.global_rank, device=self.device)
        noise = torch.randn(n, self.noise_dim, generator=stream, device=self.device)
        return noise.to(next(self.generator.parameters()).dtype)

    @torch.no_grad()
    def sample(self, noise: Tensor) -> Tensor:
        """Generate in evaluation mode, without gradients; the mode is restored.

        Args:
            noise: shape (n, noise_dim), on the module's device.

        Returns:
            Shape (n, *shape).
        """
        training = self.generator.training
        self.generator.eval()
        try:
            return self(noise)
        finally:
            self.generator.train(training)

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        critic_optimizer, generator_optimizer = cast(list[LightningOptimizer], self.optimizers())
        decay = cast(list[Any], self.lr_schedulers()) if self.linear_decay else None
        estimate = self._critic_update(batch.to(self.dtype), critic_optimizer)
        self.critic_step += 1
        if decay:
            decay[0].step()
        if self.critic_step % self.n_critic == 0:
            self._generator_update(len(batch), generator_optimizer)
            self.generator_step += 1
            if decay:
                decay[1].step()
        if self.critic_step % self.log_every == 0:
            self.log_metrics({"train/w1_critic": float(estimate)})
        self.stop_when_done()

    def _critic_update(self, real: Tensor, optimizer: LightningOptimizer) -> Tensor:
        with torch.no_grad():
            fake = self(self.noise(len(real), "critic", self.critic_step))
        values = self.critic(torch.cat((real, fake)))
        estimate = values[: len(real)].mean() - values[len(real) :].mean()
        optimizer.zero_grad()
        self.manual_backward(-estimate)
        optimizer.step()
        project_(self.critic)
        return estimate.detach()

    def _generator_update(self, n: int, optimizer: LightningOptimizer) -> None:
        # The critic's own gradients are not wanted here, and cost as much as the generator's.
        self.critic.requires_grad_(False)
        fake = self(self.noise(n, "generator", self.generator_step))
        loss = -self.critic(fake).mean()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.critic.requires_grad_(True)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Nothing by itself: ``ExactW1`` evaluates when the loop ends."""

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        """Nothing by itself: ``ExactW1`` evaluates when the loop ends."""

    def configure_optimizers(self) -> Any:
        optimizers = [
            self.critic_optimizer(self.critic.parameters()),
            self.generator_optimizer(self.generator.parameters()),
        ]
        self.check_optimizers([type(optimizer).__name__ for optimizer in optimizers], "critic, generator")
        if not self.linear_decay:
            return optimizers
        return optimizers, [
            LambdaLR(optimizers[0], lambda k: max(0.0, 1 - k / (self.generator_steps * self.n_critic))),
            LambdaLR(optimizers[1], lambda k: max(0.0, 1 - k / self.generator_steps)),
        ]
