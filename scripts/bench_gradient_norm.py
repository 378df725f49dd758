"""Where 1-Lipschitz critics lose gradient norm: ReLU beside GroupSort, between the same orthogonal layers.

    python scripts/bench_gradient_norm.py [--steps 1000] [--gan-steps 5000] [--seeds 0 1 2] [--jobs 2]

Trains both critics on pairs with known W1 and potential, and as the critic of configs/gan/digits.yaml; writes
docs/gradient_norm.json, .png and .md, and prints the table. About five minutes on two cores. ``--draw`` makes
figure and text anew from the JSON.
"""

import argparse
import json
import multiprocessing
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.gradient_norm_bench.page import figure_of, markdown, table
from scripts.gradient_norm_bench.training import ACTIVATIONS, CASES, GAN, task
from scripts.shared.processes import ROOT
from scripts.shared.results import write_text
from wgan_lip.report import save_figure


def measure(seeds: Sequence[int], steps: int, gan_steps: int, jobs: int) -> dict[str, Any]:
    """All trainings: each pair with each seed, the GAN, which takes longest, with the first."""
    tasks = [(GAN, name, seeds[0], gan_steps) for name in ACTIVATIONS]
    tasks += [(case.name, name, seed, steps) for seed in seeds for case in CASES for name in ACTIVATIONS]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool:
        runs = []
        for run in pool.map(task, *zip(*tasks, strict=True)):
            runs.append(run)
            norm = run["points"][-1]["layers"][-1]["mean"]
            print(f"{run['case']}, {run['label']}, seed {run['seed']}: {norm:.3f}", file=sys.stderr, flush=True)
    return {"torch": torch.__version__, "machine": platform.machine(), "seeds": list(seeds), "runs": runs}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="critic steps on a pair (some take a part of them)")
    parser.add_argument(
        "--gan-steps", type=int, default=5000, help="generator steps of the GAN, as the config has them"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, each on one core")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs", help="where gradient_norm.* go")
    parser.add_argument("--draw", action="store_true", help="train nothing: figure and text from the JSON there")
    options = parser.parse_args()
    path = options.folder / "gradient_norm.json"
    if not options.draw:
        results = measure(options.seeds, options.steps, options.gan_steps, options.jobs)
        write_text(path, as_json(rounded(results)))
    results = json.loads(path.read_text(encoding="utf-8"))
    save_figure(figure_of(results), options.folder / "gradient_norm.png")
    write_text(options.folder / "gradient_norm.md", markdown(results))
    sys.stdout.write(table(results) + "\n")


def rounded(value: Any) -> Any:
    """Numbers to five digits: more say nothing, and the file is kept in git."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list | tuple) else value


def as_json(results: dict[str, Any]) -> str:
    """JSON with a line for each run, so that changes of it can be read."""
    runs = ",\n  ".join(json.dumps(run) for run in results["runs"])
    rest = "".join(f' "{key}": {json.dumps(value)},\n' for key, value in results.items() if key != "runs")
    return f'{{\n{rest} "runs": [\n  {runs}\n ]\n}}\n'


if __name__ == "__main__":
    main()
