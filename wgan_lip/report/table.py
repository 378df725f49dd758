"""The short table at the end of a run."""

from collections.abc import Sequence

from rich.table import Table

from wgan_lip.report.history import Row


def w1_table(rows: Sequence[Row]) -> Table:
    """First, middle and last evaluations of a run.

    Args:
        rows: at least one evaluation.
    """
    shown = sorted({0, len(rows) // 4, len(rows) // 2, 3 * len(rows) // 4, len(rows) - 1})
    table = Table(title="W1 of generated against held-out real samples, by generator step")
    for heading in ("step", "exact W1", "noise floor", "exact/floor", "critic ≥", "gap", "certified L"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in (rows[i] for i in shown):
        table.add_row(
            f"{row.generator_step}",
            f"{row.exact:.4f}",
            f"{row.noise_floor:.4f}",
            f"{row.exact / row.noise_floor:.3f}" if row.noise_floor > 0 else "-",
            f"{row.critic:.4f}",
            f"{row.gap_relative:.1%}",
            f"{row.certified:.7f}",
        )
    return table
