"""What folders of image files and of archives have in common: splits and classes."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from wgan_lip.data.encoded import EncodedImages
from wgan_lip.data.heldout import check_heldout, hold_out, split_folders
from wgan_lip.data.module import Split
from wgan_lip.data.stored import Images, StoredImages

# The class of each image, by name or number.
Classes = Sequence[str] | Sequence[int]


class FolderImages(StoredImages):
    """Images in a folder, decoded when they are wanted, with splits by folder or drawn.

    If the folder has ``train/``, that trains, and the first of ``heldout/``, ``test/`` and ``val/`` is held out.
    Otherwise a share of all images is held out, drawn once and for all: by their number and ``heldout``, nothing else.

    Args:
        data_dir: the folder.
        image_size: height and width: images are cropped to the square in the middle and resized, bilinear with
            antialiasing. None leaves them as they are; they must then be of one size.
        channels: convert to grey (1) or RGB (3), as Pillow does, but 16 bits scaled to 8; None takes images that are
            all grey or all RGB.
        labels: whether a sample holds its label, as a constant channel for each class beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: what the order of the training batches is drawn from.
        heldout: how much is held out, as a share or a number of images; None is a tenth. Not for a folder that has
            a held-out split of its own.

    Raises:
        ValueError: an argument out of its range; when the folder is read: no images, labels wanted of images without;
            when an image is read: damaged, animated, of another size or mode than the first.
        FileNotFoundError: when the folder is read: there is none.
    """

    def __init__(
        self,
        data_dir: str,
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        labels: bool = False,
        label_distance: float | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        heldout: int | float | None = None,
    ) -> None:
        super().__init__(image_size, channels, labels, label_distance, batch_size, num_workers, seed)
        check_heldout(heldout)
        self.data_dir = data_dir
        self.heldout = heldout

    @abstractmethod
    def find(self, folder: Path) -> tuple[EncodedImages, Classes | None]:
        """The images in a folder, and the class of each if ``self.labels``, else None.

        Args:
            folder: an existing folder.
        """

    def read(self) -> dict[Split, Images]:
        folder = Path(self.data_dir).expanduser()
        if not folder.exists():
            raise FileNotFoundError(f"data_dir: there is no folder {folder}")
        if not folder.is_dir():
            raise ValueError(f"data_dir must be a folder; {folder} is a file")
        folders = split_folders(folder)
        if folders is None:
            images, of_each = self.find(folder)
            whole = _numbered(images, of_each, _sorted(of_each), folder)
            return hold_out(images, whole.labels, whole.classes, self.heldout)
        if self.heldout is not None:
            raise ValueError(f"heldout={self.heldout} is for a folder without splits of its own; {folder} has train/")
        found = {name: self.find(part) for name, part in folders.items()}
        # The planes are those of the training images' classes.
        known = _sorted(found["train"][1])
        return {name: _numbered(images, of_each, known, folders[name]) for name, (images, of_each) in found.items()}


def _sorted(of_each: Classes | None) -> list[str | int]:
    return sorted(set(of_each or ()))


def _numbered(images: EncodedImages, of_each: Classes | None, known: list[str | int], folder: Path) -> Images:
    number = {name: index for index, name in enumerate(known)}
    if unknown := [name for name in _sorted(of_each) if name not in number]:
        raise ValueError(f"{folder} has classes that no training image has: {', '.join(map(str, unknown[:8]))}")
    labels = None if of_each is None else torch.tensor([number[name] for name in of_each])
    return Images(images, labels, tuple(map(str, known)))
