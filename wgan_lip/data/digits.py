"""Scikit-learn's bundled handwritten digits."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import Dataset

from wgan_lip.data.loader import TensorSamples
from wgan_lip.data.module import SampleDataModule, Split, check_samples
from wgan_lip.randomness import keyed_generator

_HELDOUT = 597


class Digits(SampleDataModule):
    """1,797 real handwritten digits of 8×8 pixels, scaled from 0..16 to [-1, 1].

    They come with scikit-learn, so nothing is downloaded. 1,200 train; the other 597 are held out.
    The split is drawn once and for all: it depends on no argument.

    Args:
        batch_size: samples in a training batch.
        num_workers: processes that read ahead; the data lie in memory, so 0 is fastest.
        seed: what the order of the training batches is drawn from.

    Source:
        Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).
    """

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (1, 8, 8)

    @property
    def bounds(self) -> tuple[float, float]:
        return -1.0, 1.0

    def load(self) -> dict[Split, Dataset[Tensor]]:
        images = torch.from_numpy(load_digits().images).float().unsqueeze(1) / 8 - 1
        check_samples("Digits", images)
        order = torch.randperm(len(images), generator=keyed_generator("digits split"))
        return {
            "train": TensorSamples(images[order[_HELDOUT:]]),
            "heldout": TensorSamples(images[order[:_HELDOUT]]),
        }
