"""What is particular to one kind of pair."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from wgan_lip.distributions import (
    AbsoluteValue,
    DiracImages,
    Funnels,
    Gaussians,
    HighDimensionalCone,
    SamplePair,
    SphericalShells,
    ThreeCones,
    UniformCubes,
)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_truths_of_the_paper() -> None:
    assert AbsoluteValue().w1().value == 1
    assert ThreeCones(radius=0.5).w1().value == 0.5
    assert HighDimensionalCone().shape == (128,)
    assert HighDimensionalCone().w1().value == 1
    assert DiracImages().shape == (1, 64, 64)
    assert DiracImages().w1().value == 35


def test_gaussians_against_an_integral_over_the_line() -> None:
    """In one dimension W1 is the integral of |F_p - F_q|."""
    p, q = norm(1.0, 3.0), norm(0.0, 1.0)
    integral = quad(lambda t: abs(p.cdf(t) - q.cdf(t)), -40, 40, limit=500, points=[-0.5])[0]
    assert Gaussians(1, shift=1.0, scale_p=3.0, scale_q=1.0).w1().value == pytest.approx(integral, rel=1e-7)


def test_scaled_gaussians_against_the_mean_of_chi() -> None:
    """E|Z| is sqrt(pi/2) in two dimensions and 2 sqrt(2/pi) in three."""
    assert Gaussians(2, shift=0.0, scale_p=3.0).w1().value == pytest.approx(2 * math.sqrt(math.pi / 2), rel=1e-12)
    assert Gaussians(3, shift=0.0, scale_p=2.0).w1().value == pytest.approx(2 * math.sqrt(2 / math.pi), rel=1e-12)


def test_a_shift_has_its_length_in_any_dimension() -> None:
    assert Gaussians(50, shift=-3.0).w1().value == 3.0
    assert UniformCubes(50, shift=3.0).w1().value == 3.0
    x, y = UniformCubes(50, shift=3.0).sample_plan(3, stream())
    torch.testing.assert_close((x - y).norm(dim=1), torch.full((3,), 3.0))


def test_funnels_of_one_cone_by_hand() -> None:
    """On the line with a = 0: top is 2.5 and x = 2.5 sign(y) (|y| / 2.5)^8; W1 = E|y| - E|x| = 1.25 - 2.5 / 9."""
    pair = Funnels(torch.zeros(1, 1), torch.zeros(1))
    x, y = pair.sample_plan(1000, stream())
    torch.testing.assert_close(x, 2.5 * y.sign() * (y.abs() / 2.5) ** 8, atol=1e-6, rtol=1e-4)
    truth = pair.w1()
    assert abs(truth.value - (1.25 - 2.5 / 9)) < 4 * truth.standard_error


def test_two_funnels_meet_in_the_middle() -> None:
    """With centres -1 and 1 on the line and equal biases, the ray from 1 towards 0 ends at 0."""
    pair = Funnels(torch.tensor([[-1.0], [1.0]]), torch.zeros(2))
    x, y = pair.sample_plan(2000, stream())
    inner = (y > 0) & (y < 1)
    torch.testing.assert_close(x[inner], 1 - (1 - y[inner]) ** 8, atol=1e-6, rtol=0)
    outer = y > 1
    torch.testing.assert_close(x[outer], 1 + 1.5 * ((y[outer] - 1) / 1.5) ** 8, atol=1e-5, rtol=0)


def test_a_point_at_a_centre_stays() -> None:
    pair = Funnels(torch.tensor([[0.5, 0.5]]), torch.zeros(1))
    assert torch.equal(pair._moved(torch.tensor([[0.5, 0.5]], dtype=torch.float64)), pair.centers)


def test_random_funnels_are_the_seeds() -> None:
    a, b, c = Funnels.random(3, 5, seed=1), Funnels.random(3, 5, seed=1), Funnels.random(3, 5, seed=2)
    assert torch.equal(a.centers, b.centers)
    assert not torch.equal(a.centers, c.centers)


@pytest.mark.parametrize("kind", ["npz", "pt"])
def test_funnels_from_a_file(tmp_path: Path, kind: str) -> None:
    pair, path = Funnels.random(3, 5), tmp_path / f"funnels.{kind}"
    centers, bias = pair.centers.float(), pair.bias.float()
    if kind == "npz":
        np.savez(path, centers=centers.numpy(), bias=bias.numpy())
    else:
        torch.save({"net.centers": centers, "net.bias": bias}, path)
    loaded = Funnels.load(path)
    assert torch.equal(loaded.centers, centers.double())
    assert torch.equal(loaded.bias, bias.double())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npz", {"centers": np.zeros((2, 3))}, "must have centers and bias; it has centers"),
        ("a.npz", {"centers": np.zeros((2, 3)), "bias": np.zeros(3)}, "bias must have shape (2,)"),
        ("a.npz", {"centers": np.zeros(2), "bias": np.zeros(2)}, "centers must have shape (funnels, dim)"),
        ("a.npz", {"centers": np.full((2, 3), 2.6), "bias": np.zeros(2)}, "centers must lie in the cube"),
        ("a.npz", {"centers": np.full((2, 3), np.nan), "bias": np.zeros(2)}, "centers must be finite"),
        ("a.npz", {"centers": np.zeros((2, 3)), "bias": np.array([0, np.inf])}, "bias must be finite"),
        ("a.npz", {"centers": np.array([["a"]]), "bias": np.zeros(1)}, "centers must be an array of numbers"),
        ("a.npz", {"centers": np.array([[{}]]), "bias": np.zeros(1)}, "cannot be read"),
        ("a.pt", {"centers": torch.zeros(2, 3), "bias": torch.zeros(2)}, "must have net.centers and net.bias"),
        ("a.pt", {"net.centers": "x", "net.bias": torch.zeros(2)}, "net.centers must be an array of numbers"),
        ("a.pt", torch.zeros(3), "it has Tensor"),
        ("a.pt", {"net.centers": Path()}, "cannot be read"),
        ("a.npz", b"no archive", "cannot be read"),
        ("a.pt", b"no archive", "cannot be read"),
        ("a.csv", b"1,2", "path must end in .npz or .pt"),
        ("a.npz", None, "cannot be read: FileNotFoundError"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: Any, message: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None and name.endswith("npz"):
        np.savez(path, **content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Funnels.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_held_out_samples_are_kept_apart() -> None:
    x, y = torch.arange(20.0).view(20, 1), torch.arange(100.0, 140.0).view(40, 1)
    pair = SamplePair(x, y, heldout=0.25)
    train_x, train_y = pair.sample(2000, stream())
    held_x, held_y = pair.sample(2000, stream(), heldout=True)
    assert set(train_x.flatten().tolist()) == set(range(15))
    assert sorted(held_x.flatten().tolist()) == list(range(15, 20))
    assert sorted(held_y.flatten().tolist()) == list(range(130, 140))
    assert float(train_y.max()) == 129


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SphericalShells([[0.0], [1.0]]), "centers must be at least 2 outer = 2.0 apart; got two at 1"),
        (lambda: SphericalShells([]), "centers must be at least one list"),
        (lambda: SphericalShells([[0.0], [1.0, 2.0]]), "centers must be at least one list"),
        (lambda: SphericalShells([[float("nan")]]), "centers must be finite"),
        (lambda: SphericalShells([[0.0]], outer=1.0, inner=1.0), "0 <= inner < outer"),
        (lambda: ThreeCones(radius=1.5), r"distance must be at least 2 radius = 3.0 and finite; got distance=2.0"),
        (lambda: ThreeCones(radius=-1.0), "radius must be positive and finite; got radius=-1.0"),
        (lambda: HighDimensionalCone(0), "dim must be at least 1; got dim=0"),
        (lambda: DiracImages(size=8, side=9), "side must lie between 1 and size; got side=9, size=8"),
        (lambda: Gaussians(0), "dim must be at least 1"),
        (lambda: Gaussians(2, scale_p=0.0), "scale_p must be positive and finite; got scale_p=0.0"),
        (lambda: Gaussians(2, shift=float("inf")), "shift must be finite"),
        (lambda: UniformCubes(2, shift=0.0), "must make P and Q differ"),
        (lambda: Funnels.random(0, 1), "dim and funnels must be at least 1; got dim=0"),
        (lambda: SamplePair(torch.zeros(9, 2), torch.zeros(9, 3)), "samples of one shape"),
        (lambda: SamplePair(torch.zeros(9, 2), torch.zeros(1, 2)), "y must have enough samples"),
        (lambda: SamplePair(torch.full((9, 2), float("nan")), torch.zeros(9, 2)), "x must be finite"),
        (lambda: SamplePair(torch.zeros(9, 2), torch.zeros(9, 2), heldout=1.0), "heldout must lie between 0 and 1"),
    ],
)
def test_bad_arguments_are_named(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build()
