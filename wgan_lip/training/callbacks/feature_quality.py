"""Features of images that are trained within a minute, without labels, and quality of generated images by them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.nn import functional as F

from wgan_lip.console import progress_bar
from wgan_lip.data import SampleDataModule
from wgan_lip.evaluation import InceptionQuality, compare_features
from wgan_lip.networks import FeatureNetwork, InceptionFeatures
from wgan_lip.randomness import keyed_generator
from wgan_lip.replaced import replacing
from wgan_lip.saved import load_saved
from wgan_lip.training.callbacks.every_steps import EverySteps
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.wgan import WassersteinGAN

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


class FeatureQuality(EverySteps):
    """Logs scores of generated images against held-out ones by features of them, and the scores of real images.

    The features are those of a :class:`FeatureNetwork`, which is trained for about a minute on the training split when
    training starts, and kept as ``features.pt`` in the trainer's ``default_root_dir``. They are not Inception features:
    scores of runs with different features cannot be compared. Each score of :class:`FeatureScores` is logged as
    ``features/NAME``, of the averaged generator if there is one, and that of images of the training split, what a
    perfect generator would score with as many images, as ``features/NAME_floor``.

    With a file of Inception's weights, FID and KID of the same images are logged as well, as ``inception/NAME`` and
    ``inception/NAME_floor`` of :class:`InceptionScores`. These can be compared between runs with the same n.

    Args:
        every: number of generator steps between two evaluations.
        n: images on each side; 0 evaluates nothing.
        seed: of images, noise (both the same throughout the training) and features.
        features: file of the features; None trains them.
        training_steps: of the features.
        inception: file of Inception's weights, see :class:`InceptionFeatures`; None computes no FID and KID.

    Raises:
        ValueError: a count that is too small, or ``inception`` without n; when training starts: samples that are not
            square images, a split smaller than n, features for images of another shape, or an error of
            :class:`InceptionFeatures`.
    """

    def __init__(
        self,
        every: int = 2000,
        n: int = 0,
        seed: int = 0,
        features: str | None = None,
        training_steps: int = 1000,
        inception: str | None = None,
    ) -> None:
        super().__init__(every)
        if n != 0 and n < 12:
            raise ValueError(f"n must be 0 or at least 12; got n={n}")
        if training_steps < 1:
            raise ValueError(f"training_steps must be at least 1; got training_steps={training_steps}")
        if inception is not None and n == 0:
            raise ValueError(f"inception requires n, the number of images on each side; got inception={inception}, n=0")
        self.n = n
        self.seed = seed
        self.features = features
        self.training_steps = training_steps
        self.inception = inception
        self._network: FeatureNetwork | None = None
        self._inception: InceptionFeatures | None = None
        self._inception_quality: InceptionQuality | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.n:
            data = trainer.datamodule  # type: ignore[attr-defined]
            if not isinstance(data, SampleDataModule) or not isinstance(pl_module, WassersteinGAN):
                raise ValueError("FeatureQuality requires a WassersteinGAN and a SampleDataModule")
            for split in ("heldout", "train"):
                if data.size(split) < self.n:
                    raise ValueError(
                        f"feature_quality.n must be at most {data.size(split)}, the samples of {type(data).__name__}'s "
                        f"{split} split; got {self.n}"
                    )
            if self.inception is not None:
                if image_shape_of(data)[0] not in (1, 3):
                    raise ValueError(f"inception requires images of 1 or 3 channels; got {image_shape_of(data)}")
                if trainer.is_global_zero:
                    self._inception, self._inception_quality = InceptionFeatures(self.inception), None
            if trainer.is_global_zero:
                # Other ranks do nothing.
                self._network = self._features(Path(trainer.default_root_dir) / "features.pt", data)
        super().on_train_start(trainer, pl_module)

    def _features(self, kept: Path, data: SampleDataModule) -> FeatureNetwork:
        if self.features is None and not kept.exists():
            with progress_bar() as bar:
                task = bar.add_task("features", total=self.training_steps)
                network = train_features(
                    data, self.training_steps, seed=self.seed, watch=lambda done: bar.update(task, completed=done)
                )
            kept.parent.mkdir(parents=True, exist_ok=True)
            save_features(network, kept)
            return network
        path = kept if self.features is None else Path(self.features)
        network = load_features(path)
        if network.input_shape != image_shape_of(data):
            raise ValueError(
                f"the features of {path} are for images of shape {network.input_shape}; "
                f"{type(data).__name__}'s are {image_shape_of(data)}"
            )
        return network

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        if self._network is None:
            return
        gan, data = cast(WassersteinGAN, module), cast(SampleDataModule, trainer.datamodule)  # type: ignore[attr-defined]
        stream = keyed_generator(self.seed, "feature quality")
        noise = gan.noise(self.n, "feature quality", self.seed)
        heldout, train = (data.draw(split, self.n, stream) for split in ("heldout", "train"))
        fake = gan.sample(noise, averaged=gan.averaged is not None)
        real, floor, made = (describe(self._network, images) for images in (heldout, train, fake))
        metrics: dict[str, Any] = {}
        for suffix, other in (("", made), ("_floor", floor)):
            # The same halves and directions for generated and real images.
            scores = asdict(compare_features(real, other, keyed_generator(self.seed, "halves and directions")))
            metrics |= {f"features/{name}{suffix}": value for name, value in scores.items()}
        gan.log_metrics(metrics | self._on_inception(gan, heldout, train, fake))

    def _on_inception(self, gan: WassersteinGAN, heldout: Tensor, train: Tensor, fake: Tensor) -> dict[str, float]:
        """Return FID and KID of generated images and of the training split's; nothing without Inception."""
        if self._inception is None or self._network is None:
            return {}
        channels = self._network.input_shape[0]
        if self._inception_quality is None:
            # The held-out images and those of the training split are the same throughout.
            network = self._inception.to(gan.device)
            self._inception_quality = InceptionQuality(network, heldout[:, :channels], train[:, :channels])
        return self._inception_quality.metrics(fake[:, :channels])
