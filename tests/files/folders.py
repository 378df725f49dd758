"""Folders of real images: scikit-learn's digits as files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits


def digit_pixels(start: int, stop: int) -> NDArray[np.uint8]:
    """Digits as 8-bit images, shape (n, 8, 8)."""
    return (load_digits().images[start:stop] * (255 / 16)).astype(np.uint8)


def write_images(folder: Path, images: NDArray[np.uint8], suffix: str = ".png") -> Path:
    """One file each, half of them in a folder within; sorted paths are in the order of the images."""
    for index, image in enumerate(images):
        parent = folder / "a" if index < len(images) // 2 else folder / "b"
        parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(parent / f"{index:04d}{suffix}")
    return folder
