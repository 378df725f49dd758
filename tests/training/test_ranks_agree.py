"""What several processes of a run must agree on before it begins, and how one says what it alone finds wrong."""

from types import SimpleNamespace
from typing import Any

import pytest

from wgan_lip.cli import errors
from wgan_lip.cli.training.saved_config import SaveConfig


class Strategy:
    """That of a rank whose first rank goes on from ``first``."""

    def __init__(self, first: str | None, others_agree: bool = True) -> None:
        self.first = first
        self.others_agree = others_agree

    def broadcast(self, _: Any) -> str | None:
        return self.first

    def reduce_boolean_decision(self, decision: bool, all: bool) -> bool:  # noqa: A002
        assert all
        return decision and self.others_agree


def set_up(ours: str | None, strategy: Strategy) -> None:
    callback = SaveConfig(parser=None, config=SimpleNamespace(ckpt_path=ours))
    callback.setup(SimpleNamespace(strategy=strategy, global_rank=1), None, "fit")


@pytest.mark.parametrize("path", [None, "/runs/x/a/checkpoints/last.ckpt"])
def test_the_same_checkpoint_is_well(path):
    set_up(path, Strategy(path))


@pytest.mark.parametrize(("ours", "first"), [(None, "/a.ckpt"), ("/a.ckpt", None), ("/a.ckpt", "/b.ckpt")])
def test_other_checkpoints_are_told(ours, first):
    with pytest.raises(ValueError, match=f"got {first} on rank 0 and {ours} on rank 1: runs_dir must be"):
        set_up(ours, Strategy(first))


def test_all_ranks_stop_if_one_differs():
    with pytest.raises(ValueError, match="must resume from the same checkpoint"):
        set_up("/a.ckpt", Strategy("/a.ckpt", others_agree=False))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ""),
        ({"RANK": "0", "LOCAL_RANK": "1"}, ""),
        ({"RANK": "3", "LOCAL_RANK": "1"}, "rank 3: "),
        ({"LOCAL_RANK": "1"}, "rank 1: "),
        ({"SLURM_PROCID": "2"}, "rank 2: "),
    ],
)
def test_a_line_says_the_rank_if_it_is_not_the_first(environ, expected, monkeypatch, capsys):
    waited: list[float] = []
    monkeypatch.setattr(errors.time, "sleep", waited.append)
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        errors.fail("wrong")
    assert capsys.readouterr().err == f"wgan-lip: error: {expected}wrong\n"
    # The launcher ends those whose first process has the same error before they say it.
    assert bool(waited) == bool(expected)
