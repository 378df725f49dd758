"""The margins of lower confidence bounds of W1 on a trained critic's scores: empirical Bernstein beside betting.

    python scripts/bench_intervals.py RUN [--n 20 100 500 2048 16384] [--draws 20] [--looks 13]

RUN is a run folder or checkpoint of ``wgan-lip fit`` with a WassersteinGAN. Its critic scores held-out and generated
samples; each row draws n of both (all held-out ones where there are fewer), and shows means over the draws. Probability
of error: 2.5 %, for all evaluations together where the last of LOOKS evaluations is meant.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.shared.tables import markdown_rows
from wgan_lip.cli.rebuild import load_data
from wgan_lip.cli.sample import load_gan
from wgan_lip.console import Console
from wgan_lip.evaluation import ScoredCritic, score
from wgan_lip.runs import checkpoint_at
from wgan_lip.transport import box_diameter, delta_of_look, population_lower

Scores = NDArray[np.float64]
DELTA = 0.025


def bernstein_margin(x: Scores, y: Scores, diameter: float, delta: float) -> float:
    """Compute the empirical Bernstein margin of ``mean x - mean y``, half of delta for each of the means.

    ``sqrt(2 V ln(2/d) / n) + 7 D ln(2/d) / (3 (n - 1))`` for each, V the sample variance, d = delta / 2

    Args:
        x: scores of P, shape (n,).
        y: scores of Q, shape (m,).
        diameter: D, of both supports.
        delta: the probability of error.

    Source:
        Maurer, Pontil, "Empirical Bernstein bounds and sample variance penalization", 2009, theorem 4.
    """
    log = math.log(4 / delta)
    return sum(
        math.sqrt(2 * float(values.var(ddof=1)) * log / len(values)) + 7 * diameter * log / (3 * (len(values) - 1))
        for values in (x, y)
    )


def scores_of(run: str, n: int) -> tuple[ScoredCritic, float]:
    """Score held-out samples and n generated ones by the critic of a run.

    Args:
        run: its folder or checkpoint.
        n: number of generated samples, and the largest of held-out ones.

    Returns:
        The scored critic, and the diameter of the box in which both kinds of samples lie.
    """
    path = checkpoint_at(run)
    gan, data = load_gan(path), load_data(path)
    if data.bounds is None:
        raise ValueError(f"the data of RUN must have bounds, from which Bernstein's diameter follows; got {run}")
    real = data.draw("heldout", min(n, data.size("heldout")), torch.Generator().manual_seed(0))
    with torch.no_grad():
        fake = gan.sample(gan.noise(n, "intervals"))
    low, high = data.bounds
    return score(gan.critic, real, fake), box_diameter(high - low, real[0].numel(), "l2")


def rows(scores: ScoredCritic, diameter: float, sizes: list[int], draws: int, looks: int) -> Iterator[list[str]]:
    """Compare the bounds at each size.

    Args:
        scores: of many samples.
        diameter: of the supports.
        sizes: the numbers of samples.
        draws: of each number.
        looks: number of the evaluation for whose bound that of all evaluations is shown.
    """
    if scores.normalized is None:
        raise ValueError("the critic of RUN must be one that certify can bound")
    real, fake = (values.numpy() for values in scores.normalized)
    for n in sizes:
        found = []
        for draw in range(draws):
            rng = np.random.default_rng((n, draw))
            x, y = (rng.choice(values, min(n, len(values)), replace=False) for values in (real, fake))
            bernstein = bernstein_margin(x, y, diameter, DELTA)
            single, together = (
                population_lower(x, y, delta=delta, diameter=diameter) for delta in (DELTA, delta_of_look(DELTA, looks))
            )
            found.append([single.estimate, bernstein, single.margin, together.margin])
        estimate, *margins = np.mean(found, axis=0)
        ratios = [max(0.0, 1 - margin / estimate) for margin in margins]
        yield [f"{n:,}", f"{estimate:.3f}", *(f"{margin:.3f}" for margin in margins), *(f"{r:.3f}" for r in ratios)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run folder or checkpoint")
    parser.add_argument("--n", type=int, nargs="+", default=[20, 100, 500, 2048, 16384], help="numbers of samples")
    parser.add_argument("--draws", type=int, default=20, help="of each number of samples (default: 20)")
    parser.add_argument("--looks", type=int, default=13, help="number of evaluations of a run (default: 13)")
    options = parser.parse_args()
    scores, diameter = scores_of(options.run, max(options.n))
    heading = ["n", "estimate", "margin: Bernstein", "betting", f"betting, all {options.looks} evaluations"]
    ratios = ["lower end / estimate: Bernstein", "betting", f"betting, all {options.looks}"]
    table = markdown_rows([*heading, *ratios], rows(scores, diameter, options.n, options.draws, options.looks))
    Console().print_plain(table)


if __name__ == "__main__":
    main()
