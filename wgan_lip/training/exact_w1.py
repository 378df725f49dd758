"""The exact Wasserstein-1 distance beside the critic's estimate, while the GAN trains."""

import copy
import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from wgan_lip.data import SampleDataModule
from wgan_lip.lipschitz import certify
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.wgan import WassersteinGAN
from wgan_lip.transport import (
    McShaneExtension,
    Norm,
    mcshane_extension,
    population_lower,
    population_upper,
    wasserstein1,
)
from wgan_lip.transport.norm import box_diameter, check_norm
from wgan_lip.transport.samples import FloatArray


class BrokenBoundError(RuntimeError):
    """A critic's estimate exceeds the exact distance of the same samples: a bug, here or in the certificate."""


@dataclass(frozen=True)
class Evaluation:
    """One comparison of the critic's estimate with the truth, on the same samples.

    Attributes:
        exact: W1 of n held-out real and n generated samples, exactly.
        critic: ``(mean f(real) - mean f(fake)) / L`` on them: a proven lower bound of ``exact``.
        gap: ``exact - critic``, never negative beyond rounding.
        gap_relative: ``gap / exact``.
        noise_floor: exact W1 of the same held-out samples and n real samples of the training split:
            what a perfect generator would score at this n.
        population_lower: lower confidence bound of the W1 of the *distributions*, by the critic.
        population_upper: upper confidence bound of it; infinite where the supports' diameter is not known.
        certified: L, the critic's certified Lipschitz constant.
        seconds: wall time of the evaluation.
    """

    exact: float
    critic: float
    gap: float
    gap_relative: float
    noise_floor: float
    population_lower: float
    population_upper: float
    certified: float
    seconds: float

    def metrics(self) -> dict[str, float]:
        """The values by the names under which they are logged; without an upper bound that is not known."""
        values = {name: value for name, value in asdict(self).items() if math.isfinite(value)}
        certified = values.pop("certified")
        return {**{f"w1/{name}": value for name, value in values.items()}, "lipschitz/certified": certified}


def evaluate(
    critic: nn.Module,
    real: Tensor,
    fake: Tensor,
    other_real: Tensor,
    *,
    norm: Norm | None = None,
    bounds: tuple[float, float] | None = None,
    fake_bounds: tuple[float, float] | None = None,
    confidence: float = 0.95,
    previous: McShaneExtension | None = None,
) -> tuple[Evaluation, McShaneExtension]:
    """Set a critic's estimate against the exact W1 of the same samples.

    The critic is copied to float64 on the CPU, certified there and scored there, so that the
    estimate bounds the exact value up to rounding of order 1e-13, whatever precision it trains in.
    W1 is taken in the norm in which the critic is certified.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; any network that ``certify`` can bound.
        real: shape (n, *shape); independent of what the critic was trained on.
        fake: shape (n, *shape); likewise.
        other_real: real samples disjoint from ``real``, shape (n, *shape).
        norm: the ground norm that is wanted; the certificate's if None.
        bounds: between which every coordinate of every real sample lies by its nature, not as these samples show;
            for the population bracket.
        fake_bounds: likewise of generated samples, whatever the weights of the generator.
        confidence: of the population bracket.
        previous: the exact critic of an earlier evaluation, from whose potentials the solver may start.

    Returns:
        The comparison, and the exact critic of these samples.

    Raises:
        BrokenBoundError: the estimate exceeds the exact value by more than rounding.
        ValueError: samples or weights with NaN or infinity, a critic that cannot be certified, or one that is
            certified in another norm.
    """
    start = time.perf_counter()
    # Parameters are exact in float64: the copy is the function that is trained, and what is certified
    # and what is scored are one and the same.
    critic64 = _float64_copy(critic)
    certificate = certify(critic64)
    if norm is not None and norm != certificate.norm:
        raise ValueError(
            f"the critic is certified in the {certificate.norm} norm, so it bounds no W1 in norm={norm!r}: "
            f"use norm={certificate.norm!r}, or another critic"
        )
    values, largest = _values(critic64, torch.cat((real, fake)).to("cpu", torch.float64))
    if values.numel() != len(real) + len(fake):
        raise ValueError(f"the critic must return one value a sample; got shape {tuple(values.shape)}")
    # A critic of constant 0 says nothing.
    slope = 1 / certificate.bound if certificate.bound > 0 else 0.0
    real_scores, fake_scores = (values.flatten() * slope).split((len(real), len(fake)))
    estimate = float(real_scores.mean() - fake_scores.mean())

    potentials = _nearest_potentials((real_scores.numpy(), fake_scores.numpy()), previous, real, fake)
    exact = wasserstein1(real, fake, norm=certificate.norm, initial_potentials=potentials)
    noise_floor = wasserstein1(real, other_real, norm=certificate.norm).value
    gap = exact.value - estimate
    # Rounding in float64: some eps of the largest number in any layer, carried through those after it.
    amplified = math.prod(max(1.0, layer.bound) for layer in certificate.layers)
    rounding = 1e-12 * largest * amplified * slope + (exact.upper - exact.lower)
    if gap < -rounding:
        raise BrokenBoundError(
            f"the critic's estimate {estimate!r} exceeds the exact W1 {exact.value!r} of the same samples, though its "
            f"Lipschitz constant is certified as {certificate.bound!r}: this is a bug, please report it"
        )
    delta = (1 - confidence) / 2
    diameters = (
        _diameter(real, bounds, certificate.norm, "real"),
        _diameter(fake, fake_bounds, certificate.norm, "generated"),
    )
    lower = population_lower(real_scores, fake_scores, delta=delta, diameter=diameters)
    upper = population_upper(exact.upper, len(real), len(fake), delta=delta, diameter=diameters)
    evaluation = Evaluation(
        exact=exact.value,
        critic=estimate,
        gap=gap,
        gap_relative=gap / exact.value if exact.value > 0 else 0.0,
        noise_floor=noise_floor,
        population_lower=max(0.0, lower.value - rounding),
        population_upper=upper.value,
        certified=certificate.bound,
        seconds=time.perf_counter() - start,
    )
    return evaluation, mcshane_extension(real, fake, exact, norm=certificate.norm)


