"""docs/gradient_norm.md and its figure."""

import math
from collections.abc import Sequence
from statistics import mean
from typing import Any

from scripts.gradient_norm_bench.runs import averaged, case_names, runs_of
from scripts.gradient_norm_bench.training import ACTIVATIONS, CASES, GAN, GAN_POINTS, POINTS
from wgan_lip.report import GradientPanel, gradient_figure, shared_labels

# The row of the figure whose numbers are written out.
BARS = CASES[2].name
TEXT = """\
# Lost gradient norm

Printed by `python scripts/bench_gradient_norm.py`, which also draws the figure.

A critic that attains W1 has gradient norm 1 wherever mass is moved. A network of 1-Lipschitz layers can only lose
gradient norm on its way back from the output to the input, and what is lost in one layer no other layer can restore. So
a critic is as steep as it should be only if *no* layer loses anything there. Orthogonal layers need not: backwards,
`W^T` keeps the norm of every gradient where W has no more outputs than inputs, else of those in its range. GroupSort
does not: its Jacobian is a permutation. ReLU does: it sets to zero what belongs to units that are off.

Both critics here have the same sizes, the same orthogonal layers and the same training (StiefelMuon; the GAN: Adam, as
`configs/gan/digits.yaml` has it) and differ in the activation only.

![Gradient norm after each layer, ReLU beside GroupSort](gradient_norm.png)

*Left*: mean norm of the gradient with respect to what each layer gives, from the output back to the input; whiskers are
the standard deviation over the points. A step down to a bar is what the layer to its left has lost: from "act." to
the W beside it, that activation. *Middle*: the singular value of the input Jacobian, which is the norm of the critic's
gradient, over the points, sorted. *Right*: the singular values of the weights, from the smallest to the largest. They
are all 1, so what is lost is lost to the activations, and to W1 where it has more outputs than inputs.

{table}

*Between*: points `x + t (y - x)`, t uniform, where (x, y) are drawn from an optimal plan of the pair: there the optimal
critic has gradient norm 1 (almost everywhere). Of the GAN, whose plan is not known, between independent real and
generated samples, where the optimal critic may have any norm up to 1. *On P* and *on Q*: on samples of either
distribution; for the GAN held-out real and generated ones. Where Q is a point, which it is in all pairs but the shells,
the optimal critic has a kink there and no gradient. {points} points of each kind ({gan_points} for the GAN); no mean
has a standard error above {error:.3f}; mean of {seeds} seeds, with their range (the GAN: one seed).
*Never switching*: units, of all layers, in which the same piece of the activation acts at all these points: they are
linear there. A unit of ReLU loses its share of the gradient wherever it is off, so a critic keeps norm by units
that are on everywhere, and those are linear. *W1 ≥*: the critic's certified estimate on held-out samples (a lower bound
but for their sampling error), and the true W1.

All that GroupSort loses, it loses in W1, which has more outputs than inputs here: training turns it so that the
gradient lies in its range. In the GAN it has got less far.

The bars of the row "{case}", mean over the seeds:

{bars}

Steps of training: {trained}; the GAN {gan_steps}, by its generator.

The same of any checkpoint, and of several side by side: `wgan-lip diagnose relu.ckpt groupsort.ckpt -o gradients.png`;
while a critic trains: `wgan-lip fit -c ... --gradient_norms.n 256`. From Python: `wgan_lip.lipschitz.diagnose`.
"""


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
    labels = shared_labels(networks) or []
    lines = ["| critic | " + " | ".join(labels) + " |", "|---|" + "--:|" * len(labels)]
    for network in networks:
        cells = [f"{layer.mean:.3f}" for layer in network.points[-1].layers]
        lines.append(f"| {network.label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def largest_error(results: dict[str, Any]) -> float:
    """The largest standard error of a norm in the table, rounded up."""
    found = max(points["layers"][-1]["standard_error"] for run in results["runs"] for points in run["points"])
    return math.ceil(1000 * found) / 1000


def markdown(results: dict[str, Any]) -> str:
    """docs/gradient_norm.md."""
    steps = {run["case"]: run["steps"] for run in results["runs"]}
    trained = ", ".join(f"{case} {steps[case]}" for case in case_names(results) if case != GAN)
    return TEXT.format(
        table=table(results), bars=bars(results, BARS), case=BARS, trained=trained, gan_steps=steps[GAN], points=POINTS,
        gan_points=GAN_POINTS, seeds=len(results["seeds"]), error=largest_error(results),
    )  # fmt: skip
