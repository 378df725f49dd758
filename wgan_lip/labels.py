"""Class labels as constant channels beside an image's own, at a chosen l2 distance from each other."""

import math

import torch
from torch import Tensor


def default_label_distance(channels: int, height: int, width: int) -> float:
    """Return half the square root of the number of pixel values, ``sqrt(C H W) / 2``: a typical distance of images.

    Args:
        channels: C of the image itself.
        height: H, in pixels.
        width: W, in pixels.

    Raises:
        ValueError: a size below 1.
    """
    _check_sizes(channels=channels, height=height, width=width)
    return math.sqrt(channels * height * width) / 2


def label_value(height: int, width: int, distance: float) -> float:
    """Return the value of the plane of a sample's own class: ``distance / sqrt(2 H W)``.

    Two labels differ in two planes, by this value at each of their H W pixels.

    Args:
        height: H, in pixels.
        width: W, in pixels.
        distance: between two samples of equal pixels and different labels, in l2.

    Raises:
        ValueError: a size below 1, or a distance that is not positive and finite.
    """
    _check_sizes(height=height, width=width)
    if not 0 < distance < math.inf:
        raise ValueError(f"distance must be positive and finite; got distance={distance}")
    return distance / math.sqrt(2 * height * width)


def label_planes(labels: Tensor, classes: int, height: int, width: int, distance: float) -> Tensor:
    """Make one constant channel for each class: plane y is ``distance / sqrt(2 H W)``, the others are 0.

    ``torch.cat((images, planes), dim=1)`` gives samples of the joint distribution of image and label: with equal pixels
    and different labels, two samples are exactly ``distance`` apart in l2.

    Args:
        labels: the class y of each sample, integers in 0..K-1, shape (n,).
        classes: ``K``.
        height: H, in pixels.
        width: W, in pixels.
        distance: between two labels, in l2.

    Returns:
        Shape (n, K, H, W), float32, on the labels' device.

    Raises:
        ValueError: a size below 1, a distance that is not positive and finite, labels of another shape or type or
            outside 0..K-1.
    """
    _check_sizes(classes=classes)
    value = label_value(height, width, distance)
    if labels.ndim != 1 or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"labels must be integers of shape (n,); got {labels.dtype} of shape {tuple(labels.shape)}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}; got {int(labels.min())}..{int(labels.max())}")
    planes = torch.zeros(len(labels), classes, height, width, device=labels.device)
    planes[torch.arange(len(labels), device=labels.device), labels.long()] = value
    return planes


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1; got {name}={size}")


def split_labels(samples: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Split samples into images and labels: the inverse of joining :func:`label_planes` to images.

    Args:
        samples: shape (n, C + K, H, W), the last K channels label planes.
        classes: K, at least 1 and less than the channels.

    Returns:
        The images, shape (n, C, H, W), and the labels, int64 of shape (n,).

    Raises:
        ValueError: samples with too few channels, or channels that are not label planes.
    """
    if samples.ndim != 4 or not 1 <= classes < samples.shape[1]:
        raise ValueError(
            f"samples must be of shape (n, C + K, H, W) with K={classes} label planes; got {tuple(samples.shape)}: "
            "set labels: true in the data"
        )
    images, planes = samples[:, :-classes], samples[:, -classes:, 0, 0]
    if not bool(((planes > 0).sum(1) == 1).all()):
        raise ValueError(f"the last {classes} channels must be label planes, exactly one of them above 0")
    return images, planes.argmax(1)
