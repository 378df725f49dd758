"""docs/gradient_norm.md is what the script makes of docs/gradient_norm.json, and what was to hold holds there."""

import json
from pathlib import Path

import pytest
import torch

from scripts.bench_gradient_norm import as_json, rounded
from scripts.gradient_norm_bench.page import figure_of, markdown, table
from scripts.gradient_norm_bench.runs import RECORD, averaged, case_names, runs_of
from scripts.gradient_norm_bench.training import ACTIVATIONS, CASES, GAN, train_gan, train_on_pair
from wgan_lip.lipschitz import gradient_norms
from wgan_lip.report import NetworkSummary

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def results() -> dict:
    return json.loads((DOCS / "gradient_norm.json").read_text())


def norms(results: dict, case: str, name: str) -> list[float]:
    """Of the input gradient between the distributions, for each seed."""
    return [run["points"][2]["layers"][-1]["mean"] for run in runs_of(results, case, name)]


def test_the_document_is_that_of_the_results(results):
    assert markdown(results) == (DOCS / "gradient_norm.md").read_text()
    assert case_names(results) == [*(case.name for case in CASES), GAN]
    assert as_json(results) == (DOCS / "gradient_norm.json").read_text()
    for case in case_names(results):
        for name in ACTIVATIONS:
            assert len(runs_of(results, case, name)) == (1 if case == GAN else len(results["seeds"]))
    figure_of(results).draw_without_rendering()


def test_groupsort_keeps_gradient_norm_and_relu_does_not(results):
    for case in CASES:
        keeps, loses = (norms(results, case.name, name) for name in ("GroupSort", "ReLU"))
        assert min(keeps) >= 0.95
        assert max(loses) < 0.8
    assert norms(results, GAN, "ReLU") < norms(results, GAN, "GroupSort")
    for run in results["runs"]:
        for weight in run["weights"]:
            assert weight["smallest"] == pytest.approx(1, abs=1e-4)
            assert weight["largest"] == pytest.approx(1, abs=1e-4)


def test_a_run_comes_out_as_it_went_in():
    torch.set_num_threads(1)
    case = CASES[0]
    runs = [rounded(train_on_pair(case, name, seed, 4)) for name in ACTIVATIONS for seed in (0, 1)]
    gans = [rounded(train_gan(name, 0, 1)) for name in ACTIVATIONS]
    results = json.loads(as_json({"seeds": [0, 1], "runs": runs + gans}))
    assert results["runs"] == runs + gans
    assert [run["steps"] for run in results["runs"]] == [2] * 4 + [1] * 2
    assert {run["units"][0]["kind"] for run in gans} == set(ACTIVATIONS)
    first, second = (NetworkSummary.from_record({key: run[key] for key in RECORD}) for run in runs[:2])
    mean = averaged(runs[:2])
    assert mean.points[2].input.mean == pytest.approx((first.points[2].input.mean + second.points[2].input.mean) / 2)
    rows = table(results).splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]] == [case.name] * 2 + [GAN] * 2


def test_points_on_transport_rays_are_where_the_optimal_critic_has_norm_one():
    from wgan_lip.training import pair_points

    class Optimal(torch.nn.Module):
        def __init__(self, pair) -> None:
            super().__init__()
            self.pair = pair

        def forward(self, x):
            centers = self.pair.centers.to(x)
            return (x[:, None] - centers).norm(dim=2).min(dim=1).values

    for case in CASES:
        pair = case.pair()
        x = pair_points(pair, 200, 0)["between"].double()
        torch.testing.assert_close(gradient_norms(Optimal(pair), x), torch.ones(200, dtype=torch.float64))
