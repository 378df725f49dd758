"""The figure of what is proven of a classifier, over all radii at once."""

import torch
from matplotlib.figure import Figure

from wgan_lip.report.figures import step_axes
from wgan_lip.robustness import Robustness


def certified_curve(found: Robustness, title: str = "") -> Figure:
    """Share of the images that are certified at each radius, and of those that withstood attacks.

    Args:
        found: what was measured; its radii make the curve, its accuracies the points, with their intervals.
        title: above the axes.
    """
    figure, axes = step_axes(f"radius in {found.norm}, pixels in [0, 1]", title)
    axes.set_ylabel("accuracy on held-out images, %")
    clean = found.clean
    axes.axhspan(100 * clean.low, 100 * clean.high, color="0.9", lw=0, zorder=0)
    axes.axhline(100 * clean.value, color="0.35", ls="--", label="clean")
    if found.certificate is not None:
        positive = found.radii[found.radii > 0].sort().values
        finite = positive[torch.isfinite(positive)]
        # At a radius those are certified whose own is larger.
        shares = 100 * (len(positive) - torch.arange(len(finite) + 1)) / len(found.radii)
        axes.step([0.0, *finite.tolist()], shares.tolist(), where="post", color="tab:orange", label="certified")
    for name, color, marker in (("pgd", "tab:blue", "o"), ("fgsm", "tab:green", "s")):
        shown = [(row.eps, share) for row in found.at if (share := getattr(row, name)) is not None]
        if shown:
            eps, values, low, high = zip(
                *((e, 100 * s.value, 100 * s.low, 100 * s.high) for e, s in shown), strict=True
            )
            errors = [
                [value - end for value, end in zip(values, low, strict=True)],
                [end - value for value, end in zip(values, high, strict=True)],
            ]
            label = f"withstood {name.upper()}"
            axes.errorbar(eps, values, errors, color=color, fmt=marker, ms=4, capsize=2, label=label)
    axes.set_ylim(0, 100)
    axes.set_xlim(left=0)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure
