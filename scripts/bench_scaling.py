"""Weak scaling of GANs, measured on one and two cores.

    python scripts/bench_scaling.py [--rounds 3] [--json docs/scaling.json] [--markdown docs/scaling.md]

Each config trains with ``wgan-lip fit`` on one process with the config's batch, on two processes (gloo, one thread
each) with twice the batch, and on one process of two threads with twice the batch, in turn, for several rounds; a cell
is the median over the rounds of the median cycle (``n_critic`` critic steps and a generator step). On a shared machine
a run waits until other processes are idle, and the share of the machine that they used during the run is reported.
"""

import argparse
import sys
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.scaling_bench.page import MEASURED, SETUPS, Case, markdown
from scripts.scaling_bench.runs import fit
from scripts.shared.results import write_json, write_text


def measure(rounds: int, cases: tuple[Case, ...] = MEASURED) -> list[dict[str, Any]]:
    """Time each case on each setup, in turn; return the medians over the rounds."""
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="number of runs of each setup")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    args = parser.parse_args()
    results = {"rounds": args.rounds, "measured": measure(args.rounds)}
    if args.json:
        write_json(args.json, results)
    text = markdown(results)
    if args.markdown:
        write_text(args.markdown, text)
    print(text)


if __name__ == "__main__":
    main()
