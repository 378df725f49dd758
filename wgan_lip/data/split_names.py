"""Which names of folders and archives are those of splits: ``train``, ``Test``, ``validation``, ``val2017``."""

import re
from typing import Literal

SplitName = Literal["train", "heldout", "test", "val"]

# In the order in which the first that is there is held out, after "train".
_NAMES: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "heldout": ("heldout", "held_out", "held-out"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
}
SPLIT_NAMES = tuple(_NAMES)
_FORMS = {
    split: re.compile(rf"({'|'.join(names)})([-_ ]?(set|data|images))?([-_ ]?\d{{4}})?", re.IGNORECASE)
    for split, names in _NAMES.items()
}


def split_named(name: str) -> SplitName | None:
    """The split that a name is one of, in any case, also followed by set, data, images or a year; None if of none.

    Args:
        name: of a folder.
    """
    return next((split for split, form in _FORMS.items() if form.fullmatch(name)), None)


def split_of_archive(stem: str) -> SplitName | None:
    """The split that one of an archive's words names, as in ``imagenet-train-000012``; None if none does.

    Args:
        stem: the archive's name without its suffix.
    """
    return next((split for word in re.split(r"[-_.]", stem) if (split := split_named(word))), None)
