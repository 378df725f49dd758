"""The layers of a network in order, their attributes, networks in evaluation mode, and float64 copies of them."""

import copy
import math
import numbers
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Methods besides ``forward`` that a call of a module executes.
_INNER = ("_check", "_conv_forward", "_call_impl", "_wrapped_call_impl")


def leaves(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a (nested) ``nn.Sequential`` in the order in which they are applied, repeated ones too.

    Anything but a plain ``nn.Sequential``, such as a subclass with its own ``forward`` or one with hooks, is one layer.

    Args:
        module: the network.
        name: its own dotted name.

    Yields:
        Pairs (dotted name, layer); the name of the network itself is "".

    Raises:
        ValueError: a child is None.
    """
    if (
        isinstance(module, nn.Sequential)
        and inherits_forward(module, nn.Sequential)
        and type(module).__iter__ is nn.Sequential.__iter__
        and not is_hooked(module)
    ):
        # Not named_children(), which omits the second occurrence of a layer.
        for child_name, child in module._modules.items():
            if child is None:
                raise ValueError(f"layer '{name}' cannot be applied: its child '{child_name}' is None")
            yield from leaves(child, f"{name}.{child_name}" if name else child_name)
    else:
        yield name, module


def inherits_forward(module: nn.Module, base: type[nn.Module]) -> bool:
    """Return whether the class of a module leaves the ``forward`` of ``base``, and all that it calls, unchanged.

    Args:
        module: of a subclass of ``base``.
        base: the class whose ``forward`` is known.
    """
    cls = type(module)
    inner = all(getattr(cls, name, None) is getattr(base, name, None) for name in ("forward", *_INNER))
    return inner and cls.__call__ is nn.Module.__call__ and not any(name in vars(module) for name in _INNER)


def is_hooked(module: nn.Module) -> bool:
    """Return whether a module has forward hooks, its own or global ones, or a ``forward`` set on the instance."""
    global_hooks = nn.modules.module._global_forward_hooks or nn.modules.module._global_forward_pre_hooks
    return bool(module._forward_hooks or module._forward_pre_hooks or global_hooks or "forward" in vars(module))


def kind_of(module: nn.Module) -> str:
    """Return the name of a layer's class."""
    # A parametrised layer has a generated class, whose base has the name.
    cls = type(module)
    return cls.__mro__[1].__name__ if nn.utils.parametrize.is_parametrized(module) else cls.__name__


def describe(name: str) -> str:
    """Name a layer in an error message.

    Args:
        name: its dotted name; "" for the network.
    """
    return f"layer '{name}'" if name else "the network"


def diagnosed_copy(network: nn.Module) -> nn.Module:
    """Copy a network to the CPU in float64, in evaluation mode, without layers that overwrite their inputs.

    Args:
        network: it is not changed.

    Raises:
        ValueError: the network cannot be copied.
    """
    return not_in_place(float64_copy(network)).requires_grad_(False)


def not_in_place(module: nn.Module) -> nn.Module:
    """Make parts such as ``nn.ReLU(inplace=True)`` leave their inputs unchanged, and return the module itself.

    Args:
        module: it is changed.
    """
    for part in module.modules():
        if getattr(part, "inplace", False):
            part.inplace = False  # type: ignore[assignment]
    return module


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and each of its modules back into its own mode afterwards.

    Args:
        network: a network, or a single layer.
    """
    modes = [(part, part.training) for part in network.modules()]
    try:
        for part, _ in modes:
            part.training = False
        yield
    finally:
        for part, training in modes:
            part.training = training


def float64_copy(network: nn.Module, name: str = "network") -> nn.Module:
    """Copy a network to the CPU in float64, in evaluation mode.

    Parameters are exact in float64, so the copy is the function that they define (weights that are computed from them
    are computed in float64): the same function is certified and scored.

    Args:
        network: it is not changed.
        name: its name in error messages.

    Raises:
        ValueError: the network cannot be copied.
    """
    try:
        # Tensors that are made in inference mode could not be differentiated.
        with torch.inference_mode(False):
            return copy.deepcopy(network).to("cpu", torch.float64).eval()
    except RuntimeError as error:
        raise ValueError(f"the {name} cannot be copied to float64: {error}") from error


def dense(weight: object, axes: int, name: str = "weight") -> Tensor:
    """Return a layer's tensor, or raise ValueError unless it is dense, of floating-point numbers, with ``axes`` axes.

    Args:
        weight: the attribute of the layer.
        axes: the number of axes it must have; with another number the forward pass computes something else.
        name: of the attribute.
    """
    if not isinstance(weight, Tensor) or not weight.is_floating_point() or weight.layout != torch.strided:
        raise ValueError(f"its {name} is not a dense tensor of floating-point numbers")
    if weight.ndim != axes:
        raise ValueError(f"its {name} must have {axes} axes; got shape {tuple(weight.shape)}")
    return weight


def check_bias(bias: object, channels: int) -> None:
    """Raise ValueError unless a bias is one number for each channel of the output, or None.

    PyTorch broadcasts others: one of shape (n, channels) moves each sample by another amount, one with more entries
    than there are channels repeats outputs.

    Args:
        bias: the attribute of the layer.
        channels: of its output.
    """
    if bias is None:
        return
    entries = len(dense(bias, 1, "bias"))
    if entries != channels:
        raise ValueError(f"its bias must have one entry for each channel; got {entries} for channels={channels}")


def finite_number(value: object, name: str) -> float:
    """Return a number by which all entries are multiplied, as a float.

    Args:
        value: a real number, or a real tensor without axes; one with axes would be broadcast.
        name: of the attribute.

    Raises:
        ValueError: it is not a real number, or not finite.
    """
    plain = value.item() if isinstance(value, Tensor) and not value.ndim else value
    if not isinstance(plain, numbers.Real):
        raise ValueError(f"its {name} must be a real number; got {value!r}")
    number = float(plain)
    if not math.isfinite(number):
        raise ValueError(f"its {name} is {number}")
    return number
