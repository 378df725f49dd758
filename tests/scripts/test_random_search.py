"""Combinations drawn from a sweep's file: within their bounds, of the right kinds, and the same again."""

import math
from pathlib import Path

import pytest

from scripts.shared.sweeps import Choice, Sweep, as_arguments, distribution, load_sweep


def sweep(**how) -> Sweep:
    return Sweep((), "w1/exact", True, {"key": distribution("key", how)})


def drawn(n: int = 400, **how) -> list:
    return [values["key"] for values in sweep(**how).draw(n, 7)]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"value": 3}, {3}),
        ({"values": [2, "a", None]}, {2, "a", None}),
        ({"distribution": "categorical", "values": [True, False], "probabilities": [1, 0]}, {True}),
        ({"min": 1, "max": 4}, {1, 2, 3, 4}),
        ({"distribution": "int_uniform", "min": -1, "max": 1}, {-1, 0, 1}),
        ({"distribution": "q_uniform", "q": 32, "min": 32, "max": 128}, {32, 64, 96, 128}),
        ({"distribution": "q_uniform", "min": 0.0, "max": 2.0}, {0, 1, 2}),
        ({"distribution": "q_uniform", "q": 0.1, "min": 0.1, "max": 0.3}, {0.1, 0.2, 0.3}),
        ({"distribution": "q_log_uniform_values", "q": 10, "min": 10, "max": 30}, {10, 20, 30}),
    ],
)
def test_all_that_there_is_and_nothing_else(how, expected):
    assert set(drawn(**how)) == expected


@pytest.mark.parametrize("distribution", ["uniform", "log_uniform_values"])
def test_half_of_the_draws_are_below_the_middle(distribution):
    values = drawn(distribution=distribution, min=0.01, max=1.0)
    middle = 0.505 if distribution == "uniform" else 0.1
    # Of 400 draws; five standard deviations.
    assert abs(sum(value < middle for value in values) - 200) < 5 * math.sqrt(100)
    assert all(0.01 <= value <= 1 for value in values)


def test_whole_bounds_alone_are_of_whole_numbers():
    assert {type(value) for value in drawn(10, min=1, max=9)} == {int}
    assert {type(value) for value in drawn(10, min=1, max=9.0)} == {float}


def test_a_longer_search_begins_with_the_shorter_one():
    one = sweep(min=0.0, max=1.0)
    assert one.draw(9, 0)[:5] == one.draw(5, 0)
    assert len({values["key"] for seed in range(5) for values in one.draw(5, seed)}) == 25
    assert sweep(values=[1, 2]).draw(9, 0)[:3] == sweep(values=[1, 2]).draw(3, 0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"min": "1e-4", "max": 1.0},
            "key: min must be a number; got '1e-4' (YAML reads 1e-4 as text, 1.0e-4 as a number)",
        ),
        ({"min": 2, "max": 1}, "key: min must be below max; got min=2, max=1"),
        ({"min": 1}, "key: max must be a number"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "log_uniform_values needs min > 0; got min=0"),
        ({"distribution": "normal", "min": 0, "max": 1}, "distribution must be one of uniform, int_uniform, "),
    ],
)
def test_what_cannot_be_drawn_is_named(how, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        sweep(**how)
    assert message in str(error.value)


GOOD = """
metric: {name: w1/exact, goal: minimize}
command: ["${env}", wgan-lip, fit, -c, a.yaml, "${args}", --x=1]
parameters: {a.b: {value: 1}}
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("metric: {name: w1/exact, goal: minimize}", ""), "metric must have a name and a goal"),
        (("minimize", "least"), "metric must have a name and a goal, minimize or maximize"),
        (("wgan-lip, fit", "wgan-lip, w1"), "command must be"),
        (('"${args}"', "args"), "command must be"),
        (("{a.b: {value: 1}}", "[a]"), "parameters must be mappings by their dotted keys"),
        (("{a.b: {value: 1}}", "{a: 1}"), "parameters must be mappings by their dotted keys"),
        ((GOOD, "- 1"), "must hold a mapping, as a sweep of W&B's does; got a list"),
        ((GOOD, "a: [b"), "is not YAML"),
    ],
)
def test_files_of_something_else_are_named(change, message, tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(ValueError, match=message):
        load_sweep(path)


def test_a_sweep_is_read(tmp_path: Path):
    path = tmp_path / "sweep.yaml"
    path.write_text(GOOD)
    assert load_sweep(path) == Sweep(("-c", "a.yaml", "--x=1"), "w1/exact", True, {"a.b": Choice([1])})
    assert as_arguments({"a.b": 0.001, "c": None}) == ["--a.b=0.001", "--c=None"]
