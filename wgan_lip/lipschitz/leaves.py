"""The layers of a network as a chain, in the order in which they are applied."""

from collections.abc import Iterator

from torch import nn

from wgan_lip.lipschitz.evaluating import float64_copy

# Functions besides ``forward`` that a call goes through.
_INNER = ("_check", "_conv_forward", "_call_impl", "_wrapped_call_impl")


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
                raise ValueError(f"layer '{name}' cannot be applied: its child '{child_name}' is None")
            yield from leaves(child, f"{name}.{child_name}" if name else child_name)
    else:
        yield name, module


def inherits_forward(module: nn.Module, base: type[nn.Module]) -> bool:
    """Whether calling a module does what ``base.forward`` says, as far as its class goes.

    Args:
        module: of a subclass of ``base``.
        base: the class whose ``forward`` is known.
    """
    cls = type(module)
    # What the known forward calls must be the known functions too.
    inner = all(getattr(cls, name, None) is getattr(base, name, None) for name in ("forward", *_INNER))
    return inner and cls.__call__ is nn.Module.__call__ and not any(name in vars(module) for name in _INNER)


def is_hooked(module: nn.Module) -> bool:
    """Whether a module has forward hooks, its own or everybody's, or a ``forward`` of its own instance."""
    everybody = nn.modules.module._global_forward_hooks or nn.modules.module._global_forward_pre_hooks
    return bool(module._forward_hooks or module._forward_pre_hooks or everybody or "forward" in vars(module))


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
    # nn.ReLU(inplace=True) would overwrite the activations that are looked at.
    return not_in_place(float64_copy(network)).requires_grad_(False)


def not_in_place(module: nn.Module) -> nn.Module:
    """The module itself, whose parts such as ``nn.ReLU(inplace=True)`` no longer overwrite their inputs.

    Args:
        module: it is changed.
    """
    for part in module.modules():
        if getattr(part, "inplace", False):
            part.inplace = False  # type: ignore[assignment]
    return module
