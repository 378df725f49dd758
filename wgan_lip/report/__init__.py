"""Figures and tables of runs, comparisons and networks, and the panels of the page."""

from wgan_lip.report.comparison import comparison_figure, comparison_tables, write_outcomes, write_summaries
from wgan_lip.report.content import Card, RunContent
from wgan_lip.report.critic_figure import DrawCritic, critic_figure
from wgan_lip.report.figures import (
    accuracy_figure,
    certified_accuracies,
    certified_curve,
    estimate_figure,
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
from wgan_lip.report.panel import Panel
from wgan_lip.report.run_record import RunRecord, read_run
from wgan_lip.report.tables import (
    accuracy_table,
    estimate_table,
    plus_minus,
    ratio_to_floor,
    shown_rows,
    w1_table,
)

__all__ = [
    "Card",
    "DrawCritic",
    "GradientPanel",
    "History",
    "NetworkSummary",
    "Panel",
    "PointsSummary",
    "Row",
    "RunContent",
    "RunRecord",
    "WeightRange",
    "accuracy_figure",
    "accuracy_table",
    "certified_accuracies",
    "certified_curve",
    "comparison_figure",
    "comparison_tables",
    "critic_figure",
    "estimate_figure",
    "estimate_table",
    "gradient_figure",
    "gradient_tables",
    "panels_of",
    "plus_minus",
    "ratio_to_floor",
    "read_history",
    "read_run",
    "save_figure",
    "shared_labels",
    "shown_rows",
    "summarize_gradients",
    "w1_figure",
    "w1_table",
    "write_outcomes",
    "write_summaries",
]
