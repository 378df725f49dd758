"""docs/scaling.md is what the script makes of docs/scaling.json, and its arithmetic is right."""

import json
from pathlib import Path

import pytest

from scripts.scaling_bench.cases import COUNTED, MEASURED, SETUPS, Case
from scripts.scaling_bench.cluster import GPUS, Cluster
from scripts.scaling_bench.page import markdown
from scripts.scaling_bench.runs import fit, wait_until_quiet
from wgan_lip.networks import MLPCritic, MLPGenerator

ROOT = Path(__file__).parents[2]
EASY = Cluster(
    flops=1e12,
    gpus_per_node=8,
    node_bandwidth=1e9,
    network_bandwidth=1e8,
    node_latency=1e-3,
    network_latency=1e-2,
    normals=1e6,
    sync=1.0,
)


def test_the_document_is_that_of_the_results():
    results = json.loads((ROOT / "docs" / "scaling.json").read_text())
    assert markdown(results) == (ROOT / "docs" / "scaling.md").read_text()
    assert {(one["case"], one["setup"]) for one in results["measured"]} == {
        (case.name, setup) for case in MEASURED for setup in SETUPS
    }
    assert [one["case"] for one in results["counted"]] == [case.name for case in COUNTED]
    for one in results["measured"]:
        assert 0 <= one["exchange"] + one["control"] + one["noise"] < one["cycle"]
    # What is assumed is what the script assumes now.
    assert Cluster(**results["cluster"]) == Cluster()


def test_messages_take_their_hops_and_their_bytes():
    assert EASY.all_reduce(1e6, 1) == 0
    # Three hops there and back, and seven eighths of the bytes twice.
    assert EASY.all_reduce(1e6, 8) == pytest.approx(2 * 3e-3 + 2 * 7 / 8 * 1e-3)
    # Three hops more between eight nodes, over the slower network.
    assert EASY.all_reduce(1e6, 64) == pytest.approx(2 * (3e-3 + 3e-2) + 2 * 63 / 64 * 1e-2)


def test_a_cycle_is_the_sum_of_its_parts():
    counted = {"n_critic": 4, "flops": 5e12, "batch": 100, "noise_dim": 10, "messages": 5, "bytes": 5e6}
    parts = EASY.parts(counted, 1.0, 8)
    assert parts == {
        "compute": 5.0,
        # For the critic four times and once for the generator, on each GPU for all.
        "noise": pytest.approx(5 * 8 * 100 * 10 / 1e6),
        "gradients": pytest.approx(5 * EASY.all_reduce(1e6, 8)),
        "control": pytest.approx(8 * (EASY.all_reduce(4, 8) + 1)),
    }
    assert EASY.cycle(counted, 1.0, 8) == pytest.approx(sum(parts.values()))
    # Where the host cannot launch faster, it sets the pace.
    assert EASY.parts(counted, 2.0, 8)["compute"] == 8
    times = [Cluster().cycle(counted, 1e-3, gpus) for gpus in (1, *GPUS)]
    assert times == sorted(times)


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
