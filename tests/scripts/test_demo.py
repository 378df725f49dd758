"""What ``make demo`` promises: its own command, with the shipped config as it is."""

import csv
import re
import shlex
from pathlib import Path

import pytest

from tests.support.commands import run

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_learns_and_every_estimate_is_a_lower_bound(monkeypatch, tmp_path):
    recipe = re.search(r"^demo: .*\n\t(.*)\n\n", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    program, *words = shlex.split(recipe[1])
    assert program == "$(BIN)/wgan-lip"
    monkeypatch.chdir(ROOT)
    run(monkeypatch, *words, f"--runs_dir={tmp_path}")
    (path,) = tmp_path.glob("digits/*/metrics.csv")
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["w1/exact"]]
    assert len(rows) >= 10
    for row in rows:
        assert float(row["w1/gap"]) >= -1e-6 * float(row["w1/exact"])
        assert float(row["lipschitz/certified"]) <= 1.00001
    assert float(rows[0]["w1/exact"]) > 2 * float(rows[0]["w1/noise_floor"])
    assert float(rows[-1]["w1/exact"]) <= 1.15 * float(rows[-1]["w1/noise_floor"])
