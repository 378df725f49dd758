"""docs/scaling.md is what the script makes of docs/scaling.json; two processes send the gradients once."""

import json
from pathlib import Path

import pytest

from scripts.scaling_bench.page import MEASURED, SETUPS, Case, markdown
from scripts.scaling_bench.runs import fit, wait_until_quiet
from wgan_lip.networks import MLPCritic, MLPGenerator

ROOT = Path(__file__).parents[2]


def test_the_document_is_that_of_the_results():
    results = json.loads((ROOT / "docs" / "scaling.json").read_text())
    assert markdown(results) == (ROOT / "docs" / "scaling.md").read_text()
    assert {(one["case"], one["setup"]) for one in results["measured"]} == {
        (case.name, setup) for case in MEASURED for setup in SETUPS
    }
    for one in results["measured"]:
        assert 0 <= one["exchange"] + one["control"] + one["noise"] < one["cycle"]


def test_waiting_for_quiet_ends():
    wait_until_quiet(limit=0)
    wait_until_quiet(limit=60, busy=float("inf"), watched=0.01)


@pytest.mark.slow
def test_two_processes_send_the_gradients_of_both_networks():
    case = Case("digits", ("configs/gan/digits.yaml",), 8, 3)
    found = fit(case, 2, 1, 2, quiet=0)
    networks = {
        "critic": MLPCritic((1, 8, 8), width=128, depth=4),
        "generator": MLPGenerator((1, 8, 8), noise_dim=32, width=256, depth=2),
    }
    sizes = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
    assert found["messages"] == found["n_critic"] + 1
    assert found["bytes"] == 4 * (found["n_critic"] * sizes["critic"] + sizes["generator"])
    assert found["messages_alone"] > 0
    assert found["exchange"] + found["control"] + found["update"] + found["noise"] < found["cycle"]
    assert 0 <= found["elsewhere"] < 1
