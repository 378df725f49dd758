"""The examples run, and print what the site says that they print: the same words, other last digits."""

import re
import runpy

import pytest

from tests.docs.pages import ROOT, page

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def without_numbers(text: str) -> list[str]:
    return [" ".join(line.split()) for line in re.sub(r"-?\d+(?:\.\d+)?", "#", text).splitlines()]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_is_shown(path, capsys):
    shown = page("docs/examples.md")
    command = f".venv/bin/python examples/{path.name}"
    (place,) = [i for i, block in enumerate(shown.blocks) if block.commands == [command]]
    assert command in path.read_text()
    runpy.run_path(str(path), run_name="__main__")
    assert without_numbers(capsys.readouterr().out) == without_numbers(shown.blocks[place + 1].text)
    assert f"```{{literalinclude}} ../examples/{path.name}\n" in shown.text
