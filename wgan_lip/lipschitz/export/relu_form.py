"""Sorting by ReLUs: GroupSort, Abs and Householder as linear maps around ReLUs, for tools without other activations."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Stage:
    """``x -> after relu(before x)`` on channels.

    Attributes:
        before: shape (units, channels), float64.
        after: shape (channels left, units), float64.
    """

    before: Tensor
    after: Tensor


def sorting_stages(channels: int, group_size: int, kept: tuple[int, ...] | None = None) -> list[Stage]:
    """Express the sorting of each group of adjacent channels by ReLUs, exactly but for rounding.

    A pair (a, b) is sorted with four units: ``min = b - relu(b - a)`` and ``max = b + relu(a - b)``, where b itself is
    ``relu(b) - relu(-b)``, as is every channel that is not compared. Larger groups are sorted by a network of such
    comparisons, in ``ceil(log2 k) (ceil(log2 k) + 1) / 2`` stages.

    Args:
        channels: a multiple of ``group_size``.
        group_size: ``k``.
        kept: the ranks of each sorted group that are kept; all of them if None.

    Source:
        Batcher, "Sorting networks and their applications", AFIPS 1968; in the form of Knuth, "The art of computer
        programming" 3, algorithm 5.2.2M.
    """
    stages = [_stage(channels, group_size, pairs) for pairs in _comparisons(group_size)]
    if kept is not None and stages:
        rows = [start + place for start in range(0, channels, group_size) for place in kept]
        stages[-1] = Stage(stages[-1].before, stages[-1].after[rows])
    return stages


def absolute_stage(channels: int) -> Stage:
    """Express ``|x| = relu(x) + relu(-x)`` as a stage.

    Args:
        channels: of x.
    """
    eye = torch.eye(channels, dtype=torch.float64)
    return Stage(torch.cat((eye, -eye)), torch.cat((eye, eye), 1))


def householder_stage(normals: Tensor) -> Stage:
    """Express ``x - 2 relu(v^T x) v`` on pairs x of adjacent channels, with x itself ``relu(x) - relu(-x)``.

    Args:
        normals: v of each pair, shape (channels / 2, 2).
    """
    v = torch.block_diag(*normals.detach().to("cpu", torch.float64)[:, None])
    eye = torch.eye(v.shape[1], dtype=torch.float64)
    return Stage(torch.cat((eye, -eye, v)), torch.cat((eye, -eye, -2 * v.T), 1))


def _comparisons(size: int) -> list[list[tuple[int, int]]]:
    """List the pairs of places that Batcher's merge exchange compares at the same time, stage by stage."""
    stages = []
    top = 1 << (size - 1).bit_length() >> 1
    p = top
    while p:
        # Places with bit p clear against those p further on, then those with bit p set against ever nearer ones.
        q, bit, distance = top, 0, p
        while True:
            stages.append([(i, i + distance) for i in range(size - distance) if i & p == bit])
            if q == p:
                break
            q, bit, distance = q >> 1, p, q - p
        p >>= 1
    return [pairs for pairs in stages if pairs]


def _stage(channels: int, group_size: int, pairs: list[tuple[int, int]]) -> Stage:
    before: list[dict[int, float]] = []
    after: list[dict[int, float]] = [{} for _ in range(channels)]

    def units(*rows: dict[int, float]) -> list[int]:
        before.extend(rows)
        return list(range(len(before) - len(rows), len(before)))

    compared = {place for pair in pairs for place in pair}
    for start in range(0, channels, group_size):
        for a, b in ((start + first, start + second) for first, second in pairs):
            up, down, plus, minus = units({a: 1, b: -1}, {a: -1, b: 1}, {b: 1}, {b: -1})
            after[a] = {plus: 1, minus: -1, down: -1}
            after[b] = {plus: 1, minus: -1, up: 1}
        for place in range(group_size):
            if place not in compared:
                plus, minus = units({start + place: 1}, {start + place: -1})
                after[start + place] = {plus: 1, minus: -1}
    return Stage(_matrix(before, channels), _matrix(after, len(before)))


def _matrix(rows: list[dict[int, float]], columns: int) -> Tensor:
    matrix = torch.zeros(len(rows), columns, dtype=torch.float64)
    for i, row in enumerate(rows):
        for j, value in row.items():
            matrix[i, j] = value
    return matrix
