"""The figure and the table say what metrics.csv says."""

import io
import math
from pathlib import Path

import pytest
from matplotlib.image import imread
from rich.console import Console

from wgan_lip.report import (
    Ratio,
    Row,
    diversity_sentence,
    map_groups,
    ratio_to_floor,
    read_history,
    save_figure,
    w1_figure,
    w1_table,
)


def row(step: int, exact: float = 3.0, floor: float = 2.0, **changes: float | None) -> Row:
    """A row of w1/*; a change to None leaves a value out, and two underscores stand for a slash in other names."""
    values: dict[str, float | None] = {
        "w1/exact": exact,
        "w1/critic": 1.5,
        "w1/gap_relative": 0.5,
        "w1/noise_floor": floor,
        "w1/population_lower": 1.25,
        "w1/population_upper": 4.5,
        "lipschitz/certified": 1.0,
        "w1/seconds": 0.1,
    }
    values |= {key.replace("__", "/") if "__" in key else f"w1/{key}": value for key, value in changes.items()}
    return Row(step, {name: value for name, value in values.items() if value is not None})


def test_history_keeps_the_evaluations_only(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "generator_step,w1/exact,w1/critic,w1/gap_relative,w1/noise_floor,w1/population_lower,w1/population_upper,"
        "lipschitz/certified,w1/seconds,train/w1\n"
        "10,3.0,1.5,0.5,2.0,1.25,4.5,1.0,0.1,\n"
        "12,,,,,,,,,9.0\n"
        "0,6.0,1.5,0.5,2.0,1.25,4.5,1.0,0.1,\n"
    )
    history = read_history(path)
    assert history.having("w1/seconds") == [row(0, exact=6.0), row(10)]
    assert (history.step_name, history.rows[-1]) == ("generator_step", Row(12, {"train/w1": 9.0}))


def test_history_says_what_is_not_known(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "generator_step,w1/exact,w1/critic,w1/gap_relative,w1/noise_floor,lipschitz/certified,w1/seconds\n"
        "10,3.0,1.5,0.5,2.0,1.0,0.1\n"
    )
    (found,) = read_history(path).rows
    assert found == row(10, population_lower=None, population_upper=None)
    assert found["w1/population_lower"] is None


def test_an_evaluation_whose_time_was_spent_is_shown_as_its_bracket(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "generator_step,w1/exact,w1/exact_lower,w1/exact_upper,w1/critic,w1/noise_floor,w1/seconds\n"
        "0,6.0,,,1.5,2.0,0.1\n10,,2.5,3.5,1.5,,0.1\n"
    )
    rows = read_history(path).having("w1/seconds")
    names = ("w1/exact", "w1/exact_lower", "w1/exact_upper", "w1/noise_floor")
    assert [tuple(r[name] for name in names) for r in rows] == [
        (6.0, None, None, 2.0),
        (None, 2.5, 3.5, None),
    ]
    axes = w1_figure(rows).axes[0]
    (ends,) = (band for band in axes.collections if "time budget" in str(band.get_label()))
    assert [segment.tolist() for segment in ends.get_segments()][1] == [[10.0, 2.5], [10.0, 3.5]]
    out = io.StringIO()
    Console(file=out, width=80).print(w1_table(rows))
    assert "2.50 - 3.50" in out.getvalue()


def test_history_without_an_evaluation_is_named(tmp_path):
    (tmp_path / "metrics.csv").write_text("generator_step,train/w1\n1,2.0\n")
    with pytest.raises(ValueError, match=r"metrics\.csv holds no evaluation"):
        read_history(tmp_path / "metrics.csv").having("w1/seconds")


def test_figure_draws_exact_critic_and_floor(tmp_path: Path):
    figure = w1_figure([row(0, exact=6.0), row(10)], title="a run")
    axes, below = figure.axes
    (ratios,) = [line for line in below.lines if line.get_label()[0] != "_"]
    assert (ratios.get_label(), list(ratios.get_ydata())) == ("exact W1, samples", [3.0, 1.5])
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines if line.get_label()[0] != "_"}
    assert list(drawn.values()) == [[6.0, 3.0], [1.5, 1.5], [2.0, 2.0]]
    assert "noise floor" in list(drawn)[2]
    assert axes.get_ylim()[0] <= 0
    bands = [band.get_label() for band in axes.collections]
    assert bands == ["confidence bracket of the W1 of the distributions", "gap"]
    save_figure(figure, tmp_path / "w1.png")
    assert imread(tmp_path / "w1.png").std() > 0


def test_errors_of_drawing_samples_are_drawn_and_told():
    errors = {"exact_standard_error": 0.25, "noise_floor_standard_error": 0.125, "w1_averaged__exact": 2.5}
    rows = [row(step, **errors, w1_averaged__exact_standard_error=e) for step, e in ((0, 0.5), (10, None))]
    axes = w1_figure(rows).axes[0]
    spans = [
        (path.vertices[:, 1].min(), path.vertices[:, 1].max())
        for band in axes.collections
        if str(band.get_label()).startswith("_")
        for path in band.get_paths()
    ]
    assert spans == [(2.5, 3.5), (1.5, 3.5), (1.75, 2.25)]
    assert "exact W1, ± 2 standard errors" in [line.get_label() for line in axes.lines]
    out = io.StringIO()
    Console(file=out, width=120).print(w1_table(rows))
    for cell in ("3.000 ± 0.250", "2.000 ± 0.125"):
        assert cell in out.getvalue()


