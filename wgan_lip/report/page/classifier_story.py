"""The story of a classifier's training: accuracy, clean and proven."""

from collections.abc import Sequence

from wgan_lip.report.accuracy import AccuracyRow, read_accuracies
from wgan_lip.report.page.common_panels import certificate_panel, steps_title, times_panel, training_panel
from wgan_lip.report.page.metrics import Metrics
from wgan_lip.report.page.panel import BLUE, CYCLE, DASHES, ORANGE, Panel
from wgan_lip.report.page.run import RunRecord
from wgan_lip.report.page.story import Card, Story
from wgan_lip.report.page.words import share
from wgan_lip.rounded import lipschitz_bound


def classifier_story(run: RunRecord) -> Story:
    """What is told of a classifier's run.

    Args:
        run: whose metrics hold evaluations of ``CertifiedAccuracy``.

    Raises:
        ValueError: there is none yet.
    """
    rows = read_accuracies(run.folder / "metrics.csv")
    metrics = run.metrics
    confidence = run.setting("certified_accuracy", "confidence") or 0.95
    panels = [
        _radius_panel(metrics, confidence),
        certificate_panel(metrics),
        training_panel(metrics),
        times_panel(metrics),
    ]
    steps = [row.step for row in rows]
    radii = sorted(rows[-1].certified)
    return Story(
        kind="robust classifier",
        step=rows[-1].step,
        cards=_cards(rows[-1]),
        sentences=_sentences(rows[-1], confidence),
        main=_main_panel(rows, confidence),
        panels=[panel for panel in panels if not panel.is_empty],
        curves={
            "clean accuracy, %": (steps, [100 * row.clean.value for row in rows]),
            **{
                f"certified at {eps:g}, %": (
                    steps,
                    [100 * row.certified[eps].value if eps in row.certified else None for row in rows],
                )
                for eps in radii
            },
        },
    )


def _main_panel(rows: Sequence[AccuracyRow], confidence: float) -> Panel:
    panel = Panel(
        "accuracy",
        "Accuracy on held-out images, clean and certified",
        "Certified at eps: the class provably cannot change anywhere within that distance of the image, and is the "
        f"right one. Shaded: the {confidence:.0%} interval for the draw of the images.",
        "classifier step",
        "accuracy, %",
    )
    curves = {"clean": ([row.step for row in rows], [row.clean for row in rows])}
    for eps in sorted(rows[-1].certified):
        known = [(row.step, row.certified[eps]) for row in rows if eps in row.certified]
        curves[f"certified at {eps:g}"] = ([step for step, _ in known], [one for _, one in known])
    for (name, (steps, shares)), color, dash in zip(curves.items(), CYCLE, DASHES, strict=False):
        panel.line(
            name,
            steps,
            [100 * one.value for one in shares],
            BLUE if name == "clean" else color,
            dash,
            spread=[(100 * one.low, 100 * one.high) for one in shares],
            spread_name=f"{confidence:.0%} interval",
        )
    panel.figure.update_yaxes(range=[0, 100])
    return panel


def _radius_panel(metrics: Metrics, confidence: float) -> Panel:
    panel = Panel(
        "radius",
        "Median certified radius",
        "Half of the held-out images are classified correctly, provably, anywhere within this distance. "
        f"Shaded: the {confidence:.0%} interval for the draw of the images.",
        steps_title(metrics),
        "radius, pixels in [0, 1]",
    )
    name = "accuracy/median_radius"
    median = metrics.series.get(name)
    if median is not None:
        ends = [(metrics.at(f"{name}_low", step), metrics.at(f"{name}_high", step)) for step in median.steps]
        panel.line(
            "median radius",
            median.steps,
            median.values,
            ORANGE,
            spread=[None if low is None or high is None else (low, high) for low, high in ends],
            spread_name=f"{confidence:.0%} interval",
        )
    return panel


def _cards(row: AccuracyRow) -> list[Card]:
    cards = [Card("clean accuracy", share(row.clean.value, row.clean.low, row.clean.high), "", proven=False)]
    for eps, one in sorted(row.certified.items()):
        cards.append(Card(f"certified at {eps:g}", share(one.value, one.low, one.high), "at least", proven=True))
    if row.bound is not None:
        cards.append(Card("Lipschitz constant", f"≤ {lipschitz_bound(row.bound)}", "of the network", proven=True))
    return cards


def _sentences(row: AccuracyRow, confidence: float) -> list[str]:
    clean = share(row.clean.value, row.clean.low, row.clean.high)
    found = [
        f"Clean accuracy, {clean}: the share of held-out images that are classified correctly; ± is half the width of "
        f"the {confidence:.0%} interval for the draw of the images."
    ]
    for eps, one in sorted(row.certified.items()):
        found.append(
            f"Certified at {eps:g}, {share(one.value, one.low, one.high)}: so many are classified correctly, and no "
            f"change of the image by at most {eps:g} can alter that, since margins exceed what the certified Lipschitz "
            "constants of the logits' differences allow."
        )
    if row.bound is not None:
        found.append(
            f"Lipschitz constant, at most {lipschitz_bound(row.bound)}: of the network as a whole, by its layers."
        )
    else:
        found.append("Nothing is proven of this network: a layer of it has no bound.")
    return found
