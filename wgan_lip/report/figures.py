"""The figure that tells a run's story: the critic's proven estimate against the exact W1."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wgan_lip.replaced import replacing
from wgan_lip.report.history import Row

_CUT_SHORT = "proven to contain the exact W1 (time budget spent)"
_BRACKET = "confidence bracket of the W1 of the distributions"


def w1_figure(rows: Sequence[Row], title: str = "") -> Figure:
    """Estimated against exact W1 over training, with the noise floor and the population bracket.

    The band between critic and exact value is the gap. The noise floor is the exact W1 of real
    samples against real ones at the same n: what a perfect generator would score. The grey band is where
    the W1 of the distributions lies, at the confidence of each evaluation; drawn where it has an upper end. An estimate
    that proves nothing is drawn as far as it stays near the exact values.

    Args:
        rows: at least one evaluation.
        title: above the axes.
    """
    steps = [row.generator_step for row in rows]
    # What is not known leaves a hole in its curve. A critic may begin with a constant below 1, of which all is proven.
    exact, uncertified = _with_holes(rows, "exact"), _with_holes(rows, "uncertified")
    averaged, floor = _with_holes(rows, "averaged"), _with_holes(rows, "noise_floor")
    exact_error, averaged_error, floor_error = (
        _with_holes(rows, f"{name}_standard_error") for name in ("exact", "averaged", "noise_floor")
    )
    critic = _curve(rows, "critic")
    lower, upper = _curve(rows, "population_lower"), _curve(rows, "population_upper")
    figure, axes = step_axes("generator step", title)
    if upper:
        # W1 is never negative, whether or not a critic proves more.
        axes.fill_between(steps, lower or [0.0] * len(steps), upper, color="0.92", lw=0, zorder=0, label=_BRACKET)
    if critic:
        axes.fill_between(steps, critic, exact, color="tab:blue", alpha=0.12, lw=0, label="gap")
    label = "exact W1 of the samples (proven)"
    if not all(map(math.isnan, exact_error)):
        label = "exact W1 (proven), ± 2 standard errors"
    draw_curve(axes, steps, exact, exact_error, label, color="tab:blue", marker="o", ms=3)
    if any(row.exact_lower is not None for row in rows):
        ends = _with_holes(rows, "exact_lower"), _with_holes(rows, "exact_upper")
        axes.vlines(steps, *ends, color="tab:blue", lw=3, label=_CUT_SHORT)
    if not all(map(math.isnan, averaged)):
        draw_curve(axes, steps, averaged, averaged_error, "exact W1, averaged generator", color="tab:green")
    if critic:
        axes.plot(steps, critic, color="tab:orange", marker="o", ms=3, label="critic's certified lower bound")
    if not all(map(math.isnan, uncertified)):
        axes.plot(steps, uncertified, color="tab:red", ls=":", label="critic's estimate, which proves nothing")
    draw_curve(axes, steps, floor, floor_error, "noise floor: real against real, same n", color="0.35", ls="--")
    known = [value for row in rows for value in (row.exact, row.exact_upper, row.noise_floor) if value is not None]
    axes.set_ylim(bottom=1.05 * min([0.0, *critic]), top=1.05 * max(known))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _with_holes(rows: Sequence[Row], name: str) -> list[float]:
    """The values of one field, NaN where it is not known."""
    values = [getattr(row, name) for row in rows]
    return [math.nan if value is None else value for value in values]


def _curve(rows: Sequence[Row], name: str) -> list[float]:
    """The values of one field; none at all where a row lacks it."""
    values = [getattr(row, name) for row in rows]
    return [] if None in values else values


def draw_curve(
    axes: Axes,
    steps: Sequence[int],
    values: Sequence[float],
    errors: Sequence[float],
    label: str,
    *,
    color: str,
    **style: Any,
) -> None:
    """A curve with two standard errors on either side.

    Args:
        axes: where.
        steps: along.
        values: NaN leaves a hole.
        errors: standard errors; where one is NaN nothing is drawn beside the curve.
        label: in the legend.
        color: of both.
        style: of the line, as ``Axes.plot`` takes it.
    """
    if not all(map(math.isnan, errors)):
        low, high = ([value + side * error for value, error in zip(values, errors, strict=True)] for side in (-2, 2))
        axes.fill_between(steps, low, high, color=color, alpha=0.2, lw=0)
    axes.plot(steps, values, color=color, label=label, **style)


def step_axes(xlabel: str, title: str) -> tuple[Figure, Axes]:
    """Axes for distances over training steps.

    Args:
        xlabel: what the steps are.
        title: above the axes; "" for none.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="0.7", lw=0.8, zorder=0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel("Wasserstein-1 distance")
    axes.margins(x=0.02)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if title:
        axes.set_title(title, loc="left")
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the file's suffix names.

    Args:
        figure: to be drawn.
        path: of the file, which is replaced.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix.removeprefix("."), dpi=150)
