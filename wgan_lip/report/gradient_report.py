"""The figure and the tables of a network's gradient norm, layer by layer, and of its singular values."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich.table import Table

from wgan_lip.report.figures import strip_axes
from wgan_lip.report.gradient_summary import NetworkSummary, place_labels, shared_labels
from wgan_lip.report.tables import widen_for_caption

# By the order of the networks: the one that keeps its gradient norm usually comes last, and stands out.
_COLOURS = ("#9aa5b1", "#e07b39", "#2f6f9f", "#5b9279", "#8e6c8a", "#c9a227")
_TOP = 1.12
_SEEN = 0.004


@dataclass(frozen=True)
class GradientPanel:
    """One row of the figure: networks that are compared at the same kind of points.

    Attributes:
        title: what they were trained on, and what the points are.
        networks: whose layers correspond.
        points: index of the kind of points in each network's summary.
    """

    title: str
    networks: tuple[NetworkSummary, ...]
    points: int = 0


def panels_of(networks: Sequence[NetworkSummary]) -> list[GradientPanel]:
    """Make a row for each kind of points; networks whose layers or points do not correspond get rows of their own.

    Args:
        networks: at least one.
    """
    alike = shared_labels(networks) is not None and len({_kinds(network) for network in networks}) == 1
    groups = [tuple(networks)] if alike else [(network,) for network in networks]
    return [
        GradientPanel(kind if len(groups) == 1 else f"{group[0].label}, {kind}", group, i)
        for group in groups
        for i, kind in enumerate(_kinds(group[0]))
    ]


def _kinds(network: NetworkSummary) -> tuple[str, ...]:
    return tuple(points.kind for points in network.points)


def gradient_figure(panels: Sequence[GradientPanel], title: str = "") -> Figure:
    """Draw where gradient norm is lost: a row for each panel.

    Left: the mean norm of the gradient with respect to each layer's output, from the last layer to the input, with the
    standard deviation over the points as a whisker. Middle: the singular values of the input Jacobian over the points,
    sorted; of a critic, the norms of its gradient. Right: the smallest and the largest singular value of each weight,
    where they are known. All share one axis; an optimal critic has 1 where mass is moved.

    Args:
        panels: at least one.
        title: above them all; "" for none.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019; such bars are in its talk.
    """
    labels = list(dict.fromkeys(network.label for panel in panels for network in panel.networks))
    colours = {label: _COLOURS[i % len(_COLOURS)] for i, label in enumerate(labels)}
    most = max(len(panel.networks[0].points[panel.points].layers) for panel in panels)
    figure = Figure(figsize=(5.6 + 0.62 * most, 0.9 + 2.35 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), 3, sharey="row", squeeze=False, width_ratios=[0.62 * most, 2.2, 2.2])
    for (bars, jacobian, weights), panel in zip(grid, panels, strict=True):
        _bars(bars, panel, colours)
        _jacobian(jacobian, panel, colours)
        _weights(weights, panel, colours)
        bars.set_title(panel.title, loc="left", fontsize="medium", fontweight="bold")
        bars.set_ylabel("gradient norm")
        for axes in (bars, jacobian, weights):
            axes.axhline(1, color="0.25", lw=0.9, ls=(0, (4, 3)), zorder=1)
            strip_axes(axes, "y")
            axes.set_ylim(0, max(_TOP, 1.05 * _largest(panel)))
    grid[0][1].set_title("singular values:\ninput Jacobian", loc="left", fontsize="small")
    grid[0][2].set_title("singular values:\nweights", loc="left", fontsize="small")
    grid[-1][0].set_xlabel("gradient with respect to the layer's output, from the last layer back to the input")
    grid[-1][1].set_xlabel("over the points, sorted (%)")
    grid[-1][2].set_xlabel("smallest to largest")
    handles = [Patch(color=colour, label=label) for label, colour in colours.items()]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _bars(axes: Axes, panel: GradientPanel, colours: dict[str, str]) -> None:
    labels = shared_labels(panel.networks) or place_labels(panel.networks[0], panel.networks[0].points[0].layers)
    count = len(panel.networks)
    width = 0.8 / count
    for i, network in enumerate(panel.networks):
        layers = network.points[panel.points].layers
        places = [j + (i - (count - 1) / 2) * width for j in range(len(layers))]
        means = [layer.mean for layer in layers]
        # A whisker does not leave the range of the values.
        below = [min(layer.spread, layer.mean - layer.smallest) for layer in layers]
        above = [min(layer.spread, layer.largest - layer.mean) for layer in layers]
        axes.bar(places, means, 0.92 * width, color=colours[network.label], zorder=2)
        spread = [[max(0.0, value) for value in values] for values in (below, above)]
        # Whiskers that are too short to be seen are left out.
        seen = [j for j, pair in enumerate(zip(*spread, strict=True)) if max(pair) > _SEEN]
        x, y, *errors = ([values[j] for j in seen] for values in (places, means, *spread))
        axes.errorbar(x, y, errors, fmt="none", ecolor="0.2", elinewidth=0.9, capsize=1.8, zorder=3)
        axes.annotate(
            f"{means[-1]:.2f}",
            (places[-1], means[-1] + spread[1][-1]),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize="x-small",
        )
    axes.set_xticks(range(len(labels)), labels, fontsize="small")
    axes.margins(x=0.02)


def _jacobian(axes: Axes, panel: GradientPanel, colours: dict[str, str]) -> None:
    for network in panel.networks:
        values = network.points[panel.points].jacobian
        steps = [100 * i / (len(values) - 1) for i in range(len(values))]
        axes.plot(steps, values, color=colours[network.label], lw=2.2, zorder=2, solid_capstyle="round")
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 50, 100])


def _weights(axes: Axes, panel: GradientPanel, colours: dict[str, str]) -> None:
    count, most = len(panel.networks), max(len(network.weights) for network in panel.networks)
    for i, network in enumerate(panel.networks):
        for j, weight in enumerate(network.weights):
            if weight.smallest is not None and weight.largest is not None:
                place, colour = j + (i - (count - 1) / 2) * 0.25, colours[network.label]
                ends = [weight.smallest, weight.largest]
                axes.plot([place] * 2, ends, "o-", ms=3.5, lw=1.6, color=colour, zorder=2)
    axes.set_xticks(range(most), [f"W{j + 1}" for j in range(most)], fontsize="small")
    axes.set_xlim(-0.6, most - 0.4)


def _largest(panel: GradientPanel) -> float:
    """The largest number in the row."""
    values = [1.0]
    for network in panel.networks:
        points = network.points[panel.points]
        values += [layer.mean + min(layer.spread, layer.largest - layer.mean) for layer in points.layers]
        values += [points.jacobian[-1], *(weight.largest for weight in network.weights if weight.largest is not None)]
    return max(values)


def gradient_tables(network: NetworkSummary) -> list[Table]:
    """Make two tables: gradient norms from the output to the input, and the layers' singular values and units.

    Means have their standard errors for the draw of the points.

    Args:
        network: as :func:`summarize_gradients` gives it.
    """
    return [_norms(network), _layers(network)]


def _norms(network: NetworkSummary) -> Table:
    of = network.points[0].of
    lines = [f"mean norm of the gradient of {of} with respect to a layer's output, ± standard error"]
    for points in network.points:
        low, median, high = (points.jacobian[i] for i in (0, len(points.jacobian) // 2, -1))
        lines.append(f"input Jacobian, {points.kind}: singular values {low:.4f} to {high:.4f} (median {median:.4f})")
    table = Table(title=f"{network.label}: gradient norm", caption="\n".join(lines), caption_justify="left")
    table.add_column("after", no_wrap=True)
    for points in network.points:
        table.add_column(f"{points.kind} ({points.n})", justify="right", no_wrap=True)
    labels = place_labels(network, network.points[0].layers)
    for i, label in enumerate(labels):
        layers = [points.layers[i] for points in network.points]
        table.add_row(label, *(f"{layer.mean:.4f} ± {layer.standard_error:.4f}" for layer in layers))
    widen_for_caption(table)
    return table


def _layers(network: NetworkSummary) -> Table:
    reasons = [f"{one.name} ({one.kind}): {one.reason}" for one in network.weights if one.reason]
    table = Table(title=f"{network.label}: layers", caption="\n".join(reasons) or None, caption_justify="left")
    table.add_column("layer", no_wrap=True)
    for heading in ("singular values", "units", "never switch", "dead"):
        table.add_column(heading, justify="right", no_wrap=True)
    units = {one.name: one for one in network.units}
    weights = {one.name: one for one in network.weights}
    # In the order of the table above; weights within a layer have no place of their own, and come last.
    layers = network.points[0].layers[:-1]
    places = {layer.name: label for layer, label in zip(layers, place_labels(network, layers), strict=True)}
    for name in dict.fromkeys([*places, *weights]):
        weight, idle = weights.get(name), units.get(name)
        if weight is not None:
            label = f"W{list(weights).index(name) + 1}"
            known = weight.smallest is not None and weight.largest is not None
            spectrum = f"{weight.smallest:.4f} to {weight.largest:.4f}" if known else "not known"
            table.add_row(label, spectrum, "", "", "")
        elif idle is not None:
            dead = "" if idle.dead is None else f"{idle.dead_share:.1%}"
            table.add_row(places[name], "", f"{idle.units}", f"{idle.constant_share:.1%}", dead)
    return table
