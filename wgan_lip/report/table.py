"""The short tables at the end of a run."""

from collections.abc import Sequence
from typing import TypeVar

from rich.table import Table

from wgan_lip.report.estimate_history import EstimateRow
from wgan_lip.report.history import Row

AnyRow = TypeVar("AnyRow")


def shown_rows(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """The evaluations at the start, each quarter, and the end of a run."""
    return [rows[i] for i in sorted({quarter * (len(rows) - 1) // 4 for quarter in range(5)})]


def w1_table(rows: Sequence[Row]) -> Table:
    """The shown evaluations of a run, as a table for the terminal.

    Args:
        rows: at least one evaluation.
    """
    title = "W1 of generated against held-out real samples, by generator step"
    table = _table(title, ("step", "exact W1", "floor", "exact/floor", "critic ≥", "population", "L ≤"))
    for row in shown_rows(rows):
        table.add_row(
            f"{row.generator_step}",
            f"{row.exact:.4f}",
            f"{row.noise_floor:.4f}",
            f"{row.exact / row.noise_floor:.3f}" if row.noise_floor > 0 else "-",
            f"{row.critic:.4f}",
            f"{row.population_lower:.2f} - {row.population_upper:.2f}",
            f"{row.certified:.7f}",
        )
    return table


def estimate_table(rows: Sequence[EstimateRow], name: str) -> Table:
    """The shown evaluations of one pair's estimator, with truth and exact W1 below them.

    Args:
        rows: at least one evaluation.
        name: of the experiment.
    """
    # A column for what some critics lack, or alone have, is there only where it has something to say.
    columns = {
        "step": [f"{row.critic_step}" for row in shown_rows(rows)],
        "critic ≥": [_with_error(row.critic, row.standard_error) for row in shown_rows(rows)],
        "uncertified": [_with_error(row.uncertified, row.uncertified_standard_error) for row in shown_rows(rows)],
        "error": [_number(row.error, "+.4f") for row in shown_rows(rows)],
        "gap": [_number(row.gap, ".4f") for row in shown_rows(rows)],
        "L ≤": [_number(row.certified, ".7f" if (row.certified or 0) < 100 else ".3g") for row in shown_rows(rows)],
        "cosine": [_number(row.cosine, ".3f") for row in shown_rows(rows)],
        "l2": [_number(row.l2, ".3f") for row in shown_rows(rows)],
    }
    columns = {heading: cells for heading, cells in columns.items() if any(cells)}
    table = _table(f"{name}: W1 on held-out samples", tuple(columns))
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*(cell or "-" for cell in cells))
    table.caption = _caption(rows[-1])
    return table


def _caption(row: EstimateRow) -> str:
    parts = []
    if row.truth is not None:
        parts.append("truth " + _with_error(row.truth, row.truth_standard_error or None))
    if row.exact is not None:
        parts.append(f"exact W1 of samples {row.exact:.4f} (noise floor {row.noise_floor:.4f})")
    return ", ".join(parts)


def _with_error(value: float | None, error: float | None) -> str:
    return _number(value, ".4f") + (f" ± {error:.4f}" if value is not None and error is not None else "")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
