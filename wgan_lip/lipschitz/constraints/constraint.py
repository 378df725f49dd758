"""Constraints: objects that keep the weight of an ordinary layer in a set of matrices."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from wgan_lip.dtypes import check_has_values
from wgan_lip.stiefel import StiefelParameter, mark_free

Guarantee = Literal["orthogonal", "lipschitz", "none"]
# The norm on inputs and outputs to which a Lipschitz constant refers.
Norm = Literal["l2", "linf"]


class Constraint(ABC):
    """A set of matrices, and the way in which a layer's ``weight`` is kept in it.

    A constraint is attached once, when the layer is built. One that is a parametrisation needs nothing more; one that
    is a projection is applied after every optimiser step by :func:`project_`. A constraint keeps no state of a layer,
    so several layers may share it.

    Attributes:
        guarantee: what is true of the weight in evaluation mode, after :func:`project_`, whatever the optimiser did, to
            the precision of its dtype: "orthogonal", all singular values are 1; "lipschitz", the matrix is 1-Lipschitz
            in ``norm``; "none", neither, and the Lipschitz constant is known only from ``certify``.
        norm: the norm to which the guarantee refers.
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
        """Mark the layer's parameters for optimisers as orthogonal or free (the default); they may be new tensors."""
        # Not layer.modules(), which calls this method.
        for _, module in nn.Module.named_modules(layer):
            for parameter in module._parameters.values():
                if parameter is not None:
                    mark_free(parameter)


class ConstrainedModule(nn.Module):
    """A module whose ``weight`` is under a constraint, and whose parameters are marked for optimisers.

    Parameters are replaced by other tensors when state is loaded by assignment or swapped in, when a module is cast or
    moved, or by hand. The new ones are marked then, and whenever the parameters of a network with it are listed.
    """

    constraint: Constraint

    def constrain(self, constraint: Constraint) -> None:
        """Attach a constraint to the weight."""
        self.constraint = constraint
        constraint.attach(self)
        constraint.mark(self)

    def _mark(self) -> None:
        # Parameters are registered before the constraint is attached; a compiler need not trace marks.
        if "constraint" in vars(self) and not torch.compiler.is_compiling():
            self.constraint.mark(self)

    def named_modules(self, *args: Any, **options: Any) -> Iterator[tuple[str, nn.Module]]:
        # parameters() of this module and of its parents iterates over this method.
        self._mark()
        return super().named_modules(*args, **options)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        super().register_parameter(name, param)
        self._mark()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        for parameter in self._parameters.values():
            if type(parameter) is StiefelParameter:
                # PyTorch makes new parameters in a cast from plain ones only.
                parameter.__class__ = nn.Parameter  # type: ignore[assignment]
        try:
            return super()._apply(fn, recurse)
        finally:
            self._mark()

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._mark()


class Parametrized(Constraint):
    """A constraint by a parametrisation in every forward pass; nothing is projected after a step."""

    def project_(self, layer: nn.Module) -> None:
        return


class Projected(Constraint):
    """A constraint by a projection after every step; the forward pass is that of an ordinary layer."""

    @abstractmethod
    def projection(self, weight: Tensor) -> Tensor:
        """Return the matrix that replaces a weight of shape (m, n), which is not changed."""

    def attach(self, layer: nn.Module) -> None:
        # A weight on the meta device has no values; those that are loaded later are projected after the first step.
        if not weight_of(layer).is_meta:
            self.project_(layer)

    @torch.no_grad()
    def project_(self, layer: nn.Module) -> None:
        weight = stored_weight(layer)
        weight.copy_(self.projection(weight))


class Unconstrained(Constraint):
    """No constraint: an ordinary layer, for comparison."""

    guarantee = "none"

    def attach(self, layer: nn.Module) -> None:
        return

    def project_(self, layer: nn.Module) -> None:
        return


def project_(network: nn.Module) -> None:
    """Bring every constrained weight of ``network`` back into its set: call it after each optimiser step.

    Args:
        network: any module; layers without a constraint are not changed.

    Raises:
        ValueError: a weight to be projected is computed from other tensors, by a parametrisation, pruning or a hook
            that was added to the layer; or a parameter is on the meta device.
    """
    check_has_values(network, "network")
    for module in network.modules():
        constraint = getattr(module, "constraint", None)
        if isinstance(constraint, Constraint):
            constraint.project_(module)


def stored_weight(layer: nn.Module) -> Tensor:
    """Return ``layer.weight``, which must be a parameter or a buffer, so that a changed value lasts.

    Raises:
        ValueError: it is neither.
    """
    for tensors in (layer._parameters, layer._buffers):
        weight = tensors.get("weight")
        if weight is not None:
            return weight
    raise ValueError(
        f"project_ needs weights that are parameters; that of {type(layer).__name__} is computed from other tensors: "
        "remove the parametrisation, pruning or hook that was added to the layer"
    )


def weight_of(layer: nn.Module) -> Tensor:
    """Return ``layer.weight``, which must be a tensor."""
    weight = layer.weight
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(layer).__name__}.weight must be a tensor; got {type(weight).__name__}")
    return weight