def _diameter(samples: Tensor, bounds: tuple[float, float] | None, norm: Norm, name: str) -> float | None:
    """Diameter of the box in which a distribution is known to lie."""
    if bounds is None:
        return None
    smallest, largest = float(samples.min()), float(samples.max())
    if smallest < bounds[0] or largest > bounds[1]:
        raise ValueError(f"{name} samples must keep to their bounds {bounds}; got {smallest:g} to {largest:g}")
    return box_diameter(bounds[1] - bounds[0], samples[0].numel(), norm)


def _nearest_potentials(
    critic: tuple[FloatArray, FloatArray], previous: McShaneExtension | None, real: Tensor, fake: Tensor
) -> tuple[FloatArray, FloatArray]:
    """Potentials to start from: of the critic's scores and those of the last exact critic, what bounds more."""
    scores = [critic]
    if previous is not None:
        scores.append((previous(real), previous(fake)))
    # Both functions are 1-Lipschitz, so both differences of means are lower bounds.
    on_real, on_fake = max(scores, key=lambda pair: float(pair[0].mean() - pair[1].mean()))
    return on_real, -on_fake


def _float64_copy(critic: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(critic).to("cpu", torch.float64).eval()
    except RuntimeError as error:
        raise ValueError(f"the critic cannot be copied, so neither certified: {error}") from error


@torch.no_grad()
def _values(critic: nn.Module, samples: Tensor) -> tuple[Tensor, float]:
    """The critic's values, and the largest number in any of its layers."""
    sizes = [float(samples.abs().max())]
    for module in critic.modules():
        module.register_forward_hook(lambda module, inputs, output: sizes.append(float(output.abs().max())))
    return critic(samples), max(sizes) * samples[0].numel() ** 0.5


class ExactW1(Callback):
    """Logs the critic's estimate, the exact W1 and the noise floor during training.

    At the start, every ``every`` generator steps, and at the end it draws ``n`` held-out real and
    ``n`` generated samples and logs ``w1/exact``, ``w1/critic``, ``w1/gap``, ``w1/gap_relative``,
    ``w1/noise_floor``, ``w1/population_lower``, ``w1/population_upper``, ``w1/seconds`` and
    ``lipschitz/certified`` (see :class:`Evaluation`). In ``validate`` and ``test`` it does so once.
    Each solve starts from the critic's values or from the last evaluation, whichever is nearer.

    The population bracket holds with probability ``confidence`` for each evaluation by itself, not for all of them
    at once. Its upper end is finite, and its lower end's confidence proven, where data module and generator have
    ``bounds`` of their samples' coordinates.

    Args:
        every: generator steps between two evaluations.
        n: samples on each side; at least 2.
        seed: what the samples are drawn from; an evaluation's depend on the seed and the step only.
        norm: the ground norm; None takes the one in which the critic is certified.
        confidence: of the population bracket.

    Raises:
        ValueError: a count that is too small, a confidence outside (0, 1), an unknown norm; when training starts:
            a split smaller than n, a data module that is not a ``SampleDataModule``, or a critic for other samples.
    """

    def __init__(
        self, every: int = 500, n: int = 500, seed: int = 0, norm: Norm | None = None, confidence: float = 0.95
    ) -> None:
        if every < 1 or n < 2:
            raise ValueError(f"every must be at least 1 and n at least 2; got every={every}, n={n}")
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
        if norm is not None:
            check_norm(norm)
        self.every = every
        self.n = n
        self.seed = seed
        self.norm = norm
        self.confidence = confidence
        self.last: Evaluation | None = None
        self._last_step = -1
        self._exact_critic: McShaneExtension | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        module, data = _module(pl_module), _data(trainer)
        for split in ("heldout", "train"):
            if data.size(split) < self.n:
                raise ValueError(
                    f"ExactW1 needs n={self.n} samples of the {split} split; "
                    f"{type(data).__name__} has {data.size(split)}: lower n"
                )
        # Networks for other samples are found here, not in the middle of a step.
        made = _try(module.generator, "generator", module.noise(1, "probe"))
        if tuple(made.shape[1:]) != tuple(data.sample_shape):
            raise ValueError(
                f"the generator makes samples of shape {tuple(made.shape[1:])}; "
                f"{type(data).__name__}'s are {data.sample_shape}"
            )
        _try(module.critic, "critic", torch.zeros(1, *data.sample_shape, dtype=made.dtype, device=made.device))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        module = _module(pl_module)
        if module.generator_step == 0 and self._last_step != 0:
            self._evaluate(trainer, module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        module = _module(pl_module)
        if module.generator_step % self.every == 0 and module.generator_step != self._last_step:
            self._evaluate(trainer, module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if _module(pl_module).generator_step != self._last_step:
            self._evaluate(trainer, _module(pl_module))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate":
            self._evaluate(trainer, _module(pl_module))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._evaluate(trainer, _module(pl_module))

    def state_dict(self) -> dict[str, Any]:
        return {"last_step": self._last_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._last_step = state_dict["last_step"]

    def _evaluate(self, trainer: Trainer, module: WassersteinGAN) -> None:
        data, step = _data(trainer), module.generator_step
        stream = keyed_generator(self.seed, "exact w1", step)
        real, other_real = data.draw("heldout", self.n, stream), data.draw("train", self.n, stream)
        fake = module.sample(module.noise(self.n, "exact w1", self.seed, step)).cpu()
        self.last, self._exact_critic = evaluate(
            module.critic,
            real,
            fake,
            other_real,
            norm=self.norm,
            bounds=data.bounds,
            fake_bounds=getattr(module.generator, "bounds", None),
            confidence=self.confidence,
            previous=self._exact_critic,
        )
        self._last_step = step
        module.log_metrics(self.last.metrics())


@torch.no_grad()
def _try(network: nn.Module, name: str, inputs: Tensor) -> Tensor:
    """A network's output in evaluation mode, or an error that says what it was given."""
    training = network.training
    try:
        return network.eval()(inputs)
    except RuntimeError as error:
        raise ValueError(f"the {name} does not take inputs of shape {tuple(inputs.shape)}: {error}") from error
    finally:
        network.train(training)


def _module(pl_module: LightningModule) -> WassersteinGAN:
    if not isinstance(pl_module, WassersteinGAN):
        raise ValueError(f"ExactW1 evaluates a WassersteinGAN; got {type(pl_module).__name__}")
    return pl_module


def _data(trainer: Trainer) -> SampleDataModule:
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, SampleDataModule):
        raise ValueError(
            "ExactW1 draws held-out samples from a SampleDataModule; got "
            f"{'plain dataloaders' if data is None else type(data).__name__}: pass datamodule= to the trainer"
        )
    return data
