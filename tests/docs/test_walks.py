"""The walks through the code in docs/architecture.md name files that exist, and what is defined in them."""

import re

import pytest

from tests.docs.pages import ROOT

# The most files that a reader opens on each walk.
LONGEST = {"From `ExactW1` to its metrics": 9, "From a batch to the losses": 7, "From a config to the trainer": 9}
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = {
    title: re.findall(r"^\d\. `([\w/]+\.py)`: (.*(?:\n   .*)*)", text, re.M)
    for title, text in re.findall(r"^### ([^\n]+)\n(.*?)(?=^##)", PAGE, re.M | re.S)
}


def test_the_walks_are_those_that_were_promised():
    assert WALKS.keys() == LONGEST.keys()


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_is_short_and_its_files_define_what_it_names(title):
    walk = WALKS[title]
    assert 1 < len(walk) <= LONGEST[title]
    assert len({name for name, _ in walk}) == len(walk)
    for name, text in walk:
        content = (ROOT / name).read_text(encoding="utf-8")
        for quoted in re.findall(r"`([\w.]+)`", text):
            word = quoted.rpartition(".")[2]
            assert re.search(rf"^ *(def|class) {word}\b|^ +self\.{word}\b|^ +{word}: |^{word}\b.* = ", content, re.M), (
                name,
                quoted,
            )
