"""YAML out of files: plain values, in bounded time, or one error."""

import json
import time

import pytest

from tests.support.crafted import laughs
from wgan_lip.yaml_text import OversizedYAMLError, read_yaml


def test_values_are_what_they_were() -> None:
    text = "a: &x [1, 2.5, yes, null]\nb: *x\nc: {d: '1', e: 2026-11-28}\n"
    value = read_yaml(text, "it")
    assert value["a"] == value["b"] == [1, 2.5, True, None]
    assert value["c"]["d"] == "1"
    assert read_yaml("", "it") is None


@pytest.mark.parametrize(
    "text",
    [
        laughs(),
        "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)),
        *("[" * 60_000, "- " * 30_000, "? " * 30_000, "&a [*a]", "a: &a {b: [*a]}", "- a\n" * 16_000, "x" * 70_000),
    ],
    ids=["aliases", "merges", "flow", "blocks", "keys", "itself", "itself deeper", "many", "long"],
)
def test_what_would_be_large_or_deep_is_refused_soon(text: str) -> None:
    began = time.process_time()
    with pytest.raises(OversizedYAMLError, match=r"^it has "):
        read_yaml(text, "it")
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    "text",
    [
        *("[1", "a: b: c", "*a", "\t", "a\n---\nb", "? [a]\n: b", "\0", "x: \x1b", "\ud800", "%" * 9),
        *("!!python/object/apply:os.system [x]", "2001-13-45", "!!int ''", "!!bool x", "!!float x"),
        "9" * 5000,
    ],
)
def test_what_is_no_yaml_of_plain_values_is_one_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it is not YAML: ") as error:
        read_yaml(text, "it")
    assert "\n" not in str(error.value)


def test_text_within_text_is_searched_to_a_depth_only() -> None:
    from wgan_lip.cli.trusted import check_names

    hidden = "torch.os.system"
    for depth in range(12):
        if depth:
            with pytest.raises(ValueError, match=r"names torch\.os\.system|text within text"):
                check_names({"x": hidden}, "it")
        hidden = json.dumps([hidden])
    with pytest.raises(OversizedYAMLError):
        check_names({"x": laughs()}, "it")
