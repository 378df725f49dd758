"""Panels that every kind of training may have."""

from wgan_lip.report.page.metrics import Metrics, Series
from wgan_lip.report.page.panel import BLUE, CYCLE, DASHES, GREY, ORANGE, Panel, two_errors

_ERROR = "_standard_error"
# A long training logs a hundred thousand, which no eye tells apart.
_MOST_BATCHES = 1000


def steps_title(metrics: Metrics) -> str:
    """What is along in a figure over the training.

    Args:
        metrics: of the run.
    """
    return metrics.step_name.replace("_", " ")


def draw_series(
    panel: Panel, name: str, series: Series | None, color: str = BLUE, *, errors: Series | None = None
) -> None:
    """Draw one metric, if it was logged.

    Args:
        panel: where.
        name: in the legend.
        series: of the metric.
        color: of the line.
        errors: the metric that holds its standard errors.
    """
    if series is not None:
        spread = None
        if errors is not None:
            at = dict(zip(errors.steps, errors.values, strict=True))
            spread = two_errors(series.values, [at.get(step) for step in series.steps])
        panel.line(name, series.steps, series.values, color, spread=spread)


def certificate_panel(metrics: Metrics) -> Panel:
    """The certified Lipschitz constant over the training: its distance from 1, or itself where it is far from 1.

    Args:
        metrics: of the run.
    """
    series = metrics.series.get("lipschitz/certified")
    near = series is not None and all(abs(value - 1) < 0.1 for value in series.values)
    panel = Panel(
        "certificate",
        "Certified Lipschitz constant",
        "L bounds from above how much the network can stretch any distance. It is computed in float64, layer by layer, "
        "with all rounding accounted for; "
        + (
            "what is drawn is by how much it exceeds 1."
            if near
            else "every bound that this page calls proven is divided by it."
        ),
        steps_title(metrics),
        "L - 1" if near else "L",
    )
    if series is not None:
        values = tuple(value - 1 for value in series.values) if near else series.values
        draw_series(panel, "L - 1, at most" if near else "L, at most", Series(series.steps, values), ORANGE)
        panel.figure.update_yaxes(exponentformat="power", rangemode="tozero" if near else "normal")
    return panel


def training_panel(metrics: Metrics) -> Panel:
    """The objective on training batches.

    Args:
        metrics: of the run.
    """
    logged = metrics.beginning("train/").values()
    is_long = any(len(one.steps) > _MOST_BATCHES for one in logged)
    left_out = f" At most {_MOST_BATCHES:,} of them are drawn." if is_long else ""
    panel = Panel(
        "training",
        "On training batches",
        "What the optimiser sees, one batch at a time. It proves nothing: samples that a critic was trained on "
        f"flatter it.{left_out}",
        steps_title(metrics),
        "objective of a batch",
    )
    for name, label, color in (
        ("w1_critic", "critic's estimate of a batch", ORANGE),
        ("loss", "loss of a batch", ORANGE),
    ):
        series = metrics.series.get(f"train/{name}")
        if series is not None:
            shown = series.thinned(_MOST_BATCHES)
            panel.line(label, shown.steps, shown.values, color, markers=False)
    return panel


def gradient_panels(metrics: Metrics, n: int | None) -> list[Panel]:
    """The norm of the critic's gradient at its input over the training, and after each layer at the end of it.

    Args:
        metrics: of the run.
        n: points that each mean is over, if known.
    """
    logged = metrics.beginning("gradient_norm/")
    found = {name: one for name, one in logged.items() if not name.endswith(_ERROR)}
    kinds = list(dict.fromkeys(name.split("/", 1)[0] for name in found))
    over = "" if n is None else f" over {n} points"
    at_input = Panel(
        "gradient-input",
        "Gradient norm at the input",
        f"Means{over}. A 1-Lipschitz critic that attains W1 has norm 1 wherever mass is transported; below that, "
        "gradient is lost.",
        steps_title(metrics),
        "mean gradient norm",
    )
    by_layer = Panel(
        "gradient-layers",
        "Gradient norm layer by layer",
        f"At the last evaluation, means{over} of the norm of the gradient with respect to what each layer gives, from "
        "the output's end to the input.",
        "layer",
        "mean gradient norm",
    )
    for kind, color, dash in zip(kinds, CYCLE, DASHES, strict=False):
        series = {name.split("/", 1)[1]: one for name, one in found.items() if name.startswith(f"{kind}/")}
        errors = {place: logged.get(f"{kind}/{place}{_ERROR}") for place in series}
        draw_series(at_input, kind, series.get("input"), color, errors=errors.get("input"))
        values = [one.last for one in series.values()]
        last = [None if one is None else one.last for one in errors.values()]
        by_layer.line(kind, list(series), values, color, dash, spread=two_errors(values, last) if any(last) else None)
    for panel in (at_input, by_layer):
        panel.figure.update_yaxes(rangemode="tozero")
    by_layer.figure.update_layout(margin={"b": 120}, legend={"y": -0.5})
    return [at_input, by_layer]


def times_panel(metrics: Metrics) -> Panel:
    """What evaluations and steps take.

    Args:
        metrics: of the run.
    """
    panel = Panel(
        "times",
        "Time",
        "Wall time on the machine of the training: of a hundred training steps, evaluations left out, and of "
        "one evaluation.",
        steps_title(metrics),
        "seconds",
    )
    draw_series(panel, "an evaluation", metrics.series.get("w1/seconds"), BLUE)
    draw_series(panel, "an evaluation, averaged generator", metrics.series.get("w1_averaged/seconds"), GREY)
    steps = metrics.series.get("train/seconds")
    if steps is not None:
        hundred = Series(steps.steps, tuple(100 * value for value in steps.values))
        draw_series(panel, "a hundred steps", hundred, ORANGE)
    panel.figure.update_yaxes(rangemode="tozero")
    return panel
