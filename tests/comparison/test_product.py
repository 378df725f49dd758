"""Products of critics, and how their arguments are merged."""

from typing import Any

import pytest

from wgan_lip.comparison.cell import merged, product_of

GROUPS: dict[str, Any] = {"class_path": "GroupSort", "init_args": {"group_size": 4}}


def test_one_mapping_is_itself() -> None:
    assert product_of({"a": {"steps": 1}, "b": {}}) == {"a": {"steps": 1}, "b": {}}


def test_several_mappings_make_all_combinations_in_their_order() -> None:
    layers = {"free": {"critic": {"init_args": {"linear": "Linear"}}}, "held": {}}
    activations = {"ReLU": {"critic": {"init_args": {"activation": "ReLU"}}}, "MaxMin": {}}
    found = product_of([layers, activations])
    assert list(found) == ["free, ReLU", "free, MaxMin", "held, ReLU", "held, MaxMin"]
    assert found["free, ReLU"] == {"critic": {"init_args": {"linear": "Linear", "activation": "ReLU"}}}
    assert found["held, MaxMin"] == {}


def test_nothing_makes_nothing() -> None:
    assert product_of({}) == product_of([]) == product_of([{"a": {}}, {}]) == {}


def test_labels_that_come_twice_are_named() -> None:
    with pytest.raises(ValueError, match="different labels; got 'a, b, c' twice"):
        product_of([{"a, b": {}, "a": {}}, {"c": {}, "b, c": {}}])


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"init_args": {"dim": 2}}, {"class_path": "GroupSort", "init_args": {"group_size": 4, "dim": 2}}),
        ({**GROUPS, "init_args": {"group_size": 8}}, {"class_path": "GroupSort", "init_args": {"group_size": 8}}),
        # Another class does not take the first one's arguments.
        ({"class_path": "Maxout", "init_args": {"dim": 2}}, {"class_path": "Maxout", "init_args": {"dim": 2}}),
        ("torch.nn.ReLU", "torch.nn.ReLU"),
        (None, None),
    ],
)
def test_merging(over: Any, expected: Any) -> None:
    assert merged({"activation": GROUPS, "steps": 1}, {"activation": over}) == {"activation": expected, "steps": 1}
    assert GROUPS == {"class_path": "GroupSort", "init_args": {"group_size": 4}}
