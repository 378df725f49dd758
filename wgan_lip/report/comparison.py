"""A comparison of critics as a table, a figure and CSV files."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.table import Table

from wgan_lip.comparison import Outcome, Summary

_PROVEN, _UNPROVEN = "tab:orange", "0.5"


def comparison_tables(summaries: Sequence[Summary], name: str) -> list[Table]:
    """A table for each pair, for the terminal; estimates that prove nothing are marked by a question mark.

    Args:
        summaries: at least one.
        name: of the comparison.
    """
    pairs = dict.fromkeys(s.pair for s in summaries)
    return [_table([s for s in summaries if s.pair == pair], f"{name}: {pair}") for pair in pairs]


def _table(summaries: Sequence[Summary], title: str) -> Table:
    table = Table(title=title, caption=_caption(summaries), caption_justify="left")
    table.add_column("critic")
    for heading in ("estimate", "se", "cosine", "l2", "L ≤", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for s in summaries:
        estimate = "failed" if s.mean is None else f"{s.mean:.4f} ± {s.deviation:.4f}" + ("" if s.is_proven else " ?")
        constant = "-" if s.certified is None else f"{s.certified:.7f}" if s.certified < 100 else f"{s.certified:.3g}"
        numbers = (_number(s.standard_error, 4), _number(s.cosine, 3), _number(s.l2, 3))
        table.add_row(s.critic, estimate, *numbers, constant, _number(s.seconds, 1))
    return table


def _caption(summaries: Sequence[Summary]) -> str:
    """What all critics of one pair have in common, and what is to be said of some."""
    truth, exact = _shared(summaries, "truth"), _shared(summaries, "exact")
    known = [f"truth {truth:.4f}"] if truth is not None else []
    known += [f"exact W1 of samples {exact:.4f}"] if exact is not None else []
    lines = ["mean ± standard deviation over seeds, se: sampling error of one", ", ".join(known)]
    if any(s.mean is not None and not s.is_proven for s in summaries):
        lines.append("? not certified to be 1-Lipschitz: the estimate proves nothing")
    lines += [f"{s.critic}: {s.failed} failed: {s.error}" for s in summaries if s.error]
    return "\n".join(line for line in lines if line)


def _shared(summaries: Sequence[Summary], name: str) -> float | None:
    return next((value for s in summaries if (value := getattr(s, name)) is not None), None)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def comparison_figure(summaries: Sequence[Summary], name: str) -> Figure:
    """A panel for each pair: the critics' estimates, each seed a dot, against truth and exact W1 of samples.

    Args:
        summaries: at least one.
        name: of the comparison.
    """
    pairs = list(dict.fromkeys(s.pair for s in summaries))
    most = max(sum(s.pair == pair for s in summaries) for pair in pairs)
    columns = min(len(pairs), 3)
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(2.2 + 3.6 * columns, rows * (1.0 + 0.34 * most) + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, pair in zip(axes, pairs, strict=False):
        _panel(panel, [s for s in summaries if s.pair == pair], pair)
    for panel in axes[len(pairs) :]:
        panel.set_visible(False)
    figure.suptitle(name, x=0.01, ha="left")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def _panel(axes: Axes, summaries: Sequence[Summary], title: str) -> None:
    for i, s in enumerate(summaries):
        colour = _PROVEN if s.is_proven else _UNPROVEN
        if s.mean is None:
            axes.text(0.02, i, "failed", color="tab:red", transform=axes.get_yaxis_transform(), va="center")
            continue
        axes.errorbar(
            s.mean, i, xerr=s.deviation, fmt="o" if s.is_proven else "s", ms=6, color=colour, capsize=3, zorder=3
        )
        axes.plot(s.estimates, [i] * len(s.estimates), "|", ms=12, color=colour, alpha=0.6, zorder=2)
    truth, exact = _shared(summaries, "truth"), _shared(summaries, "exact")
    if truth is not None:
        axes.axvline(truth, color="0.15", lw=1.2, zorder=1)
    if exact is not None:
        axes.axvline(exact, color="tab:blue", lw=1.2, ls="--", zorder=1)
    axes.set_yticks(range(len(summaries)), [s.critic for s in summaries])
    axes.set_ylim(len(summaries) - 0.5, -0.5)
    axes.set_xlabel("estimate of W1")
    axes.set_title(title, loc="left", fontsize="medium")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=_PROVEN, marker="o", ls="", label="proven lower bound"),
        Line2D([], [], color=_UNPROVEN, marker="s", ls="", label="no proven bound"),
        Line2D([], [], color="0.15", lw=1.2, label="truth"),
        Line2D([], [], color="tab:blue", lw=1.2, ls="--", label="exact W1 of samples"),
    ]


def write_outcomes(outcomes: Iterable[Outcome], path: Path) -> None:
    """One row for each finished cell.

    Args:
        outcomes: finished cells.
        path: a CSV file, which is replaced.
    """
    rows = []
    for outcome in outcomes:
        cell, values = outcome.cell, asdict(outcome.estimate)
        # Both a critic's name and its estimate are called critic, both trainings and scorings take seconds.
        labels = {"pair": cell.pair, "critic": cell.critic, "seed": cell.seed, "estimate": values.pop("critic")}
        rows.append({**labels, **values, "seconds": outcome.seconds})
    _write(path, list(rows[0]) if rows else ["pair", "critic", "seed"], rows)


def write_summaries(summaries: Sequence[Summary], path: Path) -> None:
    """One row for each critic on each pair.

    Args:
        summaries: any number.
        path: a CSV file, which is replaced.
    """
    names = [field.name for field in fields(Summary) if field.name != "estimates"]
    _write(path, names, [{name: getattr(s, name) for name in names} for s in summaries])


def _write(path: Path, columns: list[str], rows: list[dict[str, object]]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)
