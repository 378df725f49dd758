"""Where 1-Lipschitz critics lose gradient norm: ReLU beside GroupSort, between the same orthogonal layers.

    python scripts/bench_gradient_norm.py [--steps 1000] [--gan-steps 5000] [--seeds 0 1 2] [--jobs 2]

Trains both critics on pairs with known W1 and potential, and as the critic of configs/gan/digits.yaml; writes
docs/gradient_norm.json, .png and .md, and prints the table. Two to five minutes on two cores. ``--draw`` makes
figure and text anew from the JSON.
"""

import argparse
import json
import logging
import multiprocessing
import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
import yaml
from pytorch_lightning import LightningModule
from torch import nn

from wgan_lip.cli.config import OneLineParser
from wgan_lip.data import Digits
from wgan_lip.distributions import AbsoluteValue, HighDimensionalCone, Pair, SphericalShells, ThreeCones
from wgan_lip.lipschitz import GroupSort, LayerGradient
from wgan_lip.networks import MLPCritic
from wgan_lip.randomness import keyed_generator
from wgan_lip.report import GradientPanel, NetworkSummary, gradient_figure, save_figure, summarize_gradients
from wgan_lip.training import W1Estimator, WassersteinGAN, gan_points, pair_points, plain_fit, score_heldout
from wgan_lip.training.heldout import draw_heldout

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "configs" / "gan" / "digits.yaml"
GAN = "digits GAN"
POINTS = 2048
GAN_POINTS = 512


@dataclass(frozen=True)
class Case:
    """A pair, and the critics that are trained on it.

    Attributes:
        name: in the table.
        pair: builds it.
        width: of both critics.
        depth: of both critics.
        group_size: of GroupSort.
        share: steps, as a part of ``--steps``.
    """

    name: str
    pair: Callable[[], Pair]
    width: int
    depth: int
    group_size: int
    share: float = 1.0


CASES = (
    Case("absolute value", AbsoluteValue, 32, 3, 4, 0.5),
    Case("shells in R¹⁶", partial(SphericalShells, [[0.0] * 16], 2.0, 1.0), 64, 3, 4),
    Case("three cones in R²", ThreeCones, 64, 4, 4),
    Case("cone in R¹²⁸", HighDimensionalCone, 256, 3, 16, 0.3),
)
ACTIVATIONS = ("ReLU", "GroupSort")


def activation(name: str, group_size: int) -> Callable[[], nn.Module]:
    """What builds an activation."""
    return nn.ReLU if name == "ReLU" else partial(GroupSort, group_size)


def train_on_pair(case: Case, name: str, seed: int, steps: int) -> dict[str, Any]:
    """Train a critic on a pair and diagnose it; returns what is kept of it."""
    pair = case.pair()
    critic = partial(MLPCritic, width=case.width, depth=case.depth, activation=activation(name, case.group_size))
    steps = max(1, round(case.share * steps))
    estimator = W1Estimator(pair, critic, steps=steps, batch_size=128, decay="cosine", seed=seed)
    plain_fit(estimator)
    trained = estimator.final_critic()
    estimate = score_heldout(trained, draw_heldout(pair, 4096, 0, seed))
    summary = summarize_gradients(name, trained, pair_points(pair, POINTS, seed), keyed_generator(seed))
    truth = pair.w1().value
    return {"case": case.name, "seed": seed, "steps": steps, "w1": estimate.critic, "truth": truth, **summary.record()}


def train_gan(name: str, seed: int, steps: int) -> dict[str, Any]:
    """Train the GAN of the digits config with this activation in its critic, and diagnose that."""
    model = yaml.safe_load(DIGITS.read_text())["model"]
    arguments = model["init_args"]
    arguments.update(generator_steps=steps, seed=seed)
    if name == "ReLU":
        arguments["critic"]["init_args"]["activation"] = "torch.nn.ReLU"
    torch.manual_seed(seed)
    parser = OneLineParser()
    parser.add_subclass_arguments(LightningModule, "model", required=True)
    gan: WassersteinGAN = parser.instantiate_classes(parser.parse_object({"model": model}))["model"]
    data = Digits(seed=seed)
    plain_fit(gan, data)
    summary = summarize_gradients(
        name, gan.critic, gan_points(gan.eval(), data, GAN_POINTS, seed), keyed_generator(seed)
    )
    return {"case": GAN, "seed": seed, "steps": steps, "w1": None, "truth": None, **summary.record()}


