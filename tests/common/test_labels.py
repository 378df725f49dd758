"""Labels as channels: where they lie, and how far apart."""

import math
import re

import pytest
import torch

from wgan_lip.labels import default_label_distance, label_planes, label_value, split_labels


@pytest.mark.parametrize(("height", "width", "distance"), [(1, 1, 3.0), (28, 28, 14.0), (5, 7, 0.25)])
def test_two_labels_are_exactly_the_distance_apart(height, width, distance):
    planes = label_planes(torch.arange(4), 4, height, width, distance)
    assert planes.shape == (4, 4, height, width)
    apart = torch.cdist(planes.flatten(1).double(), planes.flatten(1).double())
    expected = distance * (1 - torch.eye(4, dtype=torch.float64))
    # One float32 rounding of the value, relative; cdist squares and adds in float64.
    torch.testing.assert_close(apart, expected, rtol=2**-23, atol=1e-12 * distance)


def test_only_a_samples_own_plane_is_set_and_it_is_constant():
    planes = label_planes(torch.tensor([2, 0], dtype=torch.uint8), 3, 2, 3, 6.0)
    value = label_value(2, 3, 6.0)
    assert value == pytest.approx(math.sqrt(3))
    assert planes.dtype == torch.float32
    assert torch.equal(planes[0, 2], torch.full((2, 3), value))
    assert torch.equal(planes[1, 0], torch.full((2, 3), value))
    assert planes.count_nonzero() == 12


def test_the_joint_distance_is_that_of_pixels_and_labels_together():
    pixels = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    joint = torch.cat((pixels, label_planes(torch.tensor([1, 0]), 2, 4, 4, 5.0)), dim=1)
    between = (joint[0] - joint[1]).norm() ** 2
    torch.testing.assert_close(between, (pixels[0] - pixels[1]).norm() ** 2 + 25, rtol=1e-6, atol=0)


def test_the_default_keeps_the_planes_within_the_pixels_bounds():
    assert default_label_distance(1, 28, 28) == 14
    assert default_label_distance(3, 2, 6) == 3
    for channels in (1, 3):
        value = label_value(32, 32, default_label_distance(channels, 32, 32))
        assert value == pytest.approx(math.sqrt(channels / 8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 0}, "classes must be at least 1; got classes=0"),
        ({"height": 0}, "height must be at least 1; got height=0"),
        ({"width": -1}, "width must be at least 1; got width=-1"),
        ({"distance": 0.0}, "distance must be positive and finite; got distance=0.0"),
        ({"distance": math.inf}, "got distance=inf"),
        ({"distance": math.nan}, "got distance=nan"),
        ({"labels": torch.tensor([0.0])}, "labels must be integers of shape (n,); got torch.float32 of shape (1,)"),
        ({"labels": torch.tensor([[0]])}, "got torch.int64 of shape (1, 1)"),
        ({"labels": torch.tensor([True])}, "got torch.bool"),
        ({"labels": torch.tensor([0, 3])}, "labels must lie in 0..2; got 0..3"),
        ({"labels": torch.tensor([-1, 2])}, "labels must lie in 0..2; got -1..2"),
    ],
)
def test_what_is_wrong_is_named(arguments, message):
    good = {"labels": torch.tensor([0]), "classes": 3, "height": 2, "width": 2, "distance": 1.0}
    with pytest.raises(ValueError, match=re.escape(message)):
        label_planes(**{**good, **arguments})


def test_the_default_distance_needs_sizes():
    with pytest.raises(ValueError, match="channels must be at least 1; got channels=0"):
        default_label_distance(0, 2, 2)


def test_split_labels_is_the_inverse_of_joining_them():
    labels = torch.tensor([2, 0, 1, 1])
    pixels = torch.rand(4, 3, 5, 6)
    images, found = split_labels(torch.cat((pixels, label_planes(labels, 4, 5, 6, 2.0)), 1), 4)
    assert torch.equal(images, pixels)
    assert torch.equal(found, labels)


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        ((4, 3, 5, 6), 3, r"K=3 label planes; got \(4, 3, 5, 6\): set labels: true"),
        ((4, 3, 5), 2, "K=2 label planes"),
        ((4, 3, 5, 6), 2, "the last 2 channels must be label planes, exactly one of them above 0"),
    ],
)
def test_samples_without_labels_are_refused(shape, classes, message):
    with pytest.raises(ValueError, match=message):
        split_labels(torch.ones(shape), classes)
