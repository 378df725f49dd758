"""Published sets of images, in the files and with the checks of torchvision."""

import os
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torchvision
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets.utils import check_integrity

from wgan_lip.data.images import Images, StoredImages
from wgan_lip.data.module import Split


class PublishedImages(StoredImages):
    """A published set of images in torchvision's layout, with its own training and test split; all of it in memory.

    torchvision decodes the files after it has compared their MD5 checksums with the published ones.

    Args:
        data_dir: the folder that torchvision calls ``root``; None is ``$WGAN_LIP_DATA``, or ``~/.cache/wgan_lip``.
        download: let torchvision fetch what is missing into that folder.
        image_size: height and width to resize to, in pixels; None keeps the size of the images.
        channels: 1 for grey, 3 for RGB; None keeps the channels of the images.
        labels: whether a sample holds its label, as a constant channel for each class beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead; the data lie in memory, so 0 is fastest.
        seed: determines the order of the training batches.

    Raises:
        ValueError: an argument out of its range; when the data are read: a damaged file, or one with another checksum.
        FileNotFoundError: when the data are read: a missing file without ``download=True``.
    """

    source: Any
    """torchvision's class."""

    parts: ClassVar[dict[Split, str]] = {"train": "train", "heldout": "test"}
    """The set's own name of each split."""

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
    ) -> None:
        super().__init__(image_size, channels, labels, label_distance, batch_size, num_workers, seed)
        self.data_dir = data_dir
        self.download = download
        self._downloaded = False

    @property
    def folder(self) -> Path:
        """The folder in which the set is looked for, and to which it is downloaded."""
        default = os.environ.get("WGAN_LIP_DATA") or "~/.cache/wgan_lip"
        return Path(default if self.data_dir is None else self.data_dir).expanduser()

    @abstractmethod
    def fetch(self) -> None:
        """Let torchvision download what is missing into ``folder``."""

    @abstractmethod
    def read_split(self, name: Split) -> Images:
        """Read one split.

        Args:
            name: "train" or "heldout".
        """

    def checksums(self) -> Iterable[tuple[Path, str]]:
        """Yield the files that torchvision reads, with their published MD5 checksums."""
        return ()

    def prepare_data(self) -> None:
        """Download once; Lightning calls this in one process of each machine, before all others read."""
        if not self.download or self._downloaded:
            return
        try:
            self.fetch()
        except (OSError, RuntimeError) as error:
            raise ValueError(
                f"{type(self).__name__} could not be downloaded to {self.folder}: {error}; fetch it by other means, "
                "and set data_dir to its folder"
            ) from error
        self._downloaded = True

    def load(self) -> dict[Split, Dataset[Tensor]]:
        self.prepare_data()
        return super().load()

    def read(self) -> dict[Split, Images]:
        try:
            return {"train": self.read_split("train"), "heldout": self.read_split("heldout")}
        except RuntimeError:
            # torchvision says "not found or corrupted" without naming the file.
            for path, checksum in self.checksums():
                if not path.exists():
                    raise self.missing(path.name, [path.parent]) from None
                if not check_integrity(path, checksum):
                    raise ValueError(
                        f"{path} is damaged, or another file: its MD5 checksum is not the published {checksum}; delete "
                        "it, and fetch it again (download=True)"
                    ) from None
            raise

    @property
    def remedy(self) -> str:
        """The advice in the error about a missing file."""
        return "set data_dir to the folder that holds it in torchvision's layout, or download=True to fetch it"

    def missing(self, name: str, folders: Iterable[Path]) -> FileNotFoundError:
        """Return the error that names a missing file, the folders searched and the remedy.

        Args:
            name: of the file.
            folders: the folders in which it was looked for.
        """
        searched = ", ".join(str(folder) for folder in folders)
        return FileNotFoundError(f"{type(self).__name__} was not found: no {name} in {searched}; {self.remedy}")


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
