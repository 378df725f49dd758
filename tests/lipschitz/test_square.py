"""Sizes of kernels and strides as ``torch.nn.Conv2d`` takes them."""

from functools import partial

import numpy as np
import pytest
import torch

from wgan_lip.lipschitz import (
    ConstrainedConv2d,
    LInfConv2d,
    OrthogonalConv2d,
    StiefelRetraction,
    certify,
)

LAYERS = {
    "orthogonal": OrthogonalConv2d,
    "reshaped": partial(ConstrainedConv2d, constraint=StiefelRetraction()),
    "l-infinity": LInfConv2d,
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("size", [(4, 4), [4, 4], np.int64(4)])
@pytest.mark.parametrize("stride", [(2, 2), [2, 2], np.int64(2)])
def test_a_pair_of_equal_sizes_is_one(layer, size, stride):
    first, second = (
        LAYERS[layer](2, 3, kernel_size=k, stride=s, generator=torch.Generator().manual_seed(0))
        for k, s in ((size, stride), (4, 2))
    )
    assert repr(first) == repr(second)
    x = torch.ones(1, 2, 8, 8)
    assert torch.equal(first(x), second(x))
    assert certify(first).bound == certify(second).bound


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"kernel_size": (3, 5)}, r"needs the same kernel_size on both axes; got kernel_size=\(3, 5\)"),
        ({"stride": (1, 2)}, r"needs the same stride on both axes; got stride=\(1, 2\)"),
        ({"kernel_size": (3,)}, "needs kernel_size to be a whole number, or a pair of equal ones; got"),
        ({"kernel_size": (3, 3, 3)}, "needs kernel_size to be a whole number"),
        (
            {"kernel_size": 3.0},
            r"a whole number, or a pair of equal ones; got kernel_size=3\.0",
        ),
        ({"kernel_size": "3"}, "got kernel_size='3'"),
        ({"kernel_size": True}, "got kernel_size=True"),
        ({"stride": None}, "got stride=None"),
    ],
)
def test_other_sizes_are_named(layer, sizes, message):
    with pytest.raises(ValueError, match=message):
        LAYERS[layer](2, 3, **{"kernel_size": 3, "stride": 1, **sizes})
