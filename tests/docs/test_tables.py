"""Every table of README and docs names the command that printed it, and is what that command prints."""

import json
import re

import pytest

from scripts import update_readme
from scripts.bench_robustness import PAGES as ROBUSTNESS
from scripts.image_critics_bench.contest import markdown_table as contest_table
from scripts.image_critics_bench.contest import read_contest
from scripts.robustness_bench.table import markdown as robustness_tables
from scripts.transport_bench.table import markdown_table as transport_table
from tests.docs.commands import parse
from tests.docs.pages import PAGES, ROOT, Page, page
from wgan_lip.report import read_history

_NUMBER = re.compile(r"[-+]?[\d.,]+%?(?: ± [\d.]+)?")


def between(text: str, name: str) -> str:
    """What stands between the markers of a table."""
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- end of {name} -->")[0]


@pytest.mark.parametrize("shown", PAGES, ids=lambda page: page.name)
def test_every_table_names_its_command(shown: Page, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    reproducing = page("docs/reproducing.md").text
    lines = len(re.findall(r"^\|[ :|-]+$", shown.text, re.MULTILINE))
    assert len(shown.tables) == lines
    for table in shown.tables:
        if table.explains:
            assert not [cell for cell in table.cells if _NUMBER.fullmatch(cell)], table.text
            continue
        assert table.printed_by, f"{shown.name}: who printed this?\n{table.text}"
        for command in table.printed_by:
            with monkeypatch.context() as context:
                parse(command, context)
            # The page of all commands has it, with or without further options.
            assert re.search(r"(scripts/\w+\.py|make \w+|configs/[\w/]+\.yaml)", command)[0] in reproducing


def test_every_picture_has_its_command():
    reproducing = page("docs/reproducing.md").text
    pictures = {
        (one.path.parent / path).resolve() for one in PAGES for path in re.findall(r"!\[.*?\]\((.*?)\)", one.prose)
    }
    assert len(pictures) >= 7
    for path in pictures:
        (line,) = [line for line in reproducing.splitlines() if f"`{path.relative_to(ROOT)}`" in line]
        assert re.search(r"`[^`]*(?:scripts/|make )[^`]*`", line)


@pytest.mark.parametrize("name", update_readme.DOCS)
def test_tables_of_runs_are_those_of_the_committed_runs(name):
    folder = update_readme.DOCS[name]
    rows = read_history(ROOT / "docs" / folder / "metrics.csv").having("w1/exact")
    assert between(update_readme.PAGES[name].read_text(), f"{folder} table").startswith("|")
    assert between(update_readme.PAGES[name].read_text(), f"{folder} table") == update_readme.markdown_table(rows)
    assert len(rows) >= 10
    assert all(row["w1/critic"] <= row["w1/exact"] for row in rows)


def test_the_contest_of_image_critics_is_a_printed_one():
    contest = read_contest(ROOT / "docs" / "image_critics.json")
    assert between(page("docs/critics.md").text, "contest") == contest_table(contest)


def test_the_comparison_with_other_solvers_is_a_printed_one():
    results = json.loads((ROOT / "docs" / "transport.json").read_text())
    assert between(page("docs/exact_w1.md").text, "transport table") == transport_table(results)


@pytest.mark.parametrize("shown", ROBUSTNESS, ids=lambda page: page.name)
def test_the_tables_of_robustness_are_printed_ones(shown):
    results = json.loads((ROOT / "docs" / "robustness.json").read_text())
    assert between(shown.read_text(), "robustness table") == robustness_tables(results)
    for cell in results["cells"]:
        assert cell["seconds"] < 360
        for norm in ("l2", "linf"):
            for row in cell.get(norm, {"at": {}})["at"].values():
                shares = [row["certified"] or 0.0, row["pgd"], row["fgsm"], cell[norm]["clean"]]
                assert shares == sorted(shares)
