"""The Wasserstein GAN: alternating training of an injected critic and generator."""

import copy
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from wgan_lip.dtypes import check_has_values, drawing_dtype
from wgan_lip.lipschitz import Penalty, project_
from wgan_lip.parts import Part
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.averaging import ExponentialAverage
from wgan_lip.training.stepped import SteppedModule

# Samples that are generated at once in evaluations.
_CHUNK = 1024
OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


def _adam(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return Adam(parameters, lr=1e-3, betas=(0.5, 0.9))


class WassersteinGAN(SteppedModule):
    """Trains ``min_G max_f E f(x) - E f(G(z))`` over a Lipschitz critic f and a generator G.

    Every batch is one critic step; every ``n_critic``-th is followed by a generator step. After a critic step,
    constrained weights are projected back onto their sets (``lipschitz.project_``). ``critic_step`` and
    ``generator_step`` count the steps; Lightning's ``global_step`` counts both together.

    Members of the family differ in the injected critic and penalty: a critic of orthogonal layers (the Lipschitz WGAN),
    of layers with ``WeightClipping`` (the first WGAN) or ``SpectralNorm``, or of ordinary layers with a
    ``GradientPenalty`` (WGAN-GP; one-sided, WGAN-LP). :class:`ExactW1` logs the values that are proven for each.

    On several ranks (DDP) each rank takes its part of every batch: the steps are those of one process, up to rounding,
    dropout, and batch normalisation, which sees a rank's part only (``trainer.sync_batchnorm`` on GPUs).

    Args:
        critic: maps ``(N, *shape)`` to one value per sample.
        generator: maps noise ``(N, noise_dim)`` to ``(N, *shape)``; has an attribute ``noise_dim``. If it has an
            attribute ``classes`` above 0, its inputs have as many more columns: the label, one-hot.
        n_critic: critic steps for each generator step.
        generator_steps: number of generator steps of the training.
        critic_optimizer: builds the critic's optimiser from its parameters; None is Adam with learning rate 1e-3 and
            betas (0.5, 0.9).
        generator_optimizer: builds the generator's; None as above.
        linear_decay: decrease both learning rates linearly: step k of n has ``1 - k / n`` of the rate. A finished run
            that is resumed with more ``generator_steps`` continues on the new line.
        penalty: added to the critic's loss, for critics without constraints.
        generator_average: of the generator's weights and batch statistics; it is evaluated beside the generator, and
            ``wgan-lip sample`` draws from it.
        gradient_clip: largest norm of each network's gradient; longer gradients are shortened. None clips nothing.
        accumulate: number of parts of each batch (on each rank) that are computed one after the other, to save memory;
            gradients are summed. Only layers that mix the samples of a batch notice.
        compile: compile both networks for training (``torch.compile``).
        seed: of the noise; the noise of a step depends on the seed and the step only.
        log_every: critic steps between two logs of the training estimate.

    Raises:
        ValueError: a count below 1, a clip that is not positive, or a generator without ``noise_dim``; during training:
            an estimate that is not finite.

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
        generator_average: ExponentialAverage | None = None,
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
            raise ValueError(
                f"generator must have an integer attribute noise_dim; got a {type(generator).__name__} without it"
            )
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
        # In a dictionary, not as submodules: their parameters are those of the networks.
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

    def forward(self, noise: Tensor) -> Tensor:
        """Generate: ``(N, noise_dim) -> (N, *shape)``."""
        return cast(Tensor, self.generator(noise))

    def noise(self, n: int, *key: int | str) -> Tensor:
        """Draw the generator's inputs: ``N(0, I)``, and uniform labels, one-hot, if it has classes.

        They depend on the seed and ``key`` only, and so are the same on all ranks.

        Args:
            n: number of samples.
            key: of the random stream.

        Returns:
            Shape (n, noise_dim + classes).
        """
        # The 0 keeps the streams of runs that were begun when there were several.
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
            averaged: use the average of the generator.

        Returns:
            Shape ``(n, *shape)``.

        Raises:
            ValueError: no average is kept.
        """
        generator = self.averaged if averaged else self.generator
        if generator is None:
            raise ValueError("averaged=True requires generator_average; got generator_average=None")
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
        with self.ranks.no_gradient_sync():
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
            self.log_training("train/w1_critic", estimate)
        self.stop_when_done()

    def _critic_update(self, real: Tensor, mine: Part, optimizer: LightningOptimizer) -> Tensor:
        """Take one step; return this rank's contribution to the estimate."""
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
        self.take_step(optimizer, self.gradient_clip)
        project_(self.critic)
        self.ranks.average_statistics_(self.critic, self.generator)
        return estimate

    def _generator_update(self, mine: Part, optimizer: LightningOptimizer) -> None:
        # The critic's own gradients are not used here, and cost as much as the generator's.
        self.critic.requires_grad_(False)
        optimizer.zero_grad()
        noise = self.noise(mine.total, "generator", self.generator_step)
        for here in mine.chunks(self.accumulate):
            loss = -self._trained["critic"](self._trained["generator"](here.of(noise))).mean()
            self.manual_backward(loss * here.share)
        self.take_step(optimizer, self.gradient_clip)
        self.critic.requires_grad_(True)
        self.ranks.average_statistics_(self.critic, self.generator)
        if self.generator_average is not None and self.averaged is not None:
            self.generator_average.update_(self.averaged, self.generator, self.generator_step, average_buffers=True)

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
