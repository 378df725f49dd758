"""A small classifier of made images in MNIST's format, and its training."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from tests.data.made import make_mnist
from tests.training.trainers import quiet_trainer
from wgan_lip.data import ImageDataModule
from wgan_lip.networks import MLPClassifier
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import CertifiedAccuracy, RobustClassifier


def tiny_classifier(seed: int = 0, **arguments: Any) -> RobustClassifier:
    """A classifier with weights drawn from ``seed``."""
    torch.manual_seed(seed)
    network = arguments.pop("network", None) or MLPClassifier((1, 28, 28), hidden=(16,))
    return RobustClassifier(network, **{"steps": 12, "seed": seed, "log_every": 4, **arguments})


def labelled(folder: Path, **arguments: Any) -> ImageDataModule:
    return make_mnist(folder / "data", **{"labels": True, "batch_size": 20, **arguments})


def train(
    folder: Path,
    *extra: pl.Callback,
    classifier: RobustClassifier | None = None,
    data: ImageDataModule | None = None,
    ckpt_path: Path | None = None,
    **arguments: Any,
) -> RobustClassifier:
    """Train a small classifier in ``folder`` and return it."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    classifier = classifier or tiny_classifier()
    callbacks = [*extra, CertifiedAccuracy(every=4, n=40, eps=[0.1, 0.5]), SaveCheckpoint(every=4)]
    quiet_trainer(folder, **{"callbacks": callbacks, **arguments}).fit(
        classifier, datamodule=data or labelled(folder), ckpt_path=ckpt_path
    )
    return classifier
