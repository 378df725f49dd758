"""A held-out split for images that come without one."""

from pathlib import Path

import torch
from torch import Tensor

from wgan_lip.data.encoded import EncodedImages, Selected
from wgan_lip.data.module import Split
from wgan_lip.data.stored import Images
from wgan_lip.randomness import keyed_generator

_SHARE = 0.1
_HELDOUT = ("heldout", "test", "val")


def check_heldout(heldout: float | None) -> None:
    """Raise ValueError unless ``heldout`` is a share in (0, 1), a whole number of images, or None.

    Args:
        heldout: the argument of a data module.
    """
    if heldout is None or (isinstance(heldout, int) and heldout >= 1) or 0 < heldout < 1:
        return
    raise ValueError(
        f"heldout must be a share between 0 and 1, or a number of images of at least 1; got heldout={heldout}"
    )


def hold_out(
    images: EncodedImages, labels: Tensor | None, classes: tuple[str, ...], heldout: float | None
) -> dict[Split, Images]:
    """Draw a held-out split once and for all: it depends on the number of images and ``heldout`` only.

    Args:
        images: all of them.
        labels: theirs, or None.
        classes: the labels' names.
        heldout: a share, or a number; None is a tenth.

    Raises:
        ValueError: one of the splits would hold no image.
    """
    heldout = _SHARE if heldout is None else heldout
    n = heldout if isinstance(heldout, int) else round(heldout * len(images))
    if not 1 <= n < len(images):
        raise ValueError(
            f"heldout must leave at least one image to train and one held out; got heldout={heldout} of {len(images)}"
        )
    order = torch.randperm(len(images), generator=keyed_generator("images held out"))
    # Sorted, so that files are read in their order.
    parts: dict[Split, Tensor] = {"train": order[n:].sort().values, "heldout": order[:n].sort().values}
    return {
        name: Images(Selected(images, part), None if labels is None else labels[part], classes)
        for name, part in parts.items()
    }


def split_folders(folder: Path) -> dict[Split, Path] | None:
    """``train/`` and the first of ``heldout/``, ``test/`` and ``val/`` within a folder; None if it has no ``train/``.

    Args:
        folder: an existing folder.

    Raises:
        ValueError: ``train/`` alone.
    """
    if not (folder / "train").is_dir():
        return None
    for name in _HELDOUT:
        if (folder / name).is_dir():
            return {"train": folder / "train", "heldout": folder / name}
    raise ValueError(
        f"{folder} has train/ without heldout/, test/ or val/ beside it: add one, or name train/ itself as data_dir"
    )
