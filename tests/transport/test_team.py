"""Processes that price together find what one finds, to the bit, and never wait for one that cannot."""

import numpy as np
import pytest

from tests.transport.teamed import CASES, LEVELS, price, run, solve
from wgan_lip.transport import Team


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def found(request, tmp_path_factory):
    """What a team has found, each process by one thread: products may depend on how many there are."""
    folder = tmp_path_factory.mktemp("team")
    run(request.param, folder)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_a_team_finds_what_one_process_finds(case, found):
    alone, together = solve(case), np.load(found / f"{case}.npz")
    assert together["bounds"].tolist() == [alone.value, alone.lower, alone.upper]
    assert np.array_equal(together["x_potential"], alone.x_potential)
    assert np.array_equal(together["y_potential"], alone.y_potential)
    assert np.array_equal(together["plan"], np.vstack((alone.plan.row, alone.plan.col, alone.plan.data)))


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("swapped", [False, True])
def test_each_pass_is_that_of_one_process(name, swapped, found):
    alone, together = price(name, swapped), np.load(found / f"{name}-{swapped}.npz")
    for field, value in vars(alone).items():
        assert value.dtype == together[field].dtype
        assert np.array_equal(value, together[field]), field


def test_groups_of_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.distributed.get_backend", lambda _: "nccl")
    with pytest.raises(ValueError, match="got one of nccl"):
        Team()


def test_budgets_and_errors_end_what_they_should(found):
    assert (found / "said").read_text().splitlines() == [
        "bracket False True",
        "bracket False True",
        "again True",
        "released",
        "rank 1 could not price its arcs: MemoryError: kein Platz für 3 Zeilen",
        "rank 0 of a team leads it; this is rank 0: use leading()",
        "team must be led while it is used; it is not: solve within team.leading()",
        "rank 0 of a team leads it, once at a time; this one leads already",
        "worth False True",
    ]
    assert (found / "said-1").read_text() == "rank 0 of a team leads it, once at a time; this is rank 1: call serve()"
