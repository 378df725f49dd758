"""What the scripts share: tables between markers, results written whole, steps timed in turn."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.shared import timing
from scripts.shared.processes import ROOT, environment
from scripts.shared.results import write_json, write_table, write_text
from scripts.shared.tables import markdown_rows

BEGIN, END = "<!-- t -->\n", "<!-- end of t -->"


def test_a_table_goes_between_its_markers_and_nothing_else_changes(tmp_path: Path):
    page = tmp_path / "page.md"
    # What a regular expression would take for a group, and another table's markers.
    table = markdown_rows(["a", r"\1"], [["x", "y"]])
    assert table == "| a | \\1 |\n| --- | --: |\n| x | y |\n"
    other = "<!-- u -->\nkept\n<!-- end of u -->\n"
    page.write_text(f"{other}{BEGIN}old\n{END}\nafter\n")
    for _ in range(2):
        write_table(page, "t", table)
        assert page.read_text() == f"{other}{BEGIN}{table}{END}\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, END, END + BEGIN, END + BEGIN + END, 2 * BEGIN + END, BEGIN + 2 * END])
def test_a_page_without_the_markers_is_left_as_it_is(tmp_path: Path, text: str):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(SystemExit, match=f"{re.escape(str(page))} must hold the lines <!-- t --> and {END}, once each"):
        write_table(page, "t", "new\n")
    assert page.read_text() == text


def test_results_are_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "new" / "results.json"
    write_json(path, {"a": [1, 2.5]})
    assert path.read_text() == '{\n "a": [\n  1,\n  2.5\n ]\n}\n'
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(path, {"a": path})
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "begun \ud800")
    assert json.loads(path.read_text()) == {"a": [1, 2.5]}
    write_text(path, "text\n\n")
    assert path.read_text() == "text\n"


def test_steps_are_timed_in_turn_each_after_one_that_does_not_count(monkeypatch: pytest.MonkeyPatch):
    called: list[str] = []
    # Of a and b in turn: the round that warms up, and three that count.
    seconds = iter([100.0, 200.0, 1.0, 20.0, 3.0, 60.0, 2.0, 40.0])

    def timed(step):
        step()
        called.append("timed")
        return None, next(seconds), 0.0

    monkeypatch.setattr(timing, "timed", timed)
    steps = {name: lambda name=name: called.append(name) for name in ("a", "b")}
    assert timing.in_turn(steps, 3) == {"a": 2.0, "b": 40.0}
    assert called == 4 * ["a", "a", "timed", "b", "b", "timed"]


def test_a_script_by_its_path_finds_what_it_shares(tmp_path: Path):
    """Python then looks beside the script, where no folder ``scripts`` is: each one says first where to look."""
    look = "sys.path.insert(0, str(Path(__file__).parents[1]))\n"
    sharing = [path for path in (ROOT / "scripts").glob("*.py") if "\nfrom scripts." in path.read_text()]
    assert len(sharing) >= 8
    for path in sharing:
        assert look in path.read_text().split("\nfrom scripts.")[0], path
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [sys.executable, str(ROOT / "scripts" / "bench_transport.py"), "--help"]
    done = subprocess.run(words, cwd=tmp_path, env=alone, capture_output=True, text=True, check=True)
    assert "--fashion-mnist" in done.stdout


def test_processes_find_this_working_copy(tmp_path: Path):
    program = "import os, scripts.shared.processes as p; print(p.ROOT, os.environ['OMP_NUM_THREADS'])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(3), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(ROOT), "3"]
