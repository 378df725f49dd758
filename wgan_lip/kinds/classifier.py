"""The training of a robust classifier, and its page: accuracy, clean and certified."""

from collections.abc import Sequence

from wgan_lip.kinds.kind import Exportable, Kind, stated_shape
from wgan_lip.metrics import CLASSIFIER
from wgan_lip.report import (
    BLUE,
    CYCLE,
    DASHES,
    ORANGE,
    Card,
    Panel,
    Row,
    RunContent,
    RunRecord,
    accuracy_figure,
    accuracy_table,
    certificate_panel,
    certified_accuracies,
    draw_if_logged,
    gradient_panels,
    lipschitz_card,
    percent,
    times_panel,
    training_panel,
)
from wgan_lip.training import CertifiedAccuracy, RobustClassifier

_CLEAN = CLASSIFIER["accuracy/clean"]
_GRADIENT = (
    "Random combinations of the logits are differentiated. Layers that do not preserve gradient norm make it smaller, "
    "and certified radii with it."
)
_UNPROVEN = "Nothing is proven of this network: a layer of it has no bound."


def _content(run: RunRecord, rows: Sequence[Row]) -> RunContent:
    confidence = run.setting("certified_accuracy", "confidence") or 0.95
    return RunContent(
        steps=[row.step for row in rows],
        cards=_cards(rows, confidence),
        main=_main_panel(rows, confidence),
        panels=[
            _radius_panel(run, confidence),
            certificate_panel(run.history, CLASSIFIER),
            *gradient_panels(run.history, CLASSIFIER, run.setting("gradient_norms", "n"), _GRADIENT),
            training_panel(run.history, CLASSIFIER),
            times_panel(run.history, CLASSIFIER),
        ],
        curves={
            f"{'clean accuracy' if metric is _CLEAN else metric.label}, %": [
                None if (share := row[metric.name]) is None else 100 * share for row in rows
            ]
            for metric in (_CLEAN, *certified_accuracies(rows))
        },
        remarks=() if rows[-1]["lipschitz/certified"] is not None else (_UNPROVEN,),
    )


def _main_panel(rows: Sequence[Row], confidence: float) -> Panel:
    panel = Panel(
        "accuracy",
        "Accuracy on held-out images, clean and certified",
        "Certified at eps: the image is classified correctly, and provably no change of it by at most eps alters the "
        f"class. Shaded: the {confidence:.0%} interval for the draw of the images.",
        "classifier step",
        "accuracy, %",
    )
    interval = f"{confidence:.0%} interval"
    panel.draw(rows, _CLEAN, BLUE, scale=100, interval=interval)
    for metric, color, dash in zip(certified_accuracies(rows), CYCLE[1:], DASHES[1:], strict=False):
        known = [row for row in rows if row[metric.name] is not None]
        panel.draw(known, metric, color, dash, scale=100, interval=interval)
    panel.figure.update_yaxes(range=[0, 100])
    return panel


def _radius_panel(run: RunRecord, confidence: float) -> Panel:
    metric = CLASSIFIER["accuracy/median_radius"]
    panel = Panel(
        "radius",
        "Median certified radius",
        "Half of the held-out images are classified correctly, provably, anywhere within this distance. "
        f"Shaded: the {confidence:.0%} interval for the draw of the images.",
        run.history.step_title,
        metric.unit,
    )
    draw_if_logged(panel, run.history, metric, ORANGE, interval=f"{confidence:.0%} interval")
    return panel


def _cards(rows: Sequence[Row], confidence: float) -> list[Card]:
    clean = (
        "the share of held-out images that are classified correctly; ± is half the width of the "
        f"{confidence:.0%} interval for the draw of the images"
    )
    return [
        Card("clean accuracy", percent(rows[-1], _CLEAN), "", clean, proven=False),
        *(
            Card(
                metric.label,
                percent(rows[-1], metric),
                "at least",
                "the share of images that are classified correctly, and whose class no change of the image by at most "
                f"{metric.label.removeprefix('certified at ')} can alter, since the margins exceed what the certified "
                "Lipschitz constants of the logits' differences allow",
            )
            for metric in certified_accuracies(rows)
        ),
        *lipschitz_card(rows[-1], "network"),
    ]


def _exportables(classifier: RobustClassifier, raw: bool) -> list[Exportable]:
    return [Exportable("network", classifier.network, stated_shape(classifier.network, "input_shape"))]


ROBUST_CLASSIFIER = Kind(
    name="robust classifier",
    module=RobustClassifier,
    network=lambda classifier: classifier.network,
    takes_data=True,
    callbacks={"certified_accuracy": CertifiedAccuracy},
    metrics=CLASSIFIER,
    evaluation="accuracy/clean",
    figure_name="accuracy",
    figure=accuracy_figure,
    table=accuracy_table,
    content=_content,
    exportables=_exportables,
)
