"""What the published sets have in common: where they are sought, and how they get there."""

import os
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets.utils import check_integrity

from wgan_lip.data.module import Split
from wgan_lip.data.stored import Images, StoredImages


def default_folder() -> Path:
    """Where downloads go if no folder is named: ``$WGAN_LIP_DATA``, or ``~/.cache/wgan_lip``."""
    return Path(os.environ.get("WGAN_LIP_DATA") or "~/.cache/wgan_lip").expanduser()


class PublishedImages(StoredImages):
    """A published set of images in torchvision's layout, with its own training and test split; all of it in memory.

    Args:
        data_dir: the folder that torchvision calls ``root``; None is ``$WGAN_LIP_DATA``, or ``~/.cache/wgan_lip``.
        download: fetch what is missing, by torchvision, into that folder.
        image_size: height and width to resize to, in pixels; None leaves the images as they are.
        channels: 1 for grey, 3 for RGB; None leaves the images as they are.
        labels: whether a sample holds its label, as a constant channel for each class beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead; the data lie in memory, so 0 is fastest.
        seed: what the order of the training batches is drawn from.

    Raises:
        ValueError: an argument out of its range; when the data are read: a damaged file.
        FileNotFoundError: when the data are read: files that are not there, and are not to be downloaded.
    """

    source: Any
    """torchvision's class."""

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
        self._complete = False

    @property
    def folder(self) -> Path:
        """Where the set is sought, and downloaded to."""
        return default_folder() if self.data_dir is None else Path(self.data_dir).expanduser()

    @abstractmethod
    def fetch(self) -> None:
        """Download what is missing into ``folder``, by torchvision."""

    def prepare_data(self) -> None:
        """Download, once; Lightning calls this in one process a machine, before all others read."""
        if not self.download or self._complete:
            return
        try:
            self.fetch()
        except (OSError, RuntimeError) as error:
            raise ValueError(
                f"{type(self).__name__} could not be downloaded to {self.folder}: {error}; fetch it by other means, "
                "and set data_dir to where it is"
            ) from error
        self._complete = True

    def load(self) -> dict[Split, Dataset[Tensor]]:
        self.prepare_data()
        return super().load()

    @property
    def remedy(self) -> str:
        """What to do where the set is not found."""
        return "set data_dir to the folder that holds it in torchvision's layout, or download=True to fetch it"

    def missing(self, name: str, folders: Iterable[Path]) -> FileNotFoundError:
        """The error that says what was not found, where, and what to do.

        Args:
            name: of a file.
            folders: where it was sought.
        """
        sought = ", ".join(str(folder) for folder in folders)
        return FileNotFoundError(f"{type(self).__name__} was not found: no {name} in {sought}; {self.remedy}")


class ChecksummedImages(PublishedImages):
    """A published set that torchvision reads, after it has compared all files with their published MD5 checksums."""

    @abstractmethod
    def files(self) -> Iterable[tuple[Path, str]]:
        """The files that torchvision wants, with their checksums."""

    @abstractmethod
    def read_split(self, name: Split) -> Images:
        """A split, by torchvision.

        Args:
            name: "train" or "heldout".
        """

    def read(self) -> dict[Split, Images]:
        try:
            return {"train": self.read_split("train"), "heldout": self.read_split("heldout")}
        except RuntimeError:
            # torchvision says "not found or corrupted", and not which file.
            for path, checksum in self.files():
                if not path.exists():
                    raise self.missing(path.name, [path.parent]) from None
                if not check_integrity(path, checksum):
                    raise ValueError(
                        f"{path} is damaged, or another file: its MD5 checksum is not the published {checksum}; delete "
                        "it, and fetch it again (download=True)"
                    ) from None
            raise
