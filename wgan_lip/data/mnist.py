"""MNIST and Fashion-MNIST."""

from pathlib import Path
from typing import Any

import torchvision

from wgan_lip.data.idx import read_idx
from wgan_lip.data.module import Split
from wgan_lip.data.published import PublishedImages
from wgan_lip.data.stored import Images

_PREFIXES: dict[Split, str] = {"train": "train", "heldout": "t10k"}


class MNIST(PublishedImages):
    """60,000 handwritten digits of 28×28 grey pixels to train, 10,000 held out: ``x / 127.5 - 1``, in memory.

    The four IDX files (``train-images-idx3-ubyte`` and so on), packed (.gz) or not, lie in ``data_dir`` itself, or in
    ``MNIST/raw`` within, where torchvision puts them. They are only read.

    Args:
        data_dir: the folder; None is ``$WGAN_LIP_DATA``, or ``~/.cache/wgan_lip``.
        download: fetch what is missing, by torchvision, into that folder.
        image_size: height and width to resize to, in pixels; None leaves them 28×28.
        channels: 1 for grey, 3 for grey repeated thrice; None is 1.
        labels: whether a sample holds its label, as a constant channel for each of the ten classes beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead; the data lie in memory, so 0 is fastest.
        seed: what the order of the training batches is drawn from.

    Raises:
        ValueError: an argument out of its range; when the data are read: a damaged file.
        FileNotFoundError: when the data are read: files that are not there, and are not to be downloaded.

    Source:
        LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE, 1998.
    """

    source: Any = torchvision.datasets.MNIST

    @property
    def folders(self) -> list[Path]:
        """Where the files are sought, in this order."""
        return [self.folder / self.source.__name__ / "raw", self.folder]

    def fetch(self) -> None:
        if all(self._lacking(folder) for folder in self.folders):
            self.source(self.folder, download=True)

    def read(self) -> dict[Split, Images]:
        # Of folders that lack as little, the first.
        folder = min(self.folders, key=lambda folder: len(self._lacking(folder)))
        if lacking := self._lacking(folder):
            raise self.missing(f"{lacking[0]}[.gz]", self.folders)
        return {name: self._read(folder, prefix) for name, prefix in _PREFIXES.items()}

    def _read(self, folder: Path, prefix: str) -> Images:
        labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), 1).long() if self.labels else None
        pixels = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), 3).unsqueeze(1)
        return Images(pixels, labels, tuple(self.source.classes))

    def _lacking(self, folder: Path) -> list[str]:
        kinds = ("images-idx3", "labels-idx1") if self.labels else ("images-idx3",)
        names = [f"{prefix}-{kind}-ubyte" for prefix in _PREFIXES.values() for kind in kinds]
        return [name for name in names if not _find(folder, name).exists()]


class FashionMNIST(MNIST):
    """60,000 articles of clothing of 28×28 grey pixels to train, 10,000 held out: ``x / 127.5 - 1``, in memory.

    Debian's package ``dataset-fashion-mnist`` is found by itself where no ``data_dir`` is given. Otherwise the four IDX
    files (``train-images-idx3-ubyte`` and so on), packed (.gz) or not, lie in ``data_dir`` itself, or in
    ``FashionMNIST/raw`` within, where torchvision puts them. They are only read.

    Args:
        data_dir: the folder; None is that of Debian's package if it is complete, else ``$WGAN_LIP_DATA``, or
            ``~/.cache/wgan_lip``.
        download: fetch what is missing, by torchvision, into ``data_dir`` or the last two.
        image_size: height and width to resize to, in pixels; None leaves them 28×28.
        channels: 1 for grey, 3 for grey repeated thrice; None is 1.
        labels: whether a sample holds its label, as a constant channel for each of the ten classes beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead; the data lie in memory, so 0 is fastest.
        seed: what the order of the training batches is drawn from.

    Raises:
        ValueError: an argument out of its range; when the data are read: a damaged file.
        FileNotFoundError: when the data are read: files that are not there, and are not to be downloaded.

    Source:
        Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
        2017.
    """

    source: Any = torchvision.datasets.FashionMNIST
    debian = Path("/usr/share/datasets/fashion-mnist")
    """Where Debian's package dataset-fashion-mnist puts the files."""

    @property
    def folders(self) -> list[Path]:
        return super().folders if self.data_dir is not None else [self.debian, *super().folders]

    @property
    def remedy(self) -> str:
        return f"{super().remedy}, or install Debian's package dataset-fashion-mnist and leave data_dir out"


def _find(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"
