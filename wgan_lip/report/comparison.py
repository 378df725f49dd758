"""Comparisons of critics as tables, a figure and CSV files."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.table import Table

from wgan_lip.comparison import Outcome, Summary
from wgan_lip.replaced import replace_text
from wgan_lip.report.figures import strip_axes
from wgan_lip.report.tables import lipschitz_cell, plus_minus

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
        numbers = (_number(s.standard_error, 4), _number(s.cosine, 3), _number(s.l2, 3))
        table.add_row(s.critic, estimate, *numbers, lipschitz_cell(s.certified) or "-", _number(s.seconds, 1))
    return table


def _caption(summaries: Sequence[Summary]) -> str:
    """The references that all critics of one pair share, and remarks on some critics."""
    lines = ["mean ± standard deviation over seeds, se: sampling error of one", ", ".join(_references(summaries))]
    if any(s.mean is not None and not s.is_proven for s in summaries):
        lines.append("? no proven bound: not certified to be 1-Lipschitz, the raw estimate proves nothing")
    lines += [f"{s.critic}: {s.failed} failed: {s.error}" for s in summaries if s.error]
    return "\n".join(line for line in lines if line)


def _references(summaries: Sequence[Summary]) -> list[str]:
    truth, exact = _shared(summaries, "truth"), _shared(summaries, "exact")
    known = [f"truth {truth:.4f}"] if truth is not None else []
    exact_text = plus_minus(exact, _shared(summaries, "exact_standard_error"))
    return known + ([f"exact W1 of samples {exact_text}"] if exact_text else [])


def _shared(summaries: Sequence[Summary], name: str) -> float | None:
    return next((value for s in summaries if (value := getattr(s, name)) is not None), None)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def comparison_figure(summaries: Sequence[Summary], name: str) -> Figure:
    """Draw, for each pair, the critics' estimates against truth and exact W1 of samples; a stroke for each seed.

    Beside the estimates: the cosine between the gradients and those of an optimal potential, where one is known, and
    as numbers their squared distance, the certified constant and the seconds.

    Args:
        summaries: at least one.
        name: of the comparison.
    """
    pairs = list(dict.fromkeys(s.pair for s in summaries))
    most = max(sum(s.pair == pair for s in summaries) for pair in pairs)
    columns = min(len(pairs), 2)
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(1.0 + 7.4 * columns, rows * (1.1 + 0.3 * most) + 0.9), layout="constrained")
    axes = figure.subplots(rows, 3 * columns, squeeze=False, width_ratios=columns * [3, 1.4, 1.2]).flatten()
    for i, pair in enumerate(pairs):
        found = [s for s in summaries if s.pair == pair]
        _panel(axes[3 * i], found, pair)
        _cosines(axes[3 * i + 1], found)
        _numbers(axes[3 * i + 2], found)
    for panel in axes[3 * len(pairs) :]:
        panel.set_visible(False)
    figure.suptitle(name, x=0.01, ha="left")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def _panel(axes: Axes, summaries: Sequence[Summary], title: str) -> None:
    for i, s in enumerate(summaries):
        if s.mean is None:
            axes.text(0.02, i, "failed", color="tab:red", transform=axes.get_yaxis_transform(), va="center")
            continue
        colour, marker = _style(s)
        axes.errorbar(s.mean, i, xerr=s.deviation, fmt=marker, ms=6, color=colour, capsize=3, zorder=3)
        axes.plot(s.estimates, [i] * len(s.estimates), "|", ms=12, color=colour, alpha=0.6, zorder=2)
    truth, exact = _shared(summaries, "truth"), _shared(summaries, "exact")
    if truth is not None:
        axes.axvline(truth, color="0.15", lw=1.2, zorder=1)
    # In high dimension it is far above all other values; drawing it would compress them, so only the title has it.
    others = [abs(value) for value in (truth, *(s.mean for s in summaries)) if value is not None]
    if exact is not None and exact <= 2 * max(others, default=exact):
        axes.axvline(exact, color="tab:blue", lw=1.2, ls="--", zorder=1)
    _rows(axes, len(summaries))
    axes.set_yticks(range(len(summaries)), [s.critic for s in summaries])
    axes.set_xlabel("estimate of W1")
    axes.set_title("; ".join([title, *_references(summaries)]), loc="left", fontsize="medium")


def _cosines(axes: Axes, summaries: Sequence[Summary]) -> None:
    for i, s in enumerate(summaries):
        if s.cosine is not None:
            colour, marker = _style(s)
            axes.plot(s.cosine, i, marker, ms=5, color=colour, zorder=3)
    _rows(axes, len(summaries))
    axes.set_yticks([])
    cosines = [s.cosine for s in summaries if s.cosine is not None]
    if cosines:
        axes.set_xlim(min(*cosines, 0.9) - 0.05, 1.02)
    else:
        axes.set_xticks([])
    axes.set_xlabel("gradients' cosine")


def _numbers(axes: Axes, summaries: Sequence[Summary]) -> None:
    """Write a column for each number that is not drawn."""
    axes.set_axis_off()
    axes.set_ylim(len(summaries) - 0.5, -0.5)
    columns = {
        "l2": [_number(s.l2, 2) for s in summaries],
        "L ≤": ["-" if s.certified is None else f"{s.certified:.3g}" for s in summaries],
        "s": [_number(s.seconds, 1) for s in summaries],
    }
    for place, (heading, texts) in zip((0.2, 0.7, 1.0), columns.items(), strict=True):
        style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "fontsize": "small"}
        axes.text(place, -0.55, heading, va="bottom", **style)
        for i, text in enumerate(texts):
            axes.text(place, i, text, va="center", **style)


def _style(summary: Summary) -> tuple[str, str]:
    return (_PROVEN, "o") if summary.is_proven else (_UNPROVEN, "s")


def _rows(axes: Axes, count: int) -> None:
    """Put the first row at the top."""
    axes.set_ylim(count - 0.5, -0.5)
    strip_axes(axes, "x")


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=_PROVEN, marker="o", ls="", label="proven lower bound"),
        Line2D([], [], color=_UNPROVEN, marker="s", ls="", label="no proven bound"),
        Line2D([], [], color="0.15", lw=1.2, label="truth"),
        Line2D([], [], color="tab:blue", lw=1.2, ls="--", label="exact W1 of samples"),
    ]


def write_outcomes(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write one row for each finished cell.

    Args:
        outcomes: finished cells.
        path: a CSV file, which is replaced.
    """
    rows = []
    for outcome in outcomes:
        cell, values = outcome.cell, asdict(outcome.estimate)
        # The columns critic and seconds are the critic's name and the time of training; the estimate has both, too.
        labels = {"pair": cell.pair, "critic": cell.critic, "seed": cell.seed, "estimate": values.pop("critic")}
        rows.append({**labels, **values, "seconds": outcome.seconds})
    _write(path, list(rows[0]) if rows else ["pair", "critic", "seed"], rows)


def write_summaries(summaries: Sequence[Summary], path: Path) -> None:
    """Write one row for each critic on each pair.

    Args:
        summaries: any number.
        path: a CSV file, which is replaced.
    """
    names = [field.name for field in fields(Summary) if field.name != "estimates"]
    _write(path, names, [{name: getattr(s, name) for name in names} for s in summaries])


def _write(path: Path, columns: list[str], rows: list[dict[str, object]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    replace_text(path, text.getvalue())
