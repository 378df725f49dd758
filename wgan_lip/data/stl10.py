"""STL-10."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import torch
import torchvision

from wgan_lip.data.images import Images
from wgan_lip.data.module import Split
from wgan_lip.data.published import PublishedImages

_CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


class STL10(PublishedImages):
    """Photographs of 96×96 RGB pixels: 5,000 in ten classes, or 100,000 without, to train; 8,000 in classes held out.

    They lie in memory, as ``x / 127.5 - 1`` on access; the unlabeled ones take 2.8 GB there, or a quarter of that with
    ``image_size=48``. torchvision compares the checksums of all files, also of those that are not read: 3 GB in all.

    Args:
        data_dir: the folder that holds ``stl10_binary``; None is ``$WGAN_LIP_DATA``, or ``~/.cache/wgan_lip``.
        download: let torchvision fetch what is missing into that folder.
        image_size: height and width to resize to, in pixels; None keeps 96×96.
        channels: 1 for grey, 3 for RGB; None is 3.
        labels: whether a sample holds its label, as a constant channel for each of the ten classes beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead; the data lie in memory, so 0 is fastest.
        seed: determines the order of the training batches.
        part: the images that train: "train", which have labels, "unlabeled", or "train+unlabeled".

    Raises:
        ValueError: an argument out of its range; labels of images that have none; when the data are read: a file with
            another checksum.
        FileNotFoundError: when the data are read: a missing file without ``download=True``.

    Source:
        Coates, Lee, Ng, "An analysis of single-layer networks in unsupervised feature learning", AISTATS 2011.
    """

    source: Any = torchvision.datasets.STL10

    def __init__(
        self,
        data_dir: str | None = None,
        download: bool = False,
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        labels: bool = False,
        label_distance: float | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        part: Literal["train", "unlabeled", "train+unlabeled"] = "train",
    ) -> None:
        if part not in ("train", "unlabeled", "train+unlabeled"):
            raise ValueError(f"part must be 'train', 'unlabeled' or 'train+unlabeled'; got part={part!r}")
        if labels and part != "train":
            raise ValueError(f"labels=True requires part='train': STL10's unlabeled images have no labels; got {part=}")
        super().__init__(
            data_dir, download, image_size, channels, labels, label_distance, batch_size, num_workers, seed
        )
        self.part = part

    def checksums(self) -> Iterable[tuple[Path, str]]:
        for name, checksum in (*self.source.train_list, *self.source.test_list):
            yield self.folder / self.source.base_folder / name, checksum

    def fetch(self) -> None:
        self.source(self.folder, "test", download=True)

    def read_split(self, name: Split) -> Images:
        found = self.source(self.folder, self.part if name == "train" else "test")
        labels = torch.from_numpy(found.labels).long() if self.labels else None
        return Images(torch.from_numpy(found.data), labels, _CLASSES)
