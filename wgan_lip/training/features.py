"""Features of images, trained within a minute without labels or downloads."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from wgan_lip.data import SampleDataModule
from wgan_lip.networks import FeatureNetwork
from wgan_lip.randomness import keyed_generator
from wgan_lip.replaced import replacing
from wgan_lip.saved import load_saved

# Images that are described at once.
_CHUNK = 1024


def train_features(
    data: SampleDataModule,
    steps: int = 1000,
    batch_size: int = 128,
    seed: int = 0,
    features: int = 64,
    watch: Callable[[int], None] | None = None,
) -> FeatureNetwork:
    """Train a network to predict by how many quarter turns images of the training split are rotated.

    On the CPU, with Adam and a learning rate that falls from 2e-3 to 0 by a cosine.

    Args:
        data: square images; channels after the image's own, which hold a label, are not used.
        steps: of training.
        batch_size: images in a step; all of the training split, if it has fewer.
        seed: of initial weights, batches and turns.
        features: number of features of an image.
        watch: called before each step with the number of steps done.

    Raises:
        ValueError: a count below 1, or samples that are not square images.
    """
    if steps < 1 or batch_size < 2:
        raise ValueError(
            f"steps must be at least 1 and batch_size at least 2; got steps={steps}, batch_size={batch_size}"
        )
    shape, batch_size = image_shape_of(data), min(batch_size, data.size("train"))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(keyed_generator(seed, "features").get_state())
        network = FeatureNetwork(shape, features)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        if watch is not None:
            watch(step)
        stream = keyed_generator(seed, "feature batch", step)
        images = data.draw("train", batch_size, stream)[:, : shape[0]].float()
        turns = torch.randint(4, (batch_size,), generator=stream)
        loss = F.cross_entropy(network.rotations(turned(images, turns)), turns)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def turned(images: Tensor, turns: Tensor) -> Tensor:
    """Rotate each image by its number of quarter turns.

    Args:
        images: shape (n, C, H, H).
        turns: 0 to 3, shape (n,).
    """
    result = torch.empty_like(images)
    for k in range(4):
        result[turns == k] = torch.rot90(images[turns == k], k, (2, 3))
    return result


@torch.no_grad()
def describe(network: FeatureNetwork, images: Tensor) -> Tensor:
    """Compute the features of images, shape (n, features), in float64 on the CPU.

    Args:
        network: in evaluation mode.
        images: shape (n, C or more, H, W); only the first C channels are used.
    """
    channels = network.input_shape[0]
    parts = [network(part[:, :channels].to("cpu", torch.float32, copy=True)) for part in images.split(_CHUNK)]
    return torch.cat(parts).double()


def save_features(network: FeatureNetwork, path: Path) -> None:
    """Write a feature network to a file."""
    content = {"input_shape": list(network.input_shape), "features": network.features, "state": network.state_dict()}
    with replacing(path) as file:
        torch.save(content, file)


def load_features(path: Path) -> FeatureNetwork:
    """Read a feature network of ``save_features``; no code is loaded.

    Raises:
        ValueError: the file holds no such network.
        OSError: it cannot be read.
    """
    try:
        content = load_saved(path, "a feature network of wgan-lip")
        network = FeatureNetwork(content["input_shape"], content["features"])
        network.load_state_dict(content["state"])
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} holds no feature network of wgan-lip: {error}") from error
    return network.eval().requires_grad_(False)


def image_shape_of(data: SampleDataModule) -> tuple[int, int, int]:
    """Return (C, H, W) of a data module's images, without label channels.

    Raises:
        ValueError: its samples are not images.
    """
    if len(data.sample_shape) != 3:
        raise ValueError(
            f"{type(data).__name__}'s samples must be images of shape (C, H, W); got shape {data.sample_shape}"
        )
    channels, height, width = data.sample_shape
    return getattr(data, "image_channels", channels), height, width
