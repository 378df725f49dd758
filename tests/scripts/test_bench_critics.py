"""The benchmark of training steps, on small critics."""

import json
import sys
from pathlib import Path

import pytest
import torch

from scripts import bench_critics
from wgan_lip.lipschitz import certify


def test_every_critic_takes_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    arguments = ["--widths", "8", "--batches", "4", "2", "--rounds", "1", "--json", str(tmp_path / "t.json")]
    monkeypatch.setattr(sys, "argv", ["bench_critics.py", *arguments])
    bench_critics.main()
    timings = json.loads((tmp_path / "t.json").read_text())
    assert [(t["critic"], t["batch"]) for t in timings] == [(c, b) for b in (4, 2) for c in bench_critics.LAYERS]
    assert all(t["seconds"] > 0 for t in timings)
    assert [t["ratio"] for t in timings if t["critic"] == bench_critics.BASELINE] == [1, 1]
    printed = capsys.readouterr().out
    assert all(name in printed for name in bench_critics.LAYERS)


@pytest.mark.parametrize("name", [name for name in bench_critics.LAYERS if "wgan_lip" in name])
def test_ours_stay_certified_and_all_learn(name: str) -> None:
    trainee = bench_critics.Trainee(name, 16)
    x, y = torch.randn(2, 32, bench_critics.INPUT, generator=torch.Generator().manual_seed(0))
    x += 1

    def estimate() -> float:
        with torch.no_grad():
            return float(trainee.critic(x).mean() - trainee.critic(y).mean())

    before = estimate()
    for _ in range(20):
        trainee.step(x, y)
    assert estimate() > before
    assert certify(trainee.critic.eval()).bound <= 1.00001
