"""Exact W1 by one process and by two that price together, one thread each; and by one process of two threads.

    python scripts/bench_team.py [--rounds 3] [--n 8192 20000]

Samples of a Gaussian and of the same moved by 0.3 in each coordinate; all take their turns, for several rounds; a cell
is the median time. One core for each process. In brackets: seconds that the process which solves has computed, which
other work on the machine does not change; the gain of these is that of an idle machine, but for waiting and messages.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.shared.processes import environment
from scripts.shared.timing import timed
from wgan_lip.transport import Team, wasserstein1

SETUPS = {"one process": (1, 1), "two processes": (2, 1), "one process, two threads": (1, 2)}


def work(n: int, d: int) -> None:
    """As one of the processes of torchrun: solve, or serve; the first prints the seconds by the clock and its own."""
    dist.init_process_group("gloo")
    team = Team()
    if team.rank:
        team.serve()
    else:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 0.3
        with team.leading():
            print(*timed(wasserstein1, x, y, team=team)[1:])
    dist.destroy_process_group()


def seconds(n: int, d: int, processes: int, threads: int) -> tuple[float, float]:
    """The time of one solution by the clock, and of the process that solves."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run(  # noqa: S603
        [*torchrun, __file__, "--work", str(n), str(d)],
        env=environment(threads),
        capture_output=True,
        text=True,
        check=True,
    )
    clock, own = map(float, done.stdout.split()[-2:])
    return clock, own


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--n", type=int, nargs="+", default=[8192, 20_000])
    parser.add_argument("--d", type=int, nargs="+", default=[64, 784])
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        work(*args.work)
        return
    print(f"| n | d | {' | '.join(f'{name}, s' for name in SETUPS)} | gain of the second process |")
    print("|--:|--:|--:|--:|--:|--:|")
    for n in args.n:
        for d in args.d:
            times: dict[str, list[tuple[float, float]]] = {name: [] for name in SETUPS}
            for _ in range(args.rounds):
                for name, how in SETUPS.items():
                    times[name].append(seconds(n, d, *how))
            cells = {name: [median(part) for part in zip(*values, strict=True)] for name, values in times.items()}
            gains = [one / two for one, two in zip(cells["one process"], cells["two processes"], strict=True)]
            row = [f"{clock:.2f} ({own:.2f})" for clock, own in (*cells.values(), gains)]
            print(f"| {n} | {d} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
