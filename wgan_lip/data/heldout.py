"""A held-out split for images that come without one."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from wgan_lip.data.encoded import EncodedImages, Selected
from wgan_lip.data.module import Split
from wgan_lip.data.split_names import SPLIT_NAMES, SplitName, split_named, split_of_archive
from wgan_lip.data.stored import Images
from wgan_lip.files import shown
from wgan_lip.randomness import keyed_generator

_SHARE = 0.1


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
    """The folder that trains, and the one held out: ``heldout/``, ``test/`` or ``val/``, the first; None if no splits.

    Names are taken in any case and spelling that ``split_named`` knows.

    Args:
        folder: an existing folder.

    Raises:
        ValueError: a training split alone, a held-out one alone, or two folders for one split.
    """
    found: dict[SplitName, list[str]] = {}
    for path in folder.iterdir():
        if (split := split_named(path.name)) and path.is_dir():
            found.setdefault(split, []).append(path.name)
    if not found:
        return None
    for names in found.values():
        if len(names) > 1:
            both = " and ".join(f"{name}/" for name in sorted(names))
            raise ValueError(f"{shown(folder)} must have one folder for each split; got {both}")
    named = [found[split][0] for split in SPLIT_NAMES if split in found]
    if "train" not in found:
        raise ValueError(
            f"{shown(folder)} has {named[0]}/ without train/ beside it: add one, or name {named[0]}/ itself as data_dir"
        )
    if len(named) == 1:
        raise ValueError(
            f"{shown(folder)} has {named[0]}/ without heldout/, test/ or val/ beside it: add one, or name {named[0]}/ "
            "itself as data_dir"
        )
    return {"train": folder / named[0], "heldout": folder / named[1]}


def check_no_splits_within(folder: Path, paths: Iterable[Path]) -> None:
    """Raise ValueError where splits lie deeper than they are sought, so that test images would train.

    Args:
        folder: without splits of its own.
        paths: of all files in it and in those within it; archives may also be named by their split.
    """
    inside: dict[Path, dict[bool, Path]] = {}
    parents = [parent.relative_to(folder) for parent in {path.parent for path in paths}]
    named = [(above, split_named(above.name)) for parent in parents for above in (parent, *parent.parents)]
    archives = [path.relative_to(folder) for path in paths if path.suffix.lower() == ".tar"]
    named += [(path, split_of_archive(path.stem)) for path in archives]
    for path, split in sorted((path, split) for path, split in named if split):
        names = inside.setdefault(path.parent, {})
        names.setdefault(split == "train", path)
        if len(names) == 2:
            raise ValueError(
                f"splits must be folders in data_dir={shown(folder)} itself, such as train/ and test/; got "
                f"{shown(names[True])} and {shown(names[False])} in it"
            )
