"""The largest singular values of many operators at once, from products with them and their adjoints."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

# Maps a batch of vectors, one for each operator, to another.
Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class RitzValues:
    """Approximate singular values of n operators, each at most the true one of its rank.

    Attributes:
        values: shape (n, k), descending.
        residuals: shape (n, k): ``|A^T u - s v|`` of each. A singular value of the operator lies within it.
    """

    values: Tensor
    residuals: Tensor


def largest_singular_values(
    forth: Product,
    back: Product,
    inputs: int,
    n: int,
    k: int,
    generator: Generator,
    tolerance: float = 1e-8,
    columns: int | None = None,
) -> RitzValues:
    """The k largest singular values of n operators, by Golub-Kahan-Lanczos in blocks of k with reorthogonalisation.

    The bases V of the right Krylov spaces grow by k vectors at a time, which are what is left of ``A^T u - s v`` for
    the k leading triplets of ``A V``; they are made orthogonal to V twice over. A block finds values that come up to k
    times, as the ones of an orthogonal map do. A direction that is exhausted is replaced by a random one. Values only
    grow from block to block, and are exact once V spans all inputs.

    Args:
        forth: the product with the operators, (n, inputs) to (n, outputs), in float64.
        back: that with their adjoints, (n, outputs) to (n, inputs).
        inputs: dimension of the domain.
        n: how many operators.
        k: how many values; at most the smaller side.
        generator: a CPU generator, for the first block.
        tolerance: stop when every residual is below ``tolerance`` times the largest value.
        columns: stop at the latest with so many vectors; None is as many as there are inputs.

    Source:
        Golub, Luk, Overton, "A block Lanczos method for computing the singular values and corresponding singular
        vectors of a matrix", ACM TOMS 7, 1981.
    """
    most = inputs if columns is None else min(columns, inputs)
    basis = torch.linalg.qr(_random(n, inputs, k, generator)).Q
    image = _products(forth, basis)
    while True:
        u, s, wh = torch.linalg.svd(image, full_matrices=False)
        v = basis @ wh.mT[:, :, :k]
        rest = _products(back, u[:, :, :k]) - v * s[:, None, :k]
        residuals = rest.norm(dim=1)
        if basis.shape[2] >= most or bool((residuals <= tolerance * s[:, :1]).all()):
            return RitzValues(s[:, :k], residuals)
        added = min(k, inputs - basis.shape[2])
        block = _orthogonal_to(basis, rest[:, :, :added], s[:, :1], generator)
        basis, image = torch.cat((basis, block), 2), torch.cat((image, _products(forth, block)), 2)


def _products(product: Product, columns: Tensor) -> Tensor:
    return torch.stack([product(column) for column in columns.unbind(2)], 2)


def _random(n: int, rows: int, columns: int, generator: Generator) -> Tensor:
    return torch.randn(n, rows, columns, generator=generator, dtype=torch.float64)


def _orthogonal_to(basis: Tensor, block: Tensor, scale: Tensor, generator: Generator) -> Tensor:
    """An orthonormal block orthogonal to the basis: the given one as far as it is new, random where it is not."""
    floor = 1e-12 * scale.clamp_min(torch.finfo(torch.float64).tiny)
    for _ in range(2):
        block = block - basis @ (basis.mT @ block)
        q, r = torch.linalg.qr(block)
        # A column that is (nearly) a combination of those before it says nothing new.
        spent = r.diagonal(dim1=1, dim2=2).abs() <= floor
        block = torch.where(spent[:, None], _random(len(q), q.shape[1], q.shape[2], generator), q)
    block = block - basis @ (basis.mT @ block)
    block = torch.linalg.qr(block).Q
    block = block - basis @ (basis.mT @ block)
    return torch.linalg.qr(block).Q
