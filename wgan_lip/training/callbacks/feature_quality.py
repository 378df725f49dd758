"""Quality of generated images by features of them during training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from pytorch_lightning import LightningModule, Trainer
from torch import Tensor

from wgan_lip.data import SampleDataModule
from wgan_lip.evaluation import InceptionQuality, compare_features
from wgan_lip.networks import FeatureNetwork, InceptionFeatures
from wgan_lip.progress import progress_bar
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.callbacks.every_steps import EverySteps
from wgan_lip.training.features import describe, image_shape_of, load_features, save_features, train_features
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.wgan import WassersteinGAN


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
                        f"FeatureQuality requires n={self.n} samples of the {split} split; "
                        f"{type(data).__name__} has {data.size(split)}: lower n"
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
