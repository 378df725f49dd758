"""Several ranks train what one trains: the same losses, the same weights on all, and no rank waits for a dead one."""

import datetime
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.strategies import DDPStrategy, DeepSpeedStrategy, FSDPStrategy

from tests.support.metrics import assert_close, rows
from tests.training.family import FAMILY
from tests.training.ranked import STEPS, train
from wgan_lip.parts import Part, share_of
from wgan_lip.training.checks import check_strategy
from wgan_lip.training.ranks import LostRankError, OtherRankError, Ranks, is_lost_rank

SAME_LOSSES = [
    "orthogonal",
    "stiefel adam",
    "penalised",
    "convolutional",
    "estimator",
    "penalised estimator",
    "classifier",
]
SAME_WEIGHTS = [*SAME_LOSSES, "dropout", *FAMILY]


def launch(program: str, ranks: int, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of ``ranked`` on several ranks, started by Lightning as a user's script is."""
    command = [sys.executable, "-m", "tests.training.ranked", program, str(ranks), str(folder), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=280, env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    )


def weights(folder: Path, rank: int) -> dict[str, torch.Tensor]:
    return torch.load(folder / f"weights-{rank}.pt", weights_only=True)["state"]


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    done = launch("train", 2, folder, *SAME_WEIGHTS)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("case", SAME_LOSSES)
def test_two_ranks_have_the_losses_of_one(case, two_ranks, tmp_path):
    train(case, tmp_path, 1)
    logged = "train/loss" if case == "classifier" else "train/w1_critic"
    assert len([row for row in rows(tmp_path) if row[logged]]) == STEPS
    assert_close(rows(two_ranks / case), rows(tmp_path))


@pytest.mark.parametrize("case", SAME_WEIGHTS)
def test_all_ranks_have_the_same_weights(case, two_ranks):
    first, second = (weights(two_ranks / case, rank) for rank in range(2))
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_dropout_differs_among_ranks_and_a_resumed_run_goes_on_with_its_own(two_ranks, tmp_path):
    kept = torch.load(two_ranks / "dropout" / "checkpoints" / "last.ckpt", weights_only=True)
    states = [state["torch"] for state in kept["wgan_lip"]["random_states"]]
    assert len(states) == 2
    assert not torch.equal(*states)
    done = launch("resume", 2, tmp_path, "dropout")
    assert done.returncode == 0, done.stderr[-3000:]
    assert rows(tmp_path / "dropout") == rows(two_ranks / "dropout")
    for rank in range(2):
        ours, theirs = weights(tmp_path / "dropout", rank), weights(two_ranks / "dropout", rank)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_ranks(two_ranks, tmp_path):
    done = launch("interrupt", 3, tmp_path, "orthogonal")
    assert done.returncode == 0, done.stderr[-3000:]
    checkpoint = tmp_path / "orthogonal" / "checkpoints" / "last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["wgan_lip"]["critic_step"] == 20
    train("orthogonal", tmp_path / "orthogonal", 1, ckpt_path=checkpoint)
    assert_close(rows(tmp_path / "orthogonal"), rows(two_ranks / "orthogonal"))


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_killed_rank_ends_the_others_with_a_message_and_a_checkpoint_to_go_on_from(victim, two_ranks, tmp_path):
    done = launch("kill", 2, tmp_path, "orthogonal", f"{victim}")
    assert done.returncode != 0
    # Since the kill: two processes that import PyTorch may themselves take a minute to begin.
    assert time.time() - (tmp_path / "orthogonal" / "killed").stat().st_mtime < 60
    survivor = 1 - victim
    deadline = time.monotonic() + 60
    said = tmp_path / f"said-{survivor}"
    while not said.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "another process of this training ended" in said.read_text()
    checkpoint = tmp_path / "orthogonal" / "checkpoints" / "last.ckpt"
    train("orthogonal", tmp_path / "orthogonal", 1, ckpt_path=checkpoint)
    assert_close(rows(tmp_path / "orthogonal"), rows(two_ranks / "orthogonal"))


def test_what_one_rank_cannot_do_ends_all(tmp_path):
    done = launch("talk", 2, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = ((tmp_path / f"said-{rank}").read_text().splitlines() for rank in range(2))
    assert first == [
        "any True",
        "gathered [0, 1, 2, 3, 4]",
        "together OtherRankError rank 1: the disk is full",
        "lead ValueError no proof",
        "lead [1, 2]",
        "same RuntimeError the ranks' weights differ, first in 1.weight: they round differently; use nodes of one kind",
        "total 3.0",
        "budget ValueError time_budget must be below the strategy's timeout of 1800 s, after which waiting ranks fail; "
        "got time_budget=10000.0",
        "budget 900.0",
        "share ValueError a batch must have a sample for each of the 2 ranks; got 1 samples",
    ]
    assert second == [
        "any True",
        "gathered None",
        "together OSError the disk is full",
        "lead OtherRankError rank 0: no proof",
        "lead [1, 2]",
        *first[5:],
    ]


def test_a_part_weighs_as_many_samples_as_it_has():
    parts = [share_of(11, rank, 3) for rank in range(3)]
    assert [(part.start, part.stop) for part in parts] == [(0, 3), (3, 7), (7, 11)]
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert [len(part) for part in parts[1].chunks(3)] == [len(c) for c in torch.zeros(4).chunk(3)] == [2, 2]
    assert list(parts[1].chunks(1)) == [parts[1]]
    assert torch.equal(Part(2, 5, 9).of(torch.arange(9)), torch.arange(2, 5))


@pytest.mark.parametrize("strategy", [FSDPStrategy, DeepSpeedStrategy])
def test_strategies_that_split_weights_are_refused(strategy):
    # Neither can be built without what it runs on.
    with pytest.raises(ValueError, match=f"strategy must be ddp; {strategy.__name__} splits"):
        check_strategy(strategy.__new__(strategy))
    check_strategy(DDPStrategy())


@pytest.mark.parametrize(
    ("name", "reason"), [("fsdp", "splits"), ("deepspeed_stage_2", "splits"), ("ddp_spawn", "copies a running process")]
)
def test_strategies_are_refused_by_name(name, reason):
    with pytest.raises(ValueError, match=f"strategy must be ddp; {name} {reason}"):
        check_strategy(name)
    for possible in ("auto", "ddp", "ddp_find_unused_parameters_true", "single_device"):
        check_strategy(possible)


def test_one_process_does_it_alone():
    ranks = Ranks(SimpleNamespace(global_rank=0, world_size=1, strategy=SimpleNamespace()))
    rows = torch.arange(3)
    assert ranks.gather(rows) is rows or torch.equal(ranks.gather(rows), rows)
    assert ranks.on_rank_zero(lambda: 5) == ranks.on_all(lambda: 5) == 5
    assert ranks.all_gather("a") == ["a"]
    assert ranks.any(False) is False
    assert ranks.timeout == datetime.timedelta(minutes=30)
    ranks.check_same(torch.nn.Linear(2, 2))
    with pytest.raises(ZeroDivisionError):
        ranks.on_rank_zero(lambda: 1 / 0)


def test_lost_ranks_are_told_from_other_errors():
    assert is_lost_rank(LostRankError("x"))
    assert is_lost_rank(RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:23"))
    assert not is_lost_rank(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_lost_rank(OtherRankError("rank 1: broken pipe"))
