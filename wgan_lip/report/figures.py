"""The figure that tells a run's story: the critic's proven estimate against the exact W1."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    critic = _curve(rows, "critic")
    lower, upper = _curve(rows, "population_lower"), _curve(rows, "population_upper")
    figure, axes = step_axes("generator step", title)
    if upper:
        # W1 is never negative, whether or not a critic proves more.
        axes.fill_between(steps, lower or [0.0] * len(steps), upper, color="0.92", lw=0, zorder=0, label=_BRACKET)
    if critic:
        axes.fill_between(steps, critic, exact, color="tab:blue", alpha=0.12, lw=0, label="gap")
    axes.plot(steps, exact, color="tab:blue", marker="o", ms=3, label="exact W1 of the samples (proven)")
    if any(row.exact_lower is not None for row in rows):
        ends = _with_holes(rows, "exact_lower"), _with_holes(rows, "exact_upper")
        axes.vlines(steps, *ends, color="tab:blue", lw=3, label=_CUT_SHORT)
    if not all(map(math.isnan, averaged)):
        axes.plot(steps, averaged, color="tab:green", label="exact W1, averaged generator")
    if critic:
        axes.plot(steps, critic, color="tab:orange", marker="o", ms=3, label="critic's certified lower bound")
    if not all(map(math.isnan, uncertified)):
        axes.plot(steps, uncertified, color="tab:red", ls=":", label="critic's estimate, which proves nothing")
    axes.plot(steps, floor, color="0.35", ls="--", label="noise floor: real against real, same n")
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
    """Write a figure as PNG."""
    figure.savefig(path, dpi=150)
