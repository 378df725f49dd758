"""Figures over the steps of a training, and what all figures share."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wgan_lip.metrics import CLASSIFIER, DISTANCE, ESTIMATOR, GAN, Metric
from wgan_lip.replaced import replacing
from wgan_lip.report.ratios import Distance, Ratio, map_groups, ratio_to_floor
from wgan_lip.report.run_record import Row
from wgan_lip.robustness import Robustness

_ACCURACY = "accuracy on held-out images, %"
# Of the samples themselves, the critic's features, and further maps.
_PLACE_COLORS = ("tab:blue", "tab:purple", "tab:brown", "tab:olive", "tab:cyan")
_RADIUS_COLORS = ("tab:orange", "tab:red", "tab:purple", "tab:brown")


def w1_figure(rows: Sequence[Row], title: str = "") -> Figure:
    """A GAN's training in two parts: distances, and their ratios to the distance of real samples from real ones.

    Above: the exact W1, with the critic's bound, the distances of real samples and of generated ones from others of
    their kind, and the population bracket. The band between critic and exact value is the gap; the grey band, where the
    W1 of the distributions lies, at the confidence of each evaluation; it is drawn where its upper end is known. An
    estimate that proves nothing is drawn as far as it stays near the exact values.

    Below: the exact W1 over its noise floor, of the samples and behind each map (1: not told from real samples), and
    generated against generated over real against real (below 1: they vary less).

    Args:
        rows: at least one evaluation.
        title: above the axes.
    """
    places = {"w1": "samples", **map_groups(rows)}
    kinds: list[tuple[Distance, str, str]] = [("exact", "exact W1", "-"), ("generated_floor", "diversity", "--")]
    ratios = [
        (f"{what}, {place}", [ratio_to_floor(row, group, of) for row in rows], color, style)
        for of, what, style in kinds
        for (group, place), color in zip(places.items(), _PLACE_COLORS * len(places), strict=False)
    ]
    ratios = [one for one in ratios if any(one[1])]
    figure = Figure(figsize=(8, 7 if ratios else 4.5), layout="constrained")
    above = figure.add_subplot(2, 1, 1) if ratios else figure.add_subplot()
    _prepare(above, "generator step", DISTANCE, title)
    _draw_distances(above, rows)
    if ratios:
        below = figure.add_subplot(2, 1, 2)
        _prepare(below, "generator step", "ratio to real against real")
        below.axhline(1, color="0.35", lw=0.8)
        for label, found, color, style in ratios:
            _draw_ratios(below, [row.step for row in rows], found, label, color=color, ls=style)
        below.set_ylim(bottom=0)
        below.legend(loc="upper right", ncols=2, frameon=False, fontsize="small")
    above.legend(loc="upper right", ncols=2, frameon=False, fontsize="small")
    return figure


def _draw_distances(axes: Axes, rows: Sequence[Row]) -> None:
    steps = [row.step for row in rows]
    lower, upper, critic, exact = (
        _with_holes(row[f"w1/{name}"] for row in rows)
        for name in ("population_lower", "population_upper", "critic", "exact")
    )
    if not all(map(math.isnan, upper)):
        # W1 is never negative, whether or not a critic proves more.
        lower = [0.0 if math.isnan(value) else value for value in lower]
        label = "confidence bracket of the W1 of the distributions"
        axes.fill_between(steps, lower, upper, color="0.92", lw=0, zorder=0, label=label)
    if not all(map(math.isnan, critic)):
        axes.fill_between(steps, critic, exact, color="tab:blue", alpha=0.12, lw=0, label=GAN["w1/gap"].label)
    draw_curve(axes, rows, GAN["w1/exact"], color="tab:blue", marker="o", ms=3)
    if any(row["w1/exact_lower"] is not None for row in rows):
        low, high = (_with_holes(row[f"w1/exact_{end}"] for row in rows) for end in ("lower", "upper"))
        label = "proven to contain the exact W1 (time budget spent)"
        axes.vlines(steps, low, high, color="tab:blue", lw=3, label=label)
    draw_curve(axes, rows, GAN["w1_averaged/exact"], color="tab:green")
    draw_curve(axes, rows, GAN["w1/critic"], color="tab:orange", marker="o", ms=3)
    draw_curve(axes, rows, GAN["w1/critic_fitted"], color="tab:red", marker="^", ms=6)
    draw_curve(axes, rows, GAN["w1/uncertified"], color="tab:red", ls=":")
    draw_curve(axes, rows, GAN["w1/noise_floor"], color="0.35", ls="--")
    draw_curve(axes, rows, GAN["w1/generated_floor"], color="tab:brown", ls="--")
    known = [row[f"w1/{name}"] for row in rows for name in ("exact", "exact_upper", "noise_floor")]
    axes.set_ylim(
        bottom=1.05 * min([0.0, *(value for value in critic if not math.isnan(value))]),
        top=1.05 * max(value for value in known if value is not None),
    )


def _draw_ratios(
    axes: Axes, steps: Sequence[int], ratios: Sequence[Ratio | None], label: str, *, color: str, ls: str
) -> None:
    ends = [(one and one.spread) or (math.nan, math.nan) for one in ratios]
    axes.fill_between(steps, [low for low, _ in ends], [high for _, high in ends], color=color, alpha=0.2, lw=0)
    values = [math.nan if one is None else one.value for one in ratios]
    axes.plot(steps, values, color=color, ls=ls, label=label)


def estimate_figure(rows: Sequence[Row], title: str = "") -> Figure:
    """Estimated W1 of a pair over training, with two standard errors around it, the truth and the exact W1 of samples.

    Args:
        rows: at least one evaluation.
        title: above the axes.
    """
    figure, axes = new_axes("critic step", DISTANCE, title)
    for name, color, style in (("w1/truth", "0.15", "-"), ("w1/exact", "tab:blue", "--")):
        metric, last = ESTIMATOR[name], rows[-1]
        if (value := last[name]) is not None:
            axes.axhline(value, color=color, ls=style, lw=1.2, label=metric.label)
            axes.axhspan(*(last.spread(metric) or (value, value)), color=color, alpha=0.15, lw=0, zorder=0)
    draw_curve(axes, rows, ESTIMATOR["w1/critic"], color="tab:orange", marker="o", ms=3)
    draw_curve(axes, rows, ESTIMATOR["w1/uncertified"], color="tab:red", marker="o", ms=3)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    add_legend(figure, axes)
    return figure


def accuracy_figure(rows: Sequence[Row], title: str = "") -> Figure:
    """Clean and certified accuracy over a classifier's training, with their confidence intervals.

    Args:
        rows: at least one evaluation.
        title: above the axes.
    """
    figure, axes = new_axes("classifier step", _ACCURACY, title)
    draw_curve(axes, rows, CLASSIFIER["accuracy/clean"], 100, color="tab:blue", marker="o", ms=3)
    for i, metric in enumerate(certified_accuracies(rows)):
        color = _RADIUS_COLORS[i % len(_RADIUS_COLORS)]
        draw_curve(axes, rows, metric, 100, color=color, marker="o", ms=3)
    axes.set_ylim(0, 100)
    add_legend(figure, axes, 4)
    return figure


def certified_accuracies(rows: Sequence[Row]) -> list[Metric]:
    """The metrics of certified accuracy at the radii of the last evaluation, ascending.

    Args:
        rows: at least one evaluation.
    """
    metric = CLASSIFIER["accuracy/certified_*"]
    beginning = metric.name.removesuffix("*")
    radii = {
        name.removeprefix(beginning)
        for name in rows[-1].values
        if name.startswith(beginning) and not name.endswith(("_low", "_high"))
    }
    return [metric.of(radius) for radius in sorted(radii, key=float)]


def certified_curve(robustness: Robustness, title: str = "") -> Figure:
    """Share of the images that are certified at each radius, and of those that withstood attacks.

    Args:
        robustness: what was measured; its radii make the curve, its accuracies the points, with their intervals.
        title: above the axes.
    """
    figure, axes = new_axes(f"radius in {robustness.norm}, pixels in [0, 1]", _ACCURACY, title)
    clean = robustness.clean
    axes.axhspan(100 * clean.low, 100 * clean.high, color="0.9", lw=0, zorder=0)
    axes.axhline(100 * clean.value, color="0.35", ls="--", label="clean")
    if robustness.certificate is not None:
        positive = robustness.radii[robustness.radii > 0].sort().values
        finite = positive[torch.isfinite(positive)]
        # An image is certified at all radii below its own.
        shares = 100 * (len(positive) - torch.arange(len(finite) + 1)) / len(robustness.radii)
        axes.step([0.0, *finite.tolist()], shares.tolist(), where="post", color="tab:orange", label="certified")
    for name, color, marker in (("pgd", "tab:blue", "o"), ("fgsm", "tab:green", "s")):
        shown = [(row.eps, share) for row in robustness.at if (share := getattr(row, name)) is not None]
        if shown:
            errors = [[100 * (s.value - s.low) for _, s in shown], [100 * (s.high - s.value) for _, s in shown]]
            style: dict[str, Any] = {"color": color, "fmt": marker, "ms": 4, "capsize": 2}
            values = [100 * s.value for _, s in shown]
            axes.errorbar([eps for eps, _ in shown], values, errors, label=f"withstood {name.upper()}", **style)
    axes.set_ylim(0, 100)
    axes.set_xlim(left=0)
    add_legend(figure, axes, 4)
    return figure


def draw_curve(axes: Axes, rows: Sequence[Row], metric: Metric, scale: float = 1, *, color: str, **style: Any) -> None:
    """Draw a metric with its confidence interval or two standard errors; nothing if it was never logged.

    Args:
        axes: where.
        rows: along; a row without the metric leaves a hole.
        metric: of the run.
        scale: factor of the values: 100 makes shares percentages.
        color: of curve and interval.
        style: of the line, as ``Axes.plot`` takes it.
    """
    if all(row[metric.name] is None for row in rows):
        return
    steps = [row.step for row in rows]
    ends = [row.spread(metric) or (math.nan, math.nan) for row in rows]
    has_spread = not all(math.isnan(low) for low, _ in ends)
    if has_spread:
        low, high = ([scale * pair[i] for pair in ends] for i in range(2))
        axes.fill_between(steps, low, high, color=color, alpha=0.2, lw=0)
    label = f"{metric.label}, ± 2 standard errors" if has_spread and metric.error else metric.label
    values = [scale * value for value in _with_holes(row[metric.name] for row in rows)]
    axes.plot(steps, values, color=color, label=label, **style)


def _with_holes(values: Iterable[float | None]) -> list[float]:
    """NaN where a value is not known."""
    return [math.nan if value is None else value for value in values]


def new_axes(xlabel: str, ylabel: str, title: str) -> tuple[Figure, Axes]:
    """A figure with one pair of axes.

    Args:
        xlabel: below the axes.
        ylabel: beside them.
        title: above them; "" for none.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    _prepare(axes, xlabel, ylabel, title)
    return figure, axes


def _prepare(axes: Axes, xlabel: str, ylabel: str, title: str = "") -> None:
    axes.axhline(0, color="0.7", lw=0.8, zorder=0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.margins(x=0.02)
    strip_axes(axes)
    if title:
        axes.set_title(title, loc="left")


def strip_axes(axes: Axes, grid: str = "both") -> None:
    """Draw a faint grid, and no line above or to the right.

    Args:
        axes: of any figure.
        grid: "both", "x" or "y".
    """
    axes.grid(axis=grid, alpha=0.25)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def add_legend(figure: Figure, axes: Axes, columns: int = 2) -> None:
    """Add the legend below the axes.

    Args:
        figure: of the axes.
        axes: whose labels it shows.
        columns: of the legend.
    """
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns, frameon=False)


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
