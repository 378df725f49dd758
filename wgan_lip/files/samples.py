"""Sample sets read from files and folders without running code, and checked; a comparison of their scales."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan_lip.files.images import list_images, read_images
from wgan_lip.files.listing import describe_left_out, kind_by_mode
from wgan_lip.plain_text import printable
from wgan_lip.saved import load_saved
from wgan_lip.unpacking import check_unpacked

_NUMPY, _TORCH = (".npy", ".npz"), (".pt", ".pth")
ARRAY_SUFFIXES = (*_NUMPY, *_TORCH)


def read_array(path: Path, key: str | None) -> NDArray[Any]:
    """Read the array of a .npy, .npz, .pt or .pth file.

    Args:
        path: an existing file with one of these suffixes.
        key: the array's name, if there are several; may be None if there is one.

    Raises:
        ValueError: a damaged file, Python objects in it, a key that is missing or does not exist, or an array that is
            compressed too strongly (:func:`wgan_lip.unpacking.check_unpacked`).
    """
    return _read_numpy(path, key) if path.suffix.lower() in _NUMPY else _read_torch(path, key)


def _read_numpy(path: Path, key: str | None) -> NDArray[Any]:
    # Opened here, because numpy.load leaves the files of damaged archives open.
    with path.open("rb") as file:
        with _damage_named(path):
            content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            _refuse_key(path, key)
            return content
        chosen = _choose(path, content.files, key)
        with _damage_named(path):
            member = content.zip.getinfo(chosen if chosen in content.zip.namelist() else f"{chosen}.npy")
        check_unpacked(path, min(member.compress_size, path.stat().st_size), member.file_size)
        with _damage_named(path):
            array: NDArray[Any] = content[chosen]
        return array


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn any error of NumPy's reader into one that names the file."""
    try:
        yield
    except PermissionError:
        raise
    except Exception as error:
        # On missing or changed bytes it raises some twenty kinds.
        # NumPy takes any file without a known header for a pickle.
        if "Object arrays" in str(error):
            reason = "holds Python objects, which are not loaded"
        elif "allow_pickle" in str(error):
            reason = f"is not a {path.suffix} file, and pickles are not loaded"
        else:
            reason = f"is damaged, or is not a {path.suffix} file"
        raise ValueError(f"{path} {reason}") from None


def _read_torch(path: Path, key: str | None) -> NDArray[Any]:
    content = load_saved(path, "a file of tensors: save a tensor or a dictionary of tensors")
    if isinstance(content, Mapping):
        tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        return _as_array(tensors[_choose(path, list(tensors), key)])
    _refuse_key(path, key)
    if not isinstance(content, Tensor):
        raise ValueError(f"{path} must hold a tensor or a dictionary of tensors; got {type(content).__name__}")
    return _as_array(content)


def _as_array(tensor: Tensor) -> NDArray[Any]:
    # NumPy has neither bfloat16 nor 8-bit floats; float64 holds both exactly.
    known = tensor.dtype in (torch.float16, torch.float32) or not tensor.is_floating_point()
    return (tensor if known else tensor.double()).numpy(force=True)


def _choose(path: Path, keys: list[str], key: str | None) -> str:
    if not keys:
        raise ValueError(f"{path} holds no array")
    if key is None and len(keys) == 1:
        return keys[0]
    named = ", ".join(keys[:8]) + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
    if key is None:
        raise ValueError(f"{path} holds several arrays: {named}; choose one, as in {path}:{keys[0]}")
    if key not in keys:
        raise ValueError(f"{path} has no array {key!r}; it has {named}")
    return key


def _refuse_key(path: Path, key: str | None) -> None:
    if key is not None:
        raise ValueError(f"{path} holds one array without a name; got the key {key!r}")


_IMAGE_CHANNELS = (1, 3)


@dataclass(frozen=True)
class FileSamples:
    """Samples, and how they were converted when they were read.

    Attributes:
        values: floating point of at most 64 bits, finite, shape (n, ...), n at least 1.
        path: the file or folder.
        key: the array's name, if the file holds several; otherwise None.
        scaled: whether they were integers 0..255 (uint8), that is images, and now lie in [-1, 1].
        left_out: a description of a folder's other files, ``12 files left out: 10 .txt, 2 .DS_Store``, or empty.
        channels_last: whether they were of shape (n, H, W, C), and now are of shape (n, C, H, W).
    """

    values: NDArray[np.floating]
    path: Path
    key: str | None
    scaled: bool
    left_out: str = ""
    channels_last: bool = False

    @property
    def name(self) -> str:
        """``path``, or ``path:key``."""
        return str(self.path) if self.key is None else f"{self.path}:{self.key}"


def split_key(text: str) -> tuple[Path, str | None]:
    """Split ``file.npz:key`` into a path and a key; the key is None if the whole text is an existing path.

    Args:
        text: a command-line argument.
    """
    head, colon, key = text.rpartition(":")
    if colon and not Path(text).exists() and Path(head).exists():
        return Path(head), key
    return Path(text), None


