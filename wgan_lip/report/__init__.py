"""Figures and tables of runs, comparisons and networks, and the panels of the page."""

from wgan_lip.report.common_panels import (
    certificate_panel,
    draw_if_logged,
    gap_panel,
    gradient_panels,
    times_panel,
    training_panel,
)
from wgan_lip.report.comparison import comparison_figure, comparison_tables, write_outcomes, write_summaries
from wgan_lip.report.content import Card, RunContent, lipschitz_card, number, percent, unproven_card, with_error
from wgan_lip.report.critic_figure import DrawCritic, critic_figure
from wgan_lip.report.figures import (
    accuracy_figure,
    certified_accuracies,
    certified_curve,
    draw_curve,
    estimate_figure,
    new_axes,
    save_figure,
    w1_figure,
)
from wgan_lip.report.gradient_report import GradientPanel, gradient_figure, gradient_tables, panels_of
from wgan_lip.report.gradient_summary import (
    NetworkSummary,
    PointsSummary,
    WeightRange,
    shared_labels,
    summarize_gradients,
)
from wgan_lip.report.history import History, Row, read_history
from wgan_lip.report.panel import BLUE, BROWN, CYCLE, DASHES, GREEN, GREY, ORANGE, PURPLE, Panel, interval
from wgan_lip.report.run_record import Picture, RunRecord, read_run
from wgan_lip.report.tables import (
    accuracy_table,
    estimate_table,
    plus_minus,
    ratio_to_floor,
    shown_rows,
    w1_table,
)

__all__ = [
    "BLUE",
    "BROWN",
    "CYCLE",
    "DASHES",
    "GREEN",
    "GREY",
    "ORANGE",
    "PURPLE",
    "Card",
    "DrawCritic",
    "GradientPanel",
    "History",
    "NetworkSummary",
    "Panel",
    "Picture",
    "PointsSummary",
    "Row",
    "RunContent",
    "RunRecord",
    "WeightRange",
    "accuracy_figure",
    "accuracy_table",
    "certificate_panel",
    "certified_accuracies",
    "certified_curve",
    "comparison_figure",
    "comparison_tables",
    "critic_figure",
    "draw_curve",
    "draw_if_logged",
    "estimate_figure",
    "estimate_table",
    "gap_panel",
    "gradient_figure",
    "gradient_panels",
    "gradient_tables",
    "interval",
    "lipschitz_card",
    "new_axes",
    "number",
    "panels_of",
    "percent",
    "plus_minus",
    "ratio_to_floor",
    "read_history",
    "read_run",
    "save_figure",
    "shared_labels",
    "shown_rows",
    "summarize_gradients",
    "times_panel",
    "training_panel",
    "unproven_card",
    "w1_figure",
    "w1_table",
    "with_error",
    "write_outcomes",
    "write_summaries",
]
