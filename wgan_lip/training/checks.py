"""Checks of what a training is given: networks, precision, strategy, optimisers, and the weights of a checkpoint."""

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning.plugins.precision import (
    BitsandbytesPrecision,
    HalfPrecision,
    Precision,
    TransformerEnginePrecision,
)
from pytorch_lightning.strategies import DDPStrategy, DeepSpeedStrategy, ParallelStrategy, Strategy
from torch import Tensor, nn
from torch.optim import Optimizer

from wgan_lip.lipschitz import Cayley, evaluating
from wgan_lip.saved import named_value

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@torch.no_grad()
def try_network(network: nn.Module, name: str, inputs: Tensor) -> Tensor:
    """Return a network's output in evaluation mode, whose mode is then restored.

    Args:
        network: the network.
        name: of the network, in the error.
        inputs: with the batch axis.

    Raises:
        ValueError: the network does not accept the inputs.
    """
    try:
        with evaluating(network):
            return network(inputs)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the {name} does not take inputs of shape {tuple(inputs.shape)}: {error}") from error


def check_precision(plugin: Precision, module: nn.Module) -> None:
    """Check that the trainer's precision keeps the layers as they are, and that they support it.

    Args:
        plugin: of the trainer.
        module: that is trained.

    Raises:
        ValueError: it replaces layers, or a layer does not support it.
    """
    if isinstance(plugin, (TransformerEnginePrecision, BitsandbytesPrecision)):
        raise ValueError(
            f"trainer.precision {plugin.precision} replaces layers by its own, which cannot be certified: "
            "use 32-true, 64-true, 16-mixed, bf16-mixed or bf16-true"
        )
    if isinstance(plugin, HalfPrecision) and any(
        isinstance(getattr(layer, "constraint", None), Cayley) for layer in module.modules()
    ):
        raise ValueError(
            f"trainer.precision {plugin.precision} is not supported by layers with Cayley, which solve linear "
            "systems in float32 or float64 only: use 32-true, 64-true, 16-mixed or bf16-mixed"
        )


def check_strategy(strategy: Strategy | str) -> None:
    """Check that every process holds whole weights and was not forked from another.

    Args:
        strategy: Lightning's, or its name.

    Raises:
        ValueError: it splits or replaces weights, or copies a running process.
    """
    if isinstance(strategy, str):
        keeps_whole, name = strategy.startswith(("auto", "ddp", "single_device")), strategy
        if strategy.endswith(("_spawn", "_fork", "_notebook")):
            raise ValueError(
                f"trainer.strategy must be ddp; {strategy} copies a running process: use ddp, which starts new ones"
            )
    else:
        splits = isinstance(strategy, ParallelStrategy) and not isinstance(strategy, DDPStrategy)
        keeps_whole, name = not splits and not isinstance(strategy, DeepSpeedStrategy), type(strategy).__name__
    if not keeps_whole:
        raise ValueError(
            f"trainer.strategy must be ddp; {name} splits or replaces weights, but the retraction of an orthogonal "
            "matrix and its certificate need the whole of it"
        )


def check_eps(optimizer: Optimizer) -> None:
    """Check that the ``eps`` of an optimiser is not 0 in the dtype of its parameters: 1e-8 is 0 in float16.

    Raises:
        ValueError: it is.
    """
    for group in optimizer.param_groups:
        for p in group["params"]:
            eps = group.get("eps")
            if isinstance(eps, float) and eps > 0 and float(torch.tensor(eps, dtype=p.dtype)) == 0:
                raise ValueError(
                    f"{type(optimizer).__name__} has eps={eps:g}, which is 0 in {p.dtype}: train with "
                    "trainer.precision 16-mixed, bf16-mixed, bf16-true or 32-true, or set eps to at least "
                    f"{torch.finfo(p.dtype).smallest_normal:.1g}"
                )


def check_weights(module: nn.Module, state: Any) -> None:
    """Check that the weights of a checkpoint are those of networks like a module's.

    Args:
        module: of the config.
        state: the checkpoint's ``state_dict``.

    Raises:
        ValueError: a weight is missing, unknown, of another shape or kind of number, or not finite.
    """
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"the checkpoint's state_dict must hold tensors; got {named_value(state)}")
    ours = module.state_dict()
    for name in sorted(ours.keys() | state.keys(), key=str):
        mine, theirs = (tuple(one[name].shape) if name in one else "none" for one in (ours, state))
        if mine != theirs:
            raise ValueError(
                f"the checkpoint is of another network: its {name} has shape {theirs}, the config's has {mine}"
            )
    for name, value in state.items():
        # A floating-point weight may have the precision of another trainer.
        if value.dtype not in (_FLOATS if ours[name].dtype in _FLOATS else (ours[name].dtype,)):
            raise ValueError(f"the checkpoint is of another network: its {name} is of {value.dtype}")
        if not bool(value.isfinite().all()):
            raise ValueError(f"the checkpoint's {name} holds NaN or infinity")
