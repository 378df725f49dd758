"""What was kept of trained critics, and its mean over seeds."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from scripts.gradient_norm_bench.training import CASES, GAN
from wgan_lip.lipschitz import LayerGradient
from wgan_lip.report import NetworkSummary

RECORD = ("label", "points", "units", "weights")


def runs_of(results: dict[str, Any], case: str, name: str) -> list[dict[str, Any]]:
    """Those of one critic, one for each seed."""
    return [run for run in results["runs"] if (run["case"], run["label"]) == (case, name)]


def case_names(results: dict[str, Any]) -> list[str]:
    """In the order of the table."""
    found = {run["case"] for run in results["runs"]}
    return [name for name in (*(case.name for case in CASES), GAN) if name in found]


def averaged(runs: Sequence[dict[str, Any]]) -> NetworkSummary:
    """One network in place of those of all seeds: the mean of every number that is drawn."""
    summaries = [NetworkSummary.from_record({key: run[key] for key in RECORD}) for run in runs]
    first = summaries[0]
    points = []
    for i, kind in enumerate(first.points):
        alike = [summary.points[i] for summary in summaries]
        layers = tuple(mean_layer(layers) for layers in zip(*(one.layers for one in alike), strict=True))
        jacobian = tuple(mean(values) for values in zip(*(one.jacobian for one in alike), strict=True))
        points.append(replace(kind, layers=layers, jacobian=jacobian))
    return replace(first, points=tuple(points))


def mean_layer(layers: Sequence[LayerGradient]) -> LayerGradient:
    """The mean of what is drawn of one place, over seeds."""
    names = ("mean", "standard_error", "spread", "smallest", "largest")
    return replace(layers[0], **{name: mean(getattr(layer, name) for layer in layers) for name in names})
