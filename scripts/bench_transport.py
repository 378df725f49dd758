"""Exact W1 of the same samples, by this package and by others: time, peak memory, and whether they agree.

python scripts/bench_transport.py --n 2048 8192                  # table, figure and results.json in runs/bench
python scripts/bench_transport.py --page docs/exact_w1.md        # copy the table of runs/bench into that page
python scripts/bench_transport.py --fashion-mnist 60000          # one large problem, by this package alone
python scripts/bench_transport.py --warm                         # solve again after every point has moved a little

Each measurement has a process of its own. The time is that from the points to the value, so it includes the distance
matrix of solvers that need one; the memory is the peak above what was in use before. OMP_NUM_THREADS applies to all
solvers. The package lap, of the peer lapjv, is in the extra: pip install -e '.[bench]'.
"""

import argparse
import importlib.util
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.shared.results import write_json, write_table, write_text
from scripts.transport_bench import cases
from scripts.transport_bench.cases import images, parse_case
from scripts.transport_bench.cells import TOLERANCE
from scripts.transport_bench.comparison import compare
from scripts.transport_bench.figure import draw
from scripts.transport_bench.peers import OURS, PEERS
from scripts.transport_bench.processes import in_process, save
from scripts.transport_bench.table import markdown_table
from scripts.transport_bench.tasks import solve_again, solve_images


def environment(arguments: list[str]) -> dict[str, Any]:
    """The command, machine and versions that the numbers depend on."""
    cpus = os.cpu_count() or 1
    return {
        "command": " ".join(["python scripts/bench_transport.py", *arguments]),
        "cpus": cpus,
        "threads": os.environ.get("OMP_NUM_THREADS", str(cpus)),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("numpy", "scipy", "POT", "torch")}
        | ({"lap": version("lap")} if importlib.util.find_spec("lap") else {}),
    }


def run_comparison(options: argparse.Namespace, arguments: list[str]) -> int:
    """Measure, print, and write results.json, the table and the figure; return 1 if any value is wrong, else 0."""
    peers, problems = {}, [case for case in options.cases if case.is_possible()]
    for name in dict.fromkeys([OURS, *options.peers]):
        if importlib.util.find_spec(PEERS[name].package) is None:
            print(f"{name} is left out: the package {PEERS[name].package} is not installed", flush=True)
        else:
            peers[name] = PEERS[name]
    if len(problems) < len(options.cases):
        print(f"images are left out: there is no {cases.IMAGES}", flush=True)
    if not problems:
        raise SystemExit(f"--cases must name one whose data are there; {cases.IMAGES} is missing")
    results = environment(arguments) | {"limit": options.limit, "memory": options.memory * 2**30, "cells": []}
    wrong = 0
    measured = compare(
        problems, options.n, peers, repeats=options.repeats, limit=options.limit, memory=results["memory"]
    )
    for cell in measured:
        print(cell.describe(options.limit), flush=True)
        wrong += cell.is_wrong()
        results["cells"].append(asdict(cell))
        write_json(options.out / "results.json", results)
    if wrong:
        print(f"{wrong} cells failed or differ from ours by more than {TOLERANCE:g}", flush=True)
    write_text(options.out / "table.md", markdown_table(results))
    print("\n" + markdown_table(results))
    draw(results, options.out / "transport.png")
    return int(wrong > 0)


def run_images(options: argparse.Namespace) -> int:
    """Solve one large problem, and write its numbers to fashion_mnist.json."""
    with tempfile.TemporaryDirectory() as name:
        save(Path(name), images(options.fashion_mnist, 784, np.random.default_rng(0)))
        result, _ = in_process(solve_images, Path(name))
    if result is None:
        return 1
    print(json.dumps(result))
    write_text(options.out / "fashion_mnist.json", json.dumps(result))
    return 0


def run_warm(options: argparse.Namespace) -> int:
    """Measure the time of a solve from old potentials over one from none, and write it to warm.json."""
    case, n = options.cases[0], options.n[0]
    results = []
    for seed in range(options.repeats):
        with tempfile.TemporaryDirectory() as name:
            save(Path(name), case.draw(n, seed))
            result, _ = in_process(solve_again, Path(name))
        if result is None or result["difference"] > TOLERANCE:
            print(f"failed: {result}")
            return 1
        results.append(result)
        print(json.dumps(results[-1]), flush=True)
    ratio, cpu_ratio = (median(result[name] for result in results) for name in ("ratio", "cpu_ratio"))
    print(f"{case.kind}-{case.d}, n = {n}: warm over cold {ratio:.2f} ({cpu_ratio:.2f} of all cores' time), ", end="")
    print(f"median of {len(results)}")
    summary = {"case": case.kind, "d": case.d, "n": n, "ratio": ratio, "cpu_ratio": cpu_ratio, "repeats": results}
    write_text(options.out / "warm.json", json.dumps(summary))
    return 0


def parser() -> argparse.ArgumentParser:
    """Build the parser of the options."""
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    positive = partial(_positive, kind=int)
    parse.add_argument("--cases", nargs="+", type=parse_case, help="kind and dimension, as gaussian-64; images")
    parse.add_argument("--n", nargs="+", type=positive, help="points on each side")
    parse.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS)[:5], help="default: the first five")
    parse.add_argument("--repeats", type=positive, help="repeats of each measurement; the median is reported")
    parse.add_argument("--limit", type=partial(_positive, kind=float), default=120, help="seconds for each measurement")
    parse.add_argument(
        "--memory", type=partial(_positive, kind=float), help="GiB; by default three quarters of the free memory"
    )
    parse.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the results")
    mode = parse.add_mutually_exclusive_group()
    mode.add_argument("--fashion-mnist", type=positive, metavar="N", help="one solve, N images against N imitations")
    mode.add_argument("--warm", action="store_true", help="solve again after the points moved (first case, first n)")
    mode.add_argument("--page", type=Path, help="copy the table of results.json between its markers, measure nothing")
    return parse


def _positive(text: str, kind: type) -> Any:
    value = kind(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be positive; got {text}")
    return value


def _with_defaults(options: argparse.Namespace) -> argparse.Namespace:
    names = ["gaussian-64"] if options.warm else ["gaussian-2", "gaussian-8", "gaussian-64", "gaussian-784"]
    names += [] if options.warm else ["clusters-8", "apart-8", "images"]
    options.cases = options.cases or [parse_case(name) for name in names]
    options.n = options.n or ([4096] if options.warm else [1024, 2048, 4096, 8192])
    options.repeats = options.repeats or (5 if options.warm else 3)
    if options.memory is None:
        from wgan_lip.memory import available_memory

        options.memory = 0.75 * available_memory() / 2**30
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run one of the four commands and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _with_defaults(parser().parse_args(arguments))
    if options.page:
        results = json.loads((options.out / "results.json").read_text(encoding="utf-8"))
        write_table(options.page, "transport table", markdown_table(results))
        return 0
    if options.fashion_mnist:
        return run_images(options)
    return run_warm(options) if options.warm else run_comparison(options, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
