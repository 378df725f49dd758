"""Images that stay encoded (PNG, JPEG, ...) where they lie, and are decoded when asked for."""

import io
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import torch
from torch import Tensor

from wgan_lip.files import ImageModeError, decode_image, describe_image
from wgan_lip.files.pixels import to_square


class EncodedImages(Protocol):
    """Files of images, numbered; read by any number of processes."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[str, bytes]:
        """One image's name, for errors, and its file's content.

        Args:
            index: which.
        """


@dataclass(frozen=True)
class Selected:
    """Some of encoded images.

    Attributes:
        images: that they are taken of.
        indices: which; integers, shape (n,).
    """

    images: EncodedImages
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> tuple[str, bytes]:
        return self.images.read(int(self.indices[index]))


@dataclass(frozen=True)
class Decoder:
    """Makes all images like the first: of one size and one mode.

    Attributes:
        image_size: height and width to resize to; None wants all of the first one's size.
        channels: to convert to; None wants all of the first one's mode, which must be grey or RGB.
        first: the first image's name.
        first_shape: the first image's channels, height and width, after conversion and before resizing.
    """

    image_size: int | None
    channels: Literal[1, 3] | None
    first: str
    first_shape: tuple[int, ...]

    @classmethod
    def like_first(cls, images: EncodedImages, image_size: int | None, channels: Literal[1, 3] | None) -> Self:
        """The decoder for these images, after a look at the first.

        Args:
            images: at least one.
            image_size: as the attribute.
            channels: as the attribute.

        Raises:
            ValueError: the first image is damaged, or of a mode that is not taken.
        """
        name, content = images.read(0)
        return cls(image_size, channels, name, _decode(name, content, channels).shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every decoded image."""
        channels, height, width = self.first_shape
        return (channels, height, width) if self.image_size is None else (channels, self.image_size, self.image_size)

    def decode(self, name: str, content: bytes) -> Tensor:
        """One image, uint8, of shape ``shape``.

        Args:
            name: for errors.
            content: of its file.

        Raises:
            ValueError: damaged, of a mode or size that is not taken.
        """
        image = _decode(name, content, self.channels)
        if image.shape[0] != self.first_shape[0] or (self.image_size is None and image.shape != self.first_shape):
            remedy = "channels to 1 or 3" if image.shape[0] != self.first_shape[0] else "image_size"
            raise ValueError(
                f"images must be of one size and mode; got {name}, {describe_image(image.shape)}, "
                f"and {self.first}, {describe_image(self.first_shape)}: set {remedy}"
            )
        return image if self.image_size is None else to_square(image[None], self.image_size)[0]


class DecodedImages:
    """Encoded images that look like one uint8 tensor of shape (n, C, H, W).

    Args:
        images: that are decoded on access.
        decoder: what decodes them.
    """

    def __init__(self, images: EncodedImages, decoder: Decoder) -> None:
        self.images = images
        self.decoder = decoder

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.decoder.shape)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return torch.stack([self.decoder.decode(*self.images.read(index)) for index in indices.tolist()])


def _decode(name: str, content: bytes, channels: Literal[1, 3] | None) -> Tensor:
    try:
        return torch.tensor(decode_image(io.BytesIO(content), name, channels))
    except ImageModeError as error:
        raise ValueError(f"{error}, or set channels to 1 or 3" if error.convertible else str(error)) from None
