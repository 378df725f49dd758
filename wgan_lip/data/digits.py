"""Scikit-learn's bundled handwritten digits."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import Dataset

from wgan_lip.data.images import ImageDataModule
from wgan_lip.data.loader import TensorSamples
from wgan_lip.data.module import Split, check_samples
from wgan_lip.labels import label_planes
from wgan_lip.randomness import keyed_generator

_HELDOUT = 597


class Digits(ImageDataModule):
    """1,797 real handwritten digits of 8×8 pixels, scaled from 0..16 to [-1, 1].

    They are bundled with scikit-learn, so nothing is downloaded. 1,200 train; the other 597 are held out. The split
    depends on no argument.

    Args:
        batch_size: samples in a training batch.
        num_workers: processes that read ahead; the data lie in memory, so 0 is fastest.
        seed: determines the order of the training batches.
        labels: whether a sample holds its label, as a constant channel for each of the ten classes beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values, 4.

    Raises:
        ValueError: a label distance that is not positive and finite, or one without labels; a batch below 1.

    Source:
        Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).
    """

    def __init__(
        self,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        labels: bool = False,
        label_distance: float | None = None,
    ) -> None:
        super().__init__(labels, label_distance, batch_size, num_workers, seed)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return 1, 8, 8

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(str(digit) for digit in range(10))

    def load(self) -> dict[Split, Dataset[Tensor]]:
        digits = load_digits()
        samples = torch.from_numpy(digits.images).float().unsqueeze(1) / 8 - 1
        check_samples("Digits", samples)
        if self.labels:
            planes = label_planes(torch.from_numpy(digits.target), 10, 8, 8, self.label_distance)
            samples = torch.cat((samples, planes), dim=1)
        order = torch.randperm(len(samples), generator=keyed_generator("digits split"))
        return {
            "train": TensorSamples(samples[order[_HELDOUT:]]),
            "heldout": TensorSamples(samples[order[:_HELDOUT]]),
        }
