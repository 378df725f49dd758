"""metrics.csv, read by tests."""

import csv
from pathlib import Path

import pytest


def rows(folder: Path) -> list[dict[str, str]]:
    """metrics.csv of a run, without what depends on the clock."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if not k.endswith("/seconds")} for row in csv.DictReader(file)]


def assert_close(ours: list[dict[str, str]], theirs: list[dict[str, str]]) -> None:
    """The same rows; in float64 only the order of sums differs."""
    assert [row.keys() for row in ours] == [row.keys() for row in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        for name, value in other.items():
            assert bool(mine[name]) == bool(value), name
            if value:
                # Shortest paths add up the solvers' own tolerance.
                relative = 1e-6 if name.endswith("exact_standard_error") else 1e-9
                assert float(mine[name]) == pytest.approx(float(value), rel=relative, abs=1e-11), name
