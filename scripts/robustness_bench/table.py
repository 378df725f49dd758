"""The tables of docs/robustness.md."""

import math
from statistics import mean, stdev
from typing import Any

from scripts.robustness_bench.methods import EPS, HIDDEN, TUNED, methods


def table(results: dict[str, Any]) -> str:
    """Means over the seeds, in percent, with their spread."""
    blocks = []
    for norm, radii in EPS.items():
        head = " | ".join(f"{what} {eps:g}" for eps in radii for what in ("certified", "PGD", "FGSM"))
        lines = [f"| {norm} | clean | {head} |", "|---|" + 7 * "--:|"]
        for name in methods(next(iter(TUNED))):
            cells = [cell[norm] for cell in results["cells"] if cell["method"] == name and norm in cell]
            if not cells:
                continue
            shares = [[cell["clean"] for cell in cells]]
            for eps in radii:
                shares += [[cell["at"][str(eps)][key] or 0.0 for cell in cells] for key in ("certified", "pgd", "fgsm")]
            lines.append(f"| {name} | {' | '.join(_percent(values) for values in shares)} |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _percent(values: list[float]) -> str:
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def markdown(results: dict[str, Any]) -> str:
    """The tables, and how they came about."""
    cells = results["cells"]
    made = cells[0]["options"]
    seeds = len({cell["seed"] for cell in cells})
    seconds = [cell["seconds"] for cell in cells]
    attacked = sum(cell[norm]["attacked"] for cell in cells for norm in EPS if norm in cell)
    # An image that is certified at a radius was attacked there by FGSM and by PGD.
    within = sum(
        round(2 * made["images"] * (row["certified"] or 0.0))
        for cell in cells
        for norm in EPS
        if norm in cell
        for row in cell[norm]["at"].values()
    )
    sampling = 100 * 1.96 * math.sqrt(0.25 / made["images"])
    how = f"PGD: {made['attack_steps']} steps, {made['restarts']} starts"
    return f"""Accuracy in %, mean ± standard deviation over {seeds} seeds, on {made["images"]} held-out images of
Fashion-MNIST, whose own sampling error is up to ± {sampling:.1f} (95 %). {how}.
Hidden widths {", ".join(map(str, HIDDEN))}; every training took {min(seconds):.0f} to {max(seconds):.0f} s of one core.

{table(results)}

{attacked:,} attacks on an image in all, {within:,} of them within its certified radius: none of these changed a class,
or there would be an error in place of this table.
"""
