"""The figure and the table say what metrics.csv says."""

import io
import math
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.image import imread
from rich.console import Console

from wgan_lip.report import Row, read_history, save_figure, w1_figure, w1_table


def row(step: int, exact: float = 3.0, floor: float = 2.0) -> Row:
    return Row(
        generator_step=step,
        exact=exact,
        critic=1.5,
        gap_relative=0.5,
        noise_floor=floor,
        population_lower=1.25,
        population_upper=4.5,
        certified=1.0,
        seconds=0.1,
    )


def test_history_keeps_the_evaluations_only(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "generator_step,w1/exact,w1/critic,w1/gap_relative,w1/noise_floor,w1/population_lower,w1/population_upper,"
        "lipschitz/certified,w1/seconds,train/w1\n"
        "10,3.0,1.5,0.5,2.0,1.25,4.5,1.0,0.1,\n"
        "12,,,,,,,,,9.0\n"
        "0,6.0,1.5,0.5,2.0,1.25,4.5,1.0,0.1,\n"
    )
    assert read_history(path) == [row(0, exact=6.0), row(10)]


def test_history_without_a_bracket_has_the_trivial_one(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "generator_step,w1/exact,w1/critic,w1/gap_relative,w1/noise_floor,lipschitz/certified,w1/seconds\n"
        "10,3.0,1.5,0.5,2.0,1.0,0.1\n"
    )
    assert read_history(path) == [replace(row(10), population_lower=0, population_upper=math.inf)]


def test_history_without_an_evaluation_is_named(tmp_path):
    (tmp_path / "metrics.csv").write_text("generator_step,train/w1\n1,2.0\n")
    with pytest.raises(ValueError, match=r"metrics\.csv holds no evaluation"):
        read_history(tmp_path / "metrics.csv")


def test_figure_draws_exact_critic_and_floor(tmp_path: Path):
    figure = w1_figure([row(0, exact=6.0), row(10)], title="a run")
    (axes,) = figure.axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines if line.get_label()[0] != "_"}
    assert list(drawn.values()) == [[6.0, 3.0], [1.5, 1.5], [2.0, 2.0]]
    assert "noise floor" in list(drawn)[2]
    assert axes.get_ylim()[0] <= 0
    bands = [band.get_label() for band in axes.collections]
    assert bands == ["confidence bracket of the W1 of the distributions", "gap"]
    save_figure(figure, tmp_path / "w1.png")
    assert imread(tmp_path / "w1.png").std() > 0


def test_figure_without_an_upper_end_has_no_bracket():
    figure = w1_figure([replace(row(0), population_upper=math.inf), row(10)])
    assert [band.get_label() for band in figure.axes[0].collections] == ["gap"]


def test_table_shows_first_quarters_and_last_within_eighty_columns():
    out = io.StringIO()
    Console(file=out, width=80).print(w1_table([row(step) for step in range(0, 2100, 100)]))
    shown = [int(line.split("│")[1]) for line in out.getvalue().splitlines() if line.startswith("│")]
    assert shown == [0, 500, 1000, 1500, 2000]
    assert "1.25 - 4.50" in out.getvalue()
    assert "1.500" in out.getvalue()
    assert "…" not in out.getvalue()


def test_table_of_one_evaluation_and_of_no_floor():
    out = io.StringIO()
    Console(file=out, width=80).print(w1_table([row(0, floor=0.0)]))
    assert "│    0 │" in out.getvalue()
