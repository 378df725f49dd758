"""CIFAR-10."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torchvision

from wgan_lip.data.images import Images
from wgan_lip.data.module import Split
from wgan_lip.data.published import PublishedImages


class CIFAR10(PublishedImages):
    """50,000 photographs of 32×32 RGB pixels in ten classes to train, 10,000 held out: ``x / 127.5 - 1``, in memory.

    ``data_dir`` holds ``cifar-10-batches-py``; the arguments are those of :class:`PublishedImages`.

    The files are pickles, which can carry code. torchvision opens one only after its MD5 checksum was found to be the
    published one. So the set's authors are trusted, and that nobody makes another file of that very checksum, which no
    known attack does: two new files of equal MD5 can be made, but none that matches a given one.

    Source:
        Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """

    source: Any = torchvision.datasets.CIFAR10

    def checksums(self) -> Iterable[tuple[Path, str]]:
        folder, meta = self.folder / self.source.base_folder, self.source.meta
        for name, checksum in (*self.source.train_list, *self.source.test_list, (meta["filename"], meta["md5"])):
            yield folder / name, checksum

    def fetch(self) -> None:
        self.source(self.folder, download=True)

    def read_split(self, name: Split) -> Images:
        found = self.source(self.folder, train=name == "train")
        pixels = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
        return Images(pixels, torch.tensor(found.targets), tuple(found.classes))
