"""A classifier with certified robustness, trained for large margins under a known Lipschitz constant."""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from wgan_lip.data import ImageDataModule
from wgan_lip.dtypes import check_has_values
from wgan_lip.labels import split_labels
from wgan_lip.lipschitz import Norm, evaluating, norm_of, project_
from wgan_lip.optim import StiefelMuon
from wgan_lip.parts import Part
from wgan_lip.randomness import keyed_generator
from wgan_lip.robustness import Attack, ClassificationLoss, MarginCrossEntropy, check_norm
from wgan_lip.training.checks import try_network
from wgan_lip.training.stepped import CHECKPOINT_KEY, SteppedModule

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


class RandomShift:
    """Shift each image by a random number of pixels, filling with 0, and mirror half of them.

    Args:
        pixels: largest shift up, down, left and right; all shifts are equally likely.
        mirror: exchange left and right with probability one half.

    Raises:
        ValueError: a negative shift.
    """

    def __init__(self, pixels: int = 1, mirror: bool = False) -> None:
        if pixels < 0:
            raise ValueError(f"pixels must be at least 0; got pixels={pixels}")
        self.pixels = pixels
        self.mirror = mirror

    def __call__(self, x: Tensor, generator: torch.Generator, part: Part | None = None) -> Tensor:
        """Return the images, each changed independently.

        Args:
            x: shape (N, C, H, W).
            generator: of the random numbers, which are drawn for the whole batch.
            part: of the batch that x is; None if x is the whole batch.
        """
        part = part or Part(0, len(x), len(x))
        device = x.device
        if self.mirror:
            mirrored = torch.rand(part.total, generator=generator, device=generator.device).to(device) < 0.5
            x = torch.where(part.of(mirrored)[:, None, None, None], x.flip(3), x)
        if not self.pixels:
            return x
        drawn = torch.randint(2 * self.pixels + 1, (part.total, 2, 1), generator=generator, device=generator.device)
        down, right = part.of(drawn).to(device).unbind(1)
        rows = down + torch.arange(x.shape[2], device=device)
        columns = right + torch.arange(x.shape[3], device=device)
        padded = F.pad(x, 4 * (self.pixels,)).movedim(1, 3)
        sample = torch.arange(len(x), device=device)[:, None, None]
        return padded[sample, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


class RobustClassifier(SteppedModule):
    """Trains ``min_f E loss(f(x), y)`` on labelled images with pixels in [0, 1].

    After each step, constrained weights are projected back onto their sets (``lipschitz.project_``). If all layers are
    constrained in one norm, ``robustness.certify_classifier`` turns the margin of each image into a radius within which
    its class cannot change; ``CertifiedAccuracy`` logs the share of held-out images that are correct and certified, and
    ``wgan-lip certify`` attacks them as well.

    The data are an ``ImageDataModule`` with ``labels: true``; its pixels in [-1, 1] are mapped to [0, 1], the units of
    attacks and radii.

    On several ranks (DDP) each rank takes its part of every batch: the steps are those of one process, up to rounding,
    dropout, and the random starts of an adversary.

    Args:
        network: the classifier, from (N, C, H, W) to logits (N, classes).
        norm: of the certified robustness; None is the norm in which the network's layers are constrained. It is
            required for networks without constraints.
        loss: of logits and classes; None is ``MarginCrossEntropy()``.
        steps: number of training steps.
        optimizer: builds the optimiser; None is ``StiefelMuon`` for networks constrained in l2, Adam with learning rate
            1e-3 for others.
        linear_decay: decrease the learning rate linearly: step k of n has ``1 - k / n`` of it.
        augmentation: of the training images.
        adversary: attack that replaces the training images by adversarial ones (adversarial training), the best known
            defence of networks without certificate; it proves nothing.
        seed: of augmentation and attacks; those of a step depend on the seed and the step only.
        log_every: steps between two logs of the training loss.

    Raises:
        ValueError: a count below 1, a network without a norm or constrained in another; when training starts: data
            without labels or of another shape; during training: a loss that is not finite.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5; adversarial training:
        Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, equation (2.1).
    """

    counters = ("classifier_step",)

    def __init__(
        self,
        network: nn.Module,
        norm: Norm | None = None,
        loss: ClassificationLoss | None = None,
        steps: int = 10_000,
        optimizer: OptimizerFactory | None = None,
        linear_decay: bool = True,
        augmentation: RandomShift | None = None,
        adversary: Attack | None = None,
        seed: int = 0,
        log_every: int = 100,
    ) -> None:
        super().__init__()
        check_has_values(network, "network")
        for name, value in {"steps": steps, "log_every": log_every}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {name}={value}")
        if norm is not None:
            check_norm(norm)
        held = norm_of(network)
        if held is None and norm is None:
            raise ValueError("norm must be 'l2' or 'linf' for a network without constraints; got norm=None")
        if held is not None and norm not in (None, held):
            raise ValueError(f"norm must be {held!r}, in which the network's layers are constrained; got norm={norm!r}")
        self.automatic_optimization = False
        self.network = network
        self.norm: Norm = cast(Norm, norm or held)
        self.loss = loss or MarginCrossEntropy()
        self.steps = steps
        self.optimizer = optimizer or (StiefelMuon if held == "l2" else Adam)
        self.linear_decay = linear_decay
        self.augmentation = augmentation
        self.adversary = adversary
        self.seed = seed
        self.log_every = log_every
        self.classifier_step = 0
        self.class_names: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """Number of classes; 0 before the data are known."""
        return len(self.class_names)

    @property
    def total_steps(self) -> int:
        return self.steps

    def forward(self, x: Tensor) -> Tensor:
        """Logits: ``(N, C, H, W) -> (N, classes)``, pixels in [0, 1]."""
        return cast(Tensor, self.network(x))

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, ImageDataModule) or not data.classes:
            raise ValueError(
                f"RobustClassifier trains on labelled images; got {type(data).__name__} without labels: "
                "set data.init_args.labels to true"
            )
        self.class_names = data.classes
        like = next(self.network.parameters(), torch.empty(0))
        logits = try_network(self.network, "network", like.new_zeros(2, *data.image_shape))
        if logits.shape != (2, self.classes):
            raise ValueError(
                f"the network must return {self.classes} logits per image, one for each class; got shape "
                f"{tuple(logits.shape)} for 2 images"
            )

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        optimizer = cast(LightningOptimizer, self.optimizers())
        x, y = images_and_labels(batch, self.classes)
        mine = self.part_of_batch(len(x))
        with self.ranks.no_gradient_sync():
            loss = self._update(x.to(self.dtype), y, mine, optimizer)
        self.classifier_step += 1
        if self.linear_decay:
            cast(Any, self.lr_schedulers()).step()
        if self.classifier_step % self.log_every == 0 or self.classifier_step == self.steps:
            self.log_training("train/loss", loss)
        self.stop_when_done()

    def _update(self, x: Tensor, y: Tensor, mine: Part, optimizer: LightningOptimizer) -> Tensor:
        """Take one step; return this rank's contribution to the loss."""
        step = self.classifier_step
        if self.augmentation is not None:
            x = self.augmentation(x, keyed_generator(self.seed, "augmentation", step, device=self.device), mine)
        if self.adversary is not None:
            x = self._attacked(x, y, keyed_generator(self.seed, "attack", step, mine.start, device=self.device))
        loss = self.loss(self.network(x), y).mean()
        optimizer.zero_grad()
        self.manual_backward(loss * mine.share)
        self.take_step(optimizer)
        project_(self.network)
        self.ranks.average_statistics_(self.network)
        return loss.detach() * mine.share

    def _attacked(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        # In evaluation mode: without dropout.
        with evaluating(self.network):
            return cast(Attack, self.adversary)(self.network, x, y, generator)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint[CHECKPOINT_KEY]["classes"] = list(self.class_names)

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.network.parameters())
        self.check_optimizers([optimizer], "classifier")
        if not self.linear_decay:
            return optimizer
        return [optimizer], [LambdaLR(optimizer, lambda k: max(0.0, 1 - k / self.steps))]


def images_and_labels(samples: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Split samples into images with pixels in [0, 1] and labels.

    Args:
        samples: of a data module with labels, pixels in [-1, 1], shape (n, C + K, H, W).
        classes: their number K.
    """
    images, labels = split_labels(samples, classes)
    return ((images + 1) / 2).clamp(0, 1), labels
