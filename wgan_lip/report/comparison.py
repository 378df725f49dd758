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


def comparison_table(summaries: Sequence[Summary], name: str) -> Table:
    """Critics on pairs, for the terminal; estimates that prove nothing are marked by a question mark.

    Args:
        summaries: at least one.
        name: of the comparison.
    """
    table = Table(
        title=f"{name}: W1 on held-out samples; mean ± standard deviation over seeds", caption=_caption(summaries)
    )
    for heading in ("pair", "critic"):
        table.add_column(heading)
    for heading in ("estimate", "se", "truth", "exact", "cosine", "l2", "L ≤", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for i, s in enumerate(summaries):
        first = i == 0 or summaries[i - 1].pair != s.pair
        if first and i:
            table.add_section()
        estimate = "failed" if s.mean is None else f"{s.mean:.4f} ± {s.deviation:.4f}" + ("" if s.is_proven else " ?")
        if s.mean is not None and s.failed:
            estimate += f" ({s.failed} failed)"
        constant = "-" if s.certified is None else f"{s.certified:.7f}" if s.certified < 100 else f"{s.certified:.3g}"
        table.add_row(
            s.pair if first else "",
            s.critic,
            estimate,
            *(_number(value, 4) for value in (s.standard_error, s.truth, s.exact)),
            *(_number(value, 3) for value in (s.cosine, s.l2)),
            constant,
            _number(s.seconds, 1),
        )
    return table


def _caption(summaries: Sequence[Summary]) -> str | None:
    lines = []
    if any(s.mean is not None and not s.is_proven for s in summaries):
        lines.append(
            "? no proven bound: the critic is not certified to be 1-Lipschitz, and its raw estimate proves nothing"
        )
    lines += [f"{s.critic} on {s.pair}: {s.error}" for s in summaries if s.error]
    return "\n".join(lines) or None


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
    truth = next((s.truth for s in summaries if s.truth is not None), None)
    exact = next((s.exact for s in summaries if s.exact is not None), None)
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
    rows = [
        {"pair": o.cell.pair, "critic": o.cell.critic, "seed": o.cell.seed, **asdict(o.estimate), "seconds": o.seconds}
        for o in outcomes
    ]
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
