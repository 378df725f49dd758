"""Shifts and reflections of training images."""

import pytest
import torch

from wgan_lip.parts import Part
from wgan_lip.training import RandomShift


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_image_is_one_of_its_shifts():
    x = torch.rand(200, 2, 5, 6, generator=generator(1))
    shifted = RandomShift(1)(x, generator())
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
    candidates = torch.stack([padded[:, :, i : i + 5, j : j + 6] for i in range(3) for j in range(3)], 1)
    same = (candidates == shifted[:, None]).flatten(2).all(2)
    assert same.sum(1).tolist() == 200 * [1]
    # All nine come about equally often.
    assert same.sum(0).min() > 8


def test_half_are_mirrored():
    x = torch.rand(400, 1, 3, 4, generator=generator(1))
    turned = RandomShift(0, mirror=True)(x, generator())
    mirrored = (turned == x.flip(3)).flatten(1).all(1)
    kept = (turned == x).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 150 < int(mirrored.sum()) < 250


def test_nothing_to_do():
    x = torch.rand(3, 1, 4, 4)
    assert torch.equal(RandomShift(0)(x, generator()), x)


def test_the_same_generator_gives_the_same_images():
    x = torch.rand(20, 1, 8, 8)
    augment = RandomShift(2, mirror=True)
    assert torch.equal(augment(x, generator(3)), augment(x, generator(3)))
    assert not torch.equal(augment(x, generator(3)), augment(x, generator(4)))


def test_a_negative_shift_is_refused():
    with pytest.raises(ValueError, match="pixels must be at least 0; got pixels=-1"):
        RandomShift(-1)


def test_a_part_sees_what_it_would_see_within_the_whole():
    x = torch.rand(20, 1, 8, 8)
    augment = RandomShift(2, mirror=True)
    whole = augment(x, generator(3))
    for part in (Part(0, 7, 20), Part(7, 20, 20)):
        assert torch.equal(augment(part.of(x), generator(3), part), part.of(whole))
