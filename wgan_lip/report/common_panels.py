"""Panels of the page that every kind of training may have."""

from collections.abc import Sequence

from wgan_lip.metrics import GRADIENT, SECONDS, Metric, Metrics
from wgan_lip.report.panel import BLUE, CYCLE, DASHES, GREY, ORANGE, TWO_ERRORS, Panel
from wgan_lip.report.run_record import History, Row

# Batches that are drawn at most.
_MOST_BATCHES = 1000
_CRITIC_GRADIENT = (
    "A 1-Lipschitz critic that attains W1 has norm 1 wherever mass is transported; layers that do not preserve "
    "gradient norm make it smaller."
)


def thinned(rows: Sequence[Row], most: int = _MOST_BATCHES) -> Sequence[Row]:
    """Every k-th row, and the last one; all, if there are no more than so many.

    Args:
        rows: at least one.
        most: how many there may be.
    """
    every = -(-(len(rows) - 1) // max(1, most - 1)) or 1
    # Counted from the end, so that the last is among them.
    return rows[::-1][::every][::-1]


def draw_if_logged(
    panel: Panel,
    history: History,
    metric: Metric,
    color: str,
    scale: float = 1,
    name: str = "",
    *,
    most: int = 0,
    interval: str = TWO_ERRORS,
) -> None:
    """Draw a metric at the steps at which it was logged, if it was.

    Args:
        panel: where.
        history: of the run.
        metric: of the run.
        color: of ``CYCLE``.
        scale: factor of the values.
        name: in the legend; the metric's label if empty.
        most: values that are drawn, without markers; 0 draws all.
        interval: what the shaded interval is.
    """
    if metric.name in history.names:
        rows: Sequence[Row] = history.having(metric.name)
        rows = thinned(rows, most) if most else rows
        panel.draw(rows, metric, color, scale=scale, name=name, markers=not most, interval=interval)


def gap_panel(history: History, rows: Sequence[Row], metrics: Metrics) -> Panel:
    """The gap between the exact W1 and the critic's bound over the training.

    Args:
        history: of the run.
        rows: its evaluations; the line is broken at those without a gap.
        metrics: of its kind.
    """
    panel = Panel(
        "gap",
        "Gap: exact W1 less the critic's bound",
        "On the same samples, so without sampling error. It is never negative beyond rounding: the training would stop "
        "with an error.",
        history.step_title,
        "gap, in W1",
        from_zero=True,
    )
    panel.draw(rows, metrics["w1/gap"], BLUE)
    for name, color in (("w1/gap_unseen", ORANGE), ("w1/gap_beyond", GREY)):
        if name in metrics:
            draw_if_logged(panel, history, metrics[name], color)
    return panel


def certificate_panel(history: History, metrics: Metrics) -> Panel:
    """The certified Lipschitz constant over the training: its distance from 1, or itself where it is far from 1.

    Args:
        history: of the run.
        metrics: of its kind.
    """
    metric = metrics["lipschitz/certified"]
    rows = [row for row in history.rows if row[metric.name] is not None]
    near = bool(rows) and all(abs((row[metric.name] or 0) - 1) < 0.1 for row in rows)
    panel = Panel(
        "certificate",
        "Certified Lipschitz constant",
        "L bounds from above by how much the network can stretch any distance. It is computed in float64, layer by "
        "layer, with all rounding accounted for; "
        + ("the figure shows L - 1." if near else "every bound that this page calls proven is divided by it."),
        history.step_title,
        "L - 1" if near else "L",
        from_zero=near,
    )
    panel.draw(rows, metric, ORANGE, offset=near, name="L - 1, at most" if near else "")
    panel.figure.update_yaxes(exponentformat="power")
    return panel


def training_panel(history: History, metrics: Metrics) -> Panel:
    """The objective on training batches.

    Args:
        history: of the run.
        metrics: of its kind.
    """
    shown = [metric for metric in metrics.values() if metric.panel == "training"]
    counts = [sum(row[metric.name] is not None for row in history.rows) for metric in shown]
    left_out = f" At most {_MOST_BATCHES:,} of them are drawn." if max(counts, default=0) > _MOST_BATCHES else ""
    panel = Panel(
        "training",
        "On training batches",
        "The objective of the optimiser, one batch at a time. It proves nothing: on the samples that a critic was "
        f"trained on its estimate is too large.{left_out}",
        history.step_title,
        "objective of a batch",
    )
    for metric in shown:
        draw_if_logged(panel, history, metric, ORANGE, most=_MOST_BATCHES)
    return panel


def gradient_panels(history: History, metrics: Metrics, n: int | None, meaning: str = _CRITIC_GRADIENT) -> list[Panel]:
    """The norm of the gradient at the input over the training, and after each layer at the end of it.

    Args:
        history: of the run.
        metrics: of its kind.
        n: points that each mean is over, if known.
        meaning: of the norm at the input, in sentences.
    """
    metric = metrics["gradient_norm/*"]
    beginning = metric.name.removesuffix("*")
    places = [name.removeprefix(beginning) for name in history.names if name.startswith(beginning)]
    places = [place for place in places if not place.endswith("_standard_error")]
    over = "" if n is None else f" over {n} points"
    at_input = Panel(
        "gradient-input",
        "Gradient norm at the input",
        f"Means{over}. {meaning}",
        history.step_title,
        f"mean {GRADIENT}",
        from_zero=True,
    )
    by_layer = Panel(
        "gradient-layers",
        "Gradient norm layer by layer",
        f"At the last evaluation: means{over} of the norm of the gradient with respect to each layer's output, from "
        "the last layer to the input.",
        "layer",
        f"mean {GRADIENT}",
        from_zero=True,
    )
    for points, color, dash in zip(
        dict.fromkeys(place.split("/", 1)[0] for place in places), CYCLE, DASHES, strict=False
    ):
        of_points = {place.split("/", 1)[1]: metric.of(place) for place in places if place.startswith(f"{points}/")}
        if "input" in of_points:
            draw_if_logged(at_input, history, of_points["input"], color, name=points)
        last = {place: history.having(one.name)[-1] for place, one in of_points.items()}
        by_layer.line(
            points,
            list(of_points),
            [last[place][one.name] for place, one in of_points.items()],
            color,
            dash,
            spread=[last[place].spread(one) for place, one in of_points.items()],
        )
    by_layer.figure.update_layout(margin={"b": 120}, legend={"y": -0.5})
    return [at_input, by_layer]


def times_panel(history: History, metrics: Metrics) -> Panel:
    """The duration of evaluations and steps.

    Args:
        history: of the run.
        metrics: of its kind.
    """
    panel = Panel(
        "times",
        "Time",
        "Wall time on the machine of the training: of a hundred training steps, without evaluations, and of one "
        "evaluation.",
        history.step_title,
        SECONDS,
        from_zero=True,
    )
    for name, color in (("w1/seconds", BLUE), ("w1_averaged/seconds", GREY)):
        if name in metrics:
            draw_if_logged(panel, history, metrics[name], color)
    draw_if_logged(panel, history, metrics["train/seconds"], ORANGE, 100, "a hundred steps")
    return panel
