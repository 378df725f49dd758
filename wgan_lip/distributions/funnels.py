"""Continuous pairs with a known potential, the minimum of cones, and a known plan."""

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from wgan_lip.distributions.pair import Pair, check_samples, unit
from wgan_lip.randomness import keyed_generator
from wgan_lip.saved import load_saved
from wgan_lip.unpacking import check_zip

# Half the side of the cube on which Q is uniform.
_HALF = 2.5
# A point of Q goes to x = a + t^_POWER (top - a) on its ray.
_POWER = 8


class Funnels(Pair):
    """Q is uniform on [-2.5, 2.5]^D; P is Q moved down the transport rays of a minimum of N cones.

    With ``u(x) = min_n (|x - a_n| + b_n)``, the point y ~ Q, whose minimum is attained at n, lies on the ray from
    a_n to ``top``, where the ray leaves the cube or another cone becomes the smaller. It moves to
    ``x = a_n + t^8 (top - a_n)``, ``t = |y - a_n| / |top - a_n|``. Then ``u(y) - u(x) = |x - y|``, so (x, y) is an
    optimal plan, ``f = -u`` an optimal potential, and ``W1 = E |x - y|`` (here by Monte Carlo).

    Args:
        centers: a, of shape (N, D), in the cube.
        bias: b, of shape (N,).

    Raises:
        ValueError: wrong shapes, NaN, or centres outside the cube.

    Source:
        Korotin, Kolesov, Burnaev, "Kantorovich strikes back! Wasserstein GANs are not optimal transport?",
        NeurIPS 2022, section 4.

    Example:
        >>> pair = Funnels.random(dim=2, funnels=4)
        >>> x, y = pair.sample_plan(1000, torch.Generator().manual_seed(0))
        >>> gained = pair.potential(x) - pair.potential(y)  # equals the distance, for every couple
        >>> torch.allclose(gained, (x - y).norm(dim=1), atol=1e-5)
        True
    """

    knows_w1 = knows_plan = knows_potential = True
    bounds = (-_HALF, _HALF)

    def __init__(self, centers: Tensor, bias: Tensor) -> None:
        centers, bias = torch.as_tensor(centers), torch.as_tensor(bias)
        if centers.ndim != 2 or 0 in centers.shape:
            raise ValueError(f"centers must have shape (funnels, dim); got {tuple(centers.shape)}")
        if bias.shape != centers.shape[:1]:
            raise ValueError(f"bias must have shape ({len(centers)},), one for each center; got {tuple(bias.shape)}")
        self.centers = centers.detach().double()
        self.bias = bias.detach().double()
        for name, value in (("centers", self.centers), ("bias", self.bias)):
            if not bool(torch.isfinite(value).all()):
                raise ValueError(f"{name} must be finite; got NaN or infinity")
        farthest = float(self.centers.abs().max())
        if farthest > _HALF:
            raise ValueError(f"centers must lie in the cube [-{_HALF}, {_HALF}]^D; got a coordinate of size {farthest}")
        self.shape = (centers.shape[1],)

    @classmethod
    def random(cls, dim: int, funnels: int, seed: int = 0) -> "Funnels":
        """Draw centres uniformly in the cube and biases from N(0, 0.1^2), as the published pairs were drawn.

        Args:
            dim: ``D``.
            funnels: ``N``.
            seed: of the draw.

        Raises:
            ValueError: a size below 1.
        """
        if dim < 1 or funnels < 1:
            raise ValueError(f"dim and funnels must be at least 1; got dim={dim}, funnels={funnels}")
        stream = keyed_generator(seed, "funnels", dim, funnels)
        centers = _uniform(funnels, dim, stream)
        return cls(centers, 0.1 * torch.randn(funnels, generator=stream, dtype=torch.float64))

    @classmethod
    def load(cls, path: str | Path) -> "Funnels":
        """Read a file: ``.npz`` with ``centers`` and ``bias``, or a state dict of the published benchmark.

        Such state dicts end in ``.pt`` and have ``net.centers`` and ``net.bias``.

        Args:
            path: of the file; nothing in it is executed.

        Raises:
            ValueError: a file that cannot be read, wrong keys or shapes, centres outside the cube; the path is named.
        """
        centers, bias = read_funnels(Path(path))
        try:
            return cls(centers, bias)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        x = self._moved(_uniform(n, self.dim, generator))
        return x.float(), _uniform(n, self.dim, generator).float()

    def sample_plan(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        y = _uniform(n, self.dim, generator)
        return self._moved(y).float(), y.float()

    def potential(self, x: Tensor) -> Tensor:
        return -self._funnel(check_samples(self.shape, x).double())[1].to(x.dtype)

    def potential_gradient(self, x: Tensor) -> Tensor:
        exact = check_samples(self.shape, x).double()
        return -unit(exact - self.centers.to(x.device)[self._funnel(exact)[2]]).to(x.dtype)

    def _funnel(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return distances to all centres, (n, N); u(y); and the cone n at which u is attained."""
        exact = "donot_use_mm_for_euclid_dist" if self.dim <= 4 else "use_mm_for_euclid_dist_if_necessary"
        distances = torch.cdist(y, self.centers.to(y.device), compute_mode=exact)
        u, which = (distances + self.bias.to(y.device)).min(1)
        return distances, u, which

    def _moved(self, y: Tensor) -> Tensor:
        """Return Q's points y moved down their rays; float64."""
        distances, u, which = self._funnel(y)
        centers = self.centers.to(y.device)
        a = centers[which]
        down = (y - a).norm(dim=1)
        v = unit(y - a)
        leaves = torch.where(v == 0, math.inf, (_HALF * v.sign() - y) / v).amin(1)
        # Along the ray u grows at rate 1 until another cone's |y + r v - a_n| + b_n equals u(y) + r.
        excess = u[:, None] - self.bias.to(y.device)
        toward = (y * v).sum(1, keepdim=True) - v @ centers.T
        meets = (distances.square() - excess.square()) / (2 * (excess - toward))
        elsewhere = (meets > 0) & (meets > -excess)
        elsewhere.scatter_(1, which[:, None], False)
        r = torch.minimum(leaves.clamp_min(0), torch.where(elsewhere, meets, math.inf).amin(1))
        top = down + r
        # A point at its centre has no ray: it stays.
        distance = torch.where(down > 0, (down / top) ** _POWER * top, 0)
        return a + distance[:, None] * v

    def __str__(self) -> str:
        return f"Funnels(dim={self.dim}, funnels={len(self.centers)})"


def _uniform(n: int, dim: int, generator: Generator) -> Tensor:
    drawn = torch.rand(n, dim, generator=generator, device=generator.device, dtype=torch.float64)
    return _HALF * (2 * drawn - 1)


# By a file's ending, the keys of centres and biases.
_KEYS = {".npz": ("centers", "bias"), ".pt": ("net.centers", "net.bias")}


def read_funnels(path: Path) -> tuple[Tensor, Tensor]:
    """Read centres and biases from a file.

    Args:
        path: ends in ``.npz`` or ``.pt``.

    Raises:
        ValueError: another ending, a file that cannot be read, missing keys, or values that are not numbers.
    """
    keys = _KEYS.get(path.suffix)
    if keys is None:
        raise ValueError(f"path must end in {' or '.join(_KEYS)}; got {path}")
    try:
        content = _read_npz(path) if path.suffix == ".npz" else load_saved(path, "a file of funnels")
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read: {type(error).__name__}: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict) or any(key not in content for key in keys):
        found = ", ".join(sorted(map(str, content))) if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{path} must have {' and '.join(keys)}; it has {found or 'nothing'}")
    centers, bias = (_numbers(path, key, content[key]) for key in keys)
    return centers, bias


def _read_npz(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        if zipfile.is_zipfile(file):
            check_zip(path, file)
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _numbers(path: Path, key: str, value: Any) -> Tensor:
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{path}: {key} must be an array of numbers; got {type(value).__name__}") from None
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise ValueError(f"{path}: {key} must have real numbers; got {tensor.dtype}")
    return tensor.double()
