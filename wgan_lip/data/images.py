"""Data modules of images, in memory or in files, with the labels beside the pixels if requested."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from wgan_lip.data.module import SampleDataModule, Split
from wgan_lip.files import ImageDecoder, to_channels, to_square
from wgan_lip.labels import default_label_distance, label_planes, label_value

_LARGEST_SIZE = 1024


class ImageDataModule(SampleDataModule):
    """Images whose pixels lie in [-1, 1]; with ``labels``, images and labels together.

    With labels, a sample is the image and K further constant channels, one for each class (``wgan_lip.labels``): two
    samples of equal pixels and different labels are exactly ``label_distance`` apart in l2. A conditional Wasserstein
    GAN is then an ordinary one on the joint distribution of image and label, and every certificate and every exact W1
    holds unchanged, in the joint space.

    Args:
        labels: whether a sample holds its label.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: determines the order of the training batches.

    Raises:
        ValueError: a label distance that is not positive and finite, or one without labels; a batch below 1.
    """

    def __init__(
        self,
        labels: bool = False,
        label_distance: float | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if label_distance is not None and not labels:
            raise ValueError(f"label_distance requires labels=True; got label_distance={label_distance}, labels=False")
        if label_distance is not None and not 0 < label_distance < math.inf:
            raise ValueError(f"label_distance must be positive and finite; got label_distance={label_distance}")
        self.labels = labels
        self._label_distance = label_distance

    @property
    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image, without label planes."""

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes of the data, whether or not samples hold labels; empty if there are none."""

    @property
    def image_channels(self) -> int:
        """The number of a sample's channels that are the image's; label planes follow them."""
        return self.image_shape[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of the class of each label plane; empty if samples hold no labels."""
        return self.class_names if self.labels else ()

    @property
    def label_distance(self) -> float:
        """The l2 distance of two samples of equal pixels and different labels."""
        return default_label_distance(*self.image_shape) if self._label_distance is None else self._label_distance

    @property
    def sample_shape(self) -> tuple[int, ...]:
        channels, height, width = self.image_shape
        return channels + len(self.classes), height, width

    @property
    def bounds(self) -> tuple[float, float]:
        _, height, width = self.image_shape
        return -1.0, max(1.0, label_value(height, width, self.label_distance)) if self.labels else 1.0


@dataclass(frozen=True)
class Images:
    """One split of 8-bit images.

    Attributes:
        pixels: uint8, shape (n, C, H, W); or the files of the images, which are decoded on access.
        labels: of each image, integers in 0..K-1, shape (n,); None if there are none.
        classes: the names of the K classes.
    """

    pixels: Tensor | Sequence[Path]
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()


class DecodedImages:
    """Image files with the interface of one uint8 tensor of shape (n, C, H, W).

    Args:
        paths: the files, decoded on access.
        decoder: decodes them.
    """

    def __init__(self, paths: Sequence[Path], decoder: ImageDecoder) -> None:
        self.paths = paths
        self.decoder = decoder

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.decoder.shape)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return torch.stack([torch.tensor(self.decoder.decode(self.paths[index])) for index in indices.tolist()])


class ImageSamples(Dataset[Tensor]):
    """Images as samples: float32 in [-1, 1], ``x / 127.5 - 1``, scaled on access; with label planes if labelled.

    Args:
        pixels: uint8, shape (n, C, H, W).
        labels: shape (n,); None for samples without label planes.
        classes: K, the number of label planes.
        label_distance: between two labels, in l2.
    """

    def __init__(
        self, pixels: Tensor | DecodedImages, labels: Tensor | None, classes: int, label_distance: float
    ) -> None:
        self.pixels = pixels
        self.labels = labels
        self.classes = classes
        self.label_distance = label_distance

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> Tensor:
        chosen = torch.tensor(indices)
        images = self.pixels[chosen].to(torch.float32, memory_format=torch.contiguous_format).div_(127.5).sub_(1)
        if self.labels is None:
            return images
        height, width = images.shape[2:]
        planes = label_planes(self.labels[chosen], self.classes, height, width, self.label_distance)
        return torch.cat((images, planes), dim=1)


class StoredImages(ImageDataModule):
    """8-bit images from files, of one size and one number of channels.

    Args:
        image_size: height and width, in pixels: images are cropped to the square in the middle and resized, bilinear
            with antialiasing. None keeps their size.
        channels: 1 for grey, 3 for RGB; None keeps their channels.
        labels: whether a sample holds its label.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: determines the order of the training batches.

    Raises:
        ValueError: an image size outside 1..1024, other channels, a bad label distance or batch size.
    """

    def __init__(
        self,
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        labels: bool = False,
        label_distance: float | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(labels, label_distance, batch_size, num_workers, seed)
        if image_size is not None and not 1 <= image_size <= _LARGEST_SIZE:
            raise ValueError(f"image_size must lie between 1 and {_LARGEST_SIZE}; got image_size={image_size}")
        if channels not in (None, 1, 3):
            raise ValueError(f"channels must be 1 (grey), 3 (RGB) or None; got channels={channels}")
        self.image_size = image_size
        self.channels = channels
        self._image_shape: tuple[int, int, int] | None = None
        self._class_names: tuple[str, ...] = ()

    @abstractmethod
    def read(self) -> dict[Split, Images]:
        """Read both splits, with labels if ``self.labels``."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return cast(tuple[int, int, int], self._image_shape or self._after_setup()._image_shape)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._class_names if self._image_shape else self._after_setup()._class_names

    def load(self) -> dict[Split, Dataset[Tensor]]:
        found = self.read()
        train = self._pixels("train", found["train"])
        decoder = train.decoder if isinstance(train, DecodedImages) else None
        heldout = self._pixels("heldout", found["heldout"], decoder)
        shapes = [tuple(pixels.shape[1:]) for pixels in (train, heldout)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{type(self).__name__}: images must be of one size and mode in both splits; got (channels, height, "
                f"width) {shapes[0]} in train and {shapes[1]} in heldout: set image_size and channels"
            )
        self._image_shape = cast(tuple[int, int, int], shapes[0])
        self._class_names = found["train"].classes
        return {
            "train": self._samples("train", found["train"], train),
            "heldout": self._samples("heldout", found["heldout"], heldout),
        }

    def _after_setup(self) -> Self:
        self.setup()
        return self

    def _pixels(self, name: Split, found: Images, decoder: ImageDecoder | None = None) -> Tensor | DecodedImages:
        images = found.pixels
        if not len(images):
            raise ValueError(f"{type(self).__name__} found no images for its {name} split")
        if not isinstance(images, Tensor):
            decoder = decoder or ImageDecoder.like_first(images[0], self.image_size, self.channels)
            return DecodedImages(images, decoder)
        images = images if self.channels is None else to_channels(images, self.channels)
        return images if self.image_size is None else to_square(images, self.image_size)

    def _samples(self, name: Split, found: Images, pixels: Tensor | DecodedImages) -> ImageSamples:
        if not self.labels:
            return ImageSamples(pixels, None, 0, 1.0)
        labels, classes = found.labels, len(found.classes)
        split = f"{type(self).__name__}'s {name} split"
        if labels is None:
            raise ValueError(f"{split} has no labels, which labels=True requires")
        if len(labels) != len(pixels):
            raise ValueError(f"{split} holds {len(labels)} labels for {len(pixels)} images")
        if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(
                f"{split} must have labels in 0..{classes - 1}; got {int(labels.min())}..{int(labels.max())}"
            )
        return ImageSamples(pixels, labels, classes, self.label_distance)
