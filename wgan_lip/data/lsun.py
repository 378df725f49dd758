"""LSUN's scenes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from wgan_lip.data.heldout import check_heldout, hold_out
from wgan_lip.data.module import Split
from wgan_lip.data.published import default_folder
from wgan_lip.data.stored import Images, StoredImages
from wgan_lip.files import shown

CATEGORIES = (
    *("bedroom", "bridge", "church_outdoor", "classroom", "conference_room"),
    *("dining_room", "kitchen", "living_room", "restaurant", "tower"),
)


class _Databases:
    """The images of some databases, one after the other, by their keys."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        # As an array: a list of three million keys would be copied, page by page, into every worker.
        self.keys = [np.array(_keys(path)) for path in paths]
        self.sizes = [len(keys) for keys in self.keys]
        self.ends = np.cumsum(self.sizes)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def read(self, index: int) -> tuple[str, bytes]:
        number = int(np.searchsorted(self.ends, index, side="right"))
        path, key = self.paths[number], bytes(self.keys[number][index - int(self.ends[number])])
        name = shown(f"{path}:{key.decode(errors='surrogateescape')}")
        try:
            with _environment(path).begin() as transaction:
                content = transaction.get(key)
        except _lmdb().Error as error:
            raise ValueError(f"{name} could not be read: {error}") from None
        return name, content or b""


class LSUN(StoredImages):
    """Photographs of ten kinds of places, hundreds of thousands each, decoded when wanted: ``x / 127.5 - 1``.

    Read from the databases of LSUN, ``bedroom_train_lmdb`` and so on, as its own script downloads and unzips them
    (github.com/fyu/lsun); this takes the package lmdb, ``pip install wgan-lip[lsun]``. torchvision's reader is not
    used: it keeps the keys as a pickle in the working folder, and runs what it finds there under that name.

    Args:
        data_dir: the folder that holds the databases; None is ``$WGAN_LIP_DATA``, or ``~/.cache/wgan_lip``.
        categories: which of the ten: bedroom, bridge, church_outdoor, classroom, conference_room, dining_room, kitchen,
            living_room, restaurant, tower.
        image_size: height and width: images are cropped to the square in the middle and resized, bilinear with
            antialiasing. None leaves them as they are, which few categories allow.
        channels: 1 for grey, 3 for RGB.
        labels: whether a sample holds its category, as a constant channel for each of them beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: what the order of the training batches is drawn from.
        heldout: None holds out LSUN's own validation images, 300 of each category; a share or a number of images is
            drawn from the training images, once and for all, and the validation images are left aside.

    Raises:
        ValueError: an argument out of its range; when the data are read: lmdb is not installed, a damaged database.
        FileNotFoundError: when the data are read: a database that is not there.

    Source:
        Yu, Seff, Zhang, Song, Funkhouser, Xiao, "LSUN: construction of a large-scale image dataset using deep learning
        with humans in the loop", 2015.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        categories: Sequence[str] = ("bedroom",),
        image_size: int | None = 64,
        channels: Literal[1, 3] | None = 3,
        labels: bool = False,
        label_distance: float | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        heldout: int | float | None = None,
    ) -> None:
        super().__init__(image_size, channels, labels, label_distance, batch_size, num_workers, seed)
        check_heldout(heldout)
        if not categories or len(set(categories)) < len(categories) or not set(categories) <= set(CATEGORIES):
            raise ValueError(
                f"categories must be some of {', '.join(CATEGORIES)}, each once; got categories={list(categories)}"
            )
        self.data_dir = data_dir
        self.categories = tuple(categories)
        self.heldout = heldout

    def read(self) -> dict[Split, Images]:
        train = self._databases("train")
        if self.heldout is not None:
            return hold_out(train, self._labels(train), self.categories, self.heldout)
        heldout = self._databases("val")
        return {
            "train": Images(train, self._labels(train), self.categories),
            "heldout": Images(heldout, self._labels(heldout), self.categories),
        }

    def _databases(self, part: str) -> _Databases:
        folder = default_folder() if self.data_dir is None else Path(self.data_dir).expanduser()
        paths = [folder / f"{category}_{part}_lmdb" for category in self.categories]
        for path in paths:
            if not path.is_dir():
                raise FileNotFoundError(
                    f"LSUN was not found: there is no {path}; download and unzip it (github.com/fyu/lsun), and set "
                    "data_dir to the folder that holds it"
                )
        return _Databases(paths)

    def _labels(self, databases: _Databases) -> torch.Tensor:
        return torch.arange(len(self.categories)).repeat_interleave(torch.tensor(databases.sizes))


def _lmdb() -> Any:
    try:
        import lmdb
    except ImportError:
        raise ValueError("LSUN is read by the package lmdb, which is not installed: pip install lmdb") from None
    return lmdb


# By path: the process that opened a database, and the database. lmdb opens one only once in a process.
_OPEN: dict[Path, tuple[int, Any]] = {}


def _environment(path: Path) -> Any:
    """An open database. A worker opens its own: one that was open when it was forked off must not be used in it."""
    lmdb, process = _lmdb(), os.getpid()
    owner, environment = _OPEN.get(path, (None, None))
    if owner == process:
        return environment
    if environment is not None:
        # The worker's copy only.
        environment.close()
    try:
        environment = lmdb.open(str(path), max_readers=1, readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise ValueError(f"{path} is damaged, or not a database of LSUN: {error}") from None
    _OPEN[path] = process, environment
    return environment


def _keys(path: Path) -> list[bytes]:
    lmdb = _lmdb()
    try:
        with _environment(path).begin() as transaction:
            keys = list(transaction.cursor().iternext(keys=True, values=False))
    except lmdb.Error as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not keys:
        raise ValueError(f"{path} holds no images")
    return keys
