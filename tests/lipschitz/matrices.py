"""The explicit matrix of a linear map between images, column by column: an independent way to its singular values."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def explicit_matrix(layer: nn.Module, *shape: int) -> Tensor:
    """Of ``x -> layer(x) - layer(0)``, for inputs of a shape, in float64."""
    eye = torch.eye(torch.Size(shape).numel(), dtype=torch.float64).view(-1, *shape)
    layer = layer.double()
    return (layer(eye) - layer(torch.zeros(1, *shape, dtype=torch.float64))).flatten(1).T
