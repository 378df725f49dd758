"""8-bit pixels in other channels and sizes, against Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image

from wgan_lip.files import to_channels, to_square

COLOURS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 40, 40), dtype=np.uint8))


def as_image(pixels: torch.Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def test_grey_is_pillows_grey_to_the_last_bit():
    # Every level of every colour, with two others at random.
    for channel in range(3):
        COLOURS[0, channel].view(-1)[:256] = torch.arange(256, dtype=torch.uint8)
    expected = np.stack([np.asarray(as_image(image).convert("L")) for image in COLOURS])
    np.testing.assert_array_equal(to_channels(COLOURS, 1)[:, 0], expected)


def test_grey_is_repeated_and_what_fits_is_left_alone():
    grey = COLOURS[:, :1]
    assert torch.equal(to_channels(grey, 3), grey.repeat(1, 3, 1, 1))
    assert to_channels(grey, 1) is grey
    assert to_channels(COLOURS, 3) is COLOURS
    assert torch.equal(to_square(COLOURS, 40), COLOURS)


@pytest.mark.parametrize("size", [7, 20, 64])
def test_resized_as_pillow_does_to_a_level(size):
    expected = np.stack([np.asarray(as_image(i).resize((size, size), Image.Resampling.BILINEAR)) for i in COLOURS])
    found = to_square(COLOURS, size).permute(0, 2, 3, 1).numpy()
    # Both round after each of the two directions.
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(40, 17), (17, 40), (40, 18)])
def test_the_square_in_the_middle_is_kept(height, width):
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = COLOURS[:, :, :height, :width]
    middle = image[:, :, top : top + side, left : left + side]
    assert torch.equal(to_square(image, side), middle)
    assert torch.equal(to_square(image, 8), to_square(middle.clone(), 8))


def test_a_plain_image_stays_plain_at_any_size():
    for level in (0, 1, 127, 255):
        plain = torch.full((1, 3, 9, 13), level, dtype=torch.uint8)
        for size in (1, 4, 9, 30):
            assert torch.equal(to_square(plain, size), torch.full((1, 3, size, size), level, dtype=torch.uint8))
