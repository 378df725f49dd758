"""Every script that the documentation names runs, from its command line on, if in a small way."""

import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts import (
    bench_gradient_norm,
    bench_image_critics,
    bench_intervals,
    bench_robustness,
    bench_scaling,
    mutation_table,
    update_readme,
)
from scripts.image_critics_bench.contest import read_contest
from scripts.robustness_bench import cells as robustness_cells
from scripts.robustness_bench.methods import TUNED, methods
from tests.data.made import write_idx
from tests.docs.pages import PAGES, ROOT
from tests.support.commands import DIGITS, run
from wgan_lip.data import FashionMNIST

# Where the others are run.
ELSEWHERE = {
    "bench_critics": "tests/scripts/test_bench_critics.py",
    "bench_funnels": "tests/scripts/test_bench_funnels.py",
    "bench_transport": "tests/scripts/test_bench_transport.py",
    "random_search": "tests/scripts/test_sweeps.py",
    "report_picture": "tests/page/test_report_picture.py",
    "sync_wandb": "tests/scripts/test_sync_wandb.py",
}


def test_every_script_is_run_here_or_elsewhere():
    # Blocks that need what is not here are only parsed.
    blocks = [block.text for page in PAGES for block in page.blocks if block.needs is None]
    text = "".join([*blocks, *(command for page in PAGES for command in page.mentioned)])
    named = {*re.findall(r"scripts/(\w+)\.py", text)}
    here = set(re.findall(r"command\(monkeypatch, (\w+)", Path(__file__).read_text()))
    assert named == (here & named) | (ELSEWHERE.keys() & named)
    for name, file in ELSEWHERE.items():
        assert re.search(rf"({name}|bench)\.main\(", (ROOT / file).read_text()), name


def command(monkeypatch: pytest.MonkeyPatch, script, *words: object) -> None:
    """``python scripts/SCRIPT.py WORDS``."""
    monkeypatch.setattr(sys, "argv", [f"{script.__name__}.py", *map(str, words)])
    script.main()


@pytest.fixture
def garments(tmp_path, monkeypatch) -> Path:
    write_idx(tmp_path / "idx", pack=True)
    monkeypatch.setattr(FashionMNIST, "debian", tmp_path / "idx")
    return tmp_path / "idx"


@pytest.mark.slow
def test_lost_gradient_norm(monkeypatch, tmp_path, capsys):
    options = ["--steps", 4, "--gan-steps", 1, "--seeds", 0, "--jobs", 1]
    command(monkeypatch, bench_gradient_norm, *options, "--folder", tmp_path)
    printed = capsys.readouterr().out
    assert printed in (tmp_path / "gradient_norm.md").read_text()
    assert (tmp_path / "gradient_norm.png").is_file()
    before = (tmp_path / "gradient_norm.md").read_text()
    command(monkeypatch, bench_gradient_norm, "--draw", "--folder", tmp_path)
    assert (tmp_path / "gradient_norm.md").read_text() == before


def test_critics_of_images(monkeypatch, tmp_path, garments, capsys):
    # The generator's minute.
    monkeypatch.setattr(bench_image_critics, "plain_fit", lambda gan, data: None)
    small = ["--channels", 4, 8, "--hidden", 8, "--batch", 4]
    some = ["--critics", "orthogonal, Muon (wgan_lip)", "clipping"]
    contest = tmp_path / "contest.json"
    options = ["--seconds", 0.2, "--rates", 1e-3, 3e-3, "--heldout", 40, "--exact-n", 20, "--data-dir", garments]
    command(monkeypatch, bench_image_critics, *small, *some, *options, "--json", contest)
    assert len(read_contest(contest).scores) == 2
    assert "noise floor" in capsys.readouterr().out
    command(monkeypatch, bench_image_critics, "--step-times", "--rounds", 1, *small)
    assert "ratio" in capsys.readouterr().out


def test_robustness(monkeypatch, tmp_path, garments, capsys):
    def in_this_process(cells, args):
        for name, seed, setting in cells:
            command(monkeypatch, bench_robustness, *options, "--cell", name, seed, "--setting", setting)
            yield json.loads(capsys.readouterr().out)

    options = ["--seconds", 0.5, "--images", 20, "--attack-steps", 1, "--restarts", 1]
    monkeypatch.setattr(bench_robustness, "run_cells", in_this_process)
    setting = next(iter(TUNED))
    monkeypatch.setattr(bench_robustness, "TUNED", {setting: TUNED[setting]})
    monkeypatch.setattr(robustness_cells, "PROBE", 2)
    monkeypatch.setattr(robustness_cells, "seconds_a_step", lambda *_: 0.1)
    few = {name: replace(method, batch=8) for name, method in methods(setting).items()}
    monkeypatch.setattr(robustness_cells, "methods", lambda setting: few)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- robustness table -->\n<!-- end of robustness table -->\nafter\n")
    files = ["--json", tmp_path / "r.json", "--pages", page]
    command(monkeypatch, bench_robustness, *options, "--tune", "--seeds", 1, "--methods", "ours, l2", *files)
    assert "| ours, l2 | " in page.read_text()
    assert capsys.readouterr().out.strip() in page.read_text()


