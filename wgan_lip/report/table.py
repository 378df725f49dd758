"""The short table at the end of a run."""

from collections.abc import Sequence

from rich.table import Table

from wgan_lip.report.history import Row


def shown_rows(rows: Sequence[Row]) -> list[Row]:
    """The evaluations at the start, each quarter, and the end of a run."""
    return [rows[i] for i in sorted({quarter * (len(rows) - 1) // 4 for quarter in range(5)})]


def w1_table(rows: Sequence[Row]) -> Table:
    """The shown evaluations of a run, as a table for the terminal.

    Args:
        rows: at least one evaluation.
    """
    table = Table(title="W1 of generated against held-out real samples, by generator step")
    for heading in ("step", "exact W1", "floor", "exact/floor", "critic ≥", "population", "L ≤"):
        table.add_column(heading, justify="right", no_wrap=True)
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