def load_samples(
    path: str | Path, key: str | None = None, image_size: int | None = None, channels: Literal[1, 3] | None = None
) -> FileSamples:
    """Read a sample set, without running code that the file may hold.

    ``uint8`` is read as images and scaled, ``v / 127.5 - 1``; floating-point numbers are kept as they are. Arrays of
    shape (n, H, W, 1) or (n, H, W, 3), with H and W above 3, are images whose channels come last, and become
    (n, C, H, W).

    Args:
        path: an array (.npy, .npz), a tensor or a dictionary of tensors (.pt, .pth), or a folder of images of one size
            (``IMAGE_SUFFIXES``, also in subfolders, links followed, sorted by their paths), which are read into shape
            (n, channels, height, width).
        key: the array's name, if a file holds several.
        image_size: crop each image of a folder to the square in its middle, and resize that; None keeps the size.
        channels: convert each image of a folder to grey (1) or RGB (3); None keeps the mode.

    Raises:
        ValueError: another kind of file, a damaged one, a key that is missing or does not exist, images of several
            sizes or modes, numbers that are neither floating point of at most 64 bits nor uint8, NaN, infinity, or
            no points.
        OSError: no such file, or one that cannot be read.
    """
    path, left_out = Path(path), ""
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file or folder")
    if path.is_dir():
        if key is not None:
            raise ValueError(f"{path} is a folder of images, and has no key {key!r}")
        listing = list_images(path)
        left_out = describe_left_out(listing.left_out)
        found: NDArray[Any] = read_images(listing.paths, image_size, channels)
    elif not path.is_file():
        kind = kind_by_mode(path.stat().st_mode)
        raise ValueError(f"{printable(str(path))} must be a regular file or a folder; it is a {kind}")
    elif path.suffix.lower() in ARRAY_SUFFIXES:
        found = read_array(path, key)
    else:
        raise ValueError(f"{path}: samples are read from {', '.join(ARRAY_SUFFIXES)}, or from a folder of images")
    found, last = _channels_first(found)
    samples = FileSamples(found, path, key, scaled=found.dtype == np.uint8, left_out=left_out, channels_last=last)
    _check(samples)
    if not samples.scaled:
        return samples
    return replace(samples, values=found.astype(np.float32) / np.float32(127.5) - 1)


def _channels_first(values: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Move the channels of images of shape (n, H, W, C) to (n, C, H, W), and return whether that was done.

    An array has this shape if it has four axes, of which the last has 1 or 3 entries and the two before it more.
    """
    last = values.ndim == 4 and values.shape[3] in _IMAGE_CHANNELS and min(values.shape[1:3]) > max(_IMAGE_CHANNELS)
    return (np.ascontiguousarray(np.moveaxis(values, 3, 1)), True) if last else (values, False)


def _check(samples: FileSamples) -> None:
    values, name = samples.values, samples.name
    if values.ndim == 0 or values.size == 0:
        raise ValueError(f"{name} must hold at least one point; got shape {values.shape}")
    if samples.scaled:
        if values.ndim == 1:
            raise ValueError(f"{name} holds uint8, which is read as images of shape (n, ...); got shape {values.shape}")
        return
    if not np.issubdtype(values.dtype, np.floating) or values.dtype.itemsize > 8:
        raise ValueError(
            f"{name} must hold floating-point numbers of at most 64 bits, or uint8 for images; got {values.dtype}: "
            "convert it, for instance with .astype(numpy.float64)"
        )
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{name} holds NaN or infinity in {int((~finite).sum())} of {len(values)} points; "
            f"the first is point {int(finite.argmin())}"
        )


# The part of a range's length by which numbers may exceed it, as after interpolation.
_SLACK = 0.05
# Samples of fewer numbers are not taken for images.
_FEWEST = 16


def different_scales(
    a: NDArray[np.generic], b: NDArray[np.generic], names: tuple[str, str], images: bool = False
) -> str | None:
    """Return a warning if one of two sets holds images and their pixels are evidently on different scales, else None.

    A set holds images if it was read from 8-bit integers (``images``), if its samples have at least two axes, or if all
    of its numbers are whole and lie in 0..255; with at least 16 numbers in a sample. A set's scale is 0..255 if no
    number is negative and the largest is above 16 and at most 255; 0..1 if no number is negative and the largest is
    above 0.5 and at most 1; -1..1 if the smallest is at least -1 and at most -0.5, and none is above 1; all within 5 %
    of a range's length. Other numbers have no known scale, and give no warning.

    Args:
        a: shape (n, ...), finite.
        b: shape (m, ...), finite.
        names: of both sets, for the warning.
        images: whether either is known to hold images.
    """
    if not (images or _of_images(a) or _of_images(b)) or min(_size(a), _size(b)) < _FEWEST:
        return None
    first, second = _scale(a), _scale(b)
    if first is None or second is None or first == second:
        return None
    return (
        f"the numbers in {names[0]} are on the scale {first}, those in {names[1]} on {second}: if both are images, "
        "bring them to one scale, otherwise the distance measures the difference of scale"
    )


def _size(values: NDArray[np.generic]) -> int:
    return values[0].size if values.ndim > 1 and len(values) else 1


def _of_images(values: NDArray[np.generic]) -> bool:
    if sum(side > 1 for side in values.shape[1:]) >= 2:
        return True
    return values.size > 0 and values.min() >= 0 and 16 < values.max() <= 255 and bool((values == values.round()).all())


def _scale(values: NDArray[np.generic]) -> str | None:
    smallest, largest = float(values.min()), float(values.max())
    if smallest >= -255 * _SLACK and 16 < largest <= 255 * (1 + _SLACK):
        return "0..255"
    if smallest >= -_SLACK and 0.5 < largest <= 1 + _SLACK:
        return "0..1"
    if -1 - 2 * _SLACK <= smallest <= -0.5 and largest <= 1 + 2 * _SLACK:
        return "-1..1"
    return None
