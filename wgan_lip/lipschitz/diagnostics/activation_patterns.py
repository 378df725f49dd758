"""Dead units, and units that never switch: how much of a network's nonlinearity is in use."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.activations.alternatives import Abs, Householder, Maxout
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, split_into_groups
from wgan_lip.lipschitz.diagnostics.gradient_profile import check_points
from wgan_lip.lipschitz.inspection import diagnosed_copy, kind_of, leaves

_CHUNK = 512
# Maps an activation and its input to the state of each unit, of shape (points, units, numbers in a state), with a point
# for each pixel of each sample.
Pattern = Callable[[nn.Module, Tensor], Tensor]


@dataclass(frozen=True)
class LayerUnits:
    """How one activation layer's units behave over points.

    A unit is a channel, or a group of channels that act together (GroupSort, Maxout, Householder); each pixel of an
    image is a point.

    Attributes:
        name: the layer's dotted name in the network.
        kind: its class.
        units: number of units.
        dead: number of units whose output is 0 at every point (ReLU); None for activations without dead units.
        constant: number of units that never switch: at every point the same linear piece of the activation is active.
            Dead units are among them.
    """

    name: str
    kind: str
    units: int
    dead: int | None
    constant: int

    @property
    def dead_share(self) -> float | None:
        """``dead / units``."""
        return None if self.dead is None else self.dead / self.units

    @property
    def constant_share(self) -> float:
        """``constant / units``."""
        return self.constant / self.units


@torch.no_grad()
def activation_patterns(network: nn.Module, x: Tensor) -> tuple[LayerUnits, ...]:
    """Count the dead and the never-switching units of each piecewise linear layer, in the order of the layers.

    ReLU, LeakyReLU and Abs switch where their input changes its sign; GroupSort, MaxMin and FullSort where the order in
    a group changes; Maxout where another channel is the largest; Householder where a pair crosses the line. Other
    layers are left out. With more points the counts of dead and constant units can only fall.

    Args:
        network: a (nested) ``nn.Sequential`` of layers, which is not changed; evaluated in float64, evaluation mode.
        x: points of shape (n, ...), n at least 2.

    Raises:
        ValueError: fewer than 2 points.
    """
    check_points(x)
    chain = list(leaves(diagnosed_copy(network)))
    seen = {i: _Seen() for i, (_, layer) in enumerate(chain) if _pattern(layer) is not None}
    for part in x.detach().split(_CHUNK):
        h = part.to("cpu", torch.float64)
        for i, (_, layer) in enumerate(chain):
            pattern = _pattern(layer)
            if pattern is not None:
                seen[i].add(pattern(layer, h))
            h = layer(h)
    return tuple(seen[i].summary(chain[i][0], chain[i][1]) for i in seen)


class _Seen:
    """The first state of each unit, and which units have had no other state."""

    def __init__(self) -> None:
        self._first = torch.empty(0)
        self._constant = torch.empty(0)

    def add(self, states: Tensor) -> None:
        if not self._first.numel():
            self._first = states[0]
            self._constant = torch.ones(states.shape[1], dtype=torch.bool)
        self._constant &= (states == self._first).all(2).all(0)

    def summary(self, name: str, layer: nn.Module) -> LayerUnits:
        dead = (self._constant & ~self._first.bool().any(1)).sum() if isinstance(layer, nn.ReLU) else None
        return LayerUnits(
            name=name,
            kind=kind_of(layer),
            units=len(self._constant),
            dead=None if dead is None else int(dead),
            constant=int(self._constant.sum()),
        )


def _pattern(layer: nn.Module) -> Pattern | None:
    return next((pattern for kinds, pattern in _PATTERNS.items() if isinstance(layer, kinds)), None)


def _signs(layer: nn.Module, h: Tensor) -> Tensor:
    return _rows(h > 0, 1)[:, :, None]


def _orders(layer: nn.Module, h: Tensor) -> Tensor:
    groups, axis = split_into_groups(h, getattr(layer, "group_size", None), layer.dim, "GroupSort")  # type: ignore[arg-type]
    return _rows_of_groups(groups.argsort(dim=axis, stable=True), axis)


def _winners(layer: nn.Module, h: Tensor) -> Tensor:
    groups, axis = split_into_groups(h, layer.group_size, layer.dim, "Maxout")  # type: ignore[arg-type]
    return _rows_of_groups(groups.argmax(axis, keepdim=True), axis)


def _sides(layer: nn.Module, h: Tensor) -> Tensor:
    pairs, axis = split_into_groups(h, 2, layer.dim, "Householder")  # type: ignore[arg-type]
    normals: Tensor = layer.normals  # type: ignore[assignment]
    return (_rows_of_groups(pairs, axis) * normals).sum(2, keepdim=True) > 0


def _rows(h: Tensor, axis: int) -> Tensor:
    """Reshape a tensor with the channel axis ``axis`` to (points, channels)."""
    return h.movedim(axis, -1).flatten(0, -2)


def _rows_of_groups(groups: Tensor, axis: int) -> Tensor:
    """Reshape a tensor with groups on ``axis - 1`` and their members on ``axis`` to (points, groups, members)."""
    return groups.movedim((axis - 1, axis), (-2, -1)).flatten(0, -3)


_PATTERNS: dict[type[nn.Module] | tuple[type[nn.Module], ...], Pattern] = {
    (nn.ReLU, nn.LeakyReLU, Abs): _signs,
    (GroupSort, FullSort): _orders,
    Maxout: _winners,
    Householder: _sides,
}
