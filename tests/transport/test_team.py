"""Processes that price together find what one finds, to the bit, and never wait for one that cannot."""

import numpy as np
import pytest

from tests.transport.teamed import CASES, run, solve


@pytest.fixture(scope="module", params=[2, 3])
def found(request, tmp_path_factory):
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


def test_budgets_and_errors_end_what_they_should(found):
    assert (found / "said").read_text().splitlines() == [
        "bracket False True",
        "released",
        "rank 1 could not price its arcs: MemoryError: kein Platz für 3 Zeilen",
        "worth False True",
    ]
