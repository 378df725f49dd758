"""Maxout: the largest of each group of channels."""

from torch import Tensor, nn

from wgan_lip.lipschitz.activations.groupsort import grouped


class Maxout(nn.Module):
    """``y[g] = max(x[g * k : (g + 1) * k])`` with ``k = group_size``: as many channels as there are groups.

    ``|max a - max b| <= |a - b|_inf <= |a - b|_p`` for each group, hence 1-Lipschitz in every l_p norm. The gradient
    with respect to x has the norm of the gradient with respect to y, but only the winners receive any.

    Args:
        group_size: adjacent channels of which one is kept. Must divide the channels.
        dim: the channel axis.

    Shape:
        Any input with the channel axis ``dim``, of C channels; the output has ``C / group_size``.

    Raises:
        ValueError: ``group_size < 1``, or in ``forward`` if it does not divide the channels.

    Source:
        Goodfellow et al., "Maxout networks", ICML 2013; Anil, Lucas, Grosse 2019, section 4.1.
    """

    def __init__(self, group_size: int, dim: int = 1) -> None:
        super().__init__()
        if group_size < 1:
            raise ValueError(f"Maxout needs group_size >= 1; got group_size={group_size}")
        self.group_size = group_size
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        groups, axis = grouped(x, self.group_size, self.dim, "Maxout")
        return groups.max(dim=axis).values

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}, dim={self.dim}"
