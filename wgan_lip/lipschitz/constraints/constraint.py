"""Constraints: small objects that keep the weight of an ordinary layer in a set of matrices."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from wgan_lip.dtypes import check_has_values
from wgan_lip.stiefel import StiefelParameter, mark_free

Guarantee = Literal["orthogonal", "lipschitz", "none"]
# The norm on a layer's inputs and outputs in which its constant is meant.
Norm = Literal["l2", "linf"]


class Constraint(ABC):
    """How a layer's ``weight`` is held in its set.

    A constraint is attached once, when the layer is built. One that is held by a parametrisation
    needs nothing more; one that is held by a projection is restored after every optimiser step by
    :func:`project_`. Constraints keep no state of a layer: one may serve many.

    Attributes:
        guarantee: what holds of the weight in evaluation mode, after :func:`project_`, whatever the optimiser did, to
            the precision of its dtype: "orthogonal", all singular values are 1; "lipschitz", the matrix is 1-Lipschitz
            in ``norm``; "none", neither, so that a critic of such layers has no known Lipschitz constant but the one
            that ``certify`` finds.
        norm: in which it holds.
    """

    guarantee: ClassVar[Guarantee]
    norm: ClassVar[Norm] = "l2"

    @abstractmethod
    def attach(self, layer: nn.Module) -> None:
        """Bring ``layer.weight`` into the set and register whatever keeps it there."""

    @abstractmethod
    def project_(self, layer: nn.Module) -> None:
        """Bring ``layer.weight`` back into the set, in place, after an optimiser's step."""

    def mark(self, layer: nn.Module) -> None:
        """Say to optimisers what the layer's parameters, which may be new tensors, are: free, by default."""
        # Not layer.modules(), which marks.
        for _, module in nn.Module.named_modules(layer):
            for parameter in module._parameters.values():
                if parameter is not None:
                    mark_free(parameter)


class ConstrainedModule(nn.Module):
    """A module whose ``weight`` a constraint holds, and marks for optimisers, whatever tensor it is.

    Parameters are replaced when state is loaded by assignment or swapped in, when a module is cast or moved, or by
    hand. The new ones are marked there, and whenever a network that holds the module is asked for its parameters.
    """

    constraint: Constraint

    def hold(self, constraint: Constraint) -> None:
        """Attach the constraint to the weight.

        Args:
            constraint: how the weight is held.
        """
        self.constraint = constraint
        constraint.attach(self)
        constraint.mark(self)

    def _mark(self) -> None:
        # Parameters are registered before there is a constraint; marks are not for a compiler to trace.
        if "constraint" in vars(self) and not torch.compiler.is_compiling():
            self.constraint.mark(self)

    def named_modules(self, *args: Any, **options: Any) -> Iterator[tuple[str, nn.Module]]:
        # What parameters() of this module and of all that hold it goes through.
        self._mark()
        return super().named_modules(*args, **options)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        super().register_parameter(name, param)
        self._mark()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        for parameter in self._parameters.values():
            if type(parameter) is StiefelParameter:
                # PyTorch casts to new parameters from plain ones only.
                parameter.__class__ = nn.Parameter  # type: ignore[assignment]
        try:
            return super()._apply(fn, recurse)
        finally:
            self._mark()

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._mark()


class Parametrized(Constraint):
    """Held by a parametrisation in every forward pass: there is nothing to restore."""

    def project_(self, layer: nn.Module) -> None:
        return


class Projected(Constraint):
    """Held by replacing the weight after every step; the forward pass is that of an ordinary layer."""

    @abstractmethod
    def projection(self, weight: Tensor) -> Tensor:
        """What a weight of shape (m, n) is replaced by; the weight itself is not changed."""

    def attach(self, layer: nn.Module) -> None:
        # On the meta device there are no values; those that are loaded later are projected after the first step.
        if not weight_of(layer).is_meta:
            self.project_(layer)

    @torch.no_grad()
    def project_(self, layer: nn.Module) -> None:
        weight = stored_weight(layer)
        weight.copy_(self.projection(weight))


class Unconstrained(Constraint):
    """Any weight: an ordinary layer, for comparison."""

    guarantee = "none"

    def attach(self, layer: nn.Module) -> None:
        return

    def project_(self, layer: nn.Module) -> None:
        return


def project_(network: nn.Module) -> None:
    """Bring every constrained weight of ``network`` back into its set: call it after each optimiser step.

    Args:
        network: any module; layers without a constraint are left alone.

    Raises:
        ValueError: a weight that is to be projected is computed from others, by a parametrisation, pruning or a hook
            that was added to the layer; parameters on the meta device.
    """
    check_has_values(network, "network")
    for module in network.modules():
        constraint = getattr(module, "constraint", None)
        if isinstance(constraint, Constraint):
            constraint.project_(module)


def stored_weight(layer: nn.Module) -> Tensor:
    """``layer.weight``, which must be a parameter or a buffer: of others a changed value would not last.

    Raises:
        ValueError: it is neither.
    """
    for tensors in (layer._parameters, layer._buffers):
        weight = tensors.get("weight")
        if weight is not None:
            return weight
    raise ValueError(
        f"project_ needs weights that are parameters; that of {type(layer).__name__} is computed from others: remove "
        "what was added to the layer, a parametrisation, pruning or a hook"
    )


def weight_of(layer: nn.Module) -> Tensor:
    """``layer.weight``, which must be a tensor."""
    weight = layer.weight
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(layer).__name__}.weight must be a tensor; got {type(weight).__name__}")
    return weight
