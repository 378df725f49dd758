"""Street View House Numbers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torchvision

from wgan_lip.data.module import Split
from wgan_lip.data.published import ChecksummedImages
from wgan_lip.data.stored import Images

_PARTS: dict[Split, str] = {"train": "train", "heldout": "test"}


class SVHN(ChecksummedImages):
    """73,257 house-number digits of 32×32 RGB pixels to train, 26,032 held out: ``x / 127.5 - 1``, in memory.

    torchvision reads the two .mat files after it has compared their MD5 checksums with the published ones.

    Args:
        data_dir: the folder that holds the .mat files; None is ``$WGAN_LIP_DATA``, or ``~/.cache/wgan_lip``.
        download: fetch what is missing, by torchvision, into that folder.
        image_size: height and width to resize to, in pixels; None leaves them 32×32.
        channels: 1 for grey, 3 for RGB; None is 3.
        labels: whether a sample holds its label, as a constant channel for each of the ten classes beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead; the data lie in memory, so 0 is fastest.
        seed: what the order of the training batches is drawn from.

    Raises:
        ValueError: an argument out of its range; when the data are read: a file with another checksum.
        FileNotFoundError: when the data are read: files that are not there, and are not to be downloaded.

    Source:
        Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading digits in natural images with unsupervised feature learning",
        NIPS workshop, 2011.
    """

    source: Any = torchvision.datasets.SVHN

    def files(self) -> Iterable[tuple[Path, str]]:
        for part in _PARTS.values():
            _, name, checksum = self.source.split_list[part]
            yield self.folder / name, checksum

    def fetch(self) -> None:
        for part in _PARTS.values():
            self.source(self.folder, part, download=True)

    def read_split(self, name: Split) -> Images:
        found = self.source(self.folder, _PARTS[name])
        pixels = torch.from_numpy(found.data).contiguous()
        return Images(pixels, torch.from_numpy(found.labels), tuple(str(digit) for digit in range(10)))
