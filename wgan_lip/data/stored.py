"""Data modules of images that lie in files as 8-bit pixels."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, Self, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from wgan_lip.data.encoded import DecodedImages, Decoder, EncodedImages
from wgan_lip.data.images import ImageDataModule
from wgan_lip.data.module import Split
from wgan_lip.files.pixels import to_channels, to_square
from wgan_lip.labels import label_planes

_LARGEST = 1024


@dataclass(frozen=True)
class Images:
    """One split as its files hold it.

    Attributes:
        pixels: uint8, shape (n, C, H, W); or encoded images.
        labels: of each image, integers in 0..K-1, shape (n,); None where there are none.
        classes: their K names.
    """

    pixels: Tensor | EncodedImages
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)


class ImageSamples(Dataset[Tensor]):
    """Images as samples: float32 in [-1, 1], ``x / 127.5 - 1``, scaled on access, with label planes if wanted.

    Args:
        pixels: uint8, shape (n, C, H, W), or what looks like it.
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
    """Images from files, of one size and one number of channels.

    Args:
        image_size: height and width, in pixels: images are cropped to the square in the middle and resized, bilinear
            with antialiasing. None leaves them as they are.
        channels: 1 for grey, 3 for RGB; None leaves them as they are.
        labels: whether a sample holds its label.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: what the order of the training batches is drawn from.

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
        if image_size is not None and not 1 <= image_size <= _LARGEST:
            raise ValueError(f"image_size must lie between 1 and {_LARGEST}; got image_size={image_size}")
        if channels not in (None, 1, 3):
            raise ValueError(f"channels must be 1 (grey), 3 (RGB) or None; got channels={channels}")
        self.image_size = image_size
        self.channels = channels
        self._image_shape: tuple[int, int, int] | None = None
        self._class_names: tuple[str, ...] = ()

    @abstractmethod
    def read(self) -> dict[Split, Images]:
        """Both splits as the files hold them, with labels where samples are to hold them."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return cast(tuple[int, int, int], self._image_shape or self._after_setup()._image_shape)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._class_names if self._image_shape else self._after_setup()._class_names

    def load(self) -> dict[Split, Dataset[Tensor]]:
        found = self.read()
        pixels = self._pixels(found)
        shapes = {name: tuple(images.shape[1:]) for name, images in pixels.items()}
        if shapes["train"] != shapes["heldout"]:
            raise ValueError(
                f"{type(self).__name__}: images must be of one size and mode in both splits; got (channels, height, "
                f"width) {shapes['train']} in train and {shapes['heldout']} in heldout: set image_size and channels"
            )
        self._image_shape = cast(tuple[int, int, int], shapes["train"])
        self._class_names = found["train"].classes
        return {name: self._samples(name, found[name], pixels[name]) for name in found}

    def _after_setup(self) -> Self:
        self.setup()
        return self

    def _pixels(self, found: dict[Split, Images]) -> dict[Split, Tensor | DecodedImages]:
        decoder: Decoder | None = None
        pixels: dict[Split, Tensor | DecodedImages] = {}
        for name in sorted(found, reverse=True):  # "train" comes first.
            images = found[name].pixels
            if not len(images):
                raise ValueError(f"{type(self).__name__} found no images for its {name} split")
            if isinstance(images, Tensor):
                images = images if self.channels is None else to_channels(images, self.channels)
                pixels[name] = images if self.image_size is None else to_square(images, self.image_size)
            else:
                decoder = decoder or Decoder.like_first(images, self.image_size, self.channels)
                pixels[name] = DecodedImages(images, decoder)
        return pixels

    def _samples(self, name: Split, found: Images, pixels: Tensor | DecodedImages) -> ImageSamples:
        if not self.labels:
            return ImageSamples(pixels, None, 0, 1.0)
        labels, classes = found.labels, len(found.classes)
        what = f"{type(self).__name__}'s {name} split"
        if labels is None:
            raise ValueError(f"{what} has no labels: leave out labels=True")
        if len(labels) != len(pixels):
            raise ValueError(f"{what} holds {len(labels)} labels for {len(pixels)} images")
        if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(
                f"{what} must have labels in 0..{classes - 1}; got {int(labels.min())}..{int(labels.max())}"
            )
        return ImageSamples(pixels, labels, classes, self.label_distance)
