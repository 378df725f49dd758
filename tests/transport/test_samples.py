"""Checks of samples, weights and potentials: exact in float64, or refused with an error that names them."""

import re

import numpy as np
import pytest
import torch

from wgan_lip.transport.samples import as_pair, as_points, as_potentials, as_weights


def refused(error, message, function, *arguments):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        function(*arguments)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_are_points_of_the_same_numbers(dtype):
    samples = torch.tensor([[[0.1, 2], [3, 4]], [[5, 6], [7, 8]]], dtype=dtype, requires_grad=True)
    points = as_points(samples, "z")
    assert points.dtype == np.float64
    assert points.flags.c_contiguous
    assert points.tolist() == [[float(torch.tensor(0.1, dtype=dtype)), 2, 3, 4], [5, 6, 7, 8]]


def test_arrays_of_any_order_and_precision_are_points():
    array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert as_points(array, "z").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert as_points(array, "z").flags.c_contiguous
    assert as_points(array[0], "z").tolist() == [[0], [1], [2]]
    # Not copied where that is not needed.
    points = np.ones((2, 2))
    assert as_points(points, "z").base is points or as_points(points, "z") is points


def test_bad_samples_are_refused():
    for empty in (np.ones((0, 2)), np.ones((2, 0)), np.array(1.0), torch.tensor(1.0)):
        message = f"z must hold at least one point; got shape {tuple(empty.shape)}"
        refused(ValueError, message, as_points, empty, "z")
    broken = np.ones((5, 2))
    broken[[1, 3], [0, 1]] = np.nan, np.inf
    refused(ValueError, "z holds NaN or infinity in 2 of 5 points; the first is point 1", as_points, broken, "z")
    refused(TypeError, "z must be a torch.Tensor or numpy.ndarray; got list", as_points, [1.0], "z")
    for integers in (np.ones(2, dtype=int), torch.ones(2, dtype=torch.int32), np.ones(2, dtype=bool)):
        message = f"z must hold floating-point numbers of at most 64 bits; got dtype {integers.dtype}"
        refused(ValueError, message, as_points, integers, "z")
    refused(
        ValueError,
        "z must not be a masked array: pass only the points that are not masked",
        as_points,
        np.ma.array([1.0]),
        "z",
    )
    for sparse in (torch.eye(2).to_sparse(), torch.ones(2, device="meta")):
        got = f"must be a dense tensor with values; got torch.float32 in layout {sparse.layout} on {sparse.device}"
        refused(ValueError, f"z {got}", as_points, sparse, "z")
        refused(ValueError, f"w {got}", as_weights, sparse, 2, "w")
    for other in (np.ones(2, dtype=complex), np.array([None, 1.0]), np.zeros(2, dtype="M8[s]"), np.zeros(2, "f8,f8")):
        message = f"z must hold floating-point numbers of at most 64 bits; got dtype {other.dtype}"
        refused(ValueError, message, as_points, other, "z")
    message = "x and y must have the same dimension; got 2 and 6 (shapes (1, 2) and (1, 2, 3))"
    refused(ValueError, message, as_pair, np.ones((1, 2)), np.ones((1, 2, 3)))


def test_pairs_are_in_their_order():
    x, y = as_pair(np.zeros((1, 2)), np.ones((3, 2)))
    assert (x.tolist(), y.shape) == ([[0, 0]], (3, 2))
    refused(ValueError, "x must hold at least one point; got shape (0, 2)", as_pair, np.ones((0, 2)), np.ones((1, 2)))
    refused(ValueError, "y must hold at least one point; got shape (0, 2)", as_pair, np.ones((1, 2)), np.ones((0, 2)))


def test_weights_are_equal_where_none_are_given():
    assert as_weights(None, 4, "w").tolist() == [0.25] * 4
    assert as_weights(torch.tensor([0.25, 0.75]), 2, "w").tolist() == [0.25, 0.75]
    assert as_weights(np.array([0.0, 1.0]), 2, "w").tolist() == [0, 1]


# The sum of four weights may be off by 8 sqrt(4) roundings of their precision, by a hundredth at most.
@pytest.mark.parametrize(
    ("dtype", "off", "fine"),
    [
        (torch.float64, 15, True),
        (torch.float64, 17, False),
        (torch.float32, 15, True),
        (torch.float32, 17, False),
        (torch.float16, 10, True),
        (torch.float16, 11, False),
    ],
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_weights_may_be_off_by_their_own_rounding(dtype, off, fine, sign):
    weights = torch.tensor([0.5, 0.25, 0.25, 0.0], dtype=dtype)
    weights[3] = off * torch.finfo(dtype).eps if sign > 0 else 0
    weights[0] -= off * torch.finfo(dtype).eps if sign < 0 else 0
    for given in (weights, weights.numpy()):
        if fine:
            assert as_weights(given, 4, "w").tolist() == weights.tolist()
        else:
            with pytest.raises(ValueError, match=r"^w must sum to 1; got the sum [01]\.\d+: divide all by it$"):
                as_weights(given, 4, "w")


def test_bad_weights_are_refused():
    refused(
        ValueError, "w must have one entry for each point, shape (3,); got shape (2,)", as_weights, np.ones(2), 3, "w"
    )
    refused(
        ValueError,
        "w must not be negative or NaN; got -0.5 at point 1",
        as_weights,
        np.array([0.5, -0.5, -0.1]),
        3,
        "w",
    )
    refused(
        ValueError, "w must not be negative or NaN; got nan at point 2", as_weights, np.array([0.5, -9, np.nan]), 3, "w"
    )
    refused(ValueError, "w must sum to 1; got the sum 2.0: divide all by it", as_weights, np.array([2.0, 0.0]), 2, "w")
    with pytest.raises(ValueError, match=r"^w must sum to 1; got a weight of .*2\.5.*: divide all by their sum$"):
        as_weights(np.array([2.5, 0.0]), 2, "w")


def test_potentials_are_a_pair():
    pair = (torch.tensor([1.0, 2.0]), np.array([3.0], dtype=np.float32))
    assert [side.tolist() for side in as_potentials(pair, 2, 1)] == [[1, 2], [3]]
    assert [side.tolist() for side in as_potentials(list(pair), 2, 1)] == [[1, 2], [3]]
    for wrong in (np.ones(2), (np.ones(2),), (np.ones(2),) * 3):
        message = f"initial_potentials must be a pair, on x and on y; got {type(wrong).__name__}"
        refused(TypeError, message, as_potentials, wrong, 2, 2)
    message = "initial_potentials must have one entry for each point, shapes (2,) and (1,); got (2,) and (2,)"
    refused(ValueError, message, as_potentials, (np.ones(2), np.ones(2)), 2, 1)
    message = "initial_potentials must have one entry for each point, shapes (1,) and (2,); got (2,) and (2,)"
    refused(ValueError, message, as_potentials, (np.ones(2), np.ones(2)), 1, 2)
    for wrong in ((np.ones(2), np.array([np.inf])), (np.array([0, np.nan]), np.ones(1))):
        refused(ValueError, "initial_potentials must be finite; got NaN or infinity", as_potentials, wrong, 2, 1)
    message = "initial_potentials[1] must be a torch.Tensor or numpy.ndarray; got list"
    refused(TypeError, message, as_potentials, (np.ones(1), [1.0]), 1, 1)
