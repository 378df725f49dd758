"""The pairs of an optimal plan, in groups of pairs that lie near each other."""

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor

from wgan_lip.transport import W1Result


@dataclass(frozen=True)
class PairGroup:
    """Pairs (x_i, y_j) of an optimal plan, and the fake samples that are in no pair of the group.

    Values are those of an optimal critic f, of constant 1: on pairs, ``f(x_i) - f(y_j) = |x_i - y_j|``.

    Attributes:
        x: real samples of the pairs, shape ``(k, *shape)``.
        y: fake samples of the pairs, likewise.
        x_value: f(x), shape (k,).
        y_value: f(y), shape (k,).
        weight: mass of the pairs, shape (k,), of sum 1.
        other_y: the other fake samples, shape ``(l, *shape)``.
        other_value: f of these, shape (l,).
    """

    x: Tensor
    y: Tensor
    x_value: Tensor
    y_value: Tensor
    weight: Tensor
    other_y: Tensor
    other_value: Tensor

    def to(self, device: torch.device) -> Self:
        """Return the group on a device."""
        return replace(self, **{one.name: getattr(self, one.name).to(device) for one in fields(self)})

    def mapped(self, factor: float, offset: float) -> Self:
        """Return the group with ``factor f + offset`` in place of f.

        Args:
            factor: of the values.
            offset: added to them.
        """
        names = ("x_value", "y_value", "other_value")
        return replace(self, **{name: factor * getattr(self, name) + offset for name in names})

    def draw(self, size: int, pool: Tensor, generator: torch.Generator) -> Self:
        """Draw at most ``size`` pairs and twice as many other samples, without replacement.

        Args:
            size: number of pairs.
            pool: indices of the other samples to draw from.
            generator: on the CPU.
        """
        here = torch.randperm(len(self.x), generator=generator)[:size].to(self.x.device)
        there = pool[torch.randperm(len(pool), generator=generator)[: 2 * size].to(pool.device)]
        weight = self.weight[here]
        return replace(
            self,
            x=self.x[here],
            y=self.y[here],
            x_value=self.x_value[here],
            y_value=self.y_value[here],
            weight=weight / weight.sum(),
            other_y=self.other_y[there],
            other_value=self.other_value[there],
        )


def pair_groups(real: Tensor, fake: Tensor, exact: W1Result, groups: int) -> list[PairGroup]:
    """Divide the pairs of an optimal plan into groups of equal size, in float32 on the CPU.

    The midpoints of the pairs are halved across their first principal axis, and each half again, until there are
    ``groups`` parts.

    Args:
        real: shape ``(n, *shape)``.
        fake: shape ``(m, *shape)``.
        exact: of these samples.
        groups: number of groups; fewer if there are fewer pairs.
    """
    x, y = (samples.detach().to("cpu", torch.float32, copy=True) for samples in (real, fake))
    # Only differences of potentials are determined; centred, they are more precise in float32.
    centre = exact.x_potential.mean()
    x_value = torch.from_numpy(exact.x_potential - centre).float()
    y_value = torch.from_numpy(-exact.y_potential - centre).float()
    rows, columns = (torch.from_numpy(index).long() for index in exact.plan.coords)
    mass = torch.from_numpy(exact.plan.data).float()
    midpoints = (x[rows] + y[columns]).flatten(1)
    found = []
    for pairs in _halved(midpoints, torch.arange(len(rows)), min(groups, len(rows))):
        i, j, weight = rows[pairs], columns[pairs], mass[pairs]
        others = torch.ones(len(y), dtype=torch.bool)
        others[j] = False
        found.append(PairGroup(x[i], y[j], x_value[i], y_value[j], weight / weight.sum(), y[others], y_value[others]))
    return found


def _halved(points: Tensor, chosen: Tensor, parts: int) -> list[Tensor]:
    """Divide the indices ``chosen`` of points into ``parts`` of about equal size."""
    if parts == 1:
        return [chosen]
    centred = points[chosen] - points[chosen].mean(0)
    axis = torch.linalg.svd(centred, full_matrices=False)[2][0]
    order = chosen[(centred @ axis).argsort(stable=True)]
    half = parts // 2
    first = len(order) * half // parts
    return _halved(points, order[:first], half) + _halved(points, order[first:], parts - half)
