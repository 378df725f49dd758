"""The table of a network's gradients, layer by layer, for the terminal."""

from rich.table import Table

from wgan_lip.report.gradient_summary import NetworkSummary
from wgan_lip.report.layer_labels import place_labels


def gradient_table(network: NetworkSummary) -> Table:
    """Rows from the output to the input: mean gradient norm at each kind of points, idle units, singular values.

    Means are with their standard errors: sampling alone makes them differ by so much.

    Args:
        network: as :func:`summarize_gradients` gives it.
    """
    first = network.points[0]
    table = Table(title=network.label, caption=_caption(network), caption_justify="left")
    table.add_column("after", no_wrap=True)
    for points in network.points:
        table.add_column(points.kind, justify="right", no_wrap=True)
    for heading in ("never switch", "dead", "singular values"):
        table.add_column(heading, justify="right", no_wrap=True)
    units = {one.name: one for one in network.units}
    weights = {one.name: one for one in network.weights}
    labels = place_labels(network, first.layers)
    for i, (label, layer) in enumerate(zip(labels, first.layers, strict=True)):
        norms = [f"{points.layers[i].mean:.4f} ± {points.layers[i].standard_error:.4f}" for points in network.points]
        idle, weight = units.get(layer.name), weights.get(layer.name)
        spectrum = "" if weight is None else "not known"
        if weight is not None and weight.smallest is not None:
            spectrum = f"{weight.smallest:.4f} - {weight.largest:.4f}"
        table.add_row(
            label,
            *norms,
            "" if idle is None else f"{idle.constant}/{idle.units}",
            "" if idle is None or idle.dead is None else f"{idle.dead}/{idle.units}",
            spectrum,
        )
    return table


def _caption(network: NetworkSummary) -> str:
    lines = [
        f"mean norm of the gradient of {network.points[0].of} with respect to what the layer gives ± standard error",
        "points: " + ", ".join(f"{points.n} {points.kind}" for points in network.points),
    ]
    lines += [
        f"input Jacobian, {points.kind}: {'' if points.jacobian_complete else 'largest '}singular values "
        f"{points.jacobian[0]:.4f} - {points.jacobian[-1]:.4f}, median {points.jacobian[len(points.jacobian) // 2]:.4f}"
        for points in network.points
    ]
    lines += [f"singular values of {one.name} ({one.kind}): {one.reason}" for one in network.weights if one.reason]
    return "\n".join(lines)
