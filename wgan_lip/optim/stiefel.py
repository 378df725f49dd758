"""What the optimisers on the Stiefel manifold share: groups, stacks, and the retraction."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adam import adam

from wgan_lip.stiefel import StiefelParameter, polar_factor

# Matrices up to this size are updated together: calling the operations costs more than the arithmetic.
_STACKED = 256


class StiefelOptimizer(Optimizer):
    """Moves each ``StiefelParameter`` along the Stiefel manifold, and the other parameters by Adam.

    ``W <- R(W - lr D)`` with a direction D of the subclass's choice and R the polar retraction, whose
    result is orthogonal to rounding however long the step and whatever the gradient. A parameter
    group that holds both kinds is split in two, so that schedulers see both learning rates.

    Args:
        params: parameters, or groups of them as for any PyTorch optimiser; a group may have its own
            value of every argument below, and of the subclass's.
        lr: step size of the orthogonal weights.
        adam_lr: learning rate of the others (biases, ordinary layers).
        adam_betas: of the others.
        adam_eps: of the others.
        options: the subclass's own defaults.

    Raises:
        ValueError: a negative or non-finite rate, a beta outside [0, 1), or an orthogonal weight that is no matrix;
            in ``step``: a gradient with NaN or infinity.
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
        _check(group)
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        kinds = [isinstance(p[1] if isinstance(p, tuple) else p, StiefelParameter) for p in params]
        rates = {True: group["lr"], False: group["adam_lr"]}
        for stiefel in (True, False):
            chosen = [p for p, kind in zip(params, kinds, strict=True) if kind is stiefel]
            if chosen or not params:
                super().add_param_group({**group, "params": chosen, "stiefel": stiefel, "lr": rates[stiefel]})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if group["stiefel"]:
                for stack in _stacks(params):
                    self._move(stack, group)
            elif params:
                self._adam(params, group)
        return loss

    @abstractmethod
    def _direction(
        self, weight: Tensor, gradient: Tensor, params: list[StiefelParameter], group: dict[str, Any]
    ) -> Tensor:
        """A tangent direction of ascent at each matrix of the stack ``weight``, of spectral norm at most about 1."""

    def _move(self, params: list[StiefelParameter], group: dict[str, Any]) -> None:
        for p in params:
            # Loaded, averaged or moved by others since the last step.
            p.retract_()
        weight = together(params)
        gradient = together([p.grad for p in params if p.grad is not None])
        direction = self._direction(weight, gradient, params, group)
        # Along a tangent direction of singular values 0 or 1 the step's are 1 or (1 + lr^2)^(1/2).
        lr = min(float(group["lr"]), 1.0)
        moved = torch.add(weight, direction, alpha=-lr) * (1 + lr * lr) ** -0.5
        for p, new in zip(params, apart(polar_factor(moved), params), strict=True):
            p.copy_(new)
            p.mark_retracted()

    def _adam(self, params: list[nn.Parameter], group: dict[str, Any]) -> None:
        for p in params:
            if not self.state[p]:
                self.state[p].update(
                    step=torch.zeros((), dtype=torch.float64),
                    exp_avg=torch.zeros_like(p),
                    exp_avg_sq=torch.zeros_like(p),
                )
        states = [self.state[p] for p in params]
        beta1, beta2 = group["adam_betas"]
        adam(
            list(params),
            [p.grad for p in params if p.grad is not None],
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

    def buffers(self, params: list[StiefelParameter], name: str, like: Tensor) -> Tensor:
        """The state ``name`` of a stack's parameters, zeros like ``like`` at first, as one tensor."""
        first = apart(torch.zeros_like(like), params)
        return together([self.state[p].setdefault(name, zero) for p, zero in zip(params, first, strict=True)])

    def keep(self, params: list[StiefelParameter], name: str, values: Tensor) -> None:
        """Store what ``buffers`` returned after it was changed."""
        for p, value in zip(params, apart(values, params), strict=True):
            self.state[p][name].copy_(value)


def together(tensors: Iterable[Tensor]) -> Tensor:
    """One tensor as it is, several stacked."""
    listed = list(tensors)
    return listed[0].detach() if len(listed) == 1 else torch.stack(listed)


def apart(stack: Tensor, params: list[StiefelParameter]) -> list[Tensor]:
    """The inverse of ``together``."""
    return [stack] if len(params) == 1 else list(stack.unbind())


def _stacks(params: list[StiefelParameter]) -> Iterator[list[StiefelParameter]]:
    """Parameters that are updated together: of one shape, dtype and device, and small."""
    stacks: dict[Any, list[StiefelParameter]] = {}
    for i, p in enumerate(params):
        key = (p.shape, p.dtype, p.device) if max(p.shape) <= _STACKED else i
        stacks.setdefault(key, []).append(p)
    yield from stacks.values()


def _check(group: dict[str, Any]) -> None:
    for name, value in group.items():
        if name.endswith("lr") and not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be finite and not negative; got {name}={value}")
        if name.endswith(("betas", "momentum")):
            for beta in value if isinstance(value, (tuple, list)) else [value]:
                if not 0 <= beta < 1:
                    raise ValueError(f"{name} must lie in [0, 1); got {name}={value}")
    for p in group["params"] if not isinstance(group["params"], Tensor) else [group["params"]]:
        if isinstance(p, StiefelParameter) and p.ndim != 2:
            raise ValueError(f"params: a StiefelParameter must be a matrix; got shape {tuple(p.shape)}")
