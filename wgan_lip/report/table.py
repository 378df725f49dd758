"""The short tables at the end of a run."""

import math
from collections.abc import Sequence
from typing import TypeVar

from rich.table import Table

from wgan_lip.report.estimate_history import EstimateRow
from wgan_lip.report.history import Row

_WIDTH = 80
AnyRow = TypeVar("AnyRow")
_SHOWN = 5


def shown_rows(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """The evaluations at the start, each quarter, and the end of a run."""
    return [rows[i] for i in sorted({part * (len(rows) - 1) // (_SHOWN - 1) for part in range(_SHOWN)})]


def left_out(evaluations: int) -> str | None:
    """What is said below a table of ``shown_rows`` if these are not all.

    Args:
        evaluations: how many there are.
    """
    return f"{_SHOWN} of {evaluations} evaluations; all are in metrics.csv" if evaluations > _SHOWN else None


def w1_table(rows: Sequence[Row]) -> Table:
    """The shown evaluations of a run, as a table for the terminal.

    Args:
        rows: at least one evaluation.
    """
    shown = shown_rows(rows)
    columns = {
        "step": [f"{row.generator_step}" for row in shown],
        "exact W1": [
            plus_minus(row.exact, row.exact_standard_error, 3) or _bracket(row.exact_lower, row.exact_upper)
            for row in shown
        ],
        "averaged": [plus_minus(row.averaged, row.averaged_standard_error, 3) for row in shown],
        "floor": [plus_minus(row.noise_floor, row.noise_floor_standard_error, 3) for row in shown],
        "exact/floor": [f"{row.exact / row.noise_floor:.3f}" if row.exact and row.noise_floor else "" for row in shown],
        "critic ≥": [_number(row.critic, ".4f") for row in shown],
        "uncertified": [_number(row.uncertified, ".4g") for row in shown],
        "population": [_bracket(row.population_lower, row.population_upper) for row in shown],
        "L ≤": [_number(row.certified, ".7f" if (row.certified or 0) < 100 else ".3g") for row in shown],
    }
    return _filled(
        "W1 of generated against held-out real samples, by generator step",
        columns,
        ("population", "averaged", "exact/floor"),
        len(rows),
    )


def _bracket(lower: float | None, upper: float | None) -> str:
    return "" if lower is None and upper is None else f"{lower or 0:.2f} - {_number(upper, '.2f') or 'inf'}"


def estimate_table(rows: Sequence[EstimateRow], name: str) -> Table:
    """The shown evaluations of one pair's estimator, with truth and exact W1 below them.

    Args:
        rows: at least one evaluation.
        name: of the experiment.
    """
    columns = {
        "step": [f"{row.critic_step}" for row in shown_rows(rows)],
        "critic ≥": [plus_minus(row.critic, row.standard_error) for row in shown_rows(rows)],
        "uncertified": [plus_minus(row.uncertified, row.uncertified_standard_error) for row in shown_rows(rows)],
        "error": [_number(row.error, "+.4f") for row in shown_rows(rows)],
        "gap": [_number(row.gap, ".4f") for row in shown_rows(rows)],
        "L ≤": [_number(row.certified, ".7f" if (row.certified or 0) < 100 else ".3g") for row in shown_rows(rows)],
        "cosine": [_number(row.cosine, ".3f") for row in shown_rows(rows)],
        "l2": [_number(row.l2, ".3f") for row in shown_rows(rows)],
    }
    table = _filled(f"{name}: W1 on held-out samples", columns)
    table.caption = ". ".join(filter(None, (_caption(rows[-1]), left_out(len(rows)))))
    widen_for_caption(table)
    return table


def widen_for_caption(table: Table) -> None:
    """Make a narrow table as wide as its caption, or as a terminal, so that the caption is not broken into many lines.

    Args:
        table: its columns are there.
    """
    longest = max(map(len, str(table.caption or "").splitlines()), default=0)
    table.min_width = min(_WIDTH, longest)


def _caption(row: EstimateRow) -> str:
    parts = []
    if row.truth is not None:
        parts.append("truth " + plus_minus(row.truth, row.truth_standard_error or None))
    if row.exact is not None:
        exact = plus_minus(row.exact, row.exact_standard_error)
        floor = plus_minus(row.noise_floor, row.noise_floor_standard_error)
        parts.append(f"exact W1 of samples {exact} (noise floor {floor})")
    return ", ".join(parts)


def plus_minus(value: float | None, error: float | None, digits: int = 4) -> str:
    """A value with its standard error; nothing where it is not known.

    Args:
        value: the estimate.
        error: its standard error; None or NaN where that is not known.
        digits: after the point.
    """
    is_known = error is not None and not math.isnan(error)
    return _number(value, f".{digits}f") + (f" ± {error:.{digits}f}" if value is not None and is_known else "")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _filled(title: str, columns: dict[str, list[str]], spare: Sequence[str] = (), evaluations: int = 0) -> Table:
    """A table of columns by their headings; one for what all critics here lack is left out.

    Of ``spare`` columns as many are left out as it takes to fit into a terminal of eighty columns.
    """
    columns = {heading: cells for heading, cells in columns.items() if any(cells)}
    for heading in spare:
        # A margin on either side of each cell, and a line after it.
        if sum(max(map(len, (name, *cells))) + 3 for name, cells in columns.items()) + 1 > _WIDTH:
            columns.pop(heading, None)
    table = Table(title=title)
    table.caption = left_out(evaluations)
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*(cell or "-" for cell in cells))
    return table
