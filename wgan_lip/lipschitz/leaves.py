"""The layers of a network as a chain, in the order in which they are applied."""

import copy
from collections.abc import Iterator

import torch
from torch import nn


def leaves(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers of a (nested) ``nn.Sequential``, as often and in the order in which they are applied.

    What is no plain ``nn.Sequential``, such as a subclass with its own ``forward`` or one with hooks, is one layer.

    Args:
        module: the network.
        name: its own dotted name.

    Returns:
        Pairs (dotted name, layer); the name of the network itself is "".

    Raises:
        ValueError: a child that is None.
    """
    if (
        isinstance(module, nn.Sequential)
        and inherits_forward(module, nn.Sequential)
        and type(module).__iter__ is nn.Sequential.__iter__
        and not is_hooked(module)
    ):
        # Not named_children(), which leaves out a layer that comes a second time.
        for child_name, child in module._modules.items():
            if child is None:
                raise ValueError(f"cannot certify layer '{name}': its child '{child_name}' is None")
            yield from leaves(child, f"{name}.{child_name}" if name else child_name)
    else:
        yield name, module


def inherits_forward(module: nn.Module, base: type[nn.Module]) -> bool:
    """Whether calling a module does what ``base.forward`` says, as far as its class goes.

    Args:
        module: of a subclass of ``base``.
        base: the class whose ``forward`` is known.
    """
    return type(module).forward is base.forward and type(module).__call__ is nn.Module.__call__


def is_hooked(module: nn.Module) -> bool:
    """Whether a module has forward hooks, or a ``forward`` of its own instance."""
    return bool(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


def kind_of(module: nn.Module) -> str:
    """The name of a layer's class, as people know it."""
    # A parametrised layer has a generated class; its base carries the name.
    cls = type(module)
    return cls.__mro__[1].__name__ if nn.utils.parametrize.is_parametrized(module) else cls.__name__


def named(name: str) -> str:
    """What errors call a layer.

    Args:
        name: its dotted name; "" for the network.
    """
    return f"layer '{name}'" if name else "the network"


def diagnosed_copy(network: nn.Module) -> nn.Module:
    """The same function on the CPU in float64, in evaluation mode, that changes none of its layers' inputs.

    Args:
        network: it is not changed.

    Raises:
        ValueError: a network that cannot be copied.
    """
    try:
        # Not inside an inference mode, whose tensors take no part in autograd.
        with torch.inference_mode(False):
            twin = copy.deepcopy(network).to("cpu", torch.float64).eval()
    except RuntimeError as error:
        raise ValueError(f"network cannot be copied, so neither diagnosed: {error}") from error
    for module in twin.modules():
        # nn.ReLU(inplace=True) would overwrite the activations that are looked at.
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return twin.requires_grad_(False)
