"""Figures and tables of a run."""

from wgan_lip.report.accuracy import AccuracyRow, accuracy_figure, accuracy_table, read_accuracies
from wgan_lip.report.certified_curve import certified_curve
from wgan_lip.report.comparison import comparison_figure, comparison_tables, write_outcomes, write_summaries
from wgan_lip.report.critic_figure import critic_figure
from wgan_lip.report.draw_critic import DrawCritic
from wgan_lip.report.estimate_figure import estimate_figure
from wgan_lip.report.estimate_history import EstimateRow, read_estimates
from wgan_lip.report.figures import save_figure, w1_figure
from wgan_lip.report.gradient_figure import GradientPanel, gradient_figure, panels_of
from wgan_lip.report.gradient_summary import NetworkSummary, PointsSummary, WeightRange, summarize_gradients
from wgan_lip.report.gradient_table import gradient_tables
from wgan_lip.report.history import Row, read_history
from wgan_lip.report.records import read_records
from wgan_lip.report.search_table import Found, read_found, search_table
from wgan_lip.report.table import estimate_table, shown_rows, w1_table

__all__ = [
    "AccuracyRow",
    "DrawCritic",
    "EstimateRow",
    "Found",
    "GradientPanel",
    "NetworkSummary",
    "PointsSummary",
    "Row",
    "WeightRange",
    "accuracy_figure",
    "accuracy_table",
    "certified_curve",
    "comparison_figure",
    "comparison_tables",
    "critic_figure",
    "estimate_figure",
    "estimate_table",
    "gradient_figure",
    "gradient_tables",
    "panels_of",
    "read_accuracies",
    "read_estimates",
    "read_found",
    "read_history",
    "read_records",
    "save_figure",
    "search_table",
    "shown_rows",
    "summarize_gradients",
    "w1_figure",
    "w1_table",
    "write_outcomes",
    "write_summaries",
]
