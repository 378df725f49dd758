"""The base class of optimisers on the Stiefel manifold: groups, stacks, and the retraction."""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adam import adam

from wgan_lip.dtypes import widened
from wgan_lip.stiefel import (
    PolarUpdate,
    StiefelParameter,
    converged,
    full_precision,
    on_manifold,
    polar_factor,
    polar_update,
)

# Matrices up to this size are updated in stacks, since calling the operations costs more than the arithmetic.
_STACKED = 256


class StiefelOptimizer(Optimizer):
    """Moves orthogonal weights along the Stiefel manifold, and the other parameters by Adam.

    ``W <- R(W - lr D)`` with the subclass's direction D and the polar retraction R, whose result is orthogonal to
    rounding for any step size and any gradient. Orthogonal weights are those that their layers have marked with an
    attribute ``manifold = "stiefel"`` (:func:`wgan_lip.stiefel.mark_orthogonal`), and those of a group with
    ``"manifold": "stiefel"``; a group with ``"manifold": None`` has none. A group of both kinds is split in two, so
    that schedulers see both learning rates. If a free parameter becomes the weight of an orthogonal layer later,
    ``step`` raises an error; for a matrix that is orthogonal but not marked there is a warning.

    Weights in half precision are moved and retracted in float32, as are their states, and rounded at the end of the
    step: they are orthogonal to the precision of their dtype.

    Args:
        params: parameters, or groups of them as for any PyTorch optimiser; a group may have its own value of every
            argument below, and of the subclass's arguments.
        lr: step size of the orthogonal weights.
        adam_lr: learning rate of the others (biases, ordinary layers).
        adam_betas: of the others.
        adam_eps: of the others.
        options: defaults of the subclass's arguments.

    Raises:
        ValueError: a negative or non-finite rate, a beta outside [0, 1), an orthogonal weight that is not a matrix of
            real numbers, or a parameter on the meta device; in ``step``, which then changes no weight: such a weight, a
            parameter that has become an orthogonal weight, or a gradient with NaN or infinity.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        adam_lr: float,
        adam_betas: tuple[float, float],
        adam_eps: float,
        **options: Any,
    ) -> None:
        defaults = {"lr": lr, "adam_lr": adam_lr, "adam_betas": adam_betas, "adam_eps": adam_eps, **options}
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        group = {**self.defaults, **param_group}
        listed = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        kinds = [_manifold(p[1] if isinstance(p, tuple) else p, group) for p in listed]
        _check(group)
        if any((p[1] if isinstance(p, tuple) else p).is_meta for p in listed):
            raise ValueError("params must hold values; got one on the meta device, which holds none")
        # "manifold": None frees marked weights, too.
        freed = group.get("manifold", "") is None
        for manifold, rate in (("stiefel", "lr"), (None, "adam_lr")):
            chosen = [p for p, kind in zip(listed, kinds, strict=True) if kind == manifold]
            if chosen or not listed:
                kind = {"manifold": manifold, "freed": freed}
                super().add_param_group({**group, "params": chosen, **kind, "lr": group[rate]})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        kinds = [{key: group[key] for key in ("manifold", "freed")} for group in self.param_groups]
        super().load_state_dict(state_dict)
        # Whether a parameter is orthogonal depends on its layer, not on the file.
        for group, kind in zip(self.param_groups, kinds, strict=True):
            group.update(kind)
        # PyTorch casts a state to its parameter's dtype; in half precision it would lose digits.
        ours = (p for group in self.param_groups for p in group["params"])
        theirs = (key for group in state_dict["param_groups"] for key in group["params"])
        for p, key in zip(ours, theirs, strict=True):
            for name, value in state_dict["state"].get(key, {}).items():
                if isinstance(value, Tensor) and name != "step":
                    self.state[p][name] = value.to(p.device, widened(p.dtype), copy=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                _check_kind(p, group)
        moves = []
        for group in self.param_groups:
            if group["manifold"]:
                for params in _stacks(group["params"]):
                    dtype, grads = widened(params[0].dtype), [p.grad for p in params if p.grad is not None]
                    weight, gradient = stacked(params).to(dtype), stacked(grads).to(dtype)
                    with full_precision(weight.device):
                        moved = self._moved(weight, gradient, params, group)
                        moves.append((params, moved, polar_update(moved)))
        # Values are read, and weights changed, only after all matrices were queued on a GPU.
        results = [(params, _retracted(moved, update)) for params, moved, update in moves]
        for params, result in results:
            for p, new in zip(params, result.unbind(), strict=True):
                p.copy_(new)
                if isinstance(p, StiefelParameter):
                    p.mark_retracted()
        for group in self.param_groups:
            if not group["manifold"]:
                self._adam([p for p in group["params"] if p.grad is not None], group)
        return loss

    @abstractmethod
    def _moved(self, weight: Tensor, gradient: Tensor, params: list[nn.Parameter], group: dict[str, Any]) -> Tensor:
        """Compute ``W - lr D`` for each matrix of the stack ``weight``, with the subclass's direction D."""

    def _adam(self, params: list[nn.Parameter], group: dict[str, Any]) -> None:
        if not params:
            return
        for p in params:
            if not self.state[p]:
                self.state[p].update(
                    step=torch.tensor(0.0, dtype=torch.float64),
                    exp_avg=torch.zeros_like(p, dtype=widened(p.dtype)),
                    exp_avg_sq=torch.zeros_like(p, dtype=widened(p.dtype)),
                )
        states = [self.state[p] for p in params]
        beta1, beta2 = group["adam_betas"]
        wide: list[Tensor] = [p.to(widened(p.dtype)) for p in params]
        adam(
            wide,
            [p.grad.to(widened(p.dtype)) for p in params if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["adam_eps"],
            maximize=False,
        )
        for p, moved in zip(params, wide, strict=True):
            if p.dtype != moved.dtype:
                p.copy_(moved)

    def buffer(self, params: list[nn.Parameter], name: str, shape: tuple[int, ...]) -> Tensor:
        """Return the state ``name`` of a stack's parameters as one tensor; initially zeros of ``shape``."""
        for p in params:
            if name not in self.state[p]:
                self.state[p][name] = p.new_zeros(shape, dtype=widened(p.dtype))
        return stacked([self.state[p][name] for p in params])

    def keep(self, params: list[nn.Parameter], name: str, values: Tensor) -> None:
        """Store a tensor from ``buffer`` after it was changed in place; for one parameter it is the state itself."""
        if len(params) > 1:
            for p, value in zip(params, values.unbind(), strict=True):
                self.state[p][name].copy_(value)


def stacked(tensors: Iterable[Tensor]) -> Tensor:
    """Stack tensors; a single one is viewed."""
    listed = list(tensors)
    return listed[0].detach()[None] if len(listed) == 1 else torch.stack(listed)


def _retracted(moved: Tensor, update: PolarUpdate) -> Tensor:
    """Compute the polar factors of ``moved``, whose first update has been computed."""
    defect = float(update.defect.max())
    if converged(defect, moved.dtype):
        return update.updated
    # The update is nearer to the manifold only if the matrix was near to it.
    return polar_factor(update.updated if defect < 0.5 else moved)


def _stacks(params: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Group the parameters with a gradient in stacks: small ones of the same shape, dtype and device."""
    stacks: dict[Any, list[nn.Parameter]] = {}
    for i, p in enumerate(params):
        if p.grad is not None:
            key = (p.shape, p.dtype, p.device) if max(p.shape) <= _STACKED else i
            stacks.setdefault(key, []).append(p)
    return list(stacks.values())


def _manifold(parameter: Tensor, group: dict[str, Any]) -> str | None:
    if "manifold" not in group and not hasattr(parameter, "manifold"):
        _warn_of_unknown(parameter)
    manifold = group["manifold"] if "manifold" in group else getattr(parameter, "manifold", None)
    if manifold not in (None, "stiefel"):
        raise ValueError(f'manifold must be "stiefel" or None; got manifold={manifold!r}')
    if manifold:
        _check_orthogonal(parameter)
    return manifold


def _warn_of_unknown(parameter: Tensor) -> None:
    """Warn of an orthogonal matrix that no layer has marked."""
    if parameter.ndim == 2 and parameter.is_floating_point() and not parameter.is_meta and on_manifold(parameter):
        warnings.warn(
            f"params: a matrix of shape {tuple(parameter.shape)} is orthogonal, but no layer has marked it, and it is "
            'updated as a free parameter: put it in a group with "manifold": "stiefel" to keep it orthogonal, or with '
            '"manifold": None to free it without this warning',
            stacklevel=5,
        )


def _check_kind(parameter: Tensor, group: dict[str, Any]) -> None:
    """Check that the mark of a parameter still agrees with its group."""
    if group["manifold"]:
        _check_orthogonal(parameter)
    elif not group["freed"] and getattr(parameter, "manifold", None):
        raise ValueError(
            f"params: a parameter of shape {tuple(parameter.shape)} has become the weight of an orthogonal layer since "
            'the optimiser was built: build the optimiser again, or put the weight in a group with "manifold": None'
        )


def _check_orthogonal(parameter: Tensor) -> None:
    if parameter.ndim != 2:
        raise ValueError(f"params: an orthogonal weight must be a matrix; got shape {tuple(parameter.shape)}")
    if not parameter.is_floating_point():
        raise ValueError(f"params: an orthogonal weight must be of real numbers; got {parameter.dtype}")


def _check(group: dict[str, Any]) -> None:
    for name in ("lr", "adam_lr"):
        if not 0 <= group[name] < float("inf"):
            raise ValueError(f"{name} must be finite and not negative; got {name}={group[name]}")
    for name in ("betas", "adam_betas", "momentum"):
        values = group.get(name, ())
        for beta in values if isinstance(values, (tuple, list)) else [values]:
            if not 0 <= beta < 1:
                raise ValueError(f"{name} must lie in [0, 1); got {name}={values}")
    for name in ("eps", "adam_eps"):
        if not group.get(name, 1.0) > 0:
            raise ValueError(f"{name} must be positive; got {name}={group[name]}")