def task(case: str, name: str, seed: int, steps: int) -> dict[str, Any]:
    """One training, in a process of its own."""
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    if case == GAN:
        return train_gan(name, seed, steps)
    return train_on_pair(next(one for one in CASES if one.name == case), name, seed, steps)


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


def runs_of(results: dict[str, Any], case: str, name: str) -> list[dict[str, Any]]:
    """Those of one critic, one for each seed."""
    return [run for run in results["runs"] if (run["case"], run["label"]) == (case, name)]


def case_names(results: dict[str, Any]) -> list[str]:
    """In the order of the table."""
    found = {run["case"] for run in results["runs"]}
    return [name for name in (*(case.name for case in CASES), GAN) if name in found]


def averaged(runs: Sequence[dict[str, Any]]) -> NetworkSummary:
    """One network in place of those of all seeds: the mean of every number that is drawn."""
    summaries = [NetworkSummary.from_record({key: run[key] for key in RECORD}) for run in runs]
    first = summaries[0]
    points = []
    for i, kind in enumerate(first.points):
        alike = [summary.points[i] for summary in summaries]
        layers = tuple(mean_layer(layers) for layers in zip(*(one.layers for one in alike), strict=True))
        jacobian = tuple(mean(values) for values in zip(*(one.jacobian for one in alike), strict=True))
        points.append(replace(kind, layers=layers, jacobian=jacobian))
    return replace(first, points=tuple(points))


RECORD = ("label", "points", "units", "weights")


def mean_layer(layers: Sequence[LayerGradient]) -> LayerGradient:
    """The mean of what is drawn of one place, over seeds."""
    names = ("mean", "standard_error", "spread", "smallest", "largest")
    return replace(layers[0], **{name: mean(getattr(layer, name) for layer in layers) for name in names})


def figure_of(results: dict[str, Any]) -> Any:
    """The figure: a row for each case, at the points between the two distributions."""
    panels = []
    for case in case_names(results):
        networks = tuple(averaged(runs_of(results, case, name)) for name in ACTIVATIONS)
        index = len(networks[0].points) - 1
        where = "between real and generated" if case == GAN else "on transport rays"
        panels.append(GradientPanel(f"{case}: points {where}", networks, index))
    return gradient_figure(panels)


def table(results: dict[str, Any]) -> str:
    """The table, as markdown."""
    lines = [
        "| trained on | critic | norm, between | on P (real) | on Q (made) | never switching | W1 ≥ |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for case in case_names(results):
        for name in ACTIVATIONS:
            runs = runs_of(results, case, name)
            norms = [[run["points"][i]["layers"][-1]["mean"] for run in runs] for i in range(3)]
            idle = mean(
                sum(one["constant"] for one in run["units"]) / sum(one["units"] for one in run["units"]) for run in runs
            )
            w1 = "" if runs[0]["w1"] is None else f"{mean(run['w1'] for run in runs):.3f} of {runs[0]['truth']:.3f}"
            cells = [over_seeds(norms[2]), over_seeds(norms[0]), over_seeds(norms[1]), f"{idle:.0%}", w1]
            lines.append(f"| {case} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def over_seeds(values: Sequence[float]) -> str:
    """The mean, and the range where there are several."""
    spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"


def bars(results: dict[str, Any], case: str) -> str:
    """The numbers under the bars of one row of the figure, as markdown."""
    networks = [averaged(runs_of(results, case, name)) for name in ACTIVATIONS]
    layers = [network.points[-1].layers for network in networks]
    labels = ["output", *(f"after {layer.name}" for layer in layers[0][1:-1]), "input"]
    kinds = ["", *("activation" if a.kind != b.kind else a.kind for a, b in zip(*layers, strict=True))][1:]
    lines = ["| critic | " + " | ".join(labels) + " |", "|---|" + "--:|" * len(labels)]
    del kinds
    for network, places in zip(networks, layers, strict=True):
        lines.append(f"| {network.label} | " + " | ".join(f"{layer.mean:.3f}" for layer in places) + " |")
    return "\n".join(lines)


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
        path.write_text(as_json(rounded(results)))
    results = json.loads(path.read_text())
    save_figure(figure_of(results), options.folder / "gradient_norm.png")
    (options.folder / "gradient_norm.md").write_text(markdown(results))
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


def markdown(results: dict[str, Any]) -> str:
    """docs/gradient_norm.md."""
    return f"{table(results)}\n"


if __name__ == "__main__":
    main()
