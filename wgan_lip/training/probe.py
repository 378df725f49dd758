"""Networks for other samples are found before the first step."""

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.evaluating import evaluating


@torch.no_grad()
def try_network(network: nn.Module, name: str, inputs: Tensor) -> Tensor:
    """A network's output in evaluation mode, or an error that says what it was given; the mode is restored.

    Args:
        network: what is tried.
        name: what it is called in the message.
        inputs: with the batch axis.

    Raises:
        ValueError: the network does not take them.
    """
    try:
        with evaluating(network):
            return network(inputs)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the {name} does not take inputs of shape {tuple(inputs.shape)}: {error}") from error
