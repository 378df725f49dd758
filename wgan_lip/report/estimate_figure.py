"""The figure of one pair's estimator: what the critic proves, against the truth."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wgan_lip.report.estimate_history import EstimateRow
from wgan_lip.report.figures import draw_curve, step_axes


def estimate_figure(rows: Sequence[EstimateRow], title: str = "") -> Figure:
    """Estimated W1 over training, with two standard errors around it, the truth and the exact W1 of samples.

    Args:
        rows: at least one evaluation.
        title: above the axes.
    """
    figure, axes = step_axes("critic step", title)
    last = rows[-1]
    if last.truth is not None:
        error = 2 * (last.truth_standard_error or 0.0)
        axes.axhspan(last.truth - error, last.truth + error, color="0.85", lw=0, zorder=0)
        axes.axhline(last.truth, color="0.15", lw=1.2, label="truth: W1 of the distributions")
    if last.exact is not None:
        error = 2 * (last.exact_standard_error or 0.0)
        axes.axhspan(last.exact - error, last.exact + error, color="tab:blue", alpha=0.12, lw=0, zorder=0)
        axes.axhline(last.exact, color="tab:blue", ls="--", lw=1.2, label="exact W1 of a part of the samples")
    _draw(
        axes,
        rows,
        lambda row: (row.critic, row.standard_error),
        "tab:orange",
        "critic's certified estimate, ± 2 standard errors",
    )
    _draw(axes, rows, lambda row: (row.uncertified, row.uncertified_standard_error), "tab:red", "uncertified: no bound")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw(
    axes: Axes,
    rows: Sequence[EstimateRow],
    pick: Callable[[EstimateRow], tuple[float | None, float | None]],
    color: str,
    label: str,
) -> None:
    points = [
        (row.critic_step, value, error or 0.0) for row in rows for value, error in [pick(row)] if value is not None
    ]
    if points:
        steps, values, errors = (list(column) for column in zip(*points, strict=True))
        draw_curve(axes, steps, values, errors, label, color=color, marker="o", ms=3)