def test_figure_without_an_upper_end_has_no_bracket():
    figure = w1_figure([row(0, population_upper=None), row(10, population_upper=None)])
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


def test_what_proves_nothing_is_shown_as_such_and_what_is_proven_as_that():
    without = {"critic": None, "gap_relative": None, "uncertified": 70.0, "lipschitz__certified": None}
    rows = [row(step, **without) for step in (0, 10)]
    axes = w1_figure([row(step, **without, w1_averaged__exact=2.5) for step in (0, 10)]).axes[0]
    labels = [line.get_label() for line in axes.lines]
    assert "critic's estimate, which proves nothing" in labels
    assert "critic's proven bound" not in labels
    assert "exact W1, averaged generator" in labels
    # It may be many times the exact value: it must not flatten the curves that prove something.
    assert axes.get_ylim()[1] < 10
    headings = [str(column.header) for column in w1_table(rows).columns]
    assert "uncertified" in headings
    assert not {"critic ≥", "L ≤", "averaged"} & set(headings)


def test_a_table_with_all_there_is_still_fits():
    rows = [
        row(
            8000,
            exact=10.1234,
            exact_standard_error=0.1234,
            w1_averaged__exact=10.1234,
            uncertified=12.34,
            lipschitz__certified=1.096,
            population_upper=30.5,
            noise_floor_standard_error=0.1234,
        )
    ]
    out = io.StringIO()
    Console(file=out, width=80).print(w1_table(rows))
    assert "…" not in out.getvalue()
    assert [str(column.header) for column in w1_table(rows).columns] == [
        "step", "exact W1", "floor", "exact/floor", "critic ≥", "uncertified"
    ]  # fmt: skip


def test_an_estimate_that_proves_nothing_is_drawn_where_there_is_one():
    (line,) = (
        line
        for line in w1_figure([row(0), row(10, uncertified=4.0)]).axes[0].lines
        if line.get_label() == "critic's estimate, which proves nothing"
    )
    first, second = (float(value) for value in line.get_ydata())
    assert math.isnan(first)
    assert second == 4.0


def test_a_table_says_that_some_evaluations_are_left_out():
    assert w1_table([row(step) for step in range(5)]).caption is None
    assert w1_table([row(step) for step in range(7)]).caption == "5 of 7 evaluations; all are in metrics.csv"


def test_rows_of_callbacks_that_do_not_count_the_steps_are_left_out(tmp_path):
    """Lightning's LearningRateMonitor logs without the module's counters, and may log first."""
    path = tmp_path / "metrics.csv"
    path.write_text("lr-Adam,generator_step,critic_step,w1/exact\n0.1,,,\n,0,0,3.5\n0.05,,,\n,10,50,2.5\n")
    history = read_history(path)
    assert history.step_name == "generator_step"
    assert [(row.step, row.values) for row in history.rows] == [(0, {"w1/exact": 3.5}), (10, {"w1/exact": 2.5})]


def test_ratios_are_those_of_the_floor_with_the_errors_of_both():
    values = {"w1/exact_standard_error": 0.3, "w1/noise_floor_standard_error": 0.1, "w1/generated_floor": 1.0}
    behind = {"w1_pca_2/exact": 4.0, "w1_pca_2/noise_floor": 1.0, "w1_averaged_pca_2/exact": 4.0}
    found = Row(10, {**row(10).values, **values, **behind})
    assert ratio_to_floor(found) == Ratio(1.5, pytest.approx(1.5 * math.hypot(0.3 / 3, 0.1 / 2)))
    assert ratio_to_floor(found).spread == pytest.approx((1.5 - 2 * 0.1677, 1.5 + 2 * 0.1677), abs=1e-4)
    assert str(ratio_to_floor(found)) == "1.500 ± 0.168"
    # Its own error was not logged.
    assert ratio_to_floor(found, of="generated_floor") == Ratio(0.5, None)
    assert str(ratio_to_floor(found, "w1_pca_2")) == "4.000"
    assert ratio_to_floor(found, "w1_pca_3") is None
    assert map_groups([row(0), found]) == {"w1_pca_2": "pca 2"}


@pytest.mark.parametrize(("generated", "error", "said"), [(1.0, 0.01, True), (1.95, 0.01, False), (1.0, 0.3, False)])
def test_a_generator_without_diversity_is_named_where_errors_allow_it(generated, error, said):
    found = row(10, generated_floor=generated, generated_floor_standard_error=error, noise_floor_standard_error=0.01)
    sentence = diversity_sentence(found)
    assert sentence.startswith("The generator lacks diversity: its samples are 0.500 ± 0.006 times" if said else "")
    assert bool(sentence) == said
    assert diversity_sentence(row(10)) == ""


def test_the_table_and_the_figure_show_ratios_behind_maps_where_they_are_known(tmp_path):
    behind = {f"w1_critic_features__{name}": value for name, value in (("exact", 3.0), ("noise_floor", 1.2))}
    rows = [row(0, generated_floor=1.0, **behind), row(10, generated_floor=1.5, **behind)]
    out = io.StringIO()
    Console(file=out, width=100).print(w1_table(rows))
    assert "2.50" in out.getvalue()
    assert "0.75" in out.getvalue()
    sizes = {}
    for name, some in (("with", rows), ("without", [row(0, floor=None), row(10, floor=None)])):
        save_figure(w1_figure(some), tmp_path / f"{name}.png")
        sizes[name] = imread(tmp_path / f"{name}.png").shape
    assert sizes["with"][0] > sizes["without"][0]
