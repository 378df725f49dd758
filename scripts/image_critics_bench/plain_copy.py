"""The same critic in layers that can be certified."""

import deel.torchlip
import torch
from torch import nn

from scripts.image_critics_bench.trainee import SHAPE
from wgan_lip.lipschitz import ConstrainedConv2d, ConstrainedLinear, Unconstrained


@torch.no_grad()
def plain_copy(critic: nn.Sequential) -> nn.Sequential:
    """The same function, of layers that ``certify`` knows, in float64.

    Raises:
        RuntimeError: its values differ.
    """
    critic.eval()
    layers: list[nn.Module] = []
    for layer in critic:
        if isinstance(layer, nn.Conv2d):
            layers.append(_copied_conv(layer))
        elif isinstance(layer, deel.torchlip.SpectralLinear):
            layers.append(layer.vanilla_export())
        elif isinstance(layer, nn.Linear) and not isinstance(layer, ConstrainedLinear):
            layers.append(nn.Linear(layer.in_features, layer.out_features))
            layers[-1].weight.copy_(layer.weight)
            layers[-1].bias.copy_(layer.bias)
        else:
            layers.append(layer)
    copied = nn.Sequential(*layers).double()
    x = torch.randn(64, *SHAPE, generator=torch.Generator().manual_seed(0))
    difference = float((copied(x.double()) - critic.float()(x)).abs().max())
    if difference > 1e-3:
        raise RuntimeError(f"the copy of plain layers differs from the critic by {difference}")
    return nn.Sequential(*layers).double().eval()


def _copied_conv(layer: nn.Conv2d) -> nn.Module:
    plain = layer.vanilla_export() if hasattr(layer, "vanilla_export") else layer
    copied = ConstrainedConv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size[0],
        layer.stride[0],
        Unconstrained(),
        padding_mode=layer.padding_mode,
    )
    copied.matrix.weight.copy_(plain.weight.flatten(1))
    copied.bias.copy_(plain.bias)
    return copied
