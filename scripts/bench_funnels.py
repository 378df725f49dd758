"""The shipped W1 estimator on the published pairs with known W1, beside the best published neural solver of each.

python scripts/bench_funnels.py PAIRS                            # trains what is missing, then writes docs/funnels.md
python scripts/bench_funnels.py PAIRS --only dim002 --jobs 2     # some of them, two at once, a core each

PAIRS is a folder of files that ``Funnels.load`` reads, and of published.csv with the columns dim, funnels, solver,
cosine, l2, w1_estimate, w1_true_4096 (Korotin et al., "Kantorovich strikes back!", NeurIPS 2022; solver dot is discrete
transport and is left out). Each pair's result is written when it is done: called again, the script goes on.
The critic, optimiser and steps are those of configs/w1/funnels.yaml. Scores are the published protocol's, on 4,096
fresh couples: mean cosine and squared distance between the critic's gradient and the optimal one, and the estimate.
"""

import argparse
import csv
import json
import math
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.shared.processes import ROOT
from scripts.shared.results import write_json, write_text

CONFIG = ROOT / "configs" / "w1" / "funnels.yaml"
DOCUMENT = ROOT / "docs" / "funnels.md"
COUPLES = 4096


def main() -> None:
    """Train what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="folder of pairs and of published.csv")
    parser.add_argument("--results", type=Path, default=Path("runs/funnels"), help="where each pair's result is kept")
    parser.add_argument("--only", default="", help="only the files whose names begin so")
    parser.add_argument("--jobs", type=int, default=1, help="pairs at once; the cores are shared among them")
    parser.add_argument("--steps", type=int, help="fewer than the config's, to try the script")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    files = sorted(
        f for f in options.pairs.iterdir() if f.suffix in (".npz", ".pt") and f.name.startswith(options.only)
    )
    options.results.mkdir(parents=True, exist_ok=True)
    # The many-dimensional ones first: they take longest.
    missing = [f for f in reversed(files) if not (options.results / f"{f.stem}.json").exists()]
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    work = [(f, options.results / f"{f.stem}.json", options.steps, threads) for f in missing]
    if options.jobs == 1:
        for item in work:
            run(*item)
    else:
        with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=1) as pool:
            pool.starmap(run, work, chunksize=1)
    results = [json.loads((options.results / f"{f.stem}.json").read_text(encoding="utf-8")) for f in files]
    text = document(results, read_published(options.pairs / "published.csv"))
    print(text)
    if not options.only and options.steps is None:
        write_text(options.document, text)


def run(path: Path, result: Path, steps: int | None, threads: int) -> None:
    """Train on one pair and score the critic.

    Args:
        path: of the pair.
        result: where the scores go.
        steps: instead of the config's.
        threads: of PyTorch.
    """
    from wgan_lip.training import plain_fit

    torch.set_num_threads(threads)
    estimator = build(path, steps)
    pair = estimator.pair
    start = time.perf_counter()
    plain_fit(estimator)
    scores = score(estimator.final_critic(), pair)
    scores |= {"pair": path.stem, "dim": pair.dim, "funnels": len(pair.centers), "threads": threads}
    scores |= {"steps": estimator.steps, "seconds": time.perf_counter() - start}
    write_json(result, scores)
    print(json.dumps(scores), flush=True)


def build(path: Path, steps: int | None) -> Any:
    """The estimator of the shipped config, for another pair.

    Args:
        path: of the pair, which takes the place of the config's.
        steps: instead of the config's.
    """
    from jsonargparse import ArgumentParser
    from pytorch_lightning import LightningModule

    model = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["model"]
    model["init_args"]["pair"] = {"class_path": "wgan_lip.distributions.Funnels.load", "init_args": {"path": str(path)}}
    if steps is not None:
        model["init_args"]["steps"] = steps
    parser = ArgumentParser()
    parser.add_subclass_arguments(LightningModule, "model")
    return parser.instantiate(parser.parse_object({"model": model})).model


def score(critic: torch.nn.Module, pair: Any) -> dict[str, Any]:
    """The published protocol's scores, in float64, and the certified constant.

    Args:
        critic: as trained.
        pair: funnels.
    """
    from wgan_lip.evaluation.gradients import gradient_figures
    from wgan_lip.lipschitz import certify
    from wgan_lip.randomness import keyed_generator

    critic64 = critic.to(torch.float64).eval()
    x, y = (samples.double() for samples in pair.sample_plan(COUPLES, keyed_generator("published protocol")))
    with torch.no_grad():
        values_x, values_y = critic64(x).flatten(), critic64(y).flatten()
    figures = gradient_figures(critic64, x, pair.potential_gradient(x))
    return {
        "cosine": figures.cosine,
        "l2": figures.l2,
        "estimate": float(values_x.mean() - values_y.mean()),
        "standard_error": math.sqrt((float(values_x.var()) + float(values_y.var())) / COUPLES),
        "truth": float((x - y).norm(dim=1).mean()),
        "certified": certify(critic64).bound,
    }


def read_published(path: Path) -> dict[tuple[int, int], dict[str, Any]]:
    """By dimension and funnels: the best neural solver's cosine and l2, and sort-out's error.

    Args:
        path: of published.csv.
    """
    best: dict[tuple[int, int], dict[str, Any]] = {}
    if not path.exists():
        return best
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        if row["solver"] == "dot":
            continue
        entry = best.setdefault((int(row["dim"]), int(row["funnels"])), {"cosine": (-2.0, ""), "l2": (math.inf, "")})
        entry["cosine"] = max(entry["cosine"], (float(row["cosine"]), row["solver"]))
        entry["l2"] = min(entry["l2"], (float(row["l2"]), row["solver"]))
        if row["solver"] == "sort-out":
            entry["sort-out"] = abs(float(row["w1_estimate"]) - float(row["w1_true_4096"]))
    return best


def document(results: list[dict[str, Any]], published: dict[tuple[int, int], dict[str, Any]]) -> str:
    """The page with the table.

    Args:
        results: of ``run``.
        published: of ``read_published``.
    """
    lines = [
        "# Pairs with known W1: this package and the best published neural solver of each",
        "",
        "Made by `python scripts/bench_funnels.py PAIRS` (see there for what PAIRS holds and how critics are scored).",
        "One config for all pairs, `configs/w1/funnels.yaml`; one seed. cos and l2 compare the critic's gradient with",
        "the optimal one. The published figures are the best of ten neural solvers, taken anew for each pair and",
        "column (Korotin, Kolesov, Burnaev, NeurIPS 2022); sort-out is the orthogonal, sorting critic among them.",
        "",
        "| dim | funnels | cos | best published | l2 | best published | estimate ± se | truth | error | sort-out's "
        "| certified L | seconds |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in results:
        p = published.get((r["dim"], r["funnels"]))
        best = {k: f"{p[k][0]:.3f} {p[k][1]}" if p else "" for k in ("cosine", "l2")}
        error = f"{p['sort-out']:.3f}" if p else ""
        ours = abs(r["estimate"] - r["truth"])
        lines.append(
            f"| {r['dim']} | {r['funnels']} | {r['cosine']:.3f} | {best['cosine']} | {r['l2']:.3f} | {best['l2']} "
            f"| {r['estimate']:.4f} ± {r['standard_error']:.4f} | {r['truth']:.4f} | {ours:.3f} | {error} "
            f"| {r['certified']:.7f} | {r['seconds']:.0f} |"
        )
    means = [sum(r[k] for r in results) / len(results) for k in ("cosine", "l2")]
    lines += ["", f"Mean over {len(results)} pairs: cosine {means[0]:.3f}, l2 {means[1]:.3f}."]
    if published:
        rows = [published[r["dim"], r["funnels"]] for r in results if (r["dim"], r["funnels"]) in published]
        theirs = [sum(row[k][0] for row in rows) / len(rows) for k in ("cosine", "l2")]
        lines[-1] += f" The best published solver of each pair: cosine {theirs[0]:.3f}, l2 {theirs[1]:.3f}."
    seconds = max(r["seconds"] for r in results)
    lines += [
        "",
        f"The longest training took {seconds:.0f} s on {results[0]['threads']} thread(s), other work beside it.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
