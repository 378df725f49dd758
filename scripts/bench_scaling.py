"""Weak scaling of GANs: measured on one and two cores, and computed for clusters of GPUs.

    python scripts/bench_scaling.py [--rounds 3] [--json docs/scaling.json] [--markdown docs/scaling.md]

Measured: each config trains with ``wgan-lip fit`` on one process with the config's batch, on two processes (gloo, one
thread each) with twice the batch, and on one process of two threads with twice the batch, in turn, for several rounds;
a cell is the median over the rounds of the median cycle (``n_critic`` critic steps and a generator step). On a machine
that others use too, a run waits until they are quiet, and what they took of the machine meanwhile is told.

Computed: what 8, 64 and 512 GPUs would give, from the operations of a cycle (counted by PyTorch), the bytes of its
messages, and the assumptions of ``Cluster``. Nothing of that was measured on a GPU.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.scaling_bench.cases import COUNTED, GAN, MEASURED, SETUPS, Case
from scripts.scaling_bench.cluster import Cluster
from scripts.scaling_bench.page import markdown
from scripts.scaling_bench.runs import fit
from scripts.shared.results import write_json, write_text


def measure(rounds: int, cases: tuple[Case, ...] = MEASURED) -> list[dict[str, Any]]:
    """Each case on each setup, in turn, the medians over the rounds."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for round_ in range(rounds):
        for case in cases:
            for setup, how in SETUPS.items():
                found.setdefault((case.name, setup), []).append(fit(case, *how))
                print(f"round {round_ + 1}: {case.name}, {setup}", file=sys.stderr, flush=True)
    return [
        {"case": case, "setup": setup, **{name: median(run[name] or 0 for run in runs) for name in runs[0]}}
        for (case, setup), runs in found.items()
    ]


def count(cases: tuple[Case, ...] = COUNTED) -> list[dict[str, Any]]:
    """Operations of a cycle, and bytes and messages of its gradients."""
    counted = []
    for case in cases:
        flops = fit(Case(case.name, case.configs, case.batch, 2), 1, 2, 1, count_flops=True)
        counted.append({**flops, "case": case.name, "batch": case.batch})
    return counted


def host_seconds() -> float:
    """What Python and Lightning take for a critic step and its share of a generator's, however small the networks."""
    tiny = Case("tiny", (f"{GAN}/digits.yaml",), 2, 150)
    widths = [f"--model.init_args.{name}.init_args.width=4" for name in ("critic", "generator")]
    result = fit(tiny, 1, 1, 1, *widths)
    return result["cycle"] / result["n_critic"]


def main() -> None:
    """Measure, compute, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="each setup is run so often")
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--markdown", type=Path, help="where the tables go")
    args = parser.parse_args()
    results = {
        "rounds": args.rounds,
        "measured": measure(args.rounds),
        "counted": count(),
        "host": host_seconds(),
        "cluster": asdict(Cluster()),
    }
    if args.json:
        write_json(args.json, results)
    text = markdown(results)
    if args.markdown:
        write_text(args.markdown, text)
    print(text)


if __name__ == "__main__":
    main()
