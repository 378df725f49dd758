"""How wrong a classifier is, and in which direction of its logits it becomes more so."""

from typing import Literal

import torch
from torch import Tensor

Loss = Literal["margin", "cross_entropy"]


def margins(logits: Tensor, y: Tensor) -> Tensor:
    """``max_(j != y) z_j - z_y``: negative exactly where the class y wins; a draw is no win.

    Args:
        logits: z, shape (N, K) with K >= 2.
        y: the true classes, int64 of shape (N,).

    Returns:
        Shape (N,); infinity where a logit is NaN, which no class wins.

    Raises:
        ValueError: shapes that do not fit, or classes that are none.
    """
    _check(logits, y)
    own = logits.gather(1, y[:, None])[:, 0]
    return (_others(logits, y).amax(1) - own).nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)


def direction(logits: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """The gradient of a loss with respect to the logits, up to a positive factor for each example.

    Margin: ``e_j - e_y`` with j the strongest other class. Cross-entropy: ``p - e_y``, with p the softmax, is
    ``(1 - p_y) (q - e_y)`` where q is the softmax over the other classes alone; ``q - e_y`` is returned. Attacks use
    nothing but the direction, and it does not vanish where the network is so sure that ``1 - p_y`` rounds to 0.

    Args:
        logits: shape (N, K).
        y: the true classes, int64 of shape (N,).
        loss: "margin" or "cross_entropy".

    Returns:
        Shape (N, K).
    """
    others = _others(logits.detach(), y)
    if loss == "margin":
        weights = torch.zeros_like(others).scatter_(1, others.argmax(1, keepdim=True), 1)
    else:
        weights = others.softmax(1)
    return weights.scatter(1, y[:, None], -1)


def _others(logits: Tensor, y: Tensor) -> Tensor:
    return logits.scatter(1, y[:, None], -torch.inf)


def _check(logits: Tensor, y: Tensor) -> None:
    if logits.ndim != 2 or logits.shape[1] < 2 or y.shape != logits.shape[:1]:
        raise ValueError(
            f"a classifier must map N images to logits of shape (N, K), K >= 2, for N classes y; got logits of shape "
            f"{tuple(logits.shape)} and y of shape {tuple(y.shape)}"
        )
    if y.dtype != torch.int64 or (len(y) and not 0 <= int(y.min()) <= int(y.max()) < logits.shape[1]):
        raise ValueError(
            f"y must hold classes from 0 to {logits.shape[1] - 1} as int64; got {y.dtype} from {y.min()} to {y.max()}"
        )
