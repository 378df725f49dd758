"""Street View House Numbers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torchvision

from wgan_lip.data.images import Images
from wgan_lip.data.module import Split
from wgan_lip.data.published import PublishedImages


class SVHN(PublishedImages):
    """73,257 house-number digits of 32×32 RGB pixels to train, 26,032 held out: ``x / 127.5 - 1``, in memory.

    ``data_dir`` holds the two .mat files; the arguments are those of :class:`PublishedImages`.

    Source:
        Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading digits in natural images with unsupervised feature learning",
        NIPS workshop, 2011.
    """

    source: Any = torchvision.datasets.SVHN

    def checksums(self) -> Iterable[tuple[Path, str]]:
        for part in self.parts.values():
            _, name, checksum = self.source.split_list[part]
            yield self.folder / name, checksum

    def fetch(self) -> None:
        for part in self.parts.values():
            self.source(self.folder, part, download=True)

    def read_split(self, name: Split) -> Images:
        found = self.source(self.folder, self.parts[name])
        pixels = torch.from_numpy(found.data).contiguous()
        return Images(pixels, torch.from_numpy(found.labels), tuple(str(digit) for digit in range(10)))
