"""Points at which a network's gradients are profiled: of both distributions, and between them."""

from functools import singledispatch

from pytorch_lightning import LightningModule
from torch import Generator, Tensor, nn, rand

from wgan_lip.data import ImageDataModule, SampleDataModule
from wgan_lip.distributions import Pair
from wgan_lip.dtypes import lerp, widened
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.callbacks.certified_accuracy import draw_images
from wgan_lip.training.robust_classifier import RobustClassifier
from wgan_lip.training.w1_estimator import W1Estimator
from wgan_lip.training.wgan import WassersteinGAN


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
