"""The gradient norm of a network after each of its layers, logged while it trains, and the points where it is taken."""

from functools import singledispatch

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Generator, Tensor, nn, rand

from wgan_lip.data import ImageDataModule, SampleDataModule
from wgan_lip.distributions import Pair
from wgan_lip.dtypes import lerp, widened
from wgan_lip.lipschitz import GradientProfile, gradient_profile
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.callbacks.certified_accuracy import draw_images
from wgan_lip.training.callbacks.every_steps import EverySteps
from wgan_lip.training.robust_classifier import RobustClassifier
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.w1_estimator import W1Estimator
from wgan_lip.training.wgan import WassersteinGAN


class GradientNorms(EverySteps):
    """Logs the mean norm of the network's gradient after every layer, as ``gradient_norm/POINTS/PLACE``.

    Its standard error is logged as ``gradient_norm/POINTS/PLACE_standard_error``.

    PLACE is ``input``, or a layer by name and class, such as ``3_GroupSort``: the gradient is that with respect to the
    layer's output (:func:`wgan_lip.lipschitz.gradient_profile`). The network's output and layers that only reshape are
    left out. POINTS are ``real`` (held-out), ``generated`` and ``between`` of a GAN; ``x``, ``y`` and ``between`` of an
    estimator, whose ``gradient_norm/x/input`` is the ``gradient/norm`` of ``HeldOutW1`` on as many samples; and
    ``held_out`` of a classifier, where random combinations of its logits are differentiated. "between" are points on
    the segments from one distribution to the other, those of an optimal plan where it is known.

    The points are the same throughout the training, except that the generator changes.

    Args:
        every: steps between two.
        n: points of each kind; 0 leaves all this out.
        seed: what they are drawn from.

    Raises:
        ValueError: ``every < 1``, an n that is negative or 1; when training starts: another module, data that are no
            ``SampleDataModule`` or hold out fewer than n samples.
    """

    def __init__(self, every: int = 500, n: int = 0, seed: int = 0) -> None:
        super().__init__(every)
        if n < 0 or n == 1:
            raise ValueError(f"n must be 0 or at least 2; got n={n}")
        self.n = n
        self.seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.n:
            self._check(trainer)
        super().on_train_start(trainer, pl_module)

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        if self.n:
            module.log_metrics(module.ranks.on_rank_zero(lambda: self._metrics(trainer, module)))

    def _check(self, trainer: Trainer) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, SampleDataModule) and data.size("heldout") < self.n:
            raise ValueError(
                f"GradientNorms needs n={self.n} samples of the heldout split; "
                f"{type(data).__name__} has {data.size('heldout')}: lower n"
            )

    def _metrics(self, trainer: Trainer, module: SteppedModule) -> dict[str, float]:
        data = trainer.datamodule  # type: ignore[attr-defined]
        with torch.inference_mode(False):
            network, points = network_and_points(module, data, self.n, self.seed)
            # A classifier's gradient is that of random combinations of its logits, the same throughout.
            profiles = {
                kind: gradient_profile(network, x, generator=keyed_generator(self.seed, "gradient norms"))
                for kind, x in points.items()
            }
        return {name: value for kind, profile in profiles.items() for name, value in _named(kind, profile)}


def _named(kind: str, profile: GradientProfile) -> list[tuple[str, float]]:
    named = []
    for place in profile.shown[1:]:
        where = place.name if place.name == place.kind else f"{place.name}_{place.kind}"
        name = f"gradient_norm/{kind.replace(' ', '_')}/{where}"
        named += [(name, place.mean), (f"{name}_standard_error", place.standard_error)]
    return named


@singledispatch
def network_and_points(module: LightningModule, data: object, n: int, seed: int) -> tuple[nn.Module, dict[str, Tensor]]:
    """The network of a module whose gradients are profiled, and points for it by kind.

    Another class of modules registers its own by ``network_and_points.register``.

    Args:
        module: the networks, on any device.
        data: the data module; None if there is none.
        n: points of each kind; all that are held out, where these are fewer.
        seed: what the points are drawn from.

    Raises:
        ValueError: a module of another class, or data that do not serve it.
    """
    raise ValueError(f"no points are known for the gradients of a {type(module).__name__}")


@network_and_points.register
def _(module: WassersteinGAN, data: object, n: int, seed: int) -> tuple[nn.Module, dict[str, Tensor]]:
    if not isinstance(data, SampleDataModule):
        raise ValueError(f"the gradients of a WassersteinGAN need a SampleDataModule; got {type(data).__name__}")
    return module.critic, gan_points(module, data, min(n, data.size("heldout")), seed)


@network_and_points.register
def _(module: W1Estimator, data: object, n: int, seed: int) -> tuple[nn.Module, dict[str, Tensor]]:
    return module.final_critic(), pair_points(module.pair, n, seed)


@network_and_points.register
def _(module: RobustClassifier, data: object, n: int, seed: int) -> tuple[nn.Module, dict[str, Tensor]]:
    if not isinstance(data, ImageDataModule):
        raise ValueError(f"the gradients of a RobustClassifier need an ImageDataModule; got {type(data).__name__}")
    return module.network, {"held out": draw_images(data, n, seed)[0]}


def pair_points(pair: Pair, n: int, seed: int) -> dict[str, Tensor]:
    """Held-out x ~ P and y ~ Q, as ``draw_heldout`` draws them, and points between the two.

    "between" is ``x + t (y - x)``, t uniform in [0, 1], where (x, y) are drawn from an optimal plan if one is known: on
    such transport rays the gradient of an optimal potential has norm 1. If none is known, x and y are independent, and
    its norm may be anything up to 1.

    Args:
        pair: the distributions.
        n: points of each kind; those that are held out, where a pair holds out fewer.
        seed: what they are drawn from.

    Returns:
        By kind, "x", "y" and "between", in float32.
    """
    x, y = pair.sample(n, keyed_generator(seed, "heldout"), heldout=True)
    stream = keyed_generator(seed, "between")
    ends = pair.sample_plan(n, stream) if pair.knows_plan else (x, y)
    return {"x": x, "y": y, "between": between(*ends, stream)}


def gan_points(gan: WassersteinGAN, data: SampleDataModule, n: int, seed: int) -> dict[str, Tensor]:
    """Held-out real samples, generated ones, and points between independent ones of both.

    Args:
        gan: the networks, on any device.
        data: the data.
        n: points of each kind; at most so many as are held out.
        seed: what they are drawn from.

    Returns:
        By kind, "real", "generated" and "between", on the CPU.

    Raises:
        ValueError: the held-out split is smaller than n.
    """
    real = data.draw("heldout", n, keyed_generator(seed, "gradients, real"))
    real = real.to(widened(real.dtype))
    fake = gan.sample(gan.noise(n, "gradients", seed)).to(real)
    return {"real": real, "generated": fake, "between": between(real, fake, keyed_generator(seed, "between"))}


def between(x: Tensor, y: Tensor, generator: Generator) -> Tensor:
    """``x + t (y - x)`` with t uniform in [0, 1], for as many pairs as there are.

    Args:
        x: shape ``(n, *shape)``.
        y: shape ``(m, *shape)``.
        generator: a CPU generator.

    Returns:
        Shape (min(n, m), *shape).
    """
    n = min(len(x), len(y))
    t = rand(n, *(1,) * (x.ndim - 1), generator=generator, dtype=widened(x.dtype))
    return lerp(x[:n].to(t.dtype), y[:n], t)
