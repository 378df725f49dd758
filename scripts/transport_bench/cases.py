"""Sample sets of the comparison."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

IMAGES = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
Points = tuple[np.ndarray, np.ndarray]


def gaussian(n: int, d: int, rng: np.random.Generator) -> Points:
    """Draw two samples of the same Gaussian."""
    return rng.normal(size=(n, d)), rng.normal(size=(n, d))


def clusters(n: int, d: int, rng: np.random.Generator) -> Points:
    """Draw samples of ten narrow Gaussians, in different proportions in x and in y."""
    centers = 3 * rng.normal(size=(10, d))
    x_share, y_share = rng.dirichlet(np.ones(10), size=2)
    return tuple(centers[rng.choice(10, n, p=p)] + 0.3 * rng.normal(size=(n, d)) for p in (x_share, y_share))


def apart(n: int, d: int, rng: np.random.Generator) -> Points:
    """Draw samples of two Gaussians, five standard deviations apart in every coordinate."""
    return rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 5


def images(n: int, d: int, rng: np.random.Generator) -> Points:
    """Read images of Fashion-MNIST in [-1, 1] and draw samples of the Gaussian with their mean and covariance."""
    real = read_images(IMAGES) / 127.5 - 1
    if n > len(real) or d != real.shape[1]:
        raise SystemExit(f"{IMAGES} holds {len(real)} images of {real.shape[1]} pixels; got n={n}, d={d}")
    mean, (variance, axes) = real.mean(axis=0), np.linalg.eigh(np.cov(real, rowvar=False))
    noise = rng.normal(size=(n, d)) * np.sqrt(variance.clip(min=0))
    return real[rng.permutation(len(real))[:n]], mean + noise @ axes.T


def read_images(path: Path) -> np.ndarray:
    """Read images of an IDX file, as rows of pixels from 0 to 255."""
    from wgan_lip.data import read_idx

    return read_idx(path, 3).flatten(1).numpy()


KINDS = {"gaussian": gaussian, "clusters": clusters, "apart": apart, "images": images}


@dataclass(frozen=True)
class Case:
    """A kind of sample sets and their dimension, such as gaussian-64."""

    kind: str
    d: int

    def draw(self, n: int, seed: int) -> Points:
        """Draw two samples of size n."""
        return KINDS[self.kind](n, self.d, np.random.default_rng(seed))

    def is_possible(self) -> bool:
        """Return whether the data exist."""
        return self.kind != "images" or IMAGES.is_file()


def parse_case(name: str) -> Case:
    """Return the case of a name; images need no dimension."""
    kind, _, d = name.partition("-")
    d = d or ("784" if kind == "images" else "")
    if kind not in KINDS or not d.isdecimal() or int(d) < 1:
        raise argparse.ArgumentTypeError(f"a case is {', '.join(KINDS)} and a dimension, as gaussian-64; got {name}")
    return Case(kind, int(d))
