"""The figure and the table of a classifier's run: accuracy, clean and certified."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from wgan_lip.report.figures import step_axes
from wgan_lip.report.records import read_evaluations
from wgan_lip.report.table import left_out, shown_rows

_CERTIFIED = "accuracy/certified_"


@dataclass(frozen=True)
class Share:
    """An accuracy and its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AccuracyRow:
    """One evaluation, as logged by ``CertifiedAccuracy``.

    Attributes:
        step: of the classifier.
        clean: accuracy.
        certified: accuracy by radius; empty where nothing is proven.
        bound: the network's certified Lipschitz constant, if any.
    """

    step: int
    clean: Share
    certified: dict[float, Share]
    bound: float | None


def read_accuracies(metrics_csv: Path) -> list[AccuracyRow]:
    """The evaluations of a run, in the order of their steps.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.

    Raises:
        ValueError: the file holds no evaluation, or is damaged.
        OSError: it cannot be read.
    """
    rows = read_evaluations(metrics_csv, "accuracy/clean", _row)
    return sorted(rows, key=lambda row: row.step)


def accuracy_figure(rows: Sequence[AccuracyRow], title: str = "") -> Figure:
    """Clean and certified accuracy over training, with their confidence intervals.

    Args:
        rows: at least one evaluation.
        title: above the axes.
    """
    figure, axes = step_axes("classifier step", title)
    axes.set_ylabel("accuracy on held-out images, %")
    curves = {"clean": ([(row.step, row.clean) for row in rows], "tab:blue")}
    radii = sorted(rows[-1].certified)
    for i, eps in enumerate(radii):
        color = ("tab:orange", "tab:red", "tab:purple", "tab:brown")[i % 4]
        known = [(row.step, row.certified[eps]) for row in rows if eps in row.certified]
        curves[f"certified at {eps:g}"] = (known, color)
    for label, (points, color) in curves.items():
        along = [step for step, _ in points]
        low, value, high = ([100 * getattr(s, name) for _, s in points] for name in ("low", "value", "high"))
        axes.fill_between(along, low, high, color=color, alpha=0.2, lw=0)
        axes.plot(along, value, color=color, marker="o", ms=3, label=label)
    axes.set_ylim(0, 100)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def accuracy_table(rows: Sequence[AccuracyRow], name: str) -> Table:
    """The shown evaluations of a run, as a table for the terminal; percentages with half the interval's width.

    Args:
        rows: at least one evaluation.
        name: of the experiment.
    """
    radii = sorted(rows[-1].certified)
    table = Table(title=f"{name}: accuracy on held-out images, %", caption=left_out(len(rows)))
    for heading in ("step", "clean", *(f"certified {eps:g}" for eps in radii), "L ≤"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in shown_rows(rows):
        certified = [_percent(row.certified[eps]) if eps in row.certified else "-" for eps in radii]
        bound = "-" if row.bound is None else format(row.bound, ".7f" if row.bound < 100 else ".3g")
        table.add_row(str(row.step), _percent(row.clean), *certified, bound)
    return table


def _percent(share: Share) -> str:
    return f"{100 * share.value:.2f} ± {50 * (share.high - share.low):.2f}"


def _row(record: dict[str, str]) -> AccuracyRow:
    def share(name: str) -> Share:
        return Share(*(float(record[name + end]) for end in ("", "_low", "_high")))

    radii = [
        key.removeprefix(_CERTIFIED)
        for key, value in record.items()
        if key.startswith(_CERTIFIED) and value and not key.endswith(("_low", "_high"))
    ]
    bound = record.get("lipschitz/certified")
    return AccuracyRow(
        step=int(record["classifier_step"]),
        clean=share("accuracy/clean"),
        certified={float(eps): share(_CERTIFIED + eps) for eps in radii},
        bound=float(bound) if bound else None,
    )
