"""How matrices start, before their constraint is attached."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from wgan_lip.dtypes import widened

Initial = Literal["orthogonal", "uniform", "selection"]
# Entries of a selection that pick nothing are not 0, or they would have no part in the order of anything.
_NOISE = 1e-4


@torch.no_grad()
def initialize_(weight: Tensor, initial: Initial, generator: torch.Generator | None) -> None:
    """Fill a matrix, in place; nothing is done on the meta device, where there are no values.

    Args:
        weight: shape (m, n).
        initial: "orthogonal", uniformly drawn (Haar); "uniform", PyTorch's own, within ``1 / sqrt(n)``; "selection",
            one entry of 1 or -1 in each row, in different columns as long as there are any, and noise of 1e-4: as if
            each output were one input.
        generator: source of the randomness; torch's global one if None.

    Raises:
        ValueError: an unknown ``initial``.
    """
    if initial not in get_args(Initial):
        raise ValueError(f"initial must be one of {', '.join(get_args(Initial))}; got initial={initial!r}")
    if weight.is_meta:
        return
    if weight.dtype != widened(weight.dtype):
        # Half precision has no QR decomposition, and few random numbers.
        wide = weight.to(widened(weight.dtype))
        initialize_(wide, initial, generator)
        weight.copy_(wide)
        return
    rows, columns = weight.shape
    if initial == "orthogonal":
        nn.init.orthogonal_(weight, generator=generator)
    elif initial == "uniform":
        limit = 1 / math.sqrt(columns)
        nn.init.uniform_(weight, -limit, limit, generator=generator)
    else:
        nn.init.normal_(weight, std=_NOISE, generator=generator)
        device = weight.device
        shuffles = [torch.randperm(columns, generator=generator, device=device) for _ in range(-(-rows // columns))]
        chosen = torch.cat(shuffles)[:rows, None]
        weight.scatter_(1, chosen, weight.gather(1, chosen).sign())
