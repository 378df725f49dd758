"""Any folder of images, with its splits: subfolders such as ``train``, ``Test`` or ``val2017``, or a share drawn."""

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from wgan_lip.data.images import Images, StoredImages
from wgan_lip.data.module import Split
from wgan_lip.files import Listing, count_files, describe_left_out, kind_by_name, list_images
from wgan_lip.plain_text import printable
from wgan_lip.randomness import keyed_generator

_SHARE = 0.1
# The first of these that exists after "train" is held out.
_NAMES = {
    "train": ("train", "training"),
    "heldout": ("heldout", "held_out", "held-out"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
}
_FORMS = {
    split: re.compile(rf"({'|'.join(names)})([-_ ]?(set|data|images))?([-_ ]?\d{{4}})?", re.IGNORECASE)
    for split, names in _NAMES.items()
}


def split_named(name: str) -> str | None:
    """Return the split that a folder's name stands for: train, heldout, test or val; None if it stands for none.

    Names are matched in any case, and may be followed by set, data, images or a year.

    Args:
        name: of a folder.
    """
    return next((split for split, form in _FORMS.items() if form.fullmatch(name)), None)


def check_heldout(heldout: float | None) -> None:
    """Raise ValueError unless ``heldout`` is a share in (0, 1), a number of images, or None.

    Args:
        heldout: the argument of a data module.
    """
    if heldout is None or (isinstance(heldout, int) and heldout >= 1) or 0 < heldout < 1:
        return
    raise ValueError(
        f"heldout must be a share between 0 and 1, or a number of images of at least 1; got heldout={heldout}"
    )


def hold_out(
    paths: Sequence[Path], labels: Tensor | None, classes: tuple[str, ...], heldout: float | None
) -> dict[Split, Images]:
    """Draw a held-out split that depends on the number of images and ``heldout`` only.

    Args:
        paths: the files of all images.
        labels: their labels, or None.
        classes: the names of the classes.
        heldout: a share, or a number of images; None is a tenth.

    Raises:
        ValueError: one of the splits would hold no image.
    """
    heldout = _SHARE if heldout is None else heldout
    n = heldout if isinstance(heldout, int) else round(heldout * len(paths))
    if not 1 <= n < len(paths):
        raise ValueError(
            f"heldout must leave at least one image to train and one held out; got heldout={heldout} of {len(paths)}"
        )
    order = torch.randperm(len(paths), generator=keyed_generator("images held out"))
    # Sorted, so that files are read in their order.
    parts: dict[Split, Tensor] = {"train": order[n:].sort().values, "heldout": order[:n].sort().values}
    return {
        name: Images([paths[i] for i in part.tolist()], None if labels is None else labels[part], classes)
        for name, part in parts.items()
    }


def split_folders(folder: Path) -> dict[Split, Path] | None:
    """Find the training folder and the held-out one: the first of ``heldout/``, ``test/`` and ``val/``.

    Names are matched as by ``split_named``.

    Args:
        folder: an existing folder.

    Returns:
        The two folders; None if there are no folders named as splits.

    Raises:
        ValueError: a training split alone, a held-out one alone, or two folders for one split.
    """
    found: dict[str, list[str]] = {}
    for path in folder.iterdir():
        if (split := split_named(path.name)) and path.is_dir():
            found.setdefault(split, []).append(path.name)
    if not found:
        return None
    for names in found.values():
        if len(names) > 1:
            both = " and ".join(f"{name}/" for name in sorted(names))
            raise ValueError(f"{printable(str(folder))} must have one folder for each split; got {both}")
    named = [found[split][0] for split in _NAMES if split in found]
    if "train" not in found or len(named) == 1:
        missing = "heldout/, test/ or val/" if "train" in found else "train/"
        raise ValueError(
            f"{printable(str(folder))} has {named[0]}/ without {missing} beside it: add one, or set data_dir to "
            f"{named[0]}/ itself"
        )
    return {"train": folder / named[0], "heldout": folder / named[1]}


def check_no_splits_within(folder: Path, paths: Iterable[Path]) -> None:
    """Raise ValueError if splits lie deeper than ``split_folders`` looks, so that test images would train.

    Args:
        folder: without splits of its own.
        paths: all images in it and its subfolders.
    """
    inside: dict[Path, dict[bool, Path]] = {}
    parents = [parent.relative_to(folder) for parent in {path.parent for path in paths}]
    named = [(above, split_named(above.name)) for parent in parents for above in (parent, *parent.parents)]
    for path, split in sorted({(path, split) for path, split in named if split}):
        names = inside.setdefault(path.parent, {})
        names.setdefault(split == "train", path)
        if len(names) == 2:
            raise ValueError(
                f"splits must be folders in data_dir={printable(str(folder))} itself, such as train/ and test/; got "
                f"{printable(str(names[True]))} and {printable(str(names[False]))} in it"
            )


_LOG = logging.getLogger(__name__)


class ImageFolder(StoredImages):
    """The images in a folder and its subfolders, decoded on access: ``x / 127.5 - 1``.

    If the folder has ``train/``, that trains, and the first of ``heldout/``, ``test/`` and ``val/`` is held out; they
    may also be called ``Training``, ``TEST`` or ``validation`` (``wgan_lip.data.image_folder``), but are never classes.
    Otherwise a share of all images is held out, drawn by the number of images and ``heldout`` only. An image's class is
    the topmost folder above it (below ``train/`` and so on); classes are sorted by name.

    Args:
        data_dir: the folder; files named as images (``wgan_lip.files.IMAGE_SUFFIXES``) are read, others are counted and
            left out; links are followed.
        image_size: height and width: images are cropped to the square in the middle and resized, bilinear with
            antialiasing. None keeps their size, which must then be the same for all.
        channels: convert to grey (1) or RGB (3), as Pillow does, but 16 bits scaled to 8; None requires images that are
            all grey or all RGB.
        labels: whether a sample holds its label, as a constant channel for each class beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: determines the order of the training batches.
        heldout: how much is held out, as a share or a number of images; None is a tenth. Not allowed for a folder that
            has a held-out split of its own.

    Raises:
        ValueError: an argument out of its range; when the folder is read: no images, labels requested of images in no
            class folder, one split alone, two folders for one split, or splits deeper than the folder; when an image is
            read: damaged, of another size or mode than the first.
        FileNotFoundError: when the folder is read: it does not exist.
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

    def read(self) -> dict[Split, Images]:
        folder = Path(self.data_dir).expanduser()
        if not folder.exists():
            raise FileNotFoundError(f"data_dir must be an existing folder; there is no {printable(str(folder))}")
        if not folder.is_dir():
            raise ValueError(f"data_dir must be a folder; {printable(str(folder))} is a file")
        folders = split_folders(folder)
        if folders is None:
            found = list_images(folder)
            check_no_splits_within(folder, found.paths)
            _warn_of_left_out(folder, found.left_out)
            images = self._labelled(folder, found.paths, self._classes(folder, found.paths))
            return hold_out(found.paths, images.labels, images.classes, self.heldout)
        if self.heldout is not None:
            raise ValueError(
                f"heldout={self.heldout} is for a folder without splits of its own; {printable(str(folder))} has "
                f"{folders['train'].name}/"
            )
        parts: dict[Split, Listing] = {name: list_images(part) for name, part in folders.items()}
        left_out = _count_beside(folder, folders.values())
        for listing in parts.values():
            left_out.update(listing.left_out)
        _warn_of_left_out(folder, left_out)
        # The label planes are those of the training images' classes.
        known = self._classes(folders["train"], parts["train"].paths)
        return {name: self._labelled(folders[name], listing.paths, known) for name, listing in parts.items()}

    def _classes(self, folder: Path, paths: Sequence[Path]) -> list[str]:
        """Return the names of the class folders, sorted; none without labels."""
        if not self.labels:
            return []
        for path in paths:
            if path.parent == folder:
                raise ValueError(
                    f"labels=True requires every image in a folder named by its class; {printable(str(path))} is in "
                    "none"
                )
        return sorted({path.relative_to(folder).parts[0] for path in paths})

    def _labelled(self, folder: Path, paths: Sequence[Path], known: Sequence[str]) -> Images:
        """Return images with the numbers of their classes, if ``self.labels``."""
        names = tuple(printable(name) for name in known)
        if not self.labels:
            return Images(paths, None, names)
        if unknown := [printable(name) for name in self._classes(folder, paths) if name not in known]:
            raise ValueError(
                f"{printable(str(folder))} has classes that no training image has: {', '.join(unknown[:8])}"
            )
        number = {name: index for index, name in enumerate(known)}
        return Images(paths, torch.tensor([number[path.relative_to(folder).parts[0]] for path in paths]), names)


@rank_zero_only
def _warn_of_left_out(folder: Path, left_out: Mapping[str, int]) -> None:
    if text := describe_left_out(left_out):
        _LOG.warning("%s: %s", printable(str(folder)), text)


def _count_beside(folder: Path, splits: Collection[Path]) -> Counter[str]:
    """Count, by kind, the files in a folder outside of the given splits."""
    counts: Counter[str] = Counter()
    for path in folder.iterdir():
        if path not in splits:
            counts.update({f"in {path.name}/": count_files(path)} if path.is_dir() else [kind_by_name(path.name)])
    return counts
