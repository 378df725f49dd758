"""The tables of a network's gradients, layer by layer, for the terminal."""

from rich.table import Table

from wgan_lip.report.gradient_summary import NetworkSummary
from wgan_lip.report.layer_labels import place_labels
from wgan_lip.report.table import widen_for_caption


def gradient_tables(network: NetworkSummary) -> list[Table]:
    """Gradient norms from the output to the input, and below them what the layers are like.

    Means are with their standard errors: sampling alone makes them differ by so much.

    Args:
        network: as :func:`summarize_gradients` gives it.
    """
    return [_norms(network), _layers(network)]


def _norms(network: NetworkSummary) -> Table:
    of = network.points[0].of
    lines = [f"mean norm of the gradient of {of} with respect to what a layer gives, ± standard error"]
    for points in network.points:
        which = "" if points.jacobian_complete else "largest "
        low, median, high = (points.jacobian[i] for i in (0, len(points.jacobian) // 2, -1))
        lines.append(
            f"input Jacobian, {points.kind}: {which}singular values {low:.4f} to {high:.4f} (median {median:.4f})"
        )
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
    # In the order of the table above; what is a branch of a layer, and so no place of its own, comes last.
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
