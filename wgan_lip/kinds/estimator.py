"""The training of a critic that estimates W1 of a pair, and its page: the estimate against the truth."""

from collections.abc import Sequence

from wgan_lip.kinds.kind import Exportable, Kind
from wgan_lip.metrics import DISTANCE, ESTIMATOR
from wgan_lip.report import (
    BLUE,
    BROWN,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    Card,
    DrawCritic,
    Panel,
    Row,
    RunContent,
    RunRecord,
    certificate_panel,
    estimate_figure,
    estimate_table,
    gap_panel,
    gradient_panels,
    lipschitz_card,
    times_panel,
    training_panel,
    unproven_card,
    with_error,
)
from wgan_lip.rounded import lipschitz_bound
from wgan_lip.training import HeldOutW1, W1Estimator


def _content(run: RunRecord, rows: Sequence[Row]) -> RunContent:
    return RunContent(
        steps=[row.step for row in rows],
        cards=_cards(rows[-1], run.setting("heldout_w1", "exact_n")),
        main=_main_panel(rows),
        panels=[
            gap_panel(run.history, rows, ESTIMATOR),
            _gradients_panel(rows),
            certificate_panel(run.history, ESTIMATOR),
            *gradient_panels(run.history, ESTIMATOR, run.setting("gradient_norms", "n")),
            training_panel(run.history, ESTIMATOR),
            times_panel(run.history, ESTIMATOR),
        ],
        curves={
            "critic's proven estimate": [row["w1/critic"] for row in rows],
            "truth": [row["w1/truth"] for row in rows],
            "exact W1 of samples": [row["w1/exact"] for row in rows],
        },
    )


def _main_panel(rows: Sequence[Row]) -> Panel:
    panel = Panel(
        "w1",
        "Estimated Wasserstein-1 distance against the truth",
        "The critic's estimate on held-out samples is, but for its sampling error (shaded: two standard errors), below "
        "the truth: its Lipschitz constant is proven. The exact W1 of a part of the samples is biased upwards.",
        "critic step",
        DISTANCE,
    )
    panel.draw(rows, ESTIMATOR["w1/truth"], GREEN, "dash", markers=False)
    panel.draw(rows, ESTIMATOR["w1/exact"], BLUE, "dashdot", markers=False)
    panel.draw(rows, ESTIMATOR["w1/noise_floor"], GREY, "dash", markers=False)
    panel.draw(rows, ESTIMATOR["w1/critic"], ORANGE)
    panel.draw(rows, ESTIMATOR["w1/uncertified"], PURPLE, "dot")
    return panel


def _gradients_panel(rows: Sequence[Row]) -> Panel:
    panel = Panel(
        "gradients",
        "The critic's gradient against an optimal potential's",
        "The gradient of an optimal potential has cosine 1 and squared distance 0.",
        "critic step",
        "mean over held-out samples",
    )
    panel.draw(rows, ESTIMATOR["gradient/cosine"], BROWN)
    panel.draw(rows, ESTIMATOR["gradient/l2"], PURPLE, "dot")
    return panel


def _cards(row: Row, exact_n: int | None) -> list[Card]:
    cards, bound = [], row["lipschitz/certified"]
    if row["w1/critic"] is not None:
        constant = "certified" if bound is None else f"certified to be at most {lipschitz_bound(bound)}"
        cards.append(
            Card(
                "critic's estimate",
                with_error(row, ESTIMATOR["w1/critic"]),
                "below W1, but for the standard error",
                "its expectation is at most the W1 of the distributions, because the critic's Lipschitz constant is "
                f"{constant}; ± is the standard error of drawing the held-out samples",
            )
        )
    cards += unproven_card(row, ESTIMATOR["w1/uncertified"])
    if row["w1/truth"] is not None:
        closed = not row["w1/truth_standard_error"]
        cards.append(
            Card(
                "truth",
                with_error(row, ESTIMATOR["w1/truth"]),
                "closed form" if closed else "with its standard error",
                "the W1 of this pair is "
                + ("known" if closed else "estimated on samples along a plan that is known to be optimal"),
            )
        )
    if row["w1/exact"] is not None:
        samples = "a part of the held-out samples" if not exact_n else f"{exact_n} held-out samples of each side"
        floor = with_error(row, ESTIMATOR["w1/noise_floor"])
        cards.append(
            Card(
                "exact W1 of samples",
                with_error(row, ESTIMATOR["w1/exact"]),
                f"noise floor {floor}",
                f"of {samples}, with a checked proof; its expectation exceeds the W1 of the distributions, as that of "
                f"P against itself, {floor} at that size, exceeds 0; ± is the standard error of drawing the samples",
            )
        )
    return cards + lipschitz_card(row, "critic")


def _exportables(estimator: W1Estimator, raw: bool) -> list[Exportable]:
    return [Exportable("critic", estimator.final_critic(), tuple(estimator.pair.shape))]


W1_ESTIMATOR = Kind(
    name="W1 estimator of a pair",
    module=W1Estimator,
    network=lambda estimator: estimator.final_critic(),
    takes_data=False,
    callbacks={"heldout_w1": HeldOutW1, "draw_critic": DrawCritic},
    metrics=ESTIMATOR,
    # Logged at every evaluation, whatever else is known.
    evaluation="gradient/norm",
    figure_name="w1",
    figure=estimate_figure,
    table=estimate_table,
    content=_content,
    exportables=_exportables,
    pictures=("critic/*.png",),
)