def test_scaling(monkeypatch, tmp_path, capsys):
    # tests/scripts/test_bench_scaling.py measures one case; all of them take minutes.
    results = json.loads((ROOT / "docs" / "scaling.json").read_text())
    monkeypatch.setattr(bench_scaling, "measure", lambda rounds: results["measured"])
    files = ["--json", tmp_path / "s.json", "--markdown", tmp_path / "s.md"]
    command(monkeypatch, bench_scaling, "--rounds", results["rounds"], *files)
    assert json.loads((tmp_path / "s.json").read_text()) == results
    assert (tmp_path / "s.md").read_text() == (ROOT / "docs" / "scaling.md").read_text()
    assert (tmp_path / "s.md").read_text().strip() == capsys.readouterr().out.strip()


def test_what_became_of_mutants(monkeypatch, tmp_path, capsys):
    # What `make mutation` leaves, which takes hours.
    became = {Path("a.py"): {"a1": "killed", "a2": "survived", "a3": "types"}, Path("b.py"): {"b1": "survived"}}
    lines = {"a2": ["-    x < 1", "+    x <= 1"], "b1": ["-    y = 1", "+    y = 2"]}
    monkeypatch.setattr(mutation_table, "results", lambda: became)
    monkeypatch.setattr(mutation_table, "changed", lambda name, path: lines[name])
    explained = tmp_path / "mutation.md"
    explained.write_text("x <= 1: the same, as x is never 1\n")
    monkeypatch.setattr(mutation_table, "EXPLANATIONS", explained)
    command(monkeypatch, mutation_table)
    printed = capsys.readouterr().out
    assert (
        "| `a.py` | 3 | 1 | 1 | 0 | 1 | 0 |\n| `b.py` | 1 | 0 | 0 | 0 | 1 | 0 |\n| all | 4 | 1 | 1 | 0 | 2 | 0 |"
        in printed
    )
    assert "y = 2" in printed
    assert "x <= 1" not in printed
    command(monkeypatch, mutation_table, "--survivors", "--files", "a.py")
    printed = capsys.readouterr().out
    assert "x <= 1" in printed
    assert "b.py" not in printed


def test_the_figures_of_a_run_are_copied_into_their_page(monkeypatch, tmp_path, capsys):
    small = ["--model.init_args.generator_steps=2", "--exact_w1.every=1", "--exact_w1.n=20", "--wandb.mode=disabled"]
    run(monkeypatch, "fit", "-c", DIGITS, *small, "--runs_dir", tmp_path / "runs")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- demo table -->\nold\n<!-- end of demo table -->\nafter\n")
    monkeypatch.setattr(update_readme, "ROOT", tmp_path)
    monkeypatch.setattr(update_readme, "PAGES", {"digits": page})
    command(monkeypatch, update_readme, "--runs_dir", tmp_path / "runs")
    lines = page.read_text().splitlines()
    assert lines[:3] == ["before", "<!-- demo table -->", lines[2]]
    assert [line.split(" | ")[0] for line in lines[4:-2]] == ["| 0", "| 1", "| 2"]
    assert lines[-1] == "after"
    assert {path.name for path in (tmp_path / "docs" / "demo").iterdir()} == {"w1.png", "metrics.csv", "samples.png"}


def test_margins_on_the_scores_of_a_critic(monkeypatch, tmp_path, capsys):
    small = ["--model.init_args.generator_steps=2", "--exact_w1.n=20", "--wandb.mode=disabled"]
    run(monkeypatch, "fit", "-c", DIGITS, *small, "--runs_dir", tmp_path, "--run", "mine")
    capsys.readouterr()
    command(monkeypatch, bench_intervals, tmp_path / "digits" / "mine", "--n", 20, 400, "--draws", 2, "--looks", 3)
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.strip().splitlines()[2:]]
    assert [row[0] for row in rows] == ["20", "400"]
    for row in rows:
        bernstein, single, together = map(float, row[2:5])
        assert 0 < single < together < bernstein
    # Computed by hand: equal scores leave 7 D ln(2/d) / (3 (n - 1)) for each side.
    equal = bench_intervals.bernstein_margin(np.ones(8), np.zeros(15), 3.0, 0.04)
    assert equal == pytest.approx(7 * 3 * math.log(100) / 3 * (1 / 7 + 1 / 14))
    varied = bench_intervals.bernstein_margin(np.array([0.0, 2.0]), np.zeros(2), 0.0, 0.04)
    assert varied == pytest.approx(math.sqrt(2 * 2 * math.log(100) / 2))
