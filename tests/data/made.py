"""Small made sets in the published sets' own formats: every data module of images, on files."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torchvision
from numpy.typing import NDArray
from PIL import Image

from wgan_lip.data import CIFAR10, MNIST, STL10, SVHN, Digits, FashionMNIST, ImageDataModule, ImageFolder

TRAIN, HELDOUT = 80, 60
# One class after the other, so that every split of more than ten images has them all.
CLASSES = 10


def made_images(n: int, height: int, width: int, channels: int, seed: int) -> NDArray[np.uint8]:
    """Smooth noise with a brightness for each class: image i is of class i modulo 10; shape (n, H, W, C)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 100, (n, 4, 4, channels))
    fine = coarse.repeat(-(-height // 4), 1).repeat(-(-width // 4), 2)[:, :height, :width]
    brightness = 15 * (np.arange(n) % CLASSES)
    return (fine + brightness[:, None, None, None] + rng.integers(0, 20, (n, height, width, channels))).astype(np.uint8)


def made_labels(n: int) -> NDArray[np.uint8]:
    """The classes of ``made_images``."""
    return (np.arange(n) % CLASSES).astype(np.uint8)


def idx(values: NDArray[np.uint8]) -> bytes:
    """An array of unsigned bytes as an IDX file."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def encoded(image: NDArray[np.uint8]) -> bytes:
    """An image of shape (H, W, 3) or (H, W, 1) as a file's content."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return file.getvalue()


def write_idx(folder: Path, pack: bool) -> None:
    """The four files of MNIST."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, n, seed in (("train", TRAIN, 0), ("t10k", HELDOUT, 1)):
        for kind, values in (
            ("images-idx3", made_images(n, 28, 28, 1, seed)[..., 0]),
            ("labels-idx1", made_labels(n)),
        ):
            path = folder / f"{prefix}-{kind}-ubyte{'.gz' * pack}"
            path.write_bytes(gzip.compress(idx(values)) if pack else idx(values))


def make_digits(folder: Path, **arguments: Any) -> Digits:
    return Digits(**arguments)


def make_mnist(folder: Path, **arguments: Any) -> MNIST:
    write_idx(folder / "MNIST" / "raw", pack=False)
    return MNIST(str(folder), **arguments)


def make_fashion_mnist(folder: Path, **arguments: Any) -> FashionMNIST:
    write_idx(folder, pack=True)
    return FashionMNIST(str(folder), **arguments)


def _made_source(source: type, **attributes: Any) -> type:
    """torchvision's class with the made files' checksums in place of the published ones."""
    return type(source.__name__, (source,), attributes)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def make_cifar10(folder: Path, **arguments: Any) -> CIFAR10:
    data, published = CIFAR10(str(folder), **arguments), torchvision.datasets.CIFAR10
    inside = folder / published.base_folder
    inside.mkdir(parents=True, exist_ok=True)
    names = [name for name, _ in published.train_list]
    images = made_images(TRAIN, 32, 32, 3, 0).transpose(0, 3, 1, 2).reshape(len(names), -1, 3072)
    labels = made_labels(TRAIN).reshape(len(names), -1)
    batches = {name: (images[i], labels[i]) for i, name in enumerate(names)}
    batches["test_batch"] = (
        made_images(HELDOUT, 32, 32, 3, 1).transpose(0, 3, 1, 2).reshape(-1, 3072),
        made_labels(HELDOUT),
    )
    for name, (values, classes) in batches.items():
        (inside / name).write_bytes(pickle.dumps({"data": values, "labels": classes.tolist()}))
    meta = inside / published.meta["filename"]
    meta.write_bytes(pickle.dumps({"label_names": [f"class {digit}" for digit in range(CLASSES)]}))
    data.source = _made_source(
        published,
        train_list=[[name, _md5(inside / name)] for name in names],
        test_list=[["test_batch", _md5(inside / "test_batch")]],
        meta={**published.meta, "md5": _md5(meta)},
    )
    return data


def make_svhn(folder: Path, **arguments: Any) -> SVHN:
    data, published = SVHN(str(folder), **arguments), torchvision.datasets.SVHN
    folder.mkdir(parents=True, exist_ok=True)
    parts = {}
    for part, n, seed in (("train", TRAIN, 0), ("test", HELDOUT, 1)):
        url, name, _ = published.split_list[part]
        # The set calls the digit 0 "10".
        labels = np.where(made_labels(n) == 0, 10, made_labels(n))
        scipy.io.savemat(
            folder / name, {"X": made_images(n, 32, 32, 3, seed).transpose(1, 2, 3, 0), "y": labels[:, None]}
        )
        parts[part] = [url, name, _md5(folder / name)]
    data.source = _made_source(published, split_list=parts)
    return data


def make_stl10(folder: Path, **arguments: Any) -> STL10:
    data, published = STL10(str(folder), **{"image_size": 32, **arguments}), torchvision.datasets.STL10
    inside = folder / published.base_folder
    inside.mkdir(parents=True, exist_ok=True)
    for part, n, seed in (("train", TRAIN, 0), ("test", HELDOUT, 1), ("unlabeled", 20, 2)):
        # Column after column, and classes from 1.
        (inside / f"{part}_X.bin").write_bytes(made_images(n, 96, 96, 3, seed).transpose(0, 3, 2, 1).tobytes())
        if part != "unlabeled":
            (inside / f"{part}_y.bin").write_bytes((made_labels(n) + 1).tobytes())
    lists = {
        name: [[file, _md5(inside / file)] for file, _ in getattr(published, name)]
        for name in ("train_list", "test_list")
    }
    data.source = _made_source(published, **lists)
    return data


def write_folder(folder: Path, n: int, seed: int, channels: int = 3) -> Path:
    """PNG files of 32×32 pixels, in folders ``class 0`` to ``class 9``; in the order of their paths within each."""
    for index, image in enumerate(made_images(n, 32, 32, channels, seed)):
        path = folder / f"class {index % CLASSES}" / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image))
    return folder


def make_image_folder(folder: Path, **arguments: Any) -> ImageFolder:
    write_folder(folder, TRAIN + HELDOUT, 0)
    return ImageFolder(str(folder), **{"heldout": HELDOUT, **arguments})


def make_image_folder_with_splits(folder: Path, **arguments: Any) -> ImageFolder:
    write_folder(folder / "train", TRAIN, 0)
    write_folder(folder / "val", HELDOUT, 1)
    return ImageFolder(str(folder), **arguments)


def write_shard(path: Path, members: dict[str, bytes]) -> None:
    """A .tar file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


# What each is built by, from an empty folder and further arguments of the module; all keep labels.
MADE: dict[str, Callable[..., ImageDataModule]] = {
    "Digits": make_digits,
    "MNIST": make_mnist,
    "FashionMNIST": make_fashion_mnist,
    "CIFAR10": make_cifar10,
    "SVHN": make_svhn,
    "STL10": make_stl10,
    "ImageFolder": make_image_folder,
    "ImageFolder with splits": make_image_folder_with_splits,
}
