"""Table and figure of an estimator's run."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from wgan_lip.report import EstimateRow, estimate_figure, estimate_table, read_estimates

ROW = EstimateRow(
    critic_step=0,
    critic=0.25,
    standard_error=0.01,
    uncertified=None,
    uncertified_standard_error=None,
    truth=1.0,
    truth_standard_error=0.002,
    error=-0.75,
    exact=1.5,
    gap=1.25,
    noise_floor=0.5,
    certified=1.0,
    cosine=0.5,
    l2=0.75,
    exact_standard_error=0.125,
    noise_floor_standard_error=0.0625,
)


def printed(rows: list[EstimateRow]) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(estimate_table(rows, "name"))
    return console.export_text()


def test_the_table_shows_what_is_known():
    text = printed([ROW, replace(ROW, critic_step=10, critic=0.9)])
    assert "0.9000 ± 0.0100" in text
    assert "truth 1.0000 ± 0.0020, exact W1 of samples 1.5000 ± 0.1250 (noise floor 0.5000 ± 0.0625)" in " ".join(
        text.split()
    )
    assert "uncertified" not in text
    # One sample has no standard error.
    assert "samples 1.5000 (noise" in printed([replace(ROW, exact_standard_error=float("nan"))])
    unproven = replace(ROW, critic=None, error=None, gap=None, certified=None, uncertified=2.0, cosine=None, l2=None)
    text = printed([replace(unproven, truth=None, exact=None)])
    assert "uncertified" in text
    for absent in ("critic ≥", "truth", "exact", "cosine", "gap", "L ≤"):
        assert absent not in text


def test_the_figure_shows_estimate_truth_and_samples():
    rows = [replace(ROW, critic_step=step, critic=step / 10) for step in range(5)]
    figure = estimate_figure(rows, "name")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(
        lines["critic's certified estimate, ± 2 standard errors"].get_ydata(), [0, 0.1, 0.2, 0.3, 0.4]
    )
    assert set(lines["truth: W1 of the distributions"].get_ydata()) == {1.0}
    assert set(lines["exact W1 of a part of the samples"].get_ydata()) == {1.5}
    assert not any(label.startswith("uncertified") for label in lines)
    bare = replace(ROW, critic=None, truth=None, exact=None, uncertified=2.0)
    (axes,) = estimate_figure([bare]).axes
    assert [line.get_label() for line in axes.lines[1:]] == ["uncertified: no bound"]


def test_the_history_is_read_in_the_order_of_its_steps(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("critic_step,w1/critic,gradient/norm,train/w1_critic\n7,,,0.3\n20,0.5,1.0,\n10,0.25,0.9,\n")
    first, second = read_estimates(path)
    assert (first.critic_step, first.critic, second.critic_step) == (10, 0.25, 20)
    assert first.truth is None
    path.write_text("critic_step,train/w1_critic\n1,0.2\n")
    with pytest.raises(ValueError, match="holds no evaluation: gradient/norm was never logged"):
        read_estimates(path)
