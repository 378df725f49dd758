"""CIFAR-10."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torchvision

from wgan_lip.data.module import Split
from wgan_lip.data.published import ChecksummedImages
from wgan_lip.data.stored import Images


class CIFAR10(ChecksummedImages):
    """50,000 photographs of 32×32 RGB pixels in ten classes to train, 10,000 held out: ``x / 127.5 - 1``, in memory.

    The files are pickles, which can carry code. torchvision opens one only after its MD5 checksum was found to be the
    published one. So what is trusted is the set's authors, and that nobody makes another file with that very checksum,
    which no known attack does: two new files of equal MD5 can be made, but none to match a given one.

    Args:
        data_dir: the folder that holds ``cifar-10-batches-py``; None is ``$WGAN_LIP_DATA``, or ``~/.cache/wgan_lip``.
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
        Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """

    source: Any = torchvision.datasets.CIFAR10

    def files(self) -> Iterable[tuple[Path, str]]:
        folder, meta = self.folder / self.source.base_folder, self.source.meta
        for name, checksum in (*self.source.train_list, *self.source.test_list, (meta["filename"], meta["md5"])):
            yield folder / name, checksum

    def fetch(self) -> None:
        self.source(self.folder, download=True)

    def read_split(self, name: Split) -> Images:
        found = self.source(self.folder, train=name == "train")
        pixels = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
        return Images(pixels, torch.tensor(found.targets), tuple(found.classes))
