"""The figure of a comparison."""

from pathlib import Path
from statistics import median
from typing import Any

from scripts.transport_bench.cells import Cell
from scripts.transport_bench.peers import OURS
from wgan_lip.replaced import replacing


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw time and memory against n, with a column of panels for each case."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    cells = [Cell(**cell) for cell in results["cells"]]
    cases, peers = (list(dict.fromkeys(key)) for key in zip(*(((c.case, c.d), c.peer) for c in cells), strict=True))
    sizes = sorted({cell.n for cell in cells})
    figure, axes = plt.subplots(
        2,
        len(cases),
        figsize=(1.5 + 2.6 * len(cases), 6),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for column, case in enumerate(cases):
        for color, peer in enumerate(peers):
            own = [cell for cell in cells if (cell.case, cell.d) == case and cell.peer == peer]
            style = {
                "color": f"C{color}",
                "zorder": 3 if peer == OURS else 2,
                "linewidth": 2.5 if peer == OURS else 1.2,
            }
            done, late, large = ([c for c in own if c.status == status] for status in ("ok", "late", "too large"))
            # Markers differ in size, because they often overlap.
            hollow = style | {"linestyle": "", "markerfacecolor": "none", "markersize": 14 - 2 * color}
            seconds, memory = axes[:, column]
            seconds.plot([c.n for c in done], [median(c.seconds) for c in done], "o-", label=peer, **style)
            seconds.plot([c.n for c in late], [results["limit"] for _ in late], marker="^", **hollow)
            memory.plot([c.n for c in done], [max(median(c.bytes), 4096) / 1e6 for c in done], "o-", **style)
            memory.plot([c.n for c in large], [(c.needed or 0) / 1e6 for c in large], marker="^", **hollow)
        axes[0, column].set_title(f"{case[0]}, d = {case[1]}")
        axes[1, column].set_xlabel("points on each side")
    for panel in axes.flat:
        panel.set(xscale="log", yscale="log")
        panel.set_xticks(sizes, [f"{n:,}" for n in sizes], minor=False)
        panel.set_xticks([], minor=True)
        panel.grid(alpha=0.3)
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory, MB")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(peers),
        title="triangles: over the limit of time, or memory that it would need",
    )
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix.removeprefix("."), dpi=120)
    plt.close(figure)
