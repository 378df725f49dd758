"""The benchmark on the published pairs, on two small pairs of the same format and three steps."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from scripts import bench_funnels
from wgan_lip.distributions import Funnels

PUBLISHED = """dim,funnels,solver,cosine,l2,w1_estimate,w1_true_4096
2,3,wgan-lp,0.7,0.4,0.8,1.0
2,3,sort-out,0.6,0.3,0.75,1.0
2,3,dot,0.99,0.01,1.0,1.0
"""


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for dim in (2, 3):
        pair = Funnels.random(dim, 3)
        np.savez(folder / f"dim{dim}.npz", centers=pair.centers.numpy(), bias=pair.bias.numpy())
    (folder / "published.csv").write_text(PUBLISHED)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_funnels.py", *map(str, arguments)])
    bench_funnels.main()


def test_it_goes_on_where_it_stopped_and_sets_both_side_by_side(monkeypatch, capsys, pairs: Path, tmp_path: Path):
    results, document = tmp_path / "results", tmp_path / "funnels.md"
    arguments = (pairs, "--results", results, "--steps", 3, "--document", document)
    run(monkeypatch, *arguments, "--only", "dim2")
    assert [path.name for path in results.iterdir()] == ["dim2.json"]
    kept = json.loads((results / "dim2.json").read_text())
    assert (kept["dim"], kept["funnels"], kept["steps"]) == (2, 3, 3)
    assert kept["certified"] == pytest.approx(1, abs=1e-5)
    assert kept["estimate"] <= kept["truth"]
    # A mark that survives only if the pair is not trained again.
    (results / "dim2.json").write_text(json.dumps({**kept, "cosine": 0.12345}))
    capsys.readouterr()
    run(monkeypatch, *arguments)
    printed = capsys.readouterr().out
    assert "| 2 | 3 | 0.123 | 0.700 wgan-lp | " in printed
    # The published error of sort-out, and not a word of discrete transport.
    assert "| 0.250 |" in printed
    assert "0.300 sort-out" in printed
    assert "| 3 | 3 | " in printed
    assert "Mean over 2 pairs" in printed
    # A trial with fewer steps is not what stands in the documents.
    assert not document.exists()
