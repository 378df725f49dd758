"""What folders of image files and of archives have in common: splits, classes, and what is left out."""

import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pytorch_lightning.utilities import rank_zero_only

from wgan_lip.data.encoded import EncodedImages
from wgan_lip.data.heldout import check_heldout, check_no_splits_within, hold_out, split_folders
from wgan_lip.data.module import Split
from wgan_lip.data.stored import Images, StoredImages
from wgan_lip.files import count_files, describe_left_out, kind_by_name, shown

_LOG = logging.getLogger(__name__)

# The class of each image, by name or number.
Classes = Sequence[str] | Sequence[int]


@dataclass(frozen=True)
class Found:
    """What lies in a folder.

    Attributes:
        images: in an order that is the same everywhere.
        classes: the class of each, if labels are wanted, else None.
        paths: of the files that hold them.
        left_out: how many other files there are, by kind.
    """

    images: EncodedImages
    classes: Classes | None
    paths: Sequence[Path]
    left_out: Mapping[str, int]


class FolderImages(StoredImages):
    """Images in a folder, decoded when they are wanted, with splits by folder or drawn.

    If the folder has ``train/``, that trains, and the first of ``heldout/``, ``test/`` and ``val/`` is held out; they
    may also be called ``Training``, ``TEST`` or ``validation`` (``split_names``), but are never classes. Otherwise a
    share of all images is held out, drawn once and for all: by their number and ``heldout``, nothing else.

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
        ValueError: an argument out of its range; when the folder is read: no images, labels wanted of images without,
            one split alone, two folders for one split, or splits deeper than the folder; when an image is read:
            damaged, of another size or mode than the first.
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
    def find(self, folder: Path) -> Found:
        """The images in a folder, and the class of each if ``self.labels``.

        Args:
            folder: an existing folder.
        """

    def read(self) -> dict[Split, Images]:
        folder = Path(self.data_dir).expanduser()
        if not folder.exists():
            raise FileNotFoundError(f"data_dir: there is no folder {shown(folder)}")
        if not folder.is_dir():
            raise ValueError(f"data_dir must be a folder; {shown(folder)} is a file")
        folders = split_folders(folder)
        if folders is None:
            found = self.find(folder)
            check_no_splits_within(folder, found.paths)
            _say(folder, found.left_out)
            whole = _numbered(found, _sorted(found.classes), folder)
            return hold_out(found.images, whole.labels, whole.classes, self.heldout)
        if self.heldout is not None:
            raise ValueError(
                f"heldout={self.heldout} is for a folder without splits of its own; {shown(folder)} has "
                f"{folders['train'].name}/"
            )
        parts = {name: self.find(part) for name, part in folders.items()}
        left_out = _beside(folder, folders.values())
        for part in parts.values():
            left_out.update(part.left_out)
        _say(folder, left_out)
        # The planes are those of the training images' classes.
        known = _sorted(parts["train"].classes)
        return {name: _numbered(part, known, folders[name]) for name, part in parts.items()}


@rank_zero_only
def _say(folder: Path, left_out: Mapping[str, int]) -> None:
    if said := describe_left_out(left_out):
        _LOG.warning("%s: %s", shown(folder), said)


def _beside(folder: Path, splits: Collection[Path]) -> Counter[str]:
    """The files in a folder that are in none of its splits that are read, by kind."""
    counts: Counter[str] = Counter()
    for path in folder.iterdir():
        if path not in splits:
            counts.update({f"in {path.name}/": count_files(path)} if path.is_dir() else [kind_by_name(path.name)])
    return counts


def _sorted(classes: Classes | None) -> list[str | int]:
    return sorted(set(classes or ()))


def _numbered(found: Found, known: list[str | int], folder: Path) -> Images:
    number = {name: index for index, name in enumerate(known)}
    if unknown := [shown(str(name)) for name in _sorted(found.classes) if name not in number]:
        raise ValueError(f"{shown(folder)} has classes that no training image has: {', '.join(unknown[:8])}")
    labels = None if found.classes is None else torch.tensor([number[name] for name in found.classes])
    return Images(found.images, labels, tuple(shown(str(name)) for name in known))
