"""The Wasserstein GAN: a critic and a generator, injected, trained in turn."""

import copy
from collections.abc import Callable, Iterable
from typing import Any, Self, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from wgan_lip.dtypes import check_has_values, drawing_dtype
from wgan_lip.lipschitz import Penalty, project_
from wgan_lip.parts import Part
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.averaging import WeightAverage, unrounded
from wgan_lip.training.stepped import SteppedModule

# Samples that are generated at once in evaluations.
_CHUNK = 1024
OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


def _adam(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return Adam(parameters, lr=1e-3, betas=(0.5, 0.9))


class WassersteinGAN(SteppedModule):
    """Trains ``min_G max_f E f(x) - E f(G(z))`` over a Lipschitz critic f and a generator G.

    Every batch is one critic step; every ``n_critic``-th is followed by a generator step. After a
    critic step, constrained weights are brought back into their sets (``lipschitz.project_``).
    ``critic_step`` and ``generator_step`` count them; Lightning's ``global_step`` counts both together.

    The members of the family differ in what is injected: a critic of orthogonal layers (the Lipschitz WGAN), of layers
    with ``WeightClipping`` (the first WGAN) or ``SpectralNorm``, or of ordinary ones with a ``GradientPenalty``
    (WGAN-GP; one-sided, WGAN-LP). What is proven of each, ``ExactW1`` says.

    On several ranks (DDP) each takes its part of every batch: the steps are those of one process, up to rounding, but
    for dropout and for batch normalisation, which sees a rank's part only (``trainer.sync_batchnorm`` on GPUs).

    Args:
        critic: maps ``(N, *shape)`` to one value a sample.
        generator: maps noise ``(N, noise_dim)`` to ``(N, *shape)``; has an attribute ``noise_dim``. One with an
            attribute ``classes`` above 0 gets so many more columns: the label, one-hot.
        n_critic: critic steps to each generator step.
        generator_steps: the training ends after so many.
        critic_optimizer: builds the critic's optimiser from its parameters; None is Adam with
            learning rate 1e-3 and betas (0.5, 0.9).
        generator_optimizer: builds the generator's; None as above.
        linear_decay: let both learning rates fall linearly: step k of n is taken at ``1 - k / n`` of
            the rate. A finished run that is resumed with more ``generator_steps`` takes up the new line.
        penalty: added to the critic's loss, for critics without constraints.
        generator_average: of the generator's weights and batch statistics; evaluated beside the generator itself, and
            what ``wgan-lip sample`` draws from.
        gradient_clip: largest norm of either network's gradient; longer ones are shortened. None clips nothing.
        accumulate: parts into which each batch is split (on each rank), one in memory at a time; the gradients are
            summed. The same step, but for layers that mix the samples of a batch.
        compile: compile both networks for training (``torch.compile``).
        seed: what the noise is drawn from; a step's noise depends on the seed and the step only.
        log_every: critic steps between two logs of the training estimate.

    Raises:
        ValueError: a count below 1, a clip that is not positive, or a generator without ``noise_dim``; while it trains:
            an estimate that is no longer finite.

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
        penalty: Penalty | None = None,
        generator_average: WeightAverage | None = None,
        gradient_clip: float | None = None,
        accumulate: int = 1,
        compile: bool = False,  # noqa: A002  (PyTorch's own word for it)
        seed: int = 0,
        log_every: int = 100,
    ) -> None:
        super().__init__()
        counts = {"n_critic": n_critic, "generator_steps": generator_steps, "accumulate": accumulate}
        for name, value in {**counts, "log_every": log_every}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {name}={value}")
        if gradient_clip is not None and not gradient_clip > 0:
            raise ValueError(f"gradient_clip must be positive; got gradient_clip={gradient_clip}")
        if not isinstance(getattr(generator, "noise_dim", None), int):
            raise ValueError(f"generator must have an integer attribute noise_dim; {type(generator).__name__} has none")
        for role, network in (("critic", critic), ("generator", generator)):
            check_has_values(network, role)
        self.automatic_optimization = False
        self.critic = critic
        self.generator = generator
        self.n_critic = n_critic
        self.generator_steps = generator_steps
        self.critic_optimizer = critic_optimizer or _adam
        self.generator_optimizer = generator_optimizer or _adam
        self.linear_decay = linear_decay
        self.penalty = penalty
        self.generator_average = generator_average
        self.averaged = copy.deepcopy(generator).requires_grad_(False) if generator_average else None
        self.gradient_clip = gradient_clip
        self.accumulate = accumulate
        # Not submodules: their parameters are those of the networks.
        self._trained: dict[str, Callable[[Tensor], Tensor]] = {
            name: torch.compile(network) if compile else network
            for name, network in (("critic", critic), ("generator", generator))
        }
        self.seed = seed
        self.log_every = log_every
        self.noise_dim = cast(int, generator.noise_dim)
        self.classes = int(getattr(generator, "classes", 0))
        self.critic_step = 0
        self.generator_step = 0

    @property
    def total_steps(self) -> int:
        return self.generator_steps

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        with unrounded(self.averaged):
            return super()._apply(fn, recurse)

    def forward(self, noise: Tensor) -> Tensor:
        """Generate: ``(N, noise_dim) -> (N, *shape)``."""
        return cast(Tensor, self.generator(noise))

    def noise(self, n: int, *key: int | str) -> Tensor:
        """What n samples are generated from: draws of ``N(0, I)``, and uniform labels where there are classes.

        They depend on the seed and ``key`` only, and so are the same on all ranks.

        Args:
            n: how many.
            key: names the stream.

        Returns:
            Shape (n, noise_dim + classes).
        """
        # The 0 is a stream's number, of which there is one.
        stream = keyed_generator(self.seed, "noise", *key, 0, device=self.device)
        noise = torch.randn(n, self.noise_dim, generator=stream, device=self.device, dtype=drawing_dtype())
        if self.classes:
            labels = torch.randint(self.classes, (n,), generator=stream, device=self.device)
            noise = torch.cat((noise, nn.functional.one_hot(labels, self.classes)), 1)
        return noise.to(next(self.generator.parameters()).dtype)

    @torch.no_grad()
    def sample(self, noise: Tensor, averaged: bool = False) -> Tensor:
        """Generate in evaluation mode, without gradients; the mode is restored.

        Args:
            noise: shape (n, noise_dim + classes), on the module's device.
            averaged: by the averaged generator.

        Returns:
            Shape ``(n, *shape)``.

        Raises:
            ValueError: no average is kept.
        """
        generator = self.averaged if averaged else self.generator
        if generator is None:
            raise ValueError("no average of the generator is kept: give generator_average")
        training = generator.training
        generator.eval()
        try:
            noise = noise.to(next(generator.parameters(), noise).dtype)
            return torch.cat([generator(part.clone()) for part in noise.split(_CHUNK)])
        finally:
            generator.train(training)

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        critic_optimizer, generator_optimizer = cast(list[LightningOptimizer], self.optimizers())
        decay = cast(list[Any], self.lr_schedulers()) if self.linear_decay else None
        mine = self.part_of_batch(len(batch))
        with self.ranks.alone():
            estimate = self._critic_update(batch.to(self.dtype), mine, critic_optimizer)
            self.critic_step += 1
            if decay:
                decay[0].step()
            if self.critic_step % self.n_critic == 0:
                self._generator_update(mine, generator_optimizer)
                self.generator_step += 1
                if decay:
                    decay[1].step()
        if self.critic_step % self.log_every == 0:
            self.log_estimate(estimate, self.critic_step)
        self.stop_when_done()

    def _critic_update(self, real: Tensor, mine: Part, optimizer: LightningOptimizer) -> Tensor:
        """One step; returns what this rank's part contributes to the estimate."""
        noise = self.noise(mine.total, "critic", self.critic_step)
        estimate = torch.zeros((), device=self.device)
        optimizer.zero_grad()
        for x, here in zip(real.chunk(self.accumulate), mine.chunks(self.accumulate), strict=True):
            with torch.no_grad():
                fake = self._trained["generator"](here.of(noise))
            values = self._trained["critic"](torch.cat((x, fake)))
            part: Tensor = values[: len(x)].mean() - values[len(x) :].mean()
            loss = -part
            if self.penalty is not None:
                stream = keyed_generator(self.seed, "penalty", self.critic_step, 0, 0, device=self.device)
                loss = loss + self.penalty(self.critic, x, fake, stream, here)
            self.manual_backward(loss * here.share)
            estimate += part.detach() * here.share
        self.step_together(optimizer, self.gradient_clip)
        project_(self.critic)
        self.ranks.average_statistics_(self.critic, self.generator)
        return estimate

    def _generator_update(self, mine: Part, optimizer: LightningOptimizer) -> None:
        # The critic's own gradients are not wanted here, and cost as much as the generator's.
        self.critic.requires_grad_(False)
        optimizer.zero_grad()
        noise = self.noise(mine.total, "generator", self.generator_step)
        for here in mine.chunks(self.accumulate):
            loss = -self._trained["critic"](self._trained["generator"](here.of(noise))).mean()
            self.manual_backward(loss * here.share)
        self.step_together(optimizer, self.gradient_clip)
        self.critic.requires_grad_(True)
        self.ranks.average_statistics_(self.critic, self.generator)
        if self.generator_average is not None and self.averaged is not None:
            self.generator_average.update_(
                self.averaged, self.generator, self.generator_step, self.generator_steps, average_buffers=True
            )

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Nothing by itself: ``ExactW1`` evaluates when the loop ends."""

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        """Nothing by itself: ``ExactW1`` evaluates when the loop ends."""

    def configure_optimizers(self) -> Any:
        optimizers = [
            self.critic_optimizer(self.critic.parameters()),
            self.generator_optimizer(self.generator.parameters()),
        ]
        self.check_optimizers(optimizers, "critic, generator")
        if not self.linear_decay:
            return optimizers
        return optimizers, [
            LambdaLR(optimizers[0], lambda k: max(0.0, 1 - k / (self.generator_steps * self.n_critic))),
            LambdaLR(optimizers[1], lambda k: max(0.0, 1 - k / self.generator_steps)),
        ]
