"""Pixels on different scales are noticed; distributions that merely differ are not."""

import itertools

import numpy as np
import pytest

from tests.files.folders import digit_pixels
from wgan_lip.files import different_scales, load_samples

PIXELS = digit_pixels(0, 12)
RNG = np.random.default_rng(0)
SCALES = {
    "0..255": PIXELS.astype(np.float32),
    "0..1": PIXELS.astype(np.float32) / 255,
    "-1..1": PIXELS.astype(np.float32) / 127.5 - 1,
}


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(SCALES, 2)))
def test_images_on_two_scales_are_noticed(one, other):
    message = f"the numbers in a are on the scale {one}, those in b on {other}: if both are images, bring them to one"
    assert different_scales(SCALES[one], SCALES[other], ("a", "b")).startswith(message)
    # One that is flat is noticed beside images, and interpolation oversteps ranges.
    flat = SCALES[other].reshape(12, -1) * 1.04
    assert different_scales(SCALES[one], flat, ("a", "b")).startswith(message)
    assert different_scales(SCALES[one].reshape(12, -1), flat, ("a", "b"), images=True).startswith(message)


@pytest.mark.parametrize("scale", SCALES)
def test_images_on_one_scale_are_not(scale):
    images = SCALES[scale]
    assert different_scales(images, images[:3].clip(images.min() / 2), ("a", "b"), images=True) is None


DISTRIBUTIONS = {
    "uniform": RNG.uniform(size=(50, 32)),
    "symmetric": RNG.uniform(-1, 1, size=(50, 32)),
    "normal": RNG.normal(size=(50, 32)),
    "wide": 100 * RNG.normal(size=(50, 32)),
    "exponential": RNG.exponential(scale=20, size=(50, 32)),
    "zeros": np.zeros((50, 32)),
    "line": RNG.uniform(size=50),
}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations_with_replacement(DISTRIBUTIONS, 2)))
def test_distributions_that_differ_are_not(one, other):
    assert different_scales(DISTRIBUTIONS[one], DISTRIBUTIONS[other], ("a", "b")) is None


@pytest.mark.parametrize("name", ["normal", "wide", "zeros"])
def test_nor_are_images_beside_what_is_on_no_scale(name):
    noise = np.resize(DISTRIBUTIONS[name], (50, 1, 8, 8))
    assert different_scales(SCALES["-1..1"], noise, ("a", "b"), images=True) is None


def test_channels_come_first(tmp_path):
    images = RNG.normal(size=(5, 6, 7, 3)).astype(">f4")
    path = tmp_path / "x.npy"
    np.save(path, images)
    moved = load_samples(path)
    assert moved.channels_last
    assert moved.values.shape == (5, 3, 6, 7)
    np.testing.assert_array_equal(moved.values[:, 1], images[..., 1])
    for shape in ((5, 3, 6, 7), (5, 1, 8, 8), (5, 3, 3, 3), (5, 8, 8), (5, 8, 8, 2), (5, 3, 8, 3)):
        np.save(path, np.zeros(shape))
        same = load_samples(path)
        assert (same.values.shape, same.channels_last) == (shape, False)
