"""The splits of a folder of images: subfolders such as ``train``, ``Test`` or ``val2017``, or a share drawn."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from wgan_lip.data.images import Images
from wgan_lip.data.module import Split
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
