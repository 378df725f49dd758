"""Table and figure of an estimator's run."""

import io

import numpy as np
import pytest
from rich.console import Console

from wgan_lip.report import Row, estimate_figure, estimate_table, read_history

VALUES = {
    "w1/critic": 0.25,
    "w1/standard_error": 0.01,
    "w1/truth": 1.0,
    "w1/truth_standard_error": 0.002,
    "w1/error": -0.75,
    "w1/exact": 1.5,
    "w1/exact_standard_error": 0.125,
    "w1/gap": 1.25,
    "w1/noise_floor": 0.5,
    "w1/noise_floor_standard_error": 0.0625,
    "lipschitz/certified": 1.0,
    "gradient/cosine": 0.5,
    "gradient/l2": 0.75,
}


def row(step: int = 0, without: tuple[str, ...] = (), **changes: float) -> Row:
    values = {name: value for name, value in VALUES.items() if name not in without}
    return Row(step, values | {f"w1/{name}": value for name, value in changes.items()})


def printed(rows: list[Row]) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(estimate_table(rows, "name"))
    return console.export_text()


def test_the_table_shows_what_is_known():
    text = printed([row(), row(10, critic=0.9)])
    assert "0.9000 ± 0.0100" in text
    assert "truth 1.0000 ± 0.0020, exact W1 of samples 1.5000 ± 0.1250 (noise floor 0.5000 ± 0.0625)" in " ".join(
        text.split()
    )
    assert "uncertified" not in text
    # One sample has no standard error.
    assert "samples 1.5000 (noise" in printed([row(without=("w1/exact_standard_error",))])
    text = printed([row(without=tuple(VALUES), uncertified=2.0)])
    assert "uncertified" in text
    for absent in ("critic ≥", "truth", "exact", "cosine", "gap", "L ≤"):
        assert absent not in text


def test_the_figure_shows_estimate_truth_and_samples():
    rows = [row(step, critic=step / 10) for step in range(5)]
    figure = estimate_figure(rows, "name")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(
        lines["critic's proven estimate, ± 2 standard errors"].get_ydata(), [0, 0.1, 0.2, 0.3, 0.4]
    )
    assert set(lines["truth: W1 of the distributions"].get_ydata()) == {1.0}
    assert set(lines["exact W1 of a part of the samples"].get_ydata()) == {1.5}
    assert not any("proves nothing" in label for label in lines)
    (axes,) = estimate_figure([row(without=tuple(VALUES), uncertified=2.0)]).axes
    assert [line.get_label() for line in axes.lines[1:]] == ["critic's estimate, which proves nothing"]


def test_the_history_is_read_in_the_order_of_its_steps(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("critic_step,w1/critic,gradient/norm,train/w1_critic\n7,,,0.3\n20,0.5,1.0,\n10,0.25,0.9,\n")
    first, second = read_history(path).having("gradient/norm")
    assert (first.step, first["w1/critic"], second.step) == (10, 0.25, 20)
    assert first["w1/truth"] is None
    path.write_text("critic_step,train/w1_critic\n1,0.2\n")
    with pytest.raises(ValueError, match="holds no evaluation: gradient/norm was never logged"):
        read_history(path).having("gradient/norm")
